//! What a grant says, and the rules that follow from it alone. Pure.
//!
//! Source of the rules: service model (CreateGrant, GrantConstraints) and developer guide ("Grants in AWS KMS",
//! "Creating grants", "Retiring and revoking grants"). Where AWS's text of a refusal is not recorded, it says so.

use super::super::{EncryptionContext, KeyringError};
use crate::names::{KeyKind, KeyUsage};
use crate::policy::{GrantConstraint, GrantPrincipal, Key, KeyGrant, Standing, Subject, SubjectKind, Value};

/// Pairs of an encryption context that a constraint has at most.
pub const CONSTRAINT_PAIRS_MAX: usize = 8;
/// Characters of a value of such a pair.
pub const CONSTRAINT_VALUE_MAX_CHARS: usize = 384;

/// What a grant can allow, in the order of the service model. Its numbers are part of the stored format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
#[expect(missing_docs, reason = "the operations of the API, by their names")]
pub enum GrantOperation {
    #[n(0)]
    Decrypt,
    #[n(1)]
    Encrypt,
    #[n(2)]
    GenerateDataKey,
    #[n(3)]
    GenerateDataKeyWithoutPlaintext,
    #[n(4)]
    ReEncryptFrom,
    #[n(5)]
    ReEncryptTo,
    #[n(6)]
    Sign,
    #[n(7)]
    Verify,
    #[n(8)]
    GetPublicKey,
    #[n(9)]
    CreateGrant,
    #[n(10)]
    RetireGrant,
    #[n(11)]
    DescribeKey,
    #[n(12)]
    GenerateDataKeyPair,
    #[n(13)]
    GenerateDataKeyPairWithoutPlaintext,
    #[n(14)]
    GenerateMac,
    #[n(15)]
    VerifyMac,
    #[n(16)]
    DeriveSharedSecret,
    #[n(17)]
    Encapsulate,
    #[n(18)]
    Decapsulate,
}

/// Whom a grant names.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum Party {
    /// `GranteePrincipal`, `RetiringPrincipal`: the ARN of a user, a role, a session or the root of an account.
    #[n(0)]
    Principal(#[n(0)] String),
    /// `GranteeServicePrincipal`, `RetiringServicePrincipal`: the name of a service.
    #[n(1)]
    Service(#[n(0)] String),
}

/// Which encryption contexts a grant covers.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub enum ContextConstraint {
    /// `EncryptionContextEquals`: this one.
    #[n(0)]
    Equals(#[n(0)] EncryptionContext),
    /// `EncryptionContextSubset`: those that have at least these pairs. Never empty.
    #[n(1)]
    Subset(#[n(0)] EncryptionContext),
}

/// What a grant says.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct GrantTerms {
    /// Who gets what it allows.
    #[n(0)]
    pub grantee: Party,
    /// Who may retire it.
    #[n(1)]
    pub retiring: Option<Party>,
    /// What it allows, without repetitions.
    #[n(2)]
    pub operations: Vec<GrantOperation>,
    /// For which encryption contexts.
    #[n(3)]
    pub context: Option<ContextConstraint>,
    /// `SourceArn`: only for requests that a service makes on behalf of this resource.
    #[n(4)]
    pub source_arn: Option<String>,
    /// Tells retries of one request from new ones.
    #[n(5)]
    pub name: Option<String>,
}

/// Terms whose parts fit one another: what CreateGrant takes. [`Self::new`] is the only maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    terms: GrantTerms,
}

/// What the grant itself says of somebody who wants to retire it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retirement {
    /// No, whatever policies say: `kms:RetireGrant` alone is not enough.
    Refused,
    /// If an identity policy passes on to the caller what its account may do.
    IfDelegated,
    /// Yes, without any policy; only an explicit deny of `kms:RetireGrant` stands against it.
    Allowed,
}

