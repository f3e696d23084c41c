//! GetAccountAuthorizationDetails: all users, groups, roles and policies, in this order, by pages over all of them.

use super::details::Detail;
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, members, optional};
use crate::iam::shapes::{Page, Paging};
use crate::identity::{GroupRecord, PolicyRecord};
use crate::names::AccountId;
use crate::policy::ReadyMade;

/// `Filter`, in the order in which they are listed.
const KINDS: [&str; 5] = ["User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"];
/// The same as the model orders them, which an error shows.
const WORDS: [&str; 5] = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];
/// The lists of the answer.
const LISTS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];
/// Items of a page at most: with all versions of policies, a page of a thousand could have tens of megabytes. AWS says
/// that a page may be shorter than asked for.
const PAGE_MAX: usize = 200;

pub(in crate::iam) struct Input {
    kinds: Vec<&'static str>,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { kinds: fields.words("Filter", 0..=100, &WORDS), paging: Paging::read(fields).at_most(PAGE_MAX) }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    cx.grant("*")?;
    let account = cx.account()?;
    // Where to go on: the place of the kind, and the name behind which.
    let after = input.paging.after()?;
    let (start, mut name) = match after.as_deref().and_then(|after| after.split_once('/')) {
        Some((kind, name)) => (kind.parse().unwrap_or(0), Some(name.to_owned())),
        None => (0, None),
    };
    let (wanted, mut found) = (input.paging.limit() + 1, Vec::new());
    for (place, kind) in KINDS.into_iter().enumerate().skip(start) {
        let after = name.take();
        if input.kinds.is_empty() || input.kinds.contains(&kind) {
            let read = read(cx, account, kind, after.as_deref(), wanted - found.len()).await?;
            found.extend(read.into_iter().map(|(name, detail)| (format!("{place}/{name}"), detail)));
        }
        if found.len() >= wanted {
            break;
        }
    }
    Ok(answer(input.paging.page(found), account))
}

/// Some of one kind, behind a name.
async fn read(
    cx: &Cx<'_>,
    account: &AccountId,
    kind: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Detail)>, IamError> {
    let identities = cx.identities();
    let mut out = Vec::new();
    match kind {
        "User" => {
            let users = identities.users(account, after, limit).await?;
            out.extend(users.into_iter().map(|(name, user)| (name, Detail::User(user))));
        }
        "Group" => {
            let groups = identities.entities::<GroupRecord>(account, &[], after, limit).await?;
            out.extend(groups.into_iter().map(|(name, group)| (name, Detail::Group(group))));
        }
        "Role" => {
            for (name, role) in identities.roles(account, after, limit).await? {
                out.push((name, Detail::of_role(cx, role).await?));
            }
        }
        "LocalManagedPolicy" => {
            for (name, policy) in identities.entities::<PolicyRecord>(account, &[], after, limit).await? {
                out.push((name, Detail::of_policy(cx, &policy).await?));
            }
        }
        _ => {
            let mut all: Vec<_> = ReadyMade::all().collect();
            all.sort_by_key(|policy| policy.policy_name());
            let rest = all.into_iter().filter(|policy| after.is_none_or(|after| policy.policy_name() > after));
            for policy in rest.take(limit) {
                out.push((policy.policy_name().to_owned(), Detail::of_ready_made(cx, policy).await?));
            }
        }
    }
    Ok(out)
}

fn answer(page: Page<Detail>, account: &AccountId) -> Reply {
    Reply::result(|w| {
        for list in LISTS {
            let of = page.items.iter().filter(|detail| detail.list() == list);
            members(w, list, of, |w, detail| detail.write(w, account));
        }
        w.flag("IsTruncated", page.marker.is_some());
        optional(w, "Marker", page.marker.as_deref());
    })
}
