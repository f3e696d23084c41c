//! Reading identities: entities, lists, and the principals that requests are signed by.

use std::sync::Arc;

use super::cache::Held;
use super::draft::{PolicyUse, attachment_row};
use super::record::{
    AccessKeyRecord, AccountState, AttachedTo, AttachmentRecord, DocumentRecord, Entity, GroupRecord, InlinePolicy,
    PolicyRecord, ProviderRecord, RoleRecord, Tag, UserRecord, key_row, row,
};
use super::{Identities, IdentityError};
use crate::auth::{Account, CallerKind, FindError, Identity, Issuer, IssuerKind, Principal};
use crate::crypto::SecretBytes;
use crate::index::{Direction, KeyRange, Stamp, TupleReader};
use crate::names::{AccountId, iam_root_arn};
use crate::policy::{Attached, Kind, Policy, ReadyMade};
use crate::sources::Timestamp;

/// How often an identity is loaded that changes meanwhile, the first time included.
const LOADS_MAX: usize = 10;

/// A managed policy: a customer's, or one that comes with the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedPolicy {
    /// Of the account.
    Own(PolicyRecord),
    /// One of [`crate::policy::READY_MADE`].
    ReadyMade(&'static ReadyMade),
}

impl Identities {
    /// An entity of an account.
    pub async fn entity<E: Entity>(&self, account: &AccountId, name: &[&str]) -> Result<Option<E>, IdentityError> {
        Ok(self.rows().load::<E>(&row::<E>(account, name)).await?.map(|stored| stored.value))
    }

    /// The counts of an account.
    pub async fn state(&self, account: &AccountId) -> Result<AccountState, IdentityError> {
        Ok(self.entity::<AccountState>(account, &[]).await?.unwrap_or_default())
    }

    /// Entities of an account in the order of their names, behind `after`, which is the last field of a key; `within`
    /// are the fields before it. Each comes with the last field of its key, which is what `after` takes.
    pub async fn entities<E: Entity>(
        &self,
        account: &AccountId,
        within: &[&str],
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, E)>, IdentityError> {
        let prefix = row::<E>(account, within);
        let mut range = KeyRange::prefix(&prefix);
        if let Some(after) = after {
            let fields: Vec<&str> = within.iter().copied().chain([after]).collect();
            range.start = row::<E>(account, &fields);
            range.start.push(0);
        }
        let rows = self.rows().list::<E>(&range, limit, Direction::Forward).await?;
        let last = |key: &[u8]| {
            let name = TupleReader::new(key.get(prefix.len()..)?).bytes()?;
            String::from_utf8(name).ok()
        };
        rows.into_iter()
            .map(|(key, stored)| {
                let name = last(&key).ok_or_else(|| IdentityError::Internal("a row has a malformed key".to_owned()))?;
                Ok((name, stored.value))
            })
            .collect()
    }

    /// What the policy with this ARN is attached to (or the boundary of), behind `after`, in the order of kinds, uses
    /// and names. Each comes with an opaque text that is good for `after`.
    pub async fn attachments(
        &self,
        account: &AccountId,
        arn: &str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, AttachedTo, PolicyUse, String)>, IdentityError> {
        let prefix = attachment_row(account, arn, None, "");
        let mut range = KeyRange::prefix(&prefix);
        if let Some(after) = after {
            range.start = [&prefix, after, &[0]].concat();
        }
        let rows = self.rows().list::<AttachmentRecord>(&range, limit, Direction::Forward).await?;
        rows.into_iter()
            .map(|(key, stored)| {
                let place = key[prefix.len()..].to_vec();
                let (to, using) = match place.first_chunk() {
                    Some([1, using]) => (AttachedTo::User, *using),
                    Some([2, using]) => (AttachedTo::Group, *using),
                    Some([3, using]) => (AttachedTo::Role, *using),
                    Some(_) | None => return Err(IdentityError::Internal("an attachment's row is damaged".to_owned())),
                };
                let using = if using == 2 { PolicyUse::Boundary } else { PolicyUse::Permissions };
                Ok((place, to, using, stored.value.name))
            })
            .collect()
    }