impl GrantOperation {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Decrypt,
        Self::Encrypt,
        Self::GenerateDataKey,
        Self::GenerateDataKeyWithoutPlaintext,
        Self::ReEncryptFrom,
        Self::ReEncryptTo,
        Self::Sign,
        Self::Verify,
        Self::GetPublicKey,
        Self::CreateGrant,
        Self::RetireGrant,
        Self::DescribeKey,
        Self::GenerateDataKeyPair,
        Self::GenerateDataKeyPairWithoutPlaintext,
        Self::GenerateMac,
        Self::VerifyMac,
        Self::DeriveSharedSecret,
        Self::Encapsulate,
        Self::Decapsulate,
    ];

    /// The word on the wire, which is also that of the IAM action.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decrypt => "Decrypt",
            Self::Encrypt => "Encrypt",
            Self::GenerateDataKey => "GenerateDataKey",
            Self::GenerateDataKeyWithoutPlaintext => "GenerateDataKeyWithoutPlaintext",
            Self::ReEncryptFrom => "ReEncryptFrom",
            Self::ReEncryptTo => "ReEncryptTo",
            Self::Sign => "Sign",
            Self::Verify => "Verify",
            Self::GetPublicKey => "GetPublicKey",
            Self::CreateGrant => "CreateGrant",
            Self::RetireGrant => "RetireGrant",
            Self::DescribeKey => "DescribeKey",
            Self::GenerateDataKeyPair => "GenerateDataKeyPair",
            Self::GenerateDataKeyPairWithoutPlaintext => "GenerateDataKeyPairWithoutPlaintext",
            Self::GenerateMac => "GenerateMac",
            Self::VerifyMac => "VerifyMac",
            Self::DeriveSharedSecret => "DeriveSharedSecret",
            Self::Encapsulate => "Encapsulate",
            Self::Decapsulate => "Decapsulate",
        }
    }

    /// Whether keys of this kind do it.
    pub fn fits(self, kind: KeyKind) -> bool {
        match self {
            Self::CreateGrant | Self::RetireGrant | Self::DescribeKey => true,
            Self::GetPublicKey => kind.spec().is_asymmetric(),
            Self::GenerateDataKey
            | Self::GenerateDataKeyWithoutPlaintext
            | Self::GenerateDataKeyPair
            | Self::GenerateDataKeyPairWithoutPlaintext => kind.is_symmetric(),
            Self::Encrypt | Self::Decrypt | Self::ReEncryptFrom | Self::ReEncryptTo => {
                kind.usage() == KeyUsage::EncryptDecrypt
            }
            Self::Sign | Self::Verify => kind.usage() == KeyUsage::SignVerify,
            Self::GenerateMac | Self::VerifyMac => kind.usage() == KeyUsage::GenerateVerifyMac,
            Self::DeriveSharedSecret => kind.usage() == KeyUsage::KeyAgreement,
            Self::Encapsulate | Self::Decapsulate => kind.usage() == KeyUsage::EncapsulateDecapsulate,
        }
    }
}

impl Party {
    /// The ARN or the service's name, as it was given.
    pub fn text(&self) -> &str {
        match self {
            Self::Principal(text) | Self::Service(text) => text,
        }
    }

    /// The one name of all its spellings, under which its grants are found. What was stored and names nobody any more
    /// has the name it was given, so that it can always be removed.
    pub(super) fn name(&self) -> String {
        self.parse().map_or_else(|_| self.text().to_owned(), |principal| principal.name().to_owned())
    }

    /// Whom it means.
    pub(super) fn parse(&self) -> Result<GrantPrincipal, KeyringError> {
        let parsed = match self {
            Self::Principal(arn) => GrantPrincipal::parse_arn(arn),
            Self::Service(name) => GrantPrincipal::parse_service(&name.to_ascii_lowercase()),
        };
        parsed.ok_or_else(|| self.is_nobody())
    }

    fn is_nobody(&self) -> KeyringError {
        KeyringError::InvalidArn(format!("ARN does not refer to a valid principal: {}", self.text()))
    }
}

