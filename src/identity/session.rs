//! Temporary credentials. They are stored nowhere: the session token holds, sealed, all that they stand for, so that any
//! gateway over the index takes them, and no row has to go when they expire.
//!
//! What a session may do follows from its role or user as it is at each request: a change of their policies counts for
//! sessions that are out, and a session ends with its role or user. One made anew under the same name is another.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minicbor::{Decode, Encode};

use super::cache::Held;
use super::ids::{IdOf, TEMPORARY_PREFIX, new_id, new_secret};
use super::load::{issuer_of, pairs, parse};
use super::record::{RoleRecord, Tag, UserRecord};
use super::{Identities, IdentityError};
use crate::auth::{CallerKind, FindError, Identity, Issuer, IssuerKind, Principal, Session};
use crate::crypto::{Context, SecretBytes};
use crate::keyring::{TokenKey, TokenKind};
use crate::names::{AccountId, assumed_role_arn, federated_user_arn};
use crate::policy::{Attached, Kind, Policy, ReadyMade};
use crate::sources::Timestamp;

/// Frozen: tokens are good for up to 36 hours, over restarts and upgrades.
pub(super) const SESSION_TOKEN: TokenKind = TokenKind {
    key_label: b"strongroom session token key v1",
    label: "strongroom session token v1",
    key_id: b"session",
};

/// What session policies, their ARNs and session tags may take together, in bytes: 100 % of `PackedPolicySize`. AWS
/// packs them in a way of its own and tells no number.
const PACKED_MAX_BYTES: usize = 6 * 1024;

/// The version byte in front of what a token holds.
const VERSION: u8 = 1;

/// Whose credentials they become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOf {
    /// AssumeRole and its like.
    Role {
        /// The role's name.
        name: String,
        /// `RoleSessionName`
        session: String,
    },
    /// GetSessionToken: of the user or root itself.
    Caller,
    /// GetFederationToken.
    FederatedUser {
        /// `Name`
        name: String,
    },
}

/// A session to be made.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The account whose permissions it gets.
    pub account: AccountId,
    /// What kind.
    pub of: SessionOf,
    /// Whose permissions it gets.
    pub issuer: Issuer,
    /// How long it lives, in seconds.
    pub seconds: u32,
    /// Documents of session policies, each checked with [`Policy::parse`].
    pub policies: Vec<String>,
    /// ARNs of managed policies that are session policies.
    pub policy_arns: Vec<String>,
    /// Session tags; they replace those of the role with the same keys.
    pub tags: Vec<Tag>,
    /// Keys of those that stay when another role is assumed from this session.
    pub transitive_tags: Vec<String>,
    /// `SourceIdentity`
    pub source_identity: Option<String>,
    /// ARN of the identity provider whose token was exchanged.
    pub federated_provider: Option<String>,
}

/// What STS answers.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct TemporaryCredentials {
    /// `ASIA…`
    pub access_key_id: String,
    /// Secret access key.
    pub secret: SecretBytes,
    /// Session token.
    pub token: SecretBytes,
    /// From when on they are refused.
    pub expires: Timestamp,
    /// ARN of the session: of the role's, the federated user, or the caller itself.
    pub arn: String,
    /// `aws:userid` of the session.
    pub user_id: String,
    /// `PackedPolicySize`, percent; none if there was nothing to pack.
    pub packed_percent: Option<u32>,
}

/// What a token holds. Its bytes are frozen.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct SessionContent {
    #[n(0)]
    pub(super) access_key_id: String,
    #[n(1)]
    pub(super) secret: String,
    #[n(2)]
    pub(super) account: String,
    /// 1: a role's, 2: the issuer's own, 3: a federated user's.
    #[n(3)]
    pub(super) of: u8,
    /// Name of the role's session or of the federated user.
    #[n(4)]
    pub(super) name: String,
    /// 1: root, 2: user, 3: role.
    #[n(5)]
    pub(super) issuer: u8,
    /// Name of the user or role.
    #[n(6)]
    pub(super) issuer_name: String,
    /// Unique id of the user or role.
    #[n(7)]
    pub(super) issuer_id: String,
    #[n(8)]
    pub(super) policies: Vec<String>,
    #[n(9)]
    pub(super) policy_arns: Vec<String>,
    #[n(10)]
    pub(super) tags: Vec<Tag>,
    #[n(11)]
    pub(super) transitive_tags: Vec<String>,
    #[n(12)]
    pub(super) source_identity: Option<String>,
    #[n(13)]
    pub(super) federated_provider: Option<String>,
    #[n(14)]
    pub(super) issued_ms: i64,
    #[n(15)]
    pub(super) expires_ms: i64,
}