    /// How many entities of an account the policy with this ARN is attached to, and of how many it is the boundary: of
    /// policies that come with the program, which have no row of their own. Goes through all of them. Users of the
    /// settings count.
    pub async fn count_attachments(&self, account: &AccountId, arn: &str) -> Result<(usize, usize), IdentityError> {
        let all = self.attachments(account, arn, None, usize::MAX).await?;
        let boundaries = all.iter().filter(|(_, _, using, _)| *using == PolicyUse::Boundary).count();
        Ok((all.len() - boundaries + self.seed_users_with(account, arn).len(), boundaries))
    }

    /// A managed policy that `account` may attach.
    pub async fn managed_policy(&self, account: &AccountId, arn: &str) -> Result<Option<ManagedPolicy>, IdentityError> {
        if let Some(ready_made) = ReadyMade::by_arn(arn) {
            return Ok(Some(ManagedPolicy::ReadyMade(ready_made)));
        }
        let Some(name) = name_in(arn, account, "policy") else { return Ok(None) };
        let found = self.entity::<PolicyRecord>(account, &[name]).await?;
        Ok(found.filter(|policy| policy.arn(account) == arn).map(ManagedPolicy::Own))
    }

    /// The text of one version of a managed policy.
    pub async fn document(
        &self,
        account: &AccountId,
        policy: &PolicyRecord,
        version: u32,
    ) -> Result<Option<String>, IdentityError> {
        let document = self.entity::<DocumentRecord>(account, &[&policy.name, &version.to_string()]).await?;
        Ok(document.map(|record| record.document))
    }

    /// An account of the settings or the first start.
    pub fn account(&self, id: &AccountId) -> Result<&Account, IdentityError> {
        self.seed().account(id).ok_or_else(|| IdentityError::Internal(format!("there is no account {id}")))
    }

    /// Who a user, role, group member or root of an account is, with all policies; by its ARN as IAM gives it.
    /// `None`: there is no such user, root or role. A role is as its sessions are, without a session's name.
    pub async fn principal(&self, arn: &str) -> Result<Option<Arc<Principal>>, IdentityError> {
        if let Some(principal) = self.seed().principal(arn) {
            return Ok(Some(Arc::clone(principal)));
        }
        let Some(account) = account_in(arn).filter(|id| self.seed().account(id).is_some()) else { return Ok(None) };
        if let Some(name) = name_in(arn, &account, "user") {
            let user = self.entity::<UserRecord>(&account, &[name]).await?;
            let user = user.filter(|user| user.arn(&account) == arn);
            return Ok(match user {
                Some(user) => Some(Arc::new(self.user_principal(&account, &user).await?)),
                None => None,
            });
        }
        let Some(name) = name_in(arn, &account, "role") else { return Ok(None) };
        let role = self.entity::<RoleRecord>(&account, &[name]).await?.filter(|role| role.arn(&account) == arn);
        Ok(match role {
            Some(role) => Some(Arc::new(self.role_principal(&account, &role).await?)),
            None => None,
        })
    }

    pub(super) async fn knows_principal(&self, arn: &str) -> Result<bool, IdentityError> {
        let Some(account) = account_in(arn).filter(|id| self.seed().account(id).is_some()) else { return Ok(false) };
        let session = arn.strip_prefix("arn:aws:sts::").and_then(|rest| rest.split_once(':')).map(|(_, what)| what);
        if let Some(what) = session {
            return Ok(match what.split('/').collect::<Vec<_>>()[..] {
                // The path is not part of a session's name.
                ["assumed-role", role, session] if !session.is_empty() => {
                    self.entity::<RoleRecord>(&account, &[role]).await?.is_some_and(|found| found.name == role)
                }
                ["federated-user", name] => !name.is_empty(),
                _ => false,
            });
        }
        if let Some(url) = arn.strip_prefix(&format!("arn:aws:iam::{account}:oidc-provider/")) {
            return Ok(self.entity::<ProviderRecord>(&account, &[url]).await?.is_some());
        }
        Ok(self.principal(arn).await?.is_some())
    }