impl ContextConstraint {
    /// The member of `Constraints`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Equals(_) => "EncryptionContextEquals",
            Self::Subset(_) => "EncryptionContextSubset",
        }
    }

    /// What it compares with.
    pub fn pairs(&self) -> &EncryptionContext {
        match self {
            Self::Equals(pairs) | Self::Subset(pairs) => pairs,
        }
    }
}

impl NewGrant {
    /// Checks what does not depend on the key: whether the principals can be such, and what the parts ask of one
    /// another.
    pub fn new(mut terms: GrantTerms) -> Result<Self, KeyringError> {
        terms.grantee.parse()?;
        if let Some(retiring) = &terms.retiring {
            retiring.parse()?;
        }
        // AWS's texts of the first two are not recorded.
        if matches!(terms.grantee, Party::Service(_)) && terms.source_arn.is_none() {
            return invalid("A SourceArn grant constraint must be specified with GranteeServicePrincipal.");
        }
        if matches!(terms.grantee, Party::Service(_)) && terms.retiring.is_none() {
            return invalid(
                "Either RetiringPrincipal or RetiringServicePrincipal must be specified with GranteeServicePrincipal.",
            );
        }
        if terms.operations.iter().all(|operation| *operation == GrantOperation::CreateGrant) {
            return invalid("Grants must not contain only the CreateGrant operation.");
        }
        if matches!(&terms.context, Some(ContextConstraint::Subset(pairs)) if pairs.is_empty()) {
            terms.context = None;
        }
        let mut operations = Vec::new();
        for operation in terms.operations {
            if !operations.contains(&operation) {
                operations.push(operation);
            }
        }
        Ok(Self { terms: GrantTerms { operations, ..terms } })
    }

    /// The condition keys that CreateGrant adds to a request, besides those of [`Self::encryption_context`]; one with
    /// several values stands there several times. `kms:GrantIsForAWSResource` is false: no service makes grants here.
    pub fn condition_keys(&self) -> Vec<(Key, Value<'_>)> {
        let GrantTerms { grantee, retiring, operations, context, source_arn, name: _ } = &self.terms;
        let party = |party: &Party, principal, service| match party {
            Party::Principal(_) => principal,
            Party::Service(_) => service,
        };
        let grantee_key = party(grantee, Key::KmsGranteePrincipal, Key::KmsGranteeServicePrincipal);
        let mut keys =
            vec![(Key::KmsGrantIsForAwsResource, Value::Bool(false)), (grantee_key, Value::Text(grantee.text()))];
        if let Some(retiring) = retiring {
            let key = party(retiring, Key::KmsRetiringPrincipal, Key::KmsRetiringServicePrincipal);
            keys.push((key, Value::Text(retiring.text())));
        }
        keys.extend(operations.iter().map(|operation| (Key::KmsGrantOperations, Value::Text(operation.as_str()))));
        if let Some(context) = context {
            keys.push((Key::KmsGrantConstraintType, Value::Text(context.name())));
        }
        if let Some(arn) = source_arn {
            keys.push((Key::KmsGrantConstraintSourceArn, Value::Text(arn)));
        }
        keys
    }

    /// The pairs of its constraint, which are CreateGrant's `kms:EncryptionContext:…` and `kms:EncryptionContextKeys`.
    pub fn encryption_context(&self) -> Option<&EncryptionContext> {
        self.terms.context.as_ref().map(ContextConstraint::pairs)
    }

    /// The ARNs of the principals that it names, who have to exist. Services are not among them.
    pub fn principals(&self) -> Vec<String> {
        let parties = std::iter::once(&self.terms.grantee).chain(&self.terms.retiring);
        parties.filter(|party| matches!(party, Party::Principal(_))).map(Party::name).collect()
    }

    /// The refusal of a grant for a principal that there is not, as it is written there.
    pub fn is_nobody(&self, arn: &str) -> KeyringError {
        let parties = std::iter::once(&self.terms.grantee).chain(&self.terms.retiring);
        let mut named = parties.filter(|party| party.name() == arn);
        named.next().map_or(KeyringError::InvalidArn(String::new()), Party::is_nobody)
    }

