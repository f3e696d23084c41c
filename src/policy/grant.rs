//! Grants of KMS keys, as far as they decide.

use super::context::Facts;
use super::key::Key;
use super::principal::{Named, Principal, Subject, SubjectKind};

/// A grant: an additional allow on one key. Made once when the grant is stored or loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    id: Box<str>,
    grantee: Principal,
    operations: Box<[Box<str>]>,
    constraint: Option<GrantConstraint>,
    source_arn: Option<Box<str>>,
}

/// A principal that a grant names: as grantee, or as the one who may retire it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantPrincipal(Principal);

/// How a principal that a grant names stands to who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is the account of who asks, whose identity policies say who in it is meant.
    Account,
    /// It is who asks, or the role that was assumed.
    Itself,
}

/// Which encryption contexts a grant covers. Keys and values are compared exactly, case included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantConstraint {
    /// The request's context is this one.
    Equals(Vec<(String, String)>),
    /// The request's context has these pairs, and perhaps more.
    Subset(Vec<(String, String)>),
}

/// The encryption context of a request; empty for operations that take none.
pub type ContextPairs<'a> = &'a [(&'a str, &'a str)];

/// Operations that take no encryption context, so that a constraint has nothing to compare. CreateGrant by way of a
/// grant is limited by comparing the two grants, which is the key module's part.
const WITHOUT_CONTEXT: [&str; 3] = ["CreateGrant", "DescribeKey", "RetireGrant"];

impl GrantPrincipal {
    /// Reads the ARN of a user, a role, a session or the root of an account.
    pub fn parse_arn(text: &str) -> Option<Self> {
        Principal::parse_aws(text).filter(|_| text.starts_with("arn:")).map(Self)
    }

    /// Reads the name of a service, e.g. `s3.amazonaws.com`.
    pub fn parse_service(text: &str) -> Option<Self> {
        Principal::parse_service(text).map(Self)
    }

    /// One name for all spellings of a principal, to find its grants by: an account's is its id.
    pub fn name(&self) -> &str {
        match &self.0 {
            Principal::Account { id, .. } => id,
            other => other.written().map_or("*", |(_, text)| text),
        }
    }

    /// Whether it is who asks or the account of who asks.
    pub fn stands_for(&self, subject: &Subject<'_>) -> Option<Standing> {
        Some(match self.0.names(subject)? {
            Named::ByAccount => Standing::Account,
            Named::ByRole | Named::Directly => Standing::Itself,
        })
    }

    /// The names ([`Self::name`]) of all principals that stand for `subject`.
    pub fn names_for<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = match subject.kind {
            SubjectKind::Anonymous | SubjectKind::WebIdentity { .. } => [None; 3],
            SubjectKind::Root => [Some(subject.account), None, None],
            SubjectKind::User { .. } | SubjectKind::FederatedUser => [Some(subject.account), Some(subject.arn), None],
            SubjectKind::RoleSession { role_arn } => [Some(subject.account), Some(subject.arn), Some(role_arn)],
            SubjectKind::Service { name } => [Some(name), None, None],
        };
        names.into_iter().flatten()
    }
}

impl KeyGrant {
    /// A grant of `operations` (names as in CreateGrant: `Decrypt`, `ReEncryptFrom`, …) to `grantee`: an ARN of a
    /// user, role, session or account root, an account id, or a service's name.
    ///
    /// None if `grantee` is none of these; `*` is not.
    pub fn new(
        id: &str,
        grantee: &str,
        operations: impl IntoIterator<Item = impl AsRef<str>>,
        constraint: Option<GrantConstraint>,
    ) -> Option<Self> {
        let grantee = Principal::parse_aws(grantee).or_else(|| Principal::parse_service(grantee))?;
        if matches!(grantee, Principal::Everyone { .. }) {
            return None;
        }
        let operations = operations.into_iter().map(|name| name.as_ref().into()).collect();
        Some(Self { id: id.into(), grantee, operations, constraint, source_arn: None })
    }