    /// The principal of a user, without a session.
    pub(super) async fn user_principal(
        &self,
        account: &AccountId,
        user: &UserRecord,
    ) -> Result<Principal, IdentityError> {
        let mut policies = Vec::new();
        self.gather(account, (&user.inline, &user.attached), &mut policies).await?;
        for group in &user.groups {
            // A draft that removes a group finds it empty, so one that is missing here was removed after its user was
            // read: the next request sees both.
            if let Some(group) = self.entity::<GroupRecord>(account, &[group]).await? {
                self.gather(account, (&group.inline, &group.attached), &mut policies).await?;
            }
        }
        let boundary = self.boundary(account, user.boundary.as_deref()).await?;
        let kind = CallerKind::User { name: user.name.clone() };
        let principal = Principal::new(kind, self.account(account)?, user.arn(account), user.id.clone());
        Ok(principal.with_policies(policies.into(), boundary).with_tags(pairs(&user.tags)))
    }

    /// The principal of a role as its sessions have it, without a session: its ARN is the role's own.
    pub(super) async fn role_principal(
        &self,
        account: &AccountId,
        role: &RoleRecord,
    ) -> Result<Principal, IdentityError> {
        let mut policies = Vec::new();
        self.gather(account, (&role.inline, &role.attached), &mut policies).await?;
        let boundary = self.boundary(account, role.boundary.as_deref()).await?;
        let kind = CallerKind::Role { name: role.name.clone(), session: String::new() };
        let principal = Principal::new(kind, self.account(account)?, role.arn(account), role.id.clone());
        Ok(principal.with_policies(policies.into(), boundary).with_tags(pairs(&role.tags)))
    }

    async fn gather(
        &self,
        account: &AccountId,
        (inline, attached): (&[InlinePolicy], &[String]),
        out: &mut Vec<Attached>,
    ) -> Result<(), IdentityError> {
        for policy in inline {
            out.push(Attached { name: policy.name.as_str().into(), policy: parse(&policy.name, &policy.document)? });
        }
        for arn in attached {
            out.extend(self.attached(account, arn).await?);
        }
        Ok(())
    }

    async fn boundary(&self, account: &AccountId, arn: Option<&str>) -> Result<Option<Attached>, IdentityError> {
        let Some(arn) = arn else { return Ok(None) };
        // Without its document nothing may be allowed: a boundary that is gone must not be none.
        match self.attached(account, arn).await? {
            Some(boundary) => Ok(Some(boundary)),
            None => Err(IdentityError::Internal(format!("the permissions boundary {arn} is missing"))),
        }
    }

    /// The version of a managed policy that is in force, parsed once for all to whom it is attached.
    pub(super) async fn attached(&self, account: &AccountId, arn: &str) -> Result<Option<Attached>, IdentityError> {
        let policy = match self.managed_policy(account, arn).await? {
            Some(ManagedPolicy::ReadyMade(ready_made)) => ready_made.attached().policy,
            Some(ManagedPolicy::Own(policy)) => {
                let (id, version) = (policy.id.as_str(), policy.default_version);
                match self.0.cache.document(id, version) {
                    Some(parsed) => parsed,
                    None => {
                        let Some(text) = self.document(account, &policy, version).await? else { return Ok(None) };
                        self.0.cache.keep_document(id, version, parse(arn, &text)?)
                    }
                }
            }
            None => return Ok(None),
        };
        Ok(Some(Attached { name: arn.into(), policy }))
    }

    /// The version of an account's identities: what was loaded while it was this is good as long as it is this.
    pub(super) async fn version(&self, account: &AccountId) -> Result<Stamp, IdentityError> {
        Ok(self.rows().version::<AccountState>(&row::<AccountState>(account, &[])).await?)
    }

