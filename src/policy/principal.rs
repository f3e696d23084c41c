//! Who asks, and whom a policy names.

use super::key::Key;
use super::value::Value;

/// Who asks, as policies see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// What kind of principal.
    pub kind: SubjectKind<'a>,
    /// Its account, 12 digits. Empty for those that have none: anonymous callers, services, web identities.
    pub account: &'a str,
    /// The canonical user id of its account, for `CanonicalUser` in bucket policies; may be empty.
    pub canonical_id: &'a str,
    /// The ARN that denials show and that `Principal` names: of the root, the user or the session
    /// (`arn:aws:sts::…:assumed-role/role/session`). Empty for those without one.
    pub arn: &'a str,
    /// `aws:userid`; empty if it has none.
    pub user_id: &'a str,
}

/// What kind of principal asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind<'a> {
    /// Nobody signed the request.
    Anonymous,
    /// The root user of the account.
    Root,
    /// An IAM user, also with credentials of GetSessionToken.
    User {
        /// `aws:username`.
        name: &'a str,
    },
    /// A role that was assumed.
    RoleSession {
        /// The role's own ARN, with its path.
        role_arn: &'a str,
    },
    /// A session of GetFederationToken.
    FederatedUser,
    /// The bearer of a token that asks to assume a role.
    WebIdentity {
        /// Host name or ARN of the identity provider.
        provider: &'a str,
    },
    /// A service acting for itself.
    Service {
        /// E.g. `s3.amazonaws.com`.
        name: &'a str,
    },
}

/// How far what a resource's policy allows to a principal depends on the principal's own policies. Later ones depend
/// less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// By its account, which may pass the permission on by its identity policies.
    ByAccount,
    /// By its role: boundary and session policy still limit it.
    ByRole,
    /// Itself, or everyone: within the account nothing else has to allow it.
    Directly,
}

/// One principal of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principal {
    /// `*`, alone or as a value of `AWS`.
    Everyone { alone: bool },
    /// An account, written as its id or as its root's ARN.
    Account { id: Box<str>, written: Box<str> },
    /// ARN of a user, a role or a session.
    Arn(Box<str>),
    /// A service's name.
    Service(Box<str>),
    /// An identity provider.
    Federated(Box<str>),
    /// The canonical id of an account.
    Canonical(Box<str>),
}

impl<'a> Subject<'a> {
    /// A caller that did not sign.
    pub const ANONYMOUS: Subject<'static> = Subject { user_id: "anonymous", ..Self::NOBODY };
    /// Without account, ARN and user id: for those that have none.
    pub const NOBODY: Subject<'static> =
        Subject { kind: SubjectKind::Anonymous, account: "", canonical_id: "", arn: "", user_id: "" };

    /// Whether these keys follow from who asks.
    pub(super) fn answers(key: Key) -> bool {
        matches!(
            key,
            Key::AwsPrincipalAccount
                | Key::AwsPrincipalArn
                | Key::AwsPrincipalIsAwsService
                | Key::AwsPrincipalServiceName
                | Key::AwsPrincipalType
                | Key::AwsUserId
                | Key::AwsUserName
                | Key::KmsCallerAccount
        )
    }

    pub(super) fn value(&self, key: Key) -> Option<Value<'a>> {
        let text = match (key, self.kind) {
            (Key::AwsPrincipalIsAwsService, kind) => {
                return Some(Value::Bool(matches!(kind, SubjectKind::Service { .. })));
            }
            (Key::AwsPrincipalAccount | Key::KmsCallerAccount, _) => self.account,
            (Key::AwsPrincipalArn, SubjectKind::RoleSession { role_arn }) => role_arn,
            (Key::AwsPrincipalArn, _) => self.arn,
            (Key::AwsPrincipalServiceName, SubjectKind::Service { name }) => name,
            (Key::AwsUserId, _) => self.user_id,
            (Key::AwsUserName, SubjectKind::User { name }) => name,
            (Key::AwsPrincipalType, kind) => match kind {
                SubjectKind::Anonymous => "Anonymous",
                SubjectKind::Root => "Account",
                SubjectKind::User { .. } => "User",
                SubjectKind::RoleSession { .. } => "AssumedRole",
                SubjectKind::FederatedUser => "FederatedUser",
                SubjectKind::WebIdentity { .. } | SubjectKind::Service { .. } => "",
            },
            _ => "",
        };
        (!text.is_empty()).then_some(Value::Text(text))
    }

    /// Whether it is known by a token of an identity provider only.
    pub(super) fn brings_token(&self) -> bool {
        matches!(self.kind, SubjectKind::WebIdentity { .. })
    }

    /// Whether identity policies can be attached to it. Others get what a resource's policy gives them.
    pub(super) fn has_identity(&self) -> bool {
        match self.kind {
            SubjectKind::Root
            | SubjectKind::User { .. }
            | SubjectKind::RoleSession { .. }
            | SubjectKind::FederatedUser => true,
            SubjectKind::Anonymous | SubjectKind::WebIdentity { .. } | SubjectKind::Service { .. } => false,
        }
    }
}

