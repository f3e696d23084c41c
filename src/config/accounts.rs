//! `[[account]]`: accounts, users, keys and policies, in the settings file or as JSON.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Deserialize;

use super::file::read_secret;
use super::values::Secret;
use super::{AccountConfig, ConfigError, UserConfig};
use crate::crypto::SecretBytes;
use crate::names::{AccountId, CanonicalId};
use crate::policy::{Attached, Kind, Policy, PublicAccessBlock, ReadyMade};

/// The longest access key id that AWS allows, in bytes.
const ACCESS_KEY_ID_MAX_BYTES: usize = 128;
/// A shorter secret is a slip or a risk. AWS's own have 40 bytes.
const SECRET_MIN_BYTES: usize = 8;
/// The longest name of an IAM user.
const USER_NAME_MAX_BYTES: usize = 64;

/// One account as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    id: String,
    canonical_id: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    access_keys: Vec<RawAccessKey>,
    #[serde(default)]
    user: Vec<RawUser>,
    #[serde(default)]
    public_access_block: RawPublicAccessBlock,
}

/// The switches of an account's public access block as they are written: what is not said is off.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "four switches, as AWS has them")]
struct RawPublicAccessBlock {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

/// One user as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUser {
    name: String,
    #[serde(default)]
    access_keys: Vec<RawAccessKey>,
    #[serde(default)]
    policies: Vec<String>,
}

/// One access key as it is written: the secret itself or a file that holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccessKey {
    id: String,
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
}

/// Parses a JSON array of accounts; `shown` says in errors where it came from.
pub(super) fn parse_json(json: &SecretBytes, shown: &str) -> Result<Vec<RawAccount>, ConfigError> {
    serde_json::from_slice(json.expose()).map_err(|error| ConfigError(format!("{shown}: {error}")))
}

/// Checks accounts: forms, and that no id, name or key occurs twice.
pub(super) fn check(raw: Vec<RawAccount>) -> Result<Vec<AccountConfig>, ConfigError> {
    let mut seen = HashSet::new();
    let accounts = raw.into_iter().map(|account| check_account(account, &mut seen)).collect::<Result<Vec<_>, _>>()?;
    for account in &accounts {
        unique(&mut seen, "account", account.id.as_str())?;
        unique(&mut seen, "canonical_id", account.canonical_id.as_str())?;
    }
    Ok(accounts)
}

