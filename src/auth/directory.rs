//! The accounts and identities a gateway knows: from the configuration and from first start. A stored IAM fills this
//! interface later.

use std::collections::HashMap;

use super::CallerKind;
use crate::crypto::SecretBytes;
use crate::names::{AccountId, CanonicalId};

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
    /// The account.
    pub account: AccountId,
    /// Root or a user of it.
    pub kind: CallerKind,
    /// The secret access key.
    pub secret: SecretBytes,
}

/// Looks up access keys and accounts.
#[expect(missing_debug_implementations, reason = "holds secrets")]
#[derive(Default)]
pub struct Directory {
    keys: HashMap<String, Identity>,
    accounts: HashMap<AccountId, Account>,
}

impl Directory {
    /// Adds an account.
    pub fn add_account(&mut self, account: Account) {
        self.accounts.insert(account.id.clone(), account);
    }

    /// Adds an access key; false if the id is taken.
    pub fn add_key(&mut self, access_key_id: String, identity: Identity) -> bool {
        match self.keys.entry(access_key_id) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(slot) => {
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

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }
}