    pub(super) async fn find_identity(
        &self,
        access_key_id: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Identity>, FindError> {
        let failed = |error: IdentityError| FindError::Unavailable(error.to_string());
        if let Some(held) = self.0.cache.identity(access_key_id, token)
            && self.version(&held.account).await.map_err(failed)? == held.version
        {
            return held.identity_at(now);
        }
        let mut last = "the identity changed whenever it was loaded".to_owned();
        for _ in 0..LOADS_MAX {
            let loaded = match token {
                Some(token) => self.open_session(access_key_id, token, now).await,
                None => match self.load_key(access_key_id).await {
                    Ok(held) => held.ok_or(FindError::Unknown),
                    Err(error) => Err(failed(error)),
                },
            };
            let held = match loaded {
                Ok(held) => held,
                // A policy may have gone with what it was attached to while this was read.
                Err(FindError::Unavailable(cause)) => {
                    tracing::debug!(access_key_id, cause, "an identity could not be loaded; it is tried again");
                    last = cause;
                    continue;
                }
                Err(refused) => return Err(refused),
            };
            // Rows that were read before and after a change make an identity that there never was: a user who is out of
            // a group by now, with the policy that the group was given since.
            if self.version(&held.account).await.map_err(failed)? == held.version {
                let identity = held.identity_at(now);
                self.0.cache.keep_identity(access_key_id, token, held);
                return identity;
            }
        }
        Err(FindError::Unavailable(last))
    }

    /// The user of an access key that is active.
    async fn load_key(&self, id: &str) -> Result<Option<Held>, IdentityError> {
        let Some(key) = self.rows().load::<AccessKeyRecord>(&key_row(id)).await? else { return Ok(None) };
        let account = AccountId::parse(&key.value.account)
            .map_err(|_| IdentityError::Internal(format!("the row of the access key {id} is damaged")))?;
        // The version first: what is read behind it is that version's or a later one's, which the next request sees.
        let version = self.version(&account).await?;
        let Some(key) = self.rows().load::<AccessKeyRecord>(&key_row(id)).await? else { return Ok(None) };
        if !key.value.active || self.seed().account(&account).is_none() {
            return Ok(None);
        }
        // The settings have a user of the same name by now: nobody could delete this one's keys, so they sign nothing.
        if self.seed_user(&account, &key.value.user).is_some() {
            return Ok(None);
        }
        let Some(user) = self.entity::<UserRecord>(&account, &[&key.value.user]).await? else { return Ok(None) };
        let principal = Arc::new(self.user_principal(&account, &user).await?);
        let secret = SecretBytes::new(key.value.secret.as_bytes().to_vec());
        Ok(Some(Held { account, version, identity: Arc::new(Identity { principal, secret }), expires: None }))
    }
}

/// Whose permissions sessions of a user or root have.
pub(super) fn issuer_of(principal: &Principal) -> Issuer {
    let (kind, name) = match principal.kind() {
        CallerKind::User { name } => (IssuerKind::User, Some(name.clone())),
        CallerKind::Role { name, .. } => (IssuerKind::Role, Some(name.clone())),
        _ => (IssuerKind::Root, None),
    };
    Issuer { kind, arn: principal.arn().to_owned(), id: principal.user_id().to_owned(), name }
}

pub(super) fn pairs(tags: &[Tag]) -> Vec<(String, String)> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// Parses what was checked when it was stored.
pub(super) fn parse(name: &str, document: &str) -> Result<Arc<Policy>, IdentityError> {
    let parsed = Policy::parse(document.as_bytes(), Kind::Identity);
    parsed.map(Arc::new).map_err(|error| IdentityError::Internal(format!("the stored policy {name}: {error}")))
}

/// The account of an ARN of IAM or STS.
pub(super) fn account_in(arn: &str) -> Option<AccountId> {
    let rest = arn.strip_prefix("arn:aws:iam::").or_else(|| arn.strip_prefix("arn:aws:sts::"))?;
    AccountId::parse(rest.split_once(':')?.0).ok()
}

/// The name in the ARN of a `user`, `group`, `role` or `policy` of an account. Whether the path is right is for the
/// entity to say.
pub(super) fn name_in<'a>(arn: &'a str, account: &AccountId, kind: &str) -> Option<&'a str> {
    let root = iam_root_arn(account);
    let rest = arn.strip_prefix(root.strip_suffix("root")?)?.strip_prefix(kind)?;
    rest.strip_prefix('/')?.rsplit('/').next().filter(|name| !name.is_empty())
}