impl NewSession {
    /// What has to be packed, in percent of what may be.
    fn packed(&self) -> Result<Option<u32>, IdentityError> {
        let texts = self.policies.iter().chain(&self.policy_arns).chain(&self.transitive_tags).map(String::len);
        let tags = self.tags.iter().map(|tag| tag.key.len() + tag.value.len());
        let bytes: usize = texts.chain(tags).sum();
        let percent = u32::try_from((bytes * 100).div_ceil(PACKED_MAX_BYTES)).unwrap_or(u32::MAX);
        match percent {
            0 => Ok(None),
            1..=100 => Ok(Some(percent)),
            _ => Err(IdentityError::PackedPolicyTooLarge(format!(
                "Packed size of session policies and session tags is {percent}% of the allowed size."
            ))),
        }
    }

    /// ARN and `aws:userid`.
    fn name(&self) -> (String, String) {
        match &self.of {
            SessionOf::Role { name, session } => {
                (assumed_role_arn(&self.account, name, session), format!("{}:{session}", self.issuer.id))
            }
            SessionOf::Caller => (self.issuer.arn.clone(), self.issuer.id.clone()),
            SessionOf::FederatedUser { name } => {
                (federated_user_arn(&self.account, name), format!("{}:{name}", self.account))
            }
        }
    }
}

impl Identities {
    /// Makes temporary credentials. Who may have them is decided before.
    pub fn new_session(&self, new: &NewSession) -> Result<TemporaryCredentials, IdentityError> {
        let packed_percent = new.packed()?;
        let sources = self.sources();
        let now = sources.now();
        let expires = now.plus(std::time::Duration::from_secs(new.seconds.into()));
        let (access_key_id, secret) = (new_id(IdOf::TemporaryKey, sources), new_secret(sources));
        let (of, name) = match &new.of {
            SessionOf::Role { session, .. } => (1, session.clone()),
            SessionOf::Caller => (2, String::new()),
            SessionOf::FederatedUser { name } => (3, name.clone()),
        };
        let content = SessionContent {
            access_key_id: access_key_id.clone(),
            secret: String::from_utf8_lossy(secret.expose()).into_owned(),
            account: new.account.to_string(),
            of,
            name,
            issuer: match new.issuer.kind {
                IssuerKind::Root => 1,
                IssuerKind::User => 2,
                IssuerKind::Role => 3,
            },
            issuer_name: new.issuer.name.clone().unwrap_or_default(),
            issuer_id: new.issuer.id.clone(),
            policies: new.policies.clone(),
            policy_arns: new.policy_arns.clone(),
            tags: new.tags.clone(),
            transitive_tags: new.transitive_tags.clone(),
            source_identity: new.source_identity.clone(),
            federated_provider: new.federated_provider.clone(),
            issued_ms: now.0,
            expires_ms: expires.0,
        };
        let key = TokenKey::current(self.rows().sealer(), SESSION_TOKEN);
        let token = STANDARD.encode(key.seal(&Context::new(), &encode(&content), sources));
        let (arn, user_id) = new.name();
        let token = SecretBytes::new(token.into_bytes());
        Ok(TemporaryCredentials { access_key_id, secret, token, expires, arn, user_id, packed_percent })
    }

