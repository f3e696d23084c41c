//! Who may sign in: the accounts of the configuration, or the one that the first start made.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use super::{App, StartError};
use crate::auth::{Account, Identity, Principal, Seed};
use crate::config::Config;
use crate::crypto::SecretBytes;
use crate::index::{CommitError, Direction, KeyRange, Record, Rows, Stored, Table, Tuple};
use crate::names::{AccountId, CanonicalId};
use crate::sources::Sources;

/// Accounts that one store can hold beside those of the configuration.
const ACCOUNTS_MAX: usize = 1_000;
/// Characters of an access key id after its prefix, and of a secret, as AWS's.
const KEY_ID_RANDOM: usize = 16;
const SECRET_BYTES: usize = 30;

/// An account that was made on first start, with its root's access keys.
#[derive(Encode, Decode)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct AccountRecord {
    #[n(0)]
    pub(super) canonical_id: String,
    #[n(1)]
    pub(super) display_name: String,
    /// Ids and secrets: the row is sealed.
    #[n(2)]
    pub(super) access_keys: Vec<(String, String)>,
}

impl Record for AccountRecord {
    const TABLE: Table = Table::Account;
}

/// Fills the seed; on first start without configured accounts makes one and returns its root credentials.
pub(super) async fn load(
    config: &Config,
    rows: &Rows,
    sources: &Sources,
) -> Result<(Seed, Option<(String, String)>), StartError> {
    let mut seed = Seed::default();
    for account in &config.accounts {
        let listed = Account {
            id: account.id.clone(),
            canonical_id: account.canonical_id.clone(),
            display_name: account.display_name.clone(),
            email: account.email.clone(),
        };
        let root = seed.add_account(listed.clone());
        seed.set_public_access_block(account.id.clone(), account.public_access_block);
        add_keys(&mut seed, &account.access_keys, &root)?;
        for user in &account.users {
            let principal = Principal::user(&listed, &user.name, user.policies.clone());
            let principal = seed.add_principal(principal);
            add_keys(&mut seed, &user.access_keys, &principal)?;
        }
    }
    let mut stored = rows.list::<AccountRecord>(&everything(), ACCOUNTS_MAX, Direction::Forward).await?;
    let mut new_credentials = None;
    if stored.is_empty() && config.accounts.is_empty() {
        new_credentials = Some(make_account(rows, sources).await?);
        stored = rows.list::<AccountRecord>(&everything(), ACCOUNTS_MAX, Direction::Forward).await?;
    }
    for (row, Stored { value, .. }) in stored {
        let corrupt = || StartError("an account's record is damaged".to_owned());
        let id = account_of(&row).ok_or_else(corrupt)?;
        let root = match seed.root(&id) {
            Some(root) => Arc::clone(root),
            None => seed.add_account(Account {
                id: id.clone(),
                canonical_id: CanonicalId::parse(&value.canonical_id).map_err(|_| corrupt())?,
                display_name: value.display_name,
                email: None,
            }),
        };
        for (key, secret) in value.access_keys {
            add_key(&mut seed, &key, &root, secret.as_bytes())?;
        }
    }
    Ok((seed, new_credentials))
}

fn add_keys(seed: &mut Seed, keys: &[(String, SecretBytes)], principal: &Arc<Principal>) -> Result<(), StartError> {
    keys.iter().try_for_each(|(id, secret)| add_key(seed, id, principal, secret.expose()))
}

fn add_key(seed: &mut Seed, id: &str, principal: &Arc<Principal>, secret: &[u8]) -> Result<(), StartError> {
    let identity = Identity { principal: Arc::clone(principal), secret: SecretBytes::new(secret.to_vec()) };
    if seed.add_key(id.to_owned(), identity) {
        return Ok(());
    }
    Err(StartError(format!("the access key id {id} is listed twice; each must be unique")))
}

async fn make_account(rows: &Rows, sources: &Sources) -> Result<(String, String), StartError> {
    let digits = u64::from_be_bytes(sources.random()) % 900_000_000_000 + 100_000_000_000;
    let account = AccountId::parse(&digits.to_string()).map_err(|error| StartError(error.to_string()))?;
    let (id, secret) = new_key(sources);
    let record = AccountRecord {
        canonical_id: CanonicalId::of_account(&account).to_string(),
        display_name: "root".to_owned(),
        access_keys: vec![(id.clone(), secret.clone())],
    };
    let row = account_row(account.as_str());
    let mut batch = rows.batch();
    batch.expect_absent(Table::Account, row.clone());
    batch.put(row, &record);
    rows.commit(batch).await.map_err(|error| StartError(error.to_string()))?;
    Ok((id, secret))
}

/// `AKIA` and 16 characters of base 32, and 40 characters of base64: the forms of AWS's.
fn new_key(sources: &Sources) -> (String, String) {
    use base64::Engine as _;
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = sources.random::<KEY_ID_RANDOM>();
    let id = random.iter().map(|b| char::from(DIGITS[usize::from(b & 31)])).collect::<String>();
    let secret = base64::engine::general_purpose::STANDARD.encode(sources.random::<SECRET_BYTES>());
    (format!("AKIA{id}"), secret)
}

pub(super) fn account_row(id: &str) -> Vec<u8> {
    Tuple::new().bytes(id.as_bytes()).build()
}

fn account_of(row: &[u8]) -> Option<AccountId> {
    let id = crate::index::TupleReader::new(row).bytes()?;
    AccountId::parse(std::str::from_utf8(&id).ok()?).ok()
}

fn everything() -> KeyRange {
    KeyRange { start: Vec::new(), end: None }
}

impl App {
    /// Makes one more root access key for an account that the first start made (the first, unless one is named), and
    /// returns id and secret. It is known to gateways that start after this.
    pub async fn new_root_credentials(&self, account: Option<&AccountId>) -> Result<(String, String), StartError> {
        for _ in 0..4 {
            let stored = self.rows.list::<AccountRecord>(&everything(), ACCOUNTS_MAX, Direction::Forward).await?;
            let wanted = |row: &[u8]| account.is_none() || account_of(row).as_ref() == account;
            let Some((row, mut stored)) = stored.into_iter().find(|(row, _)| wanted(row)) else {
                return Err(StartError(
                    "there is no such account in this data directory; accounts of the configuration get their keys \
                     there"
                        .to_owned(),
                ));
            };
            let (id, secret) = new_key(&self.sources);
            stored.value.access_keys.push((id.clone(), secret.clone()));
            let mut batch = self.rows.batch();
            batch.expect_unchanged(Table::Account, row.to_vec(), &stored.stamp);
            batch.put(row.to_vec(), &stored.value);
            match self.rows.commit(batch).await {
                Ok(()) => return Ok((id, secret)),
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(StartError(error.to_string())),
            }
        }
        Err(StartError("the account is being changed by others; try again".to_owned()))
    }
}
