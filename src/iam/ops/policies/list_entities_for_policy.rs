//! ListEntitiesForPolicy: to what a managed policy is attached, and of what it is the boundary. Users of the settings
//! come first.

use super::{USAGES, by_arn};
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, members, optional};
use crate::iam::shapes::{ARN, PATH, Page, Paging};
use crate::identity::{AttachedTo, GroupRecord, PolicyUse, RoleRecord, UserRecord};
use crate::names::AccountId;

/// `EntityFilter`. By the last two nothing is found: policies are attached to none.
const KINDS: [&str; 5] = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];
/// What the keys of users of the settings in markers begin with.
const SEED: &str = "a/";
/// The same of stored entities, with their place: names of entities are ASCII, and a marker has no room for more.
const STORED: &str = "b/";

pub(in crate::iam) struct Input {
    arn: String,
    kind: Option<&'static str>,
    path_prefix: String,
    usage: Option<&'static str>,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            arn: fields.required("PolicyArn", &ARN),
            kind: fields.word("EntityFilter", &KINDS),
            path_prefix: fields.text("PathPrefix", &PATH).unwrap_or_else(|| "/".to_owned()),
            usage: fields.word("PolicyUsageFilter", &USAGES),
            paging: Paging::read(fields),
        }
    }

    fn asks_for(&self, to: AttachedTo, using: PolicyUse) -> bool {
        let kind = match to {
            AttachedTo::User => "User",
            AttachedTo::Group => "Group",
            AttachedTo::Role => "Role",
        };
        let usage = match using {
            PolicyUse::Permissions => USAGES[0],
            PolicyUse::Boundary => USAGES[1],
        };
        self.kind.is_none_or(|asked| asked == kind) && self.usage.is_none_or(|asked| asked == usage)
    }
}

/// A user, group or role.
struct Found {
    to: AttachedTo,
    name: String,
    id: String,
    path: String,
    /// The policy is attached to it, and not only its boundary.
    attached: bool,
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    by_arn(cx, &input.arn, &Adds::new()).await?;
    let account = cx.account()?;
    let after = input.paging.after()?.unwrap_or_default();
    let mut found = Vec::new();
    if input.asks_for(AttachedTo::User, PolicyUse::Permissions) {
        let seed = cx.identities().seed_users_with(account, &input.arn).into_iter();
        let seed = seed.map(|user| (format!("{SEED}{}", user.name.to_lowercase()), of_user(user, &input.arn)));
        found.extend(seed.filter(|(key, user)| *key > after && user.path.starts_with(&input.path_prefix)));
        found.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let mut place = after.strip_prefix(STORED).map(|place| place.as_bytes().to_vec());
    while found.len() <= input.paging.limit() {
        let limit = input.paging.limit() + 1;
        let read = cx.identities().attachments(account, &input.arn, place.as_deref(), limit).await?;
        let Some((last, ..)) = read.last() else { break };
        place = Some(last.clone());
        for (at, to, using, name) in read.into_iter().filter(|(_, to, using, _)| input.asks_for(*to, *using)) {
            let Some(entity) = load(cx, account, to, &name, &input.arn).await? else { continue };
            // What has it as policy and as boundary is listed once.
            let again = using == PolicyUse::Boundary && input.usage.is_none() && entity.attached;
            if !again && entity.path.starts_with(&input.path_prefix) {
                found.push((format!("{STORED}{}", String::from_utf8_lossy(&at)), entity));
            }
        }
    }
    Ok(answer(input.paging.page(found)))
}

fn of_user(user: UserRecord, arn: &str) -> Found {
    let attached = user.attached.iter().any(|policy| policy == arn);
    Found { to: AttachedTo::User, name: user.name, id: user.id, path: user.path, attached }
}

/// None: it was removed after its attachment was read.
async fn load(
    cx: &Cx<'_>,
    account: &AccountId,
    to: AttachedTo,
    name: &str,
    arn: &str,
) -> Result<Option<Found>, IamError> {
    let identities = cx.identities();
    let has = |attached: &[String]| attached.iter().any(|policy| policy == arn);
    Ok(match to {
        AttachedTo::User => identities.entity::<UserRecord>(account, &[name]).await?.map(|user| of_user(user, arn)),
        AttachedTo::Group => identities.entity::<GroupRecord>(account, &[name]).await?.map(|group| {
            let attached = has(&group.attached);
            Found { to, name: group.name, id: group.id, path: group.path, attached }
        }),
        AttachedTo::Role => identities.entity::<RoleRecord>(account, &[name]).await?.map(|role| {
            let attached = has(&role.attached);
            Found { to, name: role.name, id: role.id, path: role.path, attached }
        }),
    })
}

fn answer(page: Page<Found>) -> Reply {
    Reply::result(|w| {
        for (to, list, name, id) in [
            (AttachedTo::Group, "PolicyGroups", "GroupName", "GroupId"),
            (AttachedTo::User, "PolicyUsers", "UserName", "UserId"),
            (AttachedTo::Role, "PolicyRoles", "RoleName", "RoleId"),
        ] {
            let of = page.items.iter().filter(|found| found.to == to);
            members(w, list, of, |w, found| {
                w.leaf(name, &found.name).leaf(id, &found.id);
            });
        }
        w.flag("IsTruncated", page.marker.is_some());
        optional(w, "Marker", page.marker.as_deref());
    })
}