impl Principal {
    /// Whether this names `subject`, and how.
    pub(super) fn names(&self, subject: &Subject<'_>) -> Option<Named> {
        let by_account = match subject.kind {
            SubjectKind::Root => Named::Directly,
            _ => Named::ByAccount,
        };
        match (self, subject.kind) {
            (Self::Everyone { .. }, _) => Some(Named::Directly),
            (Self::Account { id, .. }, _) => (**id == *subject.account).then_some(by_account),
            (Self::Canonical(id), _) => (**id == *subject.canonical_id).then_some(by_account),
            (Self::Arn(arn), SubjectKind::RoleSession { role_arn }) if **arn == *role_arn => Some(Named::ByRole),
            (Self::Arn(arn), _) => (**arn == *subject.arn).then_some(Named::Directly),
            (Self::Service(service), SubjectKind::Service { name }) => (**service == *name).then_some(Named::Directly),
            (Self::Federated(named), SubjectKind::WebIdentity { provider }) => {
                (**named == *provider).then_some(Named::Directly)
            }
            (Self::Service(_) | Self::Federated(_), _) => None,
        }
    }

    /// The type under which a document lists it, and what it lists; none for the lone `*`.
    pub(super) fn written(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Everyone { alone: true } => None,
            Self::Everyone { alone: false } => Some(("AWS", "*")),
            Self::Account { written, .. } => Some(("AWS", written)),
            Self::Arn(arn) => Some(("AWS", arn)),
            Self::Service(name) => Some(("Service", name)),
            Self::Federated(provider) => Some(("Federated", provider)),
            Self::Canonical(id) => Some(("CanonicalUser", id)),
        }
    }

    /// Reads a value of `Principal`'s member `AWS`.
    pub(super) fn parse_aws(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everyone { alone: false });
        }
        if is_account_id(text) {
            return Some(Self::Account { id: text.into(), written: text.into() });
        }
        let arn = Arn::split(text).filter(|arn| arn.region.is_empty() && is_account_id(arn.account))?;
        let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
        let names = |count: std::ops::RangeInclusive<usize>| {
            let plain = |part: &str| !part.is_empty() && part.bytes().all(is_name_byte);
            count.contains(&name.split('/').count()) && name.split('/').all(plain)
        };
        match (arn.service, kind) {
            ("iam", "root") if arn.resource == "root" => {
                Some(Self::Account { id: arn.account.into(), written: text.into() })
            }
            ("iam", "user" | "role") if names(1..=usize::MAX) => Some(Self::Arn(text.into())),
            ("sts", "assumed-role") if names(2..=2) => Some(Self::Arn(text.into())),
            ("sts", "federated-user") if names(1..=1) => Some(Self::Arn(text.into())),
            _ => None,
        }
    }

    /// Reads a value of the member `Service`: a service's host name.
    pub(super) fn parse_service(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
        (text.contains('.') && text.bytes().all(plain)).then(|| Self::Service(text.into()))
    }

    /// Reads a value of the member `Federated`: an issuer's host name and path, or the ARN of a provider.
    pub(super) fn parse_federated(text: &str) -> Option<Self> {
        let provider = match Arn::split(text) {
            Some(arn) => {
                let kind = arn.resource.starts_with("saml-provider/") || arn.resource.starts_with("oidc-provider/");
                arn.service == "iam" && is_account_id(arn.account) && kind
            }
            None => text.contains('.') && text.bytes().all(|b| is_name_byte(b) || b == b'/'),
        };
        (provider && !text.contains(['*', '?'])).then(|| Self::Federated(text.into()))
    }

    /// Reads a value of the member `CanonicalUser`.
    pub(super) fn parse_canonical(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 64 && text.bytes().all(hex)).then(|| Self::Canonical(text.into()))
    }
}

