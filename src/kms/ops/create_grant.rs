//! CreateGrant: leave to use a key, for one principal.

use crate::keyring::{
    CONSTRAINT_PAIRS_MAX, CONSTRAINT_VALUE_MAX_CHARS, ContextConstraint, EncryptionContext, GrantOperation, GrantTerms,
    NewGrant, Party, Told,
};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::{Fields, Pattern};
use crate::kms::reply::Reply;
use crate::kms::shapes::KEY_ID_CHARS;

const PRINCIPAL_PATTERN: Pattern =
    Pattern { shown: "^[\\w+=,.@:/-]+$", allows: |c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c) };
/// The model's expression also wants two dots; what has fewer is refused as no principal.
const SERVICE_PATTERN: Pattern = Pattern {
    shown: "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$",
    allows: |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'),
};
const NAME_PATTERN: Pattern = Pattern {
    shown: "^[a-zA-Z0-9:/_-]+$",
    allows: |c| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '_' | '-'),
};
const SOURCE_ARN_PATTERN: &str = "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$";

pub(in crate::kms) struct Input {
    key_id: String,
    grantee: Parties,
    retiring: Parties,
    operations: Vec<GrantOperation>,
    constraints: Constraints,
    name: Option<String>,
    dry_run: bool,
}

/// A principal or a service; that it is not both is checked when all members were read.
pub(super) struct Parties {
    principal: Option<String>,
    service: Option<String>,
}

#[derive(Default)]
struct Constraints {
    equals: Option<EncryptionContext>,
    subset: Option<EncryptionContext>,
    source_arn: Option<String>,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        fields.grant_tokens();
        let name = fields.text("Name", 1..=256);
        fields.check_pattern("Name", name.as_deref().unwrap_or_default(), NAME_PATTERN);
        Self {
            key_id: fields.required_text("KeyId", KEY_ID_CHARS),
            grantee: Parties::read(fields, "GranteePrincipal", "GranteeServicePrincipal"),
            retiring: Parties::read(fields, "RetiringPrincipal", "RetiringServicePrincipal"),
            operations: read_operations(fields),
            constraints: fields.structure("Constraints", Constraints::read).unwrap_or_default(),
            name,
            dry_run: fields.flag("DryRun"),
        }
    }

    fn into_terms(self) -> Result<GrantTerms, KmsError> {
        let both = |what: &str| KmsError::validation(format!("You must specify either {what}, but not both."));
        let grantee = self.grantee.one().ok_or_else(|| both("GranteePrincipal or GranteeServicePrincipal"))?;
        let retiring = match self.retiring {
            none if none.is_empty() => None,
            named => Some(named.one().ok_or_else(|| both("RetiringPrincipal or RetiringServicePrincipal"))?),
        };
        let context = match (self.constraints.equals, self.constraints.subset) {
            (Some(_), Some(_)) => return Err(both("EncryptionContextEquals or EncryptionContextSubset")),
            (Some(pairs), None) => Some(ContextConstraint::Equals(pairs)),
            (None, pairs) => pairs.map(ContextConstraint::Subset),
        };
        let source_arn = self.constraints.source_arn;
        Ok(GrantTerms { grantee, retiring, operations: self.operations, context, source_arn, name: self.name })
    }
}

impl Parties {
    pub(super) fn read(fields: &mut Fields, principal: &str, service: &str) -> Self {
        let mut text = |name: &str, max: usize, pattern: Pattern| {
            let text = fields.text(name, 1..=max)?;
            fields.check_pattern(name, &text, pattern);
            Some(text)
        };
        Self { principal: text(principal, 256, PRINCIPAL_PATTERN), service: text(service, 128, SERVICE_PATTERN) }
    }