    pub(super) fn terms(&self) -> &GrantTerms {
        &self.terms
    }

    /// Whether a key of this kind can have such a grant. AWS's texts are not recorded.
    pub(super) fn check_kind(&self, kind: KeyKind) -> Result<(), KeyringError> {
        let Self { terms } = self;
        if let Some(operation) = terms.operations.iter().find(|operation| !operation.fits(kind)) {
            let (name, spec, usage) = (operation.as_str(), kind.spec(), kind.usage());
            return invalid(&format!(
                "The operation {name} is not supported by KMS keys with key spec {spec} and key usage {usage}."
            ));
        }
        if terms.context.is_some() && !kind.is_symmetric() {
            return invalid(
                "Encryption context grant constraints are supported on symmetric encryption KMS keys only.",
            );
        }
        Ok(())
    }
}

fn invalid<T>(text: &str) -> Result<T, KeyringError> {
    Err(KeyringError::Validation(text.to_owned()))
}

impl GrantTerms {
    /// Whether a grantee who may create grants by `parent` alone may create this one: it allows nothing more, and
    /// every request that it covers the parent covers too.
    pub fn is_within(&self, parent: &Self) -> bool {
        use ContextConstraint::{Equals, Subset};
        let includes =
            |pairs: &EncryptionContext, part: &EncryptionContext| part.iter().all(|(k, v)| pairs.get(k) == Some(v));
        let context = match (&parent.context, &self.context) {
            (None, _) => true,
            (Some(Subset(of_parent)), Some(Subset(own) | Equals(own))) => includes(own, of_parent),
            (Some(Equals(of_parent)), Some(Equals(own))) => own == of_parent,
            (Some(Equals(_)), Some(Subset(_))) | (Some(_), None) => false,
        };
        context
            && self.operations.iter().all(|operation| parent.operations.contains(operation))
            && (parent.source_arn.is_none() || parent.source_arn == self.source_arn)
    }

    /// What the grant says of `subject`, who wants to retire it. `accounts`: the one under which it was made and the
    /// one that owns the key.
    ///
    /// The retiring principal may, so may the grantee if the grant allows RetireGrant (no constraint applies to that),
    /// and the root of either account. Where one of them is an account, its root passes that on by identity policies.
    pub fn retirement(&self, accounts: [&str; 2], subject: &Subject<'_>) -> Retirement {
        let by_standing = |party: &Party| match party.parse().ok()?.stands_for(subject)? {
            Standing::Itself => Some(Retirement::Allowed),
            Standing::Account => Some(Retirement::IfDelegated),
        };
        let retiring = self.retiring.as_ref().and_then(by_standing);
        let may_retire = self.operations.contains(&GrantOperation::RetireGrant);
        let grantee = Some(&self.grantee).filter(|_| may_retire).and_then(by_standing);
        let account = accounts.contains(&subject.account).then_some(match subject.kind {
            SubjectKind::Root => Retirement::Allowed,
            _ => Retirement::IfDelegated,
        });
        retiring.max(grantee).max(account).unwrap_or(Retirement::Refused)
    }

    /// The grant as policies see it; none if what is stored names nobody.
    pub(super) fn to_key_grant(&self, id: &str) -> Option<KeyGrant> {
        let pairs = |context: &EncryptionContext| context.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let constraint = self.context.as_ref().map(|context| match context {
            ContextConstraint::Equals(context) => GrantConstraint::Equals(pairs(context)),
            ContextConstraint::Subset(context) => GrantConstraint::Subset(pairs(context)),
        });
        let operations = self.operations.iter().map(|operation| operation.as_str());
        let principal = self.grantee.parse().ok()?;
        let grant = KeyGrant::new(id, principal.name(), operations, constraint)?;
        Some(match &self.source_arn {
            Some(arn) => grant.on_behalf_of(arn),
            None => grant,
        })
    }
}

#[cfg(test)]
mod tests;
