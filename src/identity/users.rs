//! Users.

use super::draft::{Draft, PolicyUse};
use super::ids::{IdOf, new_id};
use super::limits::USERS_MAX;
use super::record::{AccessKeyRecord, AttachedTo, InlinePolicy, MemberRecord, PolicyRecord, Tag, UserRecord, key_row};
use super::{Identities, IdentityError, ManagedPolicy};
use crate::auth::{CallerKind, Grant, Principal};
use crate::names::AccountId;
use crate::policy::ReadyMade;

/// A user to be made. Names, path and tags are well-formed.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// `UserName`
    pub name: String,
    /// `Path`
    pub path: String,
    /// ARN of the policy that is to be its permissions boundary.
    pub boundary: Option<String>,
    /// `Tags`
    pub tags: Vec<Tag>,
}

impl Identities {
    /// A user of an account: of the settings, or stored.
    pub async fn user(&self, account: &AccountId, name: &str) -> Result<UserRecord, IdentityError> {
        if let Some(user) = self.seed_user(account, name) {
            return Ok(user);
        }
        let stored = self.entity::<UserRecord>(account, &[name]).await?;
        stored.ok_or_else(|| IdentityError::absent("user", name))
    }

    /// Users of an account in the order of their names, behind `after`, which is a name in lower case.
    pub async fn users(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, UserRecord)>, IdentityError> {
        let seed = self.seed().principals().filter(|principal| principal.account() == Some(account));
        let seed = seed.filter_map(|principal| shown(principal)).map(|user| (user.name.to_ascii_lowercase(), user));
        let mut users: Vec<_> = seed.filter(|(name, _)| after.is_none_or(|after| name.as_str() > after)).collect();
        users.extend(self.entities::<UserRecord>(account, &[], after, limit).await?);
        // Stable: of a name that the settings have too, the user of the settings stays.
        users.sort_by(|(a, _), (b, _)| a.cmp(b));
        users.dedup_by(|(b, _), (a, _)| a == b);
        users.truncate(limit);
        Ok(users)
    }

    /// Users of the settings to whom a policy with this ARN is attached.
    pub fn seed_users_with(&self, account: &AccountId, arn: &str) -> Vec<UserRecord> {
        let of = self.seed().principals().filter(|principal| principal.account() == Some(account));
        let users = of.filter_map(|principal| shown(principal));
        users.filter(|user| user.attached.iter().any(|attached| attached == arn)).collect()
    }

    /// How many users of an account stand in the settings.
    pub fn seed_user_count(&self, account: &AccountId) -> usize {
        let of = self.seed().principals().filter(|principal| principal.account() == Some(account));
        of.filter(|principal| matches!(principal.kind(), CallerKind::User { .. })).count()
    }

    /// A user of the settings, as IAM shows it: without a path, made at the beginning of 1970.
    pub(super) fn seed_user(&self, account: &AccountId, name: &str) -> Option<UserRecord> {
        let mut of = self.seed().principals().filter(|principal| principal.account() == Some(account));
        let user = of.find(
            |principal| matches!(principal.kind(), CallerKind::User { name: own } if own.eq_ignore_ascii_case(name)),
        )?;
        shown(user)
    }

    /// CreateUser. `grant`: `iam:CreateUser` on the new user's ARN.
    pub async fn create_user(&self, grant: &Grant, new: &NewUser) -> Result<(UserRecord, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let user = UserRecord {
            name: new.name.clone(),
            path: new.path.clone(),
            id: new_id(IdOf::User, self.sources()),
            created_ms: draft.now().0,
            boundary: new.boundary.clone(),
            tags: new.tags.clone(),
            ..UserRecord::default()
        };
        grant.assert_covers("iam:CreateUser", &user.arn(draft.account()));
        let seeded = self.seed_user(draft.account(), &new.name).is_some();
        if seeded || draft.find::<UserRecord>(&[&new.name]).await?.is_some() {
            return Err(IdentityError::taken("User", &new.name));
        }
        draft.state.users += 1;
        if draft.state.users as usize > USERS_MAX {
            return Err(IdentityError::quota("UsersPerAccount", USERS_MAX));
        }
        if let Some(arn) = &new.boundary {
            draft.use_policy(arn, (AttachedTo::User, PolicyUse::Boundary), &user.name).await?;
        }
        draft.put(&[&user.name], &user);
        Ok((user, draft))
    }

    /// UpdateUser: another name, another path, or both. `grant`: `iam:UpdateUser` on the user's ARN, `new`: the same on
    /// the ARN that it gets.
    pub async fn update_user(
        &self,
        grant: &Grant,
        new_grant: &Grant,
        user: &str,
        (name, path): (Option<&str>, Option<&str>),
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let old = draft.user(user).await?;
        Draft::check_covered(grant, "iam:UpdateUser", &old.arn(draft.account()))?;
        let mut user = old.clone();
        name.unwrap_or(&old.name).clone_into(&mut user.name);
        path.unwrap_or(&old.path).clone_into(&mut user.path);
        Draft::check_covered(new_grant, "iam:UpdateUser", &user.arn(draft.account()))?;
        if user.name == old.name {
            draft.put(&[&user.name], &user);
            return Ok(draft);
        }
        if !user.name.eq_ignore_ascii_case(&old.name) {
            let seeded = self.seed_user(draft.account(), &user.name).is_some();
            if seeded || draft.find::<UserRecord>(&[&user.name]).await?.is_some() {
                return Err(IdentityError::taken("User", &user.name));
            }
            draft.delete::<UserRecord>(&[&old.name]);
        }
        draft.rename_user_elsewhere(&old, &user).await?;
        draft.put(&[&user.name], &user);
        Ok(draft)
    }