type Seen = HashSet<(&'static str, String)>;

fn check_account(raw: RawAccount, seen: &mut Seen) -> Result<AccountConfig, ConfigError> {
    let wrong = |what: &dyn std::fmt::Display| ConfigError(format!("account {:?}: {what}", raw.id));
    let id = AccountId::parse(&raw.id).map_err(|e| wrong(&e))?;
    let canonical_id = match &raw.canonical_id {
        Some(text) => CanonicalId::parse(text).map_err(|e| wrong(&e))?,
        None => CanonicalId::of_account(&id),
    };
    let access_keys = check_keys(raw.access_keys, seen).map_err(|e| wrong(&e))?;
    let mut names = HashSet::new();
    let mut users = Vec::with_capacity(raw.user.len());
    for user in raw.user {
        let user = check_user(user, seen).map_err(|e| wrong(&e))?;
        unique(&mut names, "user", &user.name).map_err(|e| wrong(&e))?;
        users.push(user);
    }
    let display_name = raw.display_name.unwrap_or_else(|| raw.id.clone());
    let RawPublicAccessBlock { block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets } =
        raw.public_access_block;
    let public_access_block =
        PublicAccessBlock { block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets };
    Ok(AccountConfig { id, canonical_id, display_name, email: raw.email, access_keys, users, public_access_block })
}

fn check_user(raw: RawUser, seen: &mut Seen) -> Result<UserConfig, ConfigError> {
    let wrong = |what: &str| ConfigError(format!("user {:?}: {what}", raw.name));
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if !(1..=USER_NAME_MAX_BYTES).contains(&raw.name.len()) || !raw.name.bytes().all(legal) {
        return Err(wrong("a user name is 1 to 64 letters, digits or _+=,.@-"));
    }
    let policies = raw.policies.iter().enumerate().map(|(at, policy)| check_policy(at + 1, policy));
    let policies = policies.collect::<Result<Vec<_>, _>>().map_err(|e| wrong(&e))?;
    let access_keys = check_keys(raw.access_keys, seen).map_err(|e| wrong(&e.0))?;
    Ok(UserConfig { name: raw.name, access_keys, policies })
}

/// A policy's document, or the name of one that comes with the program. `number`: its place in the list, from 1.
fn check_policy(number: usize, written: &str) -> Result<Attached, String> {
    if ReadyMade::is_named(written) {
        let names = || ReadyMade::all().map(|role| role.name).collect::<Vec<_>>().join(", ");
        let role = ReadyMade::find(written);
        return role
            .map(|role| role.attached_as(written))
            .ok_or_else(|| format!("no policy is called {written:?}; there are {}", names()));
    }
    let policy = Policy::parse(written.as_bytes(), Kind::Identity).map_err(|e| format!("policy {number}: {e}"))?;
    Ok(Attached { name: format!("inline-policy-{number}").into(), policy: policy.into() })
}

fn check_keys(raw: Vec<RawAccessKey>, seen: &mut Seen) -> Result<Vec<(String, SecretBytes)>, ConfigError> {
    raw.into_iter().map(|key| check_key(key, seen)).collect()
}

fn check_key(raw: RawAccessKey, seen: &mut Seen) -> Result<(String, SecretBytes), ConfigError> {
    // A credential scope is parted by `/`, its header by `,`, `=` and spaces.
    let legal = |b: u8| b.is_ascii_graphic() && !b"/,=".contains(&b);
    if !(1..=ACCESS_KEY_ID_MAX_BYTES).contains(&raw.id.len()) || !raw.id.bytes().all(legal) {
        let what = "an access key id is 1 to 128 visible ASCII characters without / , =";
        return Err(ConfigError(format!("access key {:?}: {what}", raw.id)));
    }
    let wrong = |what: &str| ConfigError(format!("access key {:?}: {what}", raw.id));
    let secret = match (raw.secret, &raw.secret_file) {
        (Some(secret), None) => secret.0,
        (None, Some(path)) => without_line_end(&read_secret(path)?),
        _ => return Err(wrong("give secret or secret_file")),
    };
    if secret.expose().len() < SECRET_MIN_BYTES {
        return Err(wrong("the secret is shorter than 8 bytes"));
    }
    unique(seen, "access key", &raw.id)?;
    Ok((raw.id, secret))
}

fn without_line_end(text: &SecretBytes) -> SecretBytes {
    SecretBytes::new(text.expose().trim_ascii_end().to_vec())
}

fn unique(seen: &mut Seen, kind: &'static str, name: &str) -> Result<(), ConfigError> {
    if seen.insert((kind, name.to_owned())) {
        return Ok(());
    }
    Err(ConfigError(format!("{kind} {name:?} is listed twice")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(json: &str) -> Result<Vec<AccountConfig>, String> {
        let json = SecretBytes::new(json.as_bytes().to_vec());
        parse_json(&json, "STRONGROOM_ACCOUNTS").and_then(check).map_err(|e| e.0)
    }

    fn refusal(json: &str) -> String {
        accounts(json).err().unwrap_or_else(|| panic!("{json} was accepted"))
    }

    #[test]
    fn an_account_with_all_there_is() {
        let canonical = "a1".repeat(32);
        let json = format!(
            r#"[{{"id": "111122223333", "canonical_id": "{canonical}", "display_name": "main", "email": "m@x.y",
                "access_keys": [{{"id": "ROOTKEY", "secret": "rootsecret"}}],
                "user": [{{"name": "alice", "access_keys": [{{"id": "ALICE", "secret": "alicesecret"}}],
                          "policies": ["strongroom:KeyUser"]}}]}}]"#
        );
        let all = accounts(&json).expect("valid");
        let account = &all[0];
        assert_eq!((account.id.as_str(), account.canonical_id.as_str()), ("111122223333", canonical.as_str()));
        assert_eq!((account.display_name.as_str(), account.email.as_deref()), ("main", Some("m@x.y")));
        assert_eq!(
            (account.access_keys[0].0.as_str(), account.access_keys[0].1.expose()),
            ("ROOTKEY", &b"rootsecret"[..])
        );
        assert_eq!((account.users[0].name.as_str(), account.users[0].policies.len()), ("alice", 1));
    }

    #[test]
    fn ready_made_policies_have_names_and_arns() {
        let json = r#"[{"id": "111122223333", "user": [{"name": "u", "policies": ["strongroom:KeyUser",
            "arn:aws:iam::aws:policy/Auditor", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}]}]"#;
        let all = accounts(json).expect("valid");
        // As they are written, so that they are printed so again.
        let names: Vec<&str> = all[0].users[0].policies.iter().map(|policy| &*policy.name).collect();
        let arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
        assert_eq!(names, ["strongroom:KeyUser", "arn:aws:iam::aws:policy/Auditor", arn]);
        assert_eq!(all[0].users[0].policies[2].policy.text(), ReadyMade::by_arn(arn).expect("one").document);
    }

    #[test]
    fn what_is_left_out_is_derived() {
        let all = accounts(r#"[{"id": "111122223333"}, {"id": "444455556666"}]"#).expect("valid");
        assert_eq!(all[0].display_name, "111122223333");
        assert_ne!(all[0].canonical_id, all[1].canonical_id);
        assert!(CanonicalId::parse(all[0].canonical_id.as_str()).is_ok());
    }

    #[test]
    fn a_secret_may_lie_in_a_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("secret");
        std::fs::write(&path, "filesecret\n").expect("written");
        let json = format!(r#"[{{"id": "111122223333", "access_keys": [{{"id": "K", "secret_file": {path:?}}}]}}]"#);
        assert_eq!(accounts(&json).expect("valid")[0].access_keys[0].1.expose(), b"filesecret");
    }

    #[test]
    fn refusals_name_what_is_wrong_and_no_secret() {
        for (json, expected) in [
            (r#"[{"id": "1"}]"#, "account \"1\": an account id is 12 digits"),
            (r#"[{"id": "111122223333"}, {"id": "111122223333"}]"#, "account \"111122223333\" is listed twice"),
            (r#"[{"id": "111122223333", "canonical_id": "ab"}]"#, "64 lower-case hexadecimal"),
            (r#"[{"id": "111122223333", "colour": 1}]"#, "STRONGROOM_ACCOUNTS: unknown field `colour`"),
            (r#"[{"id": "111122223333", "access_keys": [{"id": "A/B", "secret": "TOPSECRET"}]}]"#, "without / , ="),
            (r#"[{"id": "111122223333", "access_keys": [{"id": "A", "secret": "short"}]}]"#, "shorter than 8"),
            (r#"[{"id": "111122223333", "access_keys": [{"id": "A"}]}]"#, "give secret or secret_file"),
            (
                r#"[{"id": "111122223333", "access_keys": [{"id": "A", "secret": "TOPSECRET"}],
                    "user": [{"name": "u", "access_keys": [{"id": "A", "secret": "TOPSECRET"}]}]}]"#,
                "access key \"A\" is listed twice",
            ),
            (r#"[{"id": "111122223333", "user": [{"name": "u"}, {"name": "u"}]}]"#, "user \"u\" is listed twice"),
            (r#"[{"id": "111122223333", "user": [{"name": "a b"}]}]"#, "a user name is"),
            (
                r#"[{"id": "111122223333", "user": [{"name": "u", "policies": ["strongroom:Auditor", "[]"]}]}]"#,
                "account \"111122223333\": user \"u\": policy 2: Syntax errors in policy.",
            ),
            (
                concat!(
                    r#"[{"id": "111122223333", "user": [{"name": "u", "policies": ["{\"Version\": \"2012-10-17\", "#,
                    r#"\"Statement\": "#,
                    r#"{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"s3:*\", \"Resource\": \"*\"}}"]}]}]"#,
                ),
                "user \"u\": policy 1: Policy document should not specify a principal.",
            ),
            (
                r#"[{"id": "111122223333", "user": [{"name": "u", "policies": ["strongroom:Admin"]}]}]"#,
                "no policy is called \"strongroom:Admin\"; there are strongroom:KeyAdministrator, strongroom:KeyUser,",
            ),
            (
                r#"[{"id": "111122223333", "user": [{"name": "u", "policies": ["arn:aws:iam::aws:policy/PowerUserAccess"]}]}]"#,
                "no policy is called \"arn:aws:iam::aws:policy/PowerUserAccess\"; there are strongroom:KeyAdministrator,",
            ),
        ] {
            let message = refusal(json);
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("TOPSECRET"), "{message}");
        }
    }
}