    /// The one that was given; none if neither or both were.
    pub(super) fn one(self) -> Option<Party> {
        match (self.principal, self.service) {
            (Some(arn), None) => Some(Party::Principal(arn)),
            (None, Some(name)) => Some(Party::Service(name)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Whether neither was given.
    pub(super) fn is_empty(&self) -> bool {
        self.principal.is_none() && self.service.is_none()
    }
}

impl Constraints {
    fn read(fields: &mut Fields) -> Self {
        let source_arn = fields.text("SourceArn", 20..=512);
        if let Some(arn) = source_arn.as_deref().filter(|arn| !is_source_arn(arn)) {
            let rule = format!("Member must satisfy regular expression pattern: {SOURCE_ARN_PATTERN}");
            fields.fault("SourceArn", &format!("'{arn}'"), &rule);
        }
        Self {
            equals: read_pairs(fields, "EncryptionContextEquals"),
            subset: read_pairs(fields, "EncryptionContextSubset"),
            source_arn,
        }
    }
}

/// As the model's expression says.
fn is_source_arn(text: &str) -> bool {
    let of = |part: &str, also: &str| {
        part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || also.as_bytes().contains(&b))
    };
    match text.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", partition, service, region, account, rest] => {
            partition.strip_prefix("aws").is_some_and(|more| of(more, "-"))
                && (!service.is_empty() && of(service, "-"))
                && of(region, "-")
                && (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
                && !rest.is_empty()
        }
        _ => false,
    }
}

/// Of a constraint. AWS's texts for its limits are not recorded; these are put as those of other members.
fn read_pairs(fields: &mut Fields, name: &str) -> Option<EncryptionContext> {
    let present = fields.has(name);
    let pairs = fields.context(name);
    if pairs.len() > CONSTRAINT_PAIRS_MAX {
        fields.fault_unshown(name, &format!("Member must have length less than or equal to {CONSTRAINT_PAIRS_MAX}"));
    }
    if pairs.values().any(|value| value.chars().count() > CONSTRAINT_VALUE_MAX_CHARS) {
        let rule = format!("Member must have length less than or equal to {CONSTRAINT_VALUE_MAX_CHARS}");
        fields.fault_unshown(name, &format!("Map value must satisfy constraint: [{rule}]"));
    }
    present.then_some(pairs)
}

fn read_operations(fields: &mut Fields) -> Vec<GrantOperation> {
    let (present, known) = (fields.has("Operations"), GrantOperation::ALL);
    let words: Vec<_> = known.iter().map(|operation| operation.as_str()).collect();
    let named = fields.words("Operations", 1..=known.len(), &words);
    if !present {
        fields.fault("Operations", "null", "Member must not be null");
    }
    named.iter().filter_map(|word| known.iter().copied().find(|operation| operation.as_str() == *word)).collect()
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let (key_id, dry_run) = (input.key_id.clone(), input.dry_run);
    let new = NewGrant::new(input.into_terms()?).map_err(KmsError::from)?;
    let key = cx.resolve_managed(&key_id).await?;
    let keys = new.condition_keys();
    let told = Told { encryption_context: new.encryption_context(), ..Told::of(&keys) };
    let (grant, leave) = cx.keyring.authorize_new_grant(cx.access, &key, &told).await.map_err(KmsError::from)?;
    // Behind the authorization: who may not make grants does not learn who exists.
    let principals = new.principals();
    if let Some(unknown) = cx.first_unknown(principals.iter().map(String::as_str)).await? {
        return Err(KmsError::from(new.is_nobody(&unknown)).into());
    }
    let made = cx.keyring.create_grant(&grant, &cx.call, &key, &new, &leave, dry_run).await;
    let made = made.map_err(Refusal::recorded)?;
    Ok(Reply::of([("GrantId", made.id.into()), ("GrantToken", made.token.into())]))
}

#[cfg(test)]
mod tests {
    use super::is_source_arn;

    #[test]
    fn source_arns() {
        for good in [
            "arn:aws:dynamodb:us-east-1:111122223333:table/T",
            "arn:aws-cn:s3::111122223333:x:y",
            "arn:aws:a-1:b-2:111122223333:x",
        ] {
            assert!(is_source_arn(good), "{good}");
        }
        for bad in [
            "",
            "arn:aws:s3:::bucket",
            "arn:aws:s3::1111222233334:x",
            "arn:aws:s3::111122223333:",
            "arn:aws:s3::111122223333",
            "arn:aws::us-east-1:111122223333:x",
            "arn:gcp:s3::111122223333:x",
            "arn:aws:S3::111122223333:x",
            "arn:aws:s3:us_east:111122223333:x",
        ] {
            assert!(!is_source_arn(bad), "{bad}");
        }
    }
}
