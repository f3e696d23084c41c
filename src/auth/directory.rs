//! The accounts and identities a gateway knows: the seed from the settings and the first start, and those that IAM keeps.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Caller, Principal};
use crate::crypto::SecretBytes;
use crate::names::{AccountId, CanonicalId, Region, iam_root_arn};
use crate::policy::PublicAccessBlock;
use crate::sources::Timestamp;

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
    /// Who signs with it.
    pub principal: Arc<Principal>,
    /// The secret access key.
    pub secret: SecretBytes,
}

/// Why there is no identity behind an access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindError {
    /// No such key, or one that is inactive, or a temporary one without its session token.
    Unknown,
    /// The session token is not the key's.
    InvalidToken,
    /// The temporary credentials have expired.
    Expired,
    /// The store did not answer. The text is for the log.
    Unavailable(String),
}

/// What IAM keeps, as authentication needs it.
pub trait StoredIdentities: Send + Sync {
    /// Who signs with an access key, and for temporary ones its session token. What changed counts from the next call
    /// on.
    fn find<'a>(
        &'a self,
        access_key_id: &'a str,
        token: Option<&'a str>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<Identity>, FindError>>;

    /// Whether there is a user, role or session of this ARN. The error's text is for the log.
    fn knows<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<bool, String>>;

    /// Notes that a request was signed: last use of keys and roles. Takes no time.
    fn used(&self, caller: &Caller, service: &str, region: &Region, now: Timestamp);
}

/// The accounts, users and access keys of the settings and the first start. They do not change while a gateway runs.
#[expect(missing_debug_implementations, reason = "holds secrets")]
#[derive(Default)]
pub struct Seed {
    keys: HashMap<String, Arc<Identity>>,
    accounts: HashMap<AccountId, Account>,
    /// By ARN.
    principals: HashMap<String, Arc<Principal>>,
    public_access_blocks: HashMap<AccountId, PublicAccessBlock>,
}

impl Seed {
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
                slot.insert(Arc::new(identity));
                true
            }
        }
    }

    /// An account by its id.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Who an access key belongs to.
    pub fn identity(&self, access_key_id: &str) -> Option<&Arc<Identity>> {
        self.keys.get(access_key_id)
    }

    /// A root or user by its ARN.
    pub fn principal(&self, arn: &str) -> Option<&Arc<Principal>> {
        self.principals.get(arn)
    }

    /// The roots and users of all accounts, in no order.
    pub fn principals(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.principals.values()
    }

    /// The ids of the access keys of a principal, in order.
    pub fn key_ids(&self, arn: &str) -> Vec<&str> {
        let of = self.keys.iter().filter(|(_, identity)| identity.principal.arn() == arn);
        let mut ids: Vec<&str> = of.map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        ids
    }

    /// The root of an account.
    pub fn root(&self, id: &AccountId) -> Option<&Arc<Principal>> {
        self.principals.get(&iam_root_arn(id))
    }

    /// The public access block of all buckets of an account; its default where none is set.
    pub fn public_access_block(&self, account: &AccountId) -> PublicAccessBlock {
        self.public_access_blocks.get(account).copied().unwrap_or_default()
    }
}

/// Looks up access keys, principals and accounts.
#[expect(missing_debug_implementations, reason = "holds secrets")]
#[derive(Default)]
pub struct Directory {
    seed: Arc<Seed>,
    stored: Option<Arc<dyn StoredIdentities>>,
}

impl From<Arc<Seed>> for Directory {
    /// Nothing beside the seed.
    fn from(seed: Arc<Seed>) -> Self {
        Self { seed, stored: None }
    }
}

impl Directory {
    /// The seed, and beside it what IAM keeps.
    pub fn new(seed: Arc<Seed>, stored: Arc<dyn StoredIdentities>) -> Self {
        Self { seed, stored: Some(stored) }
    }

    /// What does not change.
    pub fn seed(&self) -> &Arc<Seed> {
        &self.seed
    }

    /// The public access block of all buckets of an account; its default where none is set.
    pub fn public_access_block(&self, account: &AccountId) -> PublicAccessBlock {
        self.seed.public_access_block(account)
    }

    /// Who signs with an access key.
    pub(super) async fn find(
        &self,
        access_key_id: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Identity>, FindError> {
        match (self.seed.identity(access_key_id), token, &self.stored) {
            (Some(identity), None, _) => Ok(Arc::clone(identity)),
            (Some(_), Some(_), _) => Err(FindError::InvalidToken),
            (None, _, Some(stored)) => stored.find(access_key_id, token, now).await,
            (None, _, None) => Err(FindError::Unknown),
        }
    }

    /// Notes that a request was signed.
    pub(super) fn used(&self, caller: &Caller, service: &str, region: &Region, now: Timestamp) {
        if let Some(stored) = &self.stored {
            stored.used(caller, service, region, now);
        }
    }

    /// An account by its id.
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.seed.account(id)
    }

    /// The root of an account.
    pub fn root(&self, id: &AccountId) -> Option<&Arc<Principal>> {
        self.seed.root(id)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.seed.accounts()
    }

    /// The first of these names that nobody has: an account's id, the ARN of a root, a user, a role or a session, a
    /// canonical id, as [`crate::policy::Policy::named_principals`] gives them. The error's text is for the log.
    pub async fn first_unknown<'a>(
        &self,
        named: impl IntoIterator<Item = &'a str> + Send,
    ) -> Result<Option<String>, String> {
        // Names out of their iterator first: it must not live across the lookups.
        let named: Vec<&str> = named.into_iter().collect();
        for name in named {
            if !self.knows(name).await? {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }

    async fn knows(&self, named: &str) -> Result<bool, String> {
        let seed = &self.seed;
        let account = || AccountId::parse(named).is_ok_and(|id| seed.accounts.contains_key(&id));
        let canonical = || seed.accounts.values().any(|account| account.canonical_id.as_str() == named);
        if seed.principals.contains_key(named) || account() || canonical() {
            return Ok(true);
        }
        match &self.stored {
            Some(stored) if named.starts_with("arn:") => stored.knows(named).await,
            Some(_) | None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_known() {
        let mut seed = Seed::default();
        let id = AccountId::parse("111122223333").unwrap();
        let canonical_id = CanonicalId::of_account(&id);
        let account = Account { id, canonical_id, display_name: String::new(), email: None };
        seed.add_account(account.clone());
        seed.add_principal(Principal::user(&account, "alice", Vec::new()));
        let directory = Directory::from(Arc::new(seed));
        let known = [
            "111122223333",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/alice",
            account.canonical_id.as_str(),
        ];
        assert_eq!(directory.first_unknown(known).await, Ok(None));
        for unknown in ["444455556666", "arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:user/bob", "", "*"]
        {
            let names = known.into_iter().chain([unknown]);
            assert_eq!(directory.first_unknown(names).await, Ok(Some(unknown.to_owned())));
        }
    }
}