    pub(super) async fn open_session(
        &self,
        access_key_id: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Held, FindError> {
        let content = self.open_token(token).ok_or(FindError::InvalidToken)?;
        if content.access_key_id != access_key_id {
            // A token for a key that is no temporary one says as little as a token that nobody has made.
            let temporary = access_key_id.starts_with(TEMPORARY_PREFIX);
            return Err(if temporary { FindError::Unknown } else { FindError::InvalidToken });
        }
        if Timestamp(content.expires_ms) <= now {
            return Err(FindError::Expired);
        }
        let failed = |error: IdentityError| FindError::Unavailable(error.to_string());
        let account = AccountId::parse(&content.account).map_err(|_| FindError::InvalidToken)?;
        if self.seed().account(&account).is_none() {
            return Err(FindError::Unknown);
        }
        let version = self.version(&account).await.map_err(failed)?;
        let issuer = self.session_issuer(&account, &content).await.map_err(failed)?.ok_or(FindError::Unknown)?;
        let principal = self.session_principal(&account, &content, &issuer).await.map_err(failed)?;
        let secret = SecretBytes::new(content.secret.as_bytes().to_vec());
        let identity = Arc::new(Identity { principal: Arc::new(principal), secret });
        Ok(Held { account, version, identity, expires: Some(Timestamp(content.expires_ms)) })
    }

    fn open_token(&self, token: &str) -> Option<SessionContent> {
        let bytes = STANDARD.decode(token).ok()?;
        let key = TokenKey::of(self.rows().sealer(), SESSION_TOKEN, &bytes)?;
        decode(key.open(&Context::new(), &bytes)?.expose())
    }

    /// The user, root or role that a session is of; none: it is gone, or another one has its name.
    async fn session_issuer(
        &self,
        account: &AccountId,
        content: &SessionContent,
    ) -> Result<Option<Arc<Principal>>, IdentityError> {
        let name = content.issuer_name.as_str();
        let (of_seed, same) = match content.issuer {
            1 => return Ok(self.seed().root(account).cloned()),
            2 => (self.seed().principal(&crate::names::iam_user_arn(account, name)), content.issuer_id.as_str()),
            _ => (None, content.issuer_id.as_str()),
        };
        if let Some(user) = of_seed {
            return Ok((user.user_id() == same).then(|| Arc::clone(user)));
        }
        if content.issuer == 2 {
            let user = self.entity::<UserRecord>(account, &[name]).await?.filter(|user| user.id == same);
            return match user {
                Some(user) => Ok(Some(Arc::new(self.user_principal(account, &user).await?))),
                None => Ok(None),
            };
        }
        let role = self.entity::<RoleRecord>(account, &[name]).await?.filter(|role| role.id == same);
        match role {
            Some(role) => Ok(Some(Arc::new(self.role_principal(account, &role).await?))),
            None => Ok(None),
        }
    }

    async fn session_principal(
        &self,
        account: &AccountId,
        content: &SessionContent,
        issuer: &Principal,
    ) -> Result<Principal, IdentityError> {
        let mut policies = Vec::new();
        for document in &content.policies {
            policies.push(Attached { name: "session policy".into(), policy: parse("of a session", document)? });
        }
        for arn in &content.policy_arns {
            policies.push(match self.attached(account, arn).await? {
                Some(attached) => attached,
                // It was deleted: what it allowed it allows no more, and what it limited is not set free.
                None => Attached { name: arn.as_str().into(), policy: allows_nothing() },
            });
        }
        let session = Session {
            issuer: issuer_of(issuer),
            issued: Timestamp(content.issued_ms),
            expires: Timestamp(content.expires_ms),
            policies,
            source_identity: content.source_identity.clone(),
            federated_provider: content.federated_provider.clone(),
            transitive_tags: content.transitive_tags.clone(),
        };
        let identity = Arc::clone(issuer.identity_policies());
        let boundary = issuer.boundary().cloned();
        let name = content.name.clone();
        let own = self.account(account)?;
        Ok(match content.of {
            1 => {
                let role = content.issuer_name.clone();
                let arn = assumed_role_arn(account, &role, &name);
                let user_id = format!("{}:{name}", content.issuer_id);
                Principal::new(CallerKind::Role { name: role, session: name }, own, arn, user_id)
                    .with_policies(identity, boundary)
                    .with_tags(session_tags(issuer.tags(), &content.tags))
            }
            3 => {
                let (arn, user_id) = (federated_user_arn(account, &name), format!("{account}:{name}"));
                // Without session policies a federated user has no permissions but those of resources' policies. A
                // root has no policies of its own: it may do all, and so may who it gives a session, within its policies.
                let identity = match (session.policies.is_empty(), content.issuer) {
                    (true, _) => Arc::default(),
                    (false, 1) => [everything()].into(),
                    (false, _) => identity,
                };
                Principal::new(CallerKind::FederatedUser { name }, own, arn, user_id)
                    .with_policies(identity, boundary)
                    .with_tags(session_tags(issuer.tags(), &content.tags))
            }
            _ => issuer.clone(),
        }
        .with_session(session))
    }
}

/// Tags of a role or user, with those of the session in their place where the keys are the same.
fn session_tags(own: &[(String, String)], session: &[Tag]) -> Vec<(String, String)> {
    let replaced = |key: &str| session.iter().any(|tag| tag.key.eq_ignore_ascii_case(key));
    let kept = own.iter().filter(|(key, _)| !replaced(key)).cloned();
    kept.chain(pairs(session)).collect()
}

fn everything() -> Attached {
    const ARN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    ReadyMade::by_arn(ARN).expect("it comes with the program").attached()
}

fn allows_nothing() -> Arc<Policy> {
    // An action that there is not.
    const NOTHING: &[u8] =
        br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"strongroom:Nothing","Resource":"*"}}"#;
    Arc::new(Policy::parse(NOTHING, Kind::Identity).expect("a policy"))
}

pub(super) fn encode(content: &SessionContent) -> Vec<u8> {
    let mut plain = vec![VERSION];
    minicbor::encode(content, &mut plain).expect("encoding into memory does not fail");
    plain
}

pub(super) fn decode(plain: &[u8]) -> Option<SessionContent> {
    let (&VERSION, body) = plain.split_first()? else { return None };
    minicbor::decode(body).ok()
}
