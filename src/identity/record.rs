//! The rows of identities. New fields are appended; names, numbers and kinds are part of the stored format.

use minicbor::{Decode, Encode};

use crate::index::{Record, Table, Tuple};
use crate::names::{AccountId, iam_arn};

/// A row of [`Table::Identity`] that is found by account, kind and name.
pub trait Entity: Record {
    /// Its kind's number. Never reuse one.
    const KIND: u8;
    /// What IAM's messages call it.
    const WORD: &'static str;
}

impl Record for AccountState {
    const TABLE: Table = Table::Identity;
}

impl Entity for AccountState {
    const KIND: u8 = 0;
    const WORD: &'static str = "account";
}

impl Record for UserRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for UserRecord {
    const KIND: u8 = 1;
    const WORD: &'static str = "user";
}

impl Record for GroupRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for GroupRecord {
    const KIND: u8 = 2;
    const WORD: &'static str = "group";
}

impl Record for RoleRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for RoleRecord {
    const KIND: u8 = 3;
    const WORD: &'static str = "role";
}

impl Record for PolicyRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for PolicyRecord {
    const KIND: u8 = 4;
    const WORD: &'static str = "policy";
}

impl Record for DocumentRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for DocumentRecord {
    const KIND: u8 = 5;
    const WORD: &'static str = "policy version";
}

impl Record for MemberRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for MemberRecord {
    const KIND: u8 = 6;
    const WORD: &'static str = "membership";
}

impl Record for AttachmentRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for AttachmentRecord {
    const KIND: u8 = 7;
    const WORD: &'static str = "attachment";
}

impl Record for ProviderRecord {
    const TABLE: Table = Table::Identity;
}

impl Entity for ProviderRecord {
    const KIND: u8 = 8;
    const WORD: &'static str = "OpenIDConnect Provider";
}

/// Counts an account's changes, and what the account has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct AccountState {
    /// Changes since the beginning.
    #[n(0)]
    pub changes: u64,
    #[n(1)]
    pub users: u32,
    #[n(2)]
    pub groups: u32,
    #[n(3)]
    pub roles: u32,
    #[n(4)]
    pub policies: u32,
    #[n(5)]
    pub providers: u32,
    /// Versions of all managed policies.
    #[n(6)]
    pub policy_versions: u32,
    /// Account aliases; AWS has at most one.
    #[n(7)]
    pub aliases: Vec<String>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Tag {
    /// Unique in either case.
    #[n(0)]
    pub key: String,
    #[n(1)]
    pub value: String,
}

/// A policy that is part of its user, group or role.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct InlinePolicy {
    #[n(0)]
    pub name: String,
    /// As it was given.
    #[n(1)]
    pub document: String,
}

/// What a user's row says of an access key; the secret is in the key's own.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AccessKeyEntry {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub active: bool,
    #[n(2)]
    pub created_ms: i64,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct UserRecord {
    /// As it was given.
    #[n(0)]
    pub name: String,
    /// Begins and ends with `/`.
    #[n(1)]
    pub path: String,
    /// `AIDA…`
    #[n(2)]
    pub id: String,
    #[n(3)]
    pub created_ms: i64,
    /// Names of groups, in order.
    #[n(4)]
    pub groups: Vec<String>,
    /// ARNs of managed policies, in the order of their attachment.
    #[n(5)]
    pub attached: Vec<String>,
    #[n(6)]
    pub inline: Vec<InlinePolicy>,
    /// ARN of the managed policy that is the permissions boundary.
    #[n(7)]
    pub boundary: Option<String>,
    #[n(8)]
    pub tags: Vec<Tag>,
    #[n(9)]
    pub keys: Vec<AccessKeyEntry>,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct GroupRecord {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub path: String,
    /// `AGPA…`
    #[n(2)]
    pub id: String,
    #[n(3)]
    pub created_ms: i64,
    #[n(4)]
    pub attached: Vec<String>,
    #[n(5)]
    pub inline: Vec<InlinePolicy>,
    /// How many users are in it; they stand in [`MemberRecord`]s.
    #[n(6)]
    pub members: u32,
}

/// A role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct RoleRecord {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub path: String,
    /// `AROA…`
    #[n(2)]
    pub id: String,
    #[n(3)]
    pub created_ms: i64,
    /// None was given: an answer has none.
    #[n(4)]
    pub description: Option<String>,
    /// The longest session, in seconds.
    #[n(5)]
    pub max_session_seconds: u32,
    /// The trust policy, as it was given.
    #[n(6)]
    pub trust: String,
    #[n(7)]
    pub attached: Vec<String>,
    #[n(8)]
    pub inline: Vec<InlinePolicy>,
    #[n(9)]
    pub boundary: Option<String>,
    #[n(10)]
    pub tags: Vec<Tag>,
}