    /// DeleteUser. `grant`: `iam:DeleteUser` on its ARN. Everything attached has to be gone.
    pub async fn delete_user(&self, grant: &Grant, name: &str) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let user = draft.user(name).await?;
        Draft::check_covered(grant, "iam:DeleteUser", &user.arn(draft.account()))?;
        for (left, what) in [
            (!user.keys.is_empty(), "delete access keys"),
            (!user.inline.is_empty(), "delete policies"),
            (!user.attached.is_empty(), "detach all policies"),
            (!user.groups.is_empty(), "remove users from group"),
        ] {
            if left {
                return Err(IdentityError::attached(what));
            }
        }
        if let Some(arn) = &user.boundary {
            draft.leave_policy(arn, (AttachedTo::User, PolicyUse::Boundary), &user.name).await?;
        }
        draft.state.users = draft.state.users.saturating_sub(1);
        draft.delete::<UserRecord>(&[&user.name]);
        Ok(draft)
    }
}

impl Draft<'_> {
    /// A user that is to be changed. Those of the settings cannot be.
    pub(super) async fn user(&self, name: &str) -> Result<UserRecord, IdentityError> {
        self.refuse_seed_user(name)?;
        self.get::<UserRecord>(name).await
    }

    pub(super) fn refuse_seed_user(&self, name: &str) -> Result<(), IdentityError> {
        match self.identities().seed_user(self.account(), name) {
            None => Ok(()),
            Some(_) => Err(IdentityError::Unmodifiable(format!(
                "The user with name {name} stands in the settings of the server, and is changed there only."
            ))),
        }
    }

    /// Notes that a managed policy is attached to an entity, or its boundary. `NoSuchEntity` if there is no such policy.
    pub(super) async fn use_policy(
        &mut self,
        arn: &str,
        of: (AttachedTo, PolicyUse),
        name: &str,
    ) -> Result<(), IdentityError> {
        self.count_policy(arn, of.1, true).await?;
        self.put_attachment(arn, of, name, true);
        Ok(())
    }

    /// The opposite of [`Self::use_policy`].
    pub(super) async fn leave_policy(
        &mut self,
        arn: &str,
        of: (AttachedTo, PolicyUse),
        name: &str,
    ) -> Result<(), IdentityError> {
        self.count_policy(arn, of.1, false).await?;
        self.put_attachment(arn, of, name, false);
        Ok(())
    }

    async fn count_policy(&mut self, arn: &str, using: PolicyUse, more: bool) -> Result<(), IdentityError> {
        let found = self.identities().managed_policy(self.account(), arn).await?;
        match found {
            None => Err(not_attachable(arn, using)),
            // Those that come with the program have no row; they are counted where they are asked for.
            Some(ManagedPolicy::ReadyMade(_)) => Ok(()),
            Some(ManagedPolicy::Own(policy)) => {
                let mut policy: PolicyRecord = policy;
                let count = match using {
                    PolicyUse::Permissions => &mut policy.attachments,
                    PolicyUse::Boundary => &mut policy.boundaries,
                };
                *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
                self.put(&[&policy.name], &policy);
                Ok(())
            }
        }
    }

    /// Rows that name a user beside its own: of its keys, its groups and its policies.
    async fn rename_user_elsewhere(&mut self, old: &UserRecord, new: &UserRecord) -> Result<(), IdentityError> {
        for entry in &old.keys {
            let key = self.identities().rows().load::<AccessKeyRecord>(&key_row(&entry.id)).await?;
            let Some(mut key) = key.map(|stored| stored.value) else { continue };
            key.user = new.name.to_ascii_lowercase();
            self.put_row(key_row(&entry.id), &key);
        }
        let same_key = old.name.eq_ignore_ascii_case(&new.name);
        for group in &old.groups {
            if !same_key {
                self.delete::<MemberRecord>(&[group, &old.name]);
            }
            self.put(&[group, &new.name], &MemberRecord { user: new.name.clone() });
        }
        let uses = old.attached.iter().map(|arn| (arn, PolicyUse::Permissions));
        for (arn, using) in uses.chain(old.boundary.iter().map(|arn| (arn, PolicyUse::Boundary))) {
            if !same_key {
                self.put_attachment(arn, (AttachedTo::User, using), &old.name, false);
            }
            self.put_attachment(arn, (AttachedTo::User, using), &new.name, true);
        }
        Ok(())
    }
}

/// That there is no such managed policy, in AWS's words.
fn not_attachable(arn: &str, using: PolicyUse) -> IdentityError {
    let of_policy = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':'));
    if !of_policy.is_some_and(|(_, resource)| resource.starts_with("policy/")) {
        return IdentityError::InvalidInput(format!("ARN {arn} is not valid."));
    }
    IdentityError::NoSuchEntity(match using {
        PolicyUse::Permissions => format!("Policy {arn} does not exist or is not attachable."),
        PolicyUse::Boundary => format!("Scope ARN: {arn} does not exist or is not attachable."),
    })
}

/// A user of the settings as a record: ready-made policies are attached, documents are inline.
fn shown(principal: &Principal) -> Option<UserRecord> {
    let CallerKind::User { name } = principal.kind() else { return None };
    let (mut attached, mut inline) = (Vec::new(), Vec::new());
    for policy in principal.identity_policies().iter() {
        match ReadyMade::find(&policy.name) {
            Some(ready_made) => attached.push(ready_made.arn()),
            None => {
                let document = policy.policy.text().to_owned();
                inline.push(InlinePolicy { name: policy.name.to_string(), document });
            }
        }
    }
    let (path, id) = ("/".to_owned(), principal.user_id().to_owned());
    Some(UserRecord { name: name.clone(), path, id, attached, inline, ..UserRecord::default() })
}
