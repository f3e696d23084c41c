//! The alias of an account.
//!
//! AWS's aliases are unique among all of its customers, as they are names in the address of a sign-in page. There is no
//! such page here, so an alias is a label of its account: two accounts of a gateway may have the same one.

use super::draft::Draft;
use super::{Identities, IdentityError};
use crate::auth::Grant;

impl Identities {
    /// CreateAccountAlias. `grant`: leave for that. An account has one alias: a new one takes the place of the old, as
    /// AWS documents it.
    pub async fn create_account_alias(&self, grant: &Grant, alias: &str) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        grant.assert_covers("iam:CreateAccountAlias", "*");
        if draft.state.aliases.iter().any(|known| known == alias) {
            return Err(IdentityError::EntityAlreadyExists(format!("The account alias {alias} already exists.")));
        }
        draft.state.aliases = vec![alias.to_owned()];
        Ok(draft)
    }

    /// DeleteAccountAlias. `grant`: leave for that.
    pub async fn delete_account_alias(&self, grant: &Grant, alias: &str) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        grant.assert_covers("iam:DeleteAccountAlias", "*");
        let before = draft.state.aliases.len();
        draft.state.aliases.retain(|known| known != alias);
        if draft.state.aliases.len() == before {
            // AWS's text is not recorded.
            return Err(IdentityError::NoSuchEntity(format!("The account alias {alias} cannot be found.")));
        }
        Ok(draft)
    }
}
