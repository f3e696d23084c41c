//! Grants of KMS keys, as far as they decide.

use super::context::Facts;
use super::key::Key;
use super::principal::{Named, Principal};

/// A grant: an additional allow on one key. Made once when the grant is stored or loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    id: Box<str>,
    grantee: Principal,
    operations: Box<[Box<str>]>,
    constraint: Option<GrantConstraint>,
    source_arn: Option<Box<str>>,
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