/// A version of a managed policy; the document is in a row of its own.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PolicyVersion {
    /// `v1` is 1.
    #[n(0)]
    pub number: u32,
    #[n(1)]
    pub created_ms: i64,
}

/// A managed policy of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct PolicyRecord {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub path: String,
    /// `ANPA…`
    #[n(2)]
    pub id: String,
    #[n(3)]
    pub created_ms: i64,
    #[n(4)]
    pub updated_ms: i64,
    #[n(5)]
    pub description: Option<String>,
    /// The version that is in force.
    #[n(6)]
    pub default_version: u32,
    /// The highest version there has been: numbers are never used again.
    #[n(7)]
    pub last_version: u32,
    /// In the order of their numbers.
    #[n(8)]
    pub versions: Vec<PolicyVersion>,
    #[n(9)]
    pub tags: Vec<Tag>,
    /// To how many users, groups and roles it is attached.
    #[n(10)]
    pub attachments: u32,
    /// Of how many users and roles it is the boundary.
    #[n(11)]
    pub boundaries: u32,
}

/// The document of one version of a managed policy: account, policy, version.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DocumentRecord {
    #[n(0)]
    pub document: String,
}

/// A user in a group: account, group, user.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MemberRecord {
    /// The user's name as it was given.
    #[n(0)]
    pub user: String,
}

/// Something that a managed policy is attached to, or the boundary of: account, policy, [`AttachedTo`], use, name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct AttachmentRecord {
    /// The name as it was given.
    #[n(0)]
    pub(super) name: String,
}

/// What a managed policy can be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AttachedTo {
    /// A user.
    User = 1,
    /// A group.
    Group = 2,
    /// A role.
    Role = 3,
}

/// An OpenID Connect provider, found by its URL without scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProviderRecord {
    /// Host and path, without `https://`.
    #[n(0)]
    pub url: String,
    /// Audiences: client ids.
    #[n(1)]
    pub client_ids: Vec<String>,
    /// SHA-1 of certificates, hexadecimal.
    #[n(2)]
    pub thumbprints: Vec<String>,
    #[n(3)]
    pub created_ms: i64,
    #[n(4)]
    pub tags: Vec<Tag>,
}

/// An access key of a user, by its id. The row is sealed, and with it the secret; what is freed of memory is wiped.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct AccessKeyRecord {
    #[n(0)]
    pub(super) account: String,
    /// The user's name in lower case, as in its row's key.
    #[n(1)]
    pub(super) user: String,
    #[n(2)]
    pub(super) secret: String,
    #[n(3)]
    pub(super) active: bool,
}

impl Record for AccessKeyRecord {
    const TABLE: Table = Table::AccessKey;
}

/// When a key or a role was used last, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct UseRecord {
    #[n(0)]
    pub(super) at_ms: i64,
    /// E.g. `s3`.
    #[n(1)]
    pub(super) service: String,
    #[n(2)]
    pub(super) region: String,
}

impl Record for UseRecord {
    const TABLE: Table = Table::AccessKey;
}

/// The row of an access key.
pub(super) fn key_row(id: &str) -> Vec<u8> {
    Tuple::new().bytes(b"key").bytes(id.as_bytes()).build()
}

/// The row of the last use of an access key, or of a role by its unique id.
pub(super) fn use_row(id: &str) -> Vec<u8> {
    Tuple::new().bytes(b"use").bytes(id.as_bytes()).build()
}

/// What the keys of all entities of a kind begin with.
pub(super) fn kind_tuple<E: Entity>(account: &AccountId) -> Tuple {
    Tuple::new().bytes(account.as_str().as_bytes()).id(&[E::KIND])
}

/// The row of an entity; names of either case are the same.
pub(super) fn row<E: Entity>(account: &AccountId, name: &[&str]) -> Vec<u8> {
    let parts = name.iter().map(|part| part.to_ascii_lowercase());
    parts.fold(kind_tuple::<E>(account), |tuple, part| tuple.bytes(part.as_bytes())).build()
}

impl UserRecord {
    /// Its ARN.
    pub fn arn(&self, account: &AccountId) -> String {
        iam_arn(account, "user", &self.path, &self.name)
    }
}

impl GroupRecord {
    /// Its ARN.
    pub fn arn(&self, account: &AccountId) -> String {
        iam_arn(account, "group", &self.path, &self.name)
    }
}

impl RoleRecord {
    /// Its ARN.
    pub fn arn(&self, account: &AccountId) -> String {
        iam_arn(account, "role", &self.path, &self.name)
    }
}

impl PolicyRecord {
    /// Its ARN.
    pub fn arn(&self, account: &AccountId) -> String {
        iam_arn(account, "policy", &self.path, &self.name)
    }
}

impl ProviderRecord {
    /// Its ARN.
    pub fn arn(&self, account: &AccountId) -> String {
        format!("arn:aws:iam::{account}:oidc-provider/{}", self.url)
    }
}
