//! A policy document, parsed and ready to be evaluated.

use super::condition::Condition;
use super::context::Facts;
use super::key::{Key, KeySet, NamedKey};
use super::pattern::{ArnPattern, Variables, matches_ignoring_case};
use super::principal::{Named, Principal, Subject, excepts};

/// Where a policy stands, which decides what it may contain and how its faults are worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Attached to a user, group or role, inline or managed; also a permissions boundary.
    Identity,
    /// Handed over when a session is made.
    Session,
    /// A KMS key's.
    Key,
    /// An S3 bucket's.
    Bucket,
    /// Who may assume a role.
    Trust,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// The default where a document names none; knows no variables.
    V2008,
    V2012,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
}

/// A policy. Cheap to evaluate: everything is parsed, split and lower-cased here.
///
/// Two policies are equal if they mean the same, letter by letter of their values; spaces, the order of members and
/// whether a single value stands in an array do not count.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) kind: Kind,
    pub(super) version: Version,
    pub(super) id: Option<Box<str>>,
    pub(super) statements: Box<[Statement]>,
    /// The condition keys that its decisions follow from.
    pub(super) keys: KeySet,
    pub(super) text: Box<str>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sid: Option<Box<str>>,
    pub(super) effect: Effect,
    /// None in identity and session policies: they speak of whom they are attached to.
    pub(super) principal: Option<Clause<Principal>>,
    pub(super) action: Clause<ActionPattern>,
    /// None in trust policies: they speak of the role they are attached to.
    pub(super) resource: Option<Clause<ArnPattern>>,
    pub(super) conditions: Box<[Condition]>,
}

/// An element and its negated twin: `Action` and `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause<T> {
    pub(super) negated: bool,
    pub(super) items: Box<[T]>,
}

/// `s3:Get*`, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionPattern {
    source: Box<str>,
    /// In lower case; `*` for every service.
    service: Box<str>,
    /// In lower case, with the wildcard bytes of [`super::pattern`].
    name: Box<[u8]>,
}

/// The action of a request, split once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Action<'a> {
    pub(super) service: &'a str,
    pub(super) name: &'a str,
}

impl Policy {
    /// What kind it was parsed as.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The document as it was written: what GetKeyPolicy and GetBucketPolicy answer.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many statements it has.
    pub fn statements(&self) -> usize {
        self.statements.len()
    }

    /// Whether a decision can follow from the value of `key`, named in a condition or a variable: what is costly to find
    /// out about a request need be found out only then.
    pub fn names_key(&self, key: Key) -> bool {
        self.keys.contains(key)
    }

    /// The users, roles, sessions, accounts and identity providers that `Principal` and `NotPrincipal` name, as written
    /// (account ids, ARNs, canonical ids, a provider's ARN or host name). A policy that names one that does not exist
    /// is refused where it is stored; only there is it known who exists. Services are not among them.
    pub fn named_principals(&self) -> impl Iterator<Item = &str> {
        let clauses = self.statements.iter().filter_map(|statement| statement.principal.as_ref());
        clauses.flat_map(|clause| &clause.items).filter_map(|principal| match principal {
            Principal::Account { .. } | Principal::Arn(_) | Principal::Canonical(_) | Principal::Federated(_) => {
                principal.written().map(|(_, text)| text)
            }
            Principal::Everyone { .. } | Principal::Service(_) => None,
        })
    }
}

/// All keys that the statements name.
pub(super) fn keys_of(statements: &[Statement]) -> KeySet {
    let mut keys = KeySet::default();
    statements.iter().flat_map(Statement::keys).for_each(|key| keys.insert(key));
    keys
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.version, &self.id, &self.statements)
            == (other.kind, other.version, &other.id, &other.statements)
    }
}

impl Eq for Policy {}

impl Version {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::V2008 => "2008-10-17",
            Self::V2012 => "2012-10-17",
        }
    }

    pub(super) fn variables(self) -> Variables {
        match self {
            Self::V2008 => Variables::No,
            Self::V2012 => Variables::Yes,
        }
    }
}

impl Statement {
    /// The condition keys that it names, in variables and conditions.
    pub(super) fn named_keys(&self) -> impl Iterator<Item = &NamedKey> {
        let resources = self.resource.iter().flat_map(|clause| &clause.items);
        let variables = resources.flat_map(|pattern| pattern.template().variables());
        variables.chain(self.conditions.iter().flat_map(|condition| condition.keys()))
    }

    /// As [`Self::named_keys`], without those that no request has.
    fn keys(&self) -> impl Iterator<Item = Key> {
        self.named_keys().filter_map(|named| named.key())
    }

    /// Whether the statement applies to a request, and how it names who asks. An identity policy names whom it is
    /// attached to, directly.
    ///
    /// `bounded` says that the subject has a permissions boundary: AWS documents that a Deny with NotPrincipal then
    /// always applies.
    pub(super) fn applies(
        &self,
        action: Action<'_>,
        resource: &str,
        facts: &Facts<'_>,
        bounded: bool,
    ) -> Option<Named> {
        if !self.acts(action) {
            return None;
        }
        let named = self.names(facts.subject, bounded)?;
        let holds = self.covers(resource, facts) && self.conditions.iter().all(|c| c.holds(facts, self.effect));
        holds.then_some(named)
    }

    /// How the statement names `subject`; none if it is about others. See [`Self::applies`] for `bounded`.
    pub(super) fn names(&self, subject: &Subject<'_>, bounded: bool) -> Option<Named> {
        match &self.principal {
            None => Some(Named::Directly),
            Some(Clause { negated: true, items }) => (bounded || !excepts(items, subject)).then_some(Named::Directly),
            Some(Clause { negated: false, items }) => {
                // Who comes with a token is let in by its provider's name alone: an Allow for everyone speaks of
                // principals of AWS. It is not documented, and narrower than the other reading.
                let by_token = self.effect == Effect::Allow && subject.brings_token();
                let counts = |principal: &&Principal| !by_token || matches!(principal, Principal::Federated(_));
                items.iter().filter(counts).filter_map(|principal| principal.names(subject)).max()
            }
        }
    }

    pub(super) fn acts(&self, action: Action<'_>) -> bool {
        let Clause { negated, items } = &self.action;
        items.iter().any(|pattern| pattern.matches(action)) != *negated
    }

    pub(super) fn covers(&self, resource: &str, facts: &Facts<'_>) -> bool {
        let Some(Clause { negated, items }) = &self.resource else { return true };
        let mut unknown = false;
        for pattern in items {
            match pattern.matches(resource, facts) {
                Some(true) => return !negated,
                Some(false) => {}
                None => unknown = true,
            }
        }
        // A NotResource of which not all is known does not allow what it might except.
        *negated && (!unknown || self.effect == Effect::Deny)
    }
}

impl ActionPattern {
    /// From the source and the pattern of its name, in any case. `service` is `*` or a plain name.
    pub(super) fn new(source: &str, service: &str, name: &[u8]) -> Self {
        Self {
            source: source.into(),
            service: service.to_ascii_lowercase().into(),
            name: name.to_ascii_lowercase().into(),
        }
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn matches(&self, action: Action<'_>) -> bool {
        (&*self.service == "*" || self.service.eq_ignore_ascii_case(action.service))
            && matches_ignoring_case(&self.name, action.name.as_bytes())
    }
}

impl<'a> Action<'a> {
    /// Splits `s3:GetObject`.
    pub(super) fn split(action: &'a str) -> Self {
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        Self { service, name }
    }
}
