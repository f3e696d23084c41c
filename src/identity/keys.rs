//! Access keys of users.

use super::draft::Draft;
use super::ids::{IdOf, new_id, new_secret};
use super::limits::KEYS_PER_USER_MAX;
use super::record::{AccessKeyEntry, AccessKeyRecord, UserRecord, key_row, use_row};
use super::{Identities, IdentityError};
use crate::auth::{CallerKind, Grant};
use crate::crypto::SecretBytes;
use crate::names::AccountId;

/// An access key that was made: the only time that its secret is told.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct NewAccessKey {
    /// Its user, as the change left it.
    pub user: UserRecord,
    /// Id, status and date.
    pub entry: AccessKeyEntry,
    /// Secret access key.
    pub secret: SecretBytes,
}

impl Identities {
    /// CreateAccessKey. `grant`: `iam:CreateAccessKey` on the user's ARN.
    pub async fn create_access_key(
        &self,
        grant: &Grant,
        user: &str,
    ) -> Result<(NewAccessKey, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut user = draft.user(user).await?;
        Draft::check_covered(grant, "iam:CreateAccessKey", &user.arn(draft.account()))?;
        if user.keys.len() >= KEYS_PER_USER_MAX {
            return Err(IdentityError::quota("AccessKeysPerUser", KEYS_PER_USER_MAX));
        }
        let (id, secret) = (new_id(IdOf::AccessKey, self.sources()), new_secret(self.sources()));
        let entry = AccessKeyEntry { id: id.clone(), active: true, created_ms: draft.now().0 };
        user.keys.push(entry.clone());
        let record = AccessKeyRecord {
            account: draft.account().to_string(),
            user: user.name.to_ascii_lowercase(),
            secret: String::from_utf8_lossy(secret.expose()).into_owned(),
            active: true,
        };
        draft.expect_new_key(key_row(&id));
        draft.put_row(key_row(&id), &record);
        draft.put(&[&user.name], &user);
        Ok((NewAccessKey { user, entry, secret }, draft))
    }

    /// UpdateAccessKey: active or not. `grant`: `iam:UpdateAccessKey` on the user's ARN.
    pub async fn update_access_key(
        &self,
        grant: &Grant,
        (user, id): (&str, &str),
        active: bool,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut user = draft.user(user).await?;
        Draft::check_covered(grant, "iam:UpdateAccessKey", &user.arn(draft.account()))?;
        let entry = user.keys.iter_mut().find(|entry| entry.id == id).ok_or_else(|| key_absent(id))?;
        entry.active = active;
        let key = self.rows().load::<AccessKeyRecord>(&key_row(id)).await?;
        // Somebody else deletes it, if it is gone by now.
        let mut key = key.ok_or_else(|| key_absent(id))?.value;
        key.active = active;
        draft.put_row(key_row(id), &key);
        draft.put(&[&user.name], &user);
        Ok(draft)
    }

    /// DeleteAccessKey. `grant`: `iam:DeleteAccessKey` on the user's ARN.
    pub async fn delete_access_key(&self, grant: &Grant, (user, id): (&str, &str)) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut user = draft.user(user).await?;
        Draft::check_covered(grant, "iam:DeleteAccessKey", &user.arn(draft.account()))?;
        let before = user.keys.len();
        user.keys.retain(|entry| entry.id != id);
        if user.keys.len() == before {
            return Err(key_absent(id));
        }
        draft.delete_key_row(key_row(id));
        draft.delete_key_row(use_row(id));
        draft.put(&[&user.name], &user);
        Ok(draft)
    }

    /// The access keys of a user or root of the settings, all active, made at the beginning of 1970. Of others none.
    pub fn seed_keys(&self, arn: &str) -> Vec<AccessKeyEntry> {
        let entry = |id: &str| AccessKeyEntry { id: id.to_owned(), active: true, created_ms: 0 };
        self.seed().key_ids(arn).into_iter().map(entry).collect()
    }

    /// Account and user name of an access key: of the settings or stored. A root has no name.
    pub async fn key_owner(&self, id: &str) -> Result<Option<(AccountId, Option<String>)>, IdentityError> {
        if let Some(identity) = self.seed().identity(id) {
            let name = match identity.principal.kind() {
                CallerKind::User { name } => Some(name.clone()),
                _ => None,
            };
            return Ok(identity.principal.account().map(|account| (account.clone(), name)));
        }
        let Some(key) = self.rows().load::<AccessKeyRecord>(&key_row(id)).await? else { return Ok(None) };
        let account = AccountId::parse(&key.value.account)
            .map_err(|_| IdentityError::Internal(format!("the row of the access key {id} is damaged")))?;
        let user = self.entity::<UserRecord>(&account, &[&key.value.user]).await?;
        Ok(user.map(|user| (account, Some(user.name))))
    }
}

fn key_absent(id: &str) -> IdentityError {
    IdentityError::NoSuchEntity(format!("The Access Key with id {id} cannot be found."))
}
