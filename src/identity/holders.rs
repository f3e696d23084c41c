//! Policies of users, groups and roles: inline, attached, and as boundary; and tags. What is the same for several kinds.

use super::draft::{Draft, PolicyUse};
use super::limits::{ATTACHED_MAX, TAGS_MAX};
use super::record::{
    AttachedTo, Entity, GroupRecord, InlinePolicy, PolicyRecord, ProviderRecord, RoleRecord, Tag, UserRecord,
};
use super::{Identities, IdentityError};
use crate::auth::Grant;
use crate::names::AccountId;
use crate::policy::{PolicyQuota, counted_chars};

/// An entity with an ARN.
pub trait Named: Entity + Send + Sync {
    /// The name it is found by.
    fn name(&self) -> &str;
    /// Its ARN.
    fn arn(&self, account: &AccountId) -> String;
}

/// A user, a group or a role.
pub trait PolicyHolder: Named {
    /// What policies are attached to.
    const TO: AttachedTo;
    /// How long all inline policies together may be.
    const QUOTA: PolicyQuota;
    /// Inline policies.
    fn inline(&mut self) -> &mut Vec<InlinePolicy>;
    /// ARNs of attached policies.
    fn attached(&mut self) -> &mut Vec<String>;
}

/// A user or a role.
pub trait Bounded: PolicyHolder {
    /// ARN of the permissions boundary.
    fn boundary(&mut self) -> &mut Option<String>;
}

/// What can have tags.
pub trait Tagged: Named {
    /// The tags.
    fn tags(&mut self) -> &mut Vec<Tag>;
}

macro_rules! named {
    ($($record:ty: $name:ident)*) => { $(
        impl Named for $record {
            fn name(&self) -> &str {
                &self.$name
            }

            fn arn(&self, account: &AccountId) -> String {
                Self::arn(self, account)
            }
        }
    )* };
}

macro_rules! holders {
    ($($record:ty: $to:ident $quota:ident)*) => { $(
        impl PolicyHolder for $record {
            const TO: AttachedTo = AttachedTo::$to;
            const QUOTA: PolicyQuota = PolicyQuota::$quota;

            fn inline(&mut self) -> &mut Vec<InlinePolicy> {
                &mut self.inline
            }

            fn attached(&mut self) -> &mut Vec<String> {
                &mut self.attached
            }
        }
    )* };
}

macro_rules! bounded {
    ($($record:ty)*) => { $(
        impl Bounded for $record {
            fn boundary(&mut self) -> &mut Option<String> {
                &mut self.boundary
            }
        }
    )* };
}

macro_rules! tagged {
    ($($record:ty)*) => { $(
        impl Tagged for $record {
            fn tags(&mut self) -> &mut Vec<Tag> {
                &mut self.tags
            }
        }
    )* };
}

named! { UserRecord: name GroupRecord: name RoleRecord: name PolicyRecord: name ProviderRecord: url }
holders! { UserRecord: User UserInline GroupRecord: Group GroupInline RoleRecord: Role RoleInline }
bounded! { UserRecord RoleRecord }
tagged! { UserRecord RoleRecord PolicyRecord ProviderRecord }

impl Draft<'_> {
    /// An entity that is to be changed. Users of the settings cannot be.
    pub async fn to_change<E: Named>(&self, grant: &Grant, name: &str) -> Result<E, IdentityError> {
        if E::KIND == UserRecord::KIND {
            self.refuse_seed_user(name)?;
        }
        let entity: E = self.get(name).await?;
        Self::check_covered(grant, grant.action(), &entity.arn(self.account()))?;
        Ok(entity)
    }
}

impl Identities {
    /// PutUserPolicy and its like: the document is checked. `grant`: leave for that on the entity's ARN.
    pub async fn put_inline_policy<H: PolicyHolder>(
        &self,
        grant: &Grant,
        holder: &str,
        policy: &str,
        document: &str,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut holder: H = draft.to_change(grant, holder).await?;
        let inline = InlinePolicy { name: policy.to_owned(), document: document.to_owned() };
        match holder.inline().iter_mut().find(|known| known.name == policy) {
            Some(known) => *known = inline,
            None => holder.inline().push(inline),
        }
        let chars: usize = holder.inline().iter().map(|policy| counted_chars(&policy.document)).sum();
        if H::QUOTA.check(chars).is_err() {
            return Err(IdentityError::LimitExceeded(H::QUOTA.message(holder.name())));
        }
        holder.inline().sort_by(|a, b| a.name.cmp(&b.name));
        draft.put(&[holder.name()], &holder);
        Ok(draft)
    }

    /// DeleteUserPolicy and its like. `grant`: leave for that on the entity's ARN.
    pub async fn delete_inline_policy<H: PolicyHolder>(
        &self,
        grant: &Grant,
        holder: &str,
        policy: &str,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut holder: H = draft.to_change(grant, holder).await?;
        let before = holder.inline().len();
        holder.inline().retain(|known| known.name != policy);
        if holder.inline().len() == before {
            return Err(inline_absent::<H>(policy));
        }
        draft.put(&[holder.name()], &holder);
        Ok(draft)
    }