/// Whether a `NotPrincipal` of these principals excepts `subject`.
///
/// Every level of the subject has to be listed: its account and itself, for a role's session also its role. AWS checks
/// one level after the other, so that a list with the user alone would deny the account and with it the user.
pub(super) fn excepts(listed: &[Principal], subject: &Subject<'_>) -> bool {
    let lists = |arn: &str| listed.iter().any(|principal| matches!(principal, Principal::Arn(a) if **a == *arn));
    let account = || {
        listed.iter().any(|principal| match principal {
            Principal::Account { id, .. } => **id == *subject.account,
            Principal::Canonical(id) => **id == *subject.canonical_id,
            _ => false,
        })
    };
    let everyone = listed.iter().any(|principal| matches!(principal, Principal::Everyone { .. }));
    everyone
        || match subject.kind {
            SubjectKind::Anonymous => false,
            SubjectKind::Root => account(),
            SubjectKind::User { .. } | SubjectKind::FederatedUser => account() && lists(subject.arn),
            SubjectKind::RoleSession { role_arn } => account() && lists(role_arn) && lists(subject.arn),
            SubjectKind::WebIdentity { .. } | SubjectKind::Service { .. } => {
                listed.iter().any(|principal| principal.names(subject).is_some())
            }
        }
}

/// The segments of an ARN in one of AWS's partitions.
pub(super) struct Arn<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let mut segments = text.splitn(6, ':');
        let (arn, partition) = (segments.next()?, segments.next()?);
        if arn != "arn" || !is_partition(partition) {
            return None;
        }
        Some(Self {
            service: segments.next()?,
            region: segments.next()?,
            account: segments.next()?,
            resource: segments.next()?,
        })
    }
}

/// The partitions that AWS has.
pub(super) fn is_partition(text: &str) -> bool {
    matches!(text, "aws" | "aws-cn" | "aws-us-gov")
}

pub(super) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// What names of users, roles and sessions are made of.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_named() {
        for good in [
            "*",
            "111122223333",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/alice",
            "arn:aws:iam::111122223333:user/division/team/alice",
            "arn:aws-cn:iam::111122223333:role/service-role/backup",
            "arn:aws:sts::111122223333:assumed-role/backup/nightly",
            "arn:aws:sts::111122223333:federated-user/bob",
        ] {
            assert_eq!(Principal::parse_aws(good).expect(good).written(), Some(("AWS", good)));
        }
        for bad in [
            "",
            "alice",
            "11112222333",
            "**",
            "AIDAJQABLZS4A3QDU576Q",
            "arn:aws:iam::111122223333:user/*",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:user//alice",
            "arn:aws:iam::111122223333:root/x",
            "arn:aws:iam::*:root",
            "arn:aws:iam:us-east-1:111122223333:root",
            "arn:aws:iam::111122223333:group/admins",
            "arn:aws:sts::111122223333:assumed-role/backup",
            "arn:aws:sts::111122223333:assumed-role/backup/*",
            "arn:*:iam::111122223333:root",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::111122223333:user/${aws:username}",
        ] {
            assert_eq!(Principal::parse_aws(bad), None, "{bad}");
        }
        assert!(Principal::parse_service("s3.amazonaws.com").is_some());
        assert!(Principal::parse_service("*").is_none());
        assert!(Principal::parse_federated("accounts.example.com/pool").is_some());
        assert!(Principal::parse_federated("arn:aws:iam::111122223333:oidc-provider/accounts.example.com").is_some());
        assert!(Principal::parse_federated("arn:aws:iam::111122223333:user/x").is_none());
        assert!(Principal::parse_canonical(&"0f".repeat(32)).is_some());
        assert!(Principal::parse_canonical(&"0F".repeat(32)).is_none());
    }
}
