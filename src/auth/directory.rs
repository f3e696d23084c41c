//! The accounts and identities a gateway knows: from the configuration and from first start. A stored IAM fills this
//! interface later: an access key leads to a [`Principal`], and the principal has its policies.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::Principal;
use crate::crypto::SecretBytes;
use crate::names::{AccountId, CanonicalId, iam_root_arn};
use crate::policy::PublicAccessBlock;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// 12 digits.
    pub id: AccountId,
    /// The owner id that S3 shows.
    pub canonical_id: CanonicalId,
    /// The owner name that S3 shows.
    pub display_name: String,
    /// For grants by e-mail.
    pub email: Option<String>,
}

/// What an access key stands for.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct Identity {
    /// Root or a user of an account.
    pub principal: Arc<Principal>,
    /// The secret access key.
    pub secret: SecretBytes,
}

/// Looks up access keys, principals and accounts.
#[expect(missing_debug_implementations, reason = "holds secrets")]
#[derive(Default)]
pub struct Directory {
    keys: HashMap<String, Identity>,
    accounts: HashMap<AccountId, Account>,
    /// By ARN.
    principals: HashMap<String, Arc<Principal>>,
    public_access_blocks: HashMap<AccountId, PublicAccessBlock>,
}

impl Directory {
    /// Adds an account; returns its root.
    pub fn add_account(&mut self, account: Account) -> Arc<Principal> {
        let root = self.add_principal(Principal::root(&account));
        self.accounts.insert(account.id.clone(), account);
        root
    }

    /// Sets the public access block of all buckets of an account.
    pub fn set_public_access_block(&mut self, account: AccountId, block: PublicAccessBlock) {
        self.public_access_blocks.insert(account, block);
    }

    /// The public access block of all buckets of an account; its default where none is set.
    pub fn public_access_block(&self, account: &AccountId) -> PublicAccessBlock {
        self.public_access_blocks.get(account).copied().unwrap_or_default()
    }

    /// Adds a user.
    pub fn add_principal(&mut self, principal: Principal) -> Arc<Principal> {
        let principal = Arc::new(principal);
        self.principals.insert(principal.arn().to_owned(), Arc::clone(&principal));
        principal
    }

    /// Adds an access key; false if the id is taken.
    pub fn add_key(&mut self, access_key_id: String, identity: Identity) -> bool {
        match self.keys.entry(access_key_id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(slot) => {
                slot.insert(identity);
                true
            }
        }
    }

    /// Who an access key belongs to.
    pub fn identity(&self, access_key_id: &str) -> Option<&Identity> {
        self.keys.get(access_key_id)
    }

    /// An account by its id.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// The root of an account.
    pub fn root(&self, id: &AccountId) -> Option<&Arc<Principal>> {
        self.principals.get(&iam_root_arn(id))
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Whether there is a principal of this name: an account's id, the ARN of a root or a user, a canonical id, as
    /// [`crate::policy::Policy::named_principals`] gives them. Roles and sessions come with a stored IAM.
    pub fn knows(&self, named: &str) -> bool {
        let account = || AccountId::parse(named).is_ok_and(|id| self.accounts.contains_key(&id));
        let canonical = || self.accounts.values().any(|account| account.canonical_id.as_str() == named);
        self.principals.contains_key(named) || account() || canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_known() {
        let mut directory = Directory::default();
        let id = AccountId::parse("111122223333").unwrap();
        let canonical_id = CanonicalId::of_account(&id);
        let account = Account { id, canonical_id, display_name: String::new(), email: None };
        directory.add_account(account.clone());
        directory.add_principal(Principal::user(&account, "alice", Vec::new()));
        for known in [
            "111122223333",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/alice",
            account.canonical_id.as_str(),
        ] {
            assert!(directory.knows(known), "{known}");
        }
        for unknown in ["444455556666", "arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:user/bob", "", "*"]
        {
            assert!(!directory.knows(unknown), "{unknown}");
        }
    }
}