    /// AttachUserPolicy and its like. `grant`: leave for that on the entity's ARN. None: it is attached.
    pub async fn attach_policy<H: PolicyHolder>(
        &self,
        grant: &Grant,
        holder: &str,
        arn: &str,
    ) -> Result<Option<Draft<'_>>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut holder: H = draft.to_change(grant, holder).await?;
        if holder.attached().iter().any(|attached| attached == arn) {
            return Ok(None);
        }
        let of = (H::TO, PolicyUse::Permissions);
        let name = holder.name().to_owned();
        draft.use_policy(arn, of, &name).await?;
        if holder.attached().len() >= ATTACHED_MAX {
            let kind = match H::TO {
                AttachedTo::User => "PoliciesPerUser",
                AttachedTo::Group => "PoliciesPerGroup",
                AttachedTo::Role => "PoliciesPerRole",
            };
            return Err(IdentityError::quota(kind, ATTACHED_MAX));
        }
        holder.attached().push(arn.to_owned());
        draft.put(&[&name], &holder);
        Ok(Some(draft))
    }

    /// DetachUserPolicy and its like. `grant`: leave for that on the entity's ARN.
    pub async fn detach_policy<H: PolicyHolder>(
        &self,
        grant: &Grant,
        holder: &str,
        arn: &str,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut holder: H = draft.to_change(grant, holder).await?;
        let before = holder.attached().len();
        holder.attached().retain(|attached| attached != arn);
        if holder.attached().len() == before {
            return Err(IdentityError::NoSuchEntity(format!("Policy {arn} was not found.")));
        }
        let name = holder.name().to_owned();
        draft.leave_policy(arn, (H::TO, PolicyUse::Permissions), &name).await?;
        draft.put(&[&name], &holder);
        Ok(draft)
    }

    /// PutUserPermissionsBoundary and its like; without an ARN DeleteUserPermissionsBoundary and its like. `grant`:
    /// leave for that on the entity's ARN. None: it is so.
    pub async fn set_boundary<H: Bounded>(
        &self,
        grant: &Grant,
        holder: &str,
        arn: Option<&str>,
    ) -> Result<Option<Draft<'_>>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut holder: H = draft.to_change(grant, holder).await?;
        let old = std::mem::replace(holder.boundary(), arn.map(str::to_owned));
        let (name, of) = (holder.name().to_owned(), (H::TO, PolicyUse::Boundary));
        match (&old, arn) {
            (Some(old), Some(new)) if old == new => return Ok(None),
            (None, None) => {
                let kind = H::WORD;
                let text = format!("No permission boundary is set for {kind} {name}.");
                return Err(IdentityError::NoSuchEntity(text));
            }
            _ => {}
        }
        if let Some(old) = &old {
            draft.leave_policy(old, of, &name).await?;
        }
        if let Some(new) = arn {
            draft.use_policy(new, of, &name).await?;
        }
        draft.put(&[&name], &holder);
        Ok(Some(draft))
    }

    /// TagUser and its like: adds tags, or gives those of the same keys new values. `grant`: leave for that on the
    /// entity's ARN. Keys are the same in either case.
    pub async fn tag<T: Tagged>(&self, grant: &Grant, name: &str, tags: &[Tag]) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut entity: T = draft.to_change(grant, name).await?;
        for tag in tags {
            match entity.tags().iter_mut().find(|known| known.key.eq_ignore_ascii_case(&tag.key)) {
                Some(known) => *known = tag.clone(),
                None => entity.tags().push(tag.clone()),
            }
        }
        check_tag_count(entity.tags())?;
        let name = entity.name().to_owned();
        draft.put(&[&name], &entity);
        Ok(draft)
    }

    /// UntagUser and its like. `grant`: leave for that on the entity's ARN. Keys that it does not have are no fault.
    pub async fn untag<T: Tagged>(
        &self,
        grant: &Grant,
        name: &str,
        keys: &[String],
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut entity: T = draft.to_change(grant, name).await?;
        entity.tags().retain(|tag| !keys.iter().any(|key| key.eq_ignore_ascii_case(&tag.key)));
        let name = entity.name().to_owned();
        draft.put(&[&name], &entity);
        Ok(draft)
    }
}

/// That there is no such inline policy.
pub fn inline_absent<H: PolicyHolder>(policy: &str) -> IdentityError {
    let kind = H::WORD;
    IdentityError::NoSuchEntity(format!("The {kind} policy with name {policy} cannot be found."))
}

/// How many tags there may be.
pub fn check_tag_count(tags: &[Tag]) -> Result<(), IdentityError> {
    if tags.len() > TAGS_MAX {
        return Err(IdentityError::quota("TagsPerResource", TAGS_MAX));
    }
    Ok(())
}