    /// The same grant for requests only that a service makes on behalf of this resource (the constraint `SourceArn`):
    /// `aws:SourceArn` is `arn`, letter by letter.
    #[must_use]
    pub fn on_behalf_of(self, arn: &str) -> Self {
        Self { source_arn: Some(arn.into()), ..self }
    }

    /// The grant's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this grant allows `operation` to who asks, and by which of its names.
    pub(super) fn covers(&self, facts: &Facts<'_>, operation: &str, context: ContextPairs<'_>) -> Option<Named> {
        if !self.operations.iter().any(|granted| **granted == *operation) {
            return None;
        }
        let named = self.grantee.names(facts.subject)?;
        if let Some(arn) = &self.source_arn {
            let mut on_behalf = false;
            facts.context.each(Key::AwsSourceArn, "", &mut |value| {
                on_behalf |= value.with_text(|text| *text == **arn) == Some(true);
            });
            if !on_behalf {
                return None;
            }
        }
        let has = |pair: &(String, String)| context.iter().any(|(key, value)| *key == pair.0 && *value == pair.1);
        let fits = match &self.constraint {
            _ if WITHOUT_CONTEXT.contains(&operation) => true,
            None => true,
            Some(GrantConstraint::Subset(pairs)) => pairs.iter().all(has),
            // Keys are unique on both sides, so that equal counts and one inclusion mean equality.
            Some(GrantConstraint::Equals(pairs)) => pairs.len() == context.len() && pairs.iter().all(has),
        };
        fits.then_some(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/service/backup";
    const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/backup/nightly";

    #[test]
    fn who_is_meant() {
        let subject = |kind, account, arn| Subject { kind, account, canonical_id: "", arn, user_id: "" };
        let own = "111122223333";
        let subjects = [
            subject(SubjectKind::Root, own, "arn:aws:iam::111122223333:root"),
            subject(SubjectKind::User { name: "alice" }, own, ALICE),
            subject(SubjectKind::RoleSession { role_arn: ROLE }, own, SESSION),
            subject(SubjectKind::User { name: "carol" }, "444455556666", "arn:aws:iam::444455556666:user/carol"),
            subject(SubjectKind::Service { name: "s3.amazonaws.com" }, "", ""),
            Subject::ANONYMOUS,
        ];
        const I: Option<Standing> = Some(Standing::Itself);
        const A: Option<Standing> = Some(Standing::Account);
        #[rustfmt::skip]
        let table = [
            //                                  root  alice session carol service nobody
            ("arn:aws:iam::111122223333:root", [I,    A,    A,      None, None,   None]),
            (ALICE,                            [None, I,    None,   None, None,   None]),
            (ROLE,                             [None, None, I,      None, None,   None]),
            (SESSION,                          [None, None, I,      None, None,   None]),
            ("s3.amazonaws.com",               [None, None, None,   None, I,      None]),
        ];
        for (text, standings) in table {
            let principal = GrantPrincipal::parse_arn(text).or_else(|| GrantPrincipal::parse_service(text)).unwrap();
            for (subject, expected) in subjects.iter().zip(standings) {
                assert_eq!(principal.stands_for(subject), expected, "{text} for {}", subject.arn);
                let looked_up = GrantPrincipal::names_for(subject).any(|name| name == principal.name());
                assert_eq!(looked_up, expected.is_some(), "{text} for {}", subject.arn);
            }
        }
    }

    #[test]
    fn what_a_grant_can_name() {
        for bad in ["*", "111122223333", "alice", "s3.amazonaws.com", "arn:aws:iam::111122223333:group/g", ""] {
            assert_eq!(GrantPrincipal::parse_arn(bad), None, "{bad}");
        }
        for bad in ["*", ALICE, "service"] {
            assert_eq!(GrantPrincipal::parse_service(bad), None, "{bad}");
        }
    }
}
