//! Groups and who is in them.

use super::draft::Draft;
use super::ids::{IdOf, new_id};
use super::limits::{GROUPS_MAX, GROUPS_PER_USER_MAX};
use super::record::{AttachedTo, GroupRecord, MemberRecord, UserRecord};
use super::{Identities, IdentityError, PolicyUse};
use crate::auth::Grant;
use crate::names::{AccountId, iam_arn};

impl Identities {
    /// A group of an account.
    pub async fn group(&self, account: &AccountId, name: &str) -> Result<GroupRecord, IdentityError> {
        self.entity(account, &[name]).await?.ok_or_else(|| IdentityError::absent("group", name))
    }

    /// Users of a group in the order of their names, behind `after`, which is a name in lower case.
    pub async fn group_members(
        &self,
        account: &AccountId,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, UserRecord)>, IdentityError> {
        let (mut after, mut users) = (after.map(str::to_owned), Vec::new());
        while users.len() < limit {
            let read = self.entities::<MemberRecord>(account, &[group], after.as_deref(), limit - users.len()).await?;
            let Some((last, _)) = read.last() else { break };
            after = Some(last.clone());
            for (name, _) in read {
                // One that is missing left the group after its members were read.
                users.extend(self.entity::<UserRecord>(account, &[&name]).await?.map(|user| (name, user)));
            }
        }
        Ok(users)
    }

    /// CreateGroup. `grant`: `iam:CreateGroup` on the new group's ARN.
    pub async fn create_group(
        &self,
        grant: &Grant,
        name: &str,
        path: &str,
    ) -> Result<(GroupRecord, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let group = GroupRecord {
            name: name.to_owned(),
            path: path.to_owned(),
            id: new_id(IdOf::Group, self.sources()),
            created_ms: draft.now().0,
            ..GroupRecord::default()
        };
        grant.assert_covers("iam:CreateGroup", &group.arn(draft.account()));
        if draft.find::<GroupRecord>(&[name]).await?.is_some() {
            return Err(IdentityError::taken("Group", name));
        }
        draft.state.groups += 1;
        if draft.state.groups as usize > GROUPS_MAX {
            return Err(IdentityError::quota("GroupsPerAccount", GROUPS_MAX));
        }
        draft.put(&[name], &group);
        Ok((group, draft))
    }

    /// DeleteGroup. `grant`: `iam:DeleteGroup` on its ARN. Nobody may be in it and nothing attached.
    pub async fn delete_group(&self, grant: &Grant, name: &str) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let group: GroupRecord = draft.get(name).await?;
        Draft::check_covered(grant, "iam:DeleteGroup", &group.arn(draft.account()))?;
        for (left, what) in [
            (group.members > 0, "remove users from group"),
            (!group.inline.is_empty(), "delete policies"),
            (!group.attached.is_empty(), "detach all policies"),
        ] {
            if left {
                return Err(IdentityError::attached(what));
            }
        }
        draft.state.groups = draft.state.groups.saturating_sub(1);
        draft.delete::<GroupRecord>(&[name]);
        Ok(draft)
    }

    /// UpdateGroup: another name, another path, or both. `grant`: `iam:UpdateGroup` on the group's ARN, `new`: the same
    /// on the ARN that it gets. Work for each user in it, and for each policy that it has.
    pub async fn update_group(
        &self,
        grant: &Grant,
        new_grant: &Grant,
        group: &str,
        (name, path): (Option<&str>, Option<&str>),
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let old: GroupRecord = draft.get(group).await?;
        Draft::check_covered(grant, "iam:UpdateGroup", &old.arn(draft.account()))?;
        let mut group = old.clone();
        name.unwrap_or(&old.name).clone_into(&mut group.name);
        path.unwrap_or(&old.path).clone_into(&mut group.path);
        Draft::check_covered(new_grant, "iam:UpdateGroup", &group.arn(draft.account()))?;
        if group.name != old.name {
            let same_key = group.name.eq_ignore_ascii_case(&old.name);
            if !same_key {
                if draft.find::<GroupRecord>(&[&group.name]).await?.is_some() {
                    return Err(IdentityError::taken("Group", &group.name));
                }
                draft.delete::<GroupRecord>(&[&old.name]);
            }
            let to = (AttachedTo::Group, PolicyUse::Permissions);
            for arn in &old.attached {
                if !same_key {
                    draft.put_attachment(arn, to, &old.name, false);
                }
                draft.put_attachment(arn, to, &group.name, true);
            }
            let account = draft.account().clone();
            for (user, member) in self.entities::<MemberRecord>(&account, &[&old.name], None, usize::MAX).await? {
                if !same_key {
                    draft.delete::<MemberRecord>(&[&old.name, &user]);
                    draft.put(&[&group.name, &user], &member);
                }
                let mut user = draft.user(&user).await?;
                for name in user.groups.iter_mut().filter(|name| name.eq_ignore_ascii_case(&old.name)) {
                    name.clone_from(&group.name);
                }
                draft.put(&[&user.name], &user);
            }
        }
        draft.put(&[&group.name], &group);
        Ok(draft)
    }

    /// AddUserToGroup. `grant`: `iam:AddUserToGroup` on the group's ARN. None: the user is in it.
    pub async fn add_user_to_group(
        &self,
        grant: &Grant,
        group: &str,
        user: &str,
    ) -> Result<Option<Draft<'_>>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut group: GroupRecord = draft.get(group).await?;
        Draft::check_covered(grant, "iam:AddUserToGroup", &group.arn(draft.account()))?;
        let mut user = draft.user(user).await?;
        if user.groups.iter().any(|name| name.eq_ignore_ascii_case(&group.name)) {
            return Ok(None);
        }
        if user.groups.len() >= GROUPS_PER_USER_MAX {
            return Err(IdentityError::quota("GroupsPerUser", GROUPS_PER_USER_MAX));
        }
        user.groups.push(group.name.clone());
        group.members += 1;
        draft.put(&[&group.name, &user.name], &MemberRecord { user: user.name.clone() });
        draft.put(&[&group.name], &group);
        draft.put(&[&user.name], &user);
        Ok(Some(draft))
    }

    /// RemoveUserFromGroup. `grant`: `iam:RemoveUserFromGroup` on the group's ARN.
    pub async fn remove_user_from_group(
        &self,
        grant: &Grant,
        group: &str,
        user: &str,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut group: GroupRecord = draft.get(group).await?;
        Draft::check_covered(grant, "iam:RemoveUserFromGroup", &group.arn(draft.account()))?;
        let mut user = draft.user(user).await?;
        let before = user.groups.len();
        user.groups.retain(|name| !name.eq_ignore_ascii_case(&group.name));
        if user.groups.len() == before {
            let arn = iam_arn(draft.account(), "user", &user.path, &user.name);
            let text = format!("User {arn} is not in group {}", group.name);
            return Err(IdentityError::NoSuchEntity(text));
        }
        group.members = group.members.saturating_sub(1);
        draft.delete::<MemberRecord>(&[&group.name, &user.name]);
        draft.put(&[&group.name], &group);
        draft.put(&[&user.name], &user);
        Ok(draft)
    }
}
