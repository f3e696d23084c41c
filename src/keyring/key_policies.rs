//! Key policies, parsed: once for each text, not for each call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::KeyringError;
use super::record::{KeyPlace, KeyRecord};
use crate::names::{AccountId, Region, iam_root_arn};
use crate::policy::{Kind, Policy};

/// Parsed policies that are kept, at most; beyond it all are dropped and parsed again as they are asked for.
const KEPT_AT_MOST: usize = 10_000;

/// The parsed policies of this process.
#[derive(Default)]
pub(super) struct KeyPolicies(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By the key's ARN. What is found has to have the record's text, so that a policy which another gateway has
    /// changed counts at once.
    keys: HashMap<String, Arc<Policy>>,
    /// The default policy of each account's keys: most keys have it.
    defaults: HashMap<AccountId, Arc<Policy>>,
}

impl KeyPolicies {
    /// The policy of a key.
    pub(super) fn of(&self, place: &KeyPlace, record: &KeyRecord) -> Result<Arc<Policy>, KeyringError> {
        let mut kept = self.0.lock().expect("no holder of this lock panics");
        if record.policy.is_none() && !record.aws_managed {
            if let Some(found) = kept.defaults.get(&place.account) {
                return Ok(Arc::clone(found));
            }
            let parsed = parse(place, &policy_text(place, record))?;
            kept.defaults.insert(place.account.clone(), Arc::clone(&parsed));
            return Ok(parsed);
        }
        let arn = place.arn();
        let fits = |found: &&Arc<Policy>| record.policy.as_deref().is_none_or(|text| text == found.text());
        if let Some(found) = kept.keys.get(&arn).filter(fits) {
            return Ok(Arc::clone(found));
        }
        let parsed = parse(place, &policy_text(place, record))?;
        if kept.keys.len() >= KEPT_AT_MOST {
            kept.keys.clear();
        }
        kept.keys.insert(arn, Arc::clone(&parsed));
        Ok(parsed)
    }
}

/// A text that is no policy allows nothing, to nobody: it was checked before it was stored.
fn parse(place: &KeyPlace, text: &str) -> Result<Arc<Policy>, KeyringError> {
    let parsed = Policy::parse(text.as_bytes(), Kind::Key);
    parsed.map(Arc::new).map_err(|error| {
        KeyringError::Internal(format!("the stored policy of key {} cannot be read: {error}", place.key_id))
    })
}

/// The policy of a key as text.
pub(super) fn policy_text(place: &KeyPlace, record: &KeyRecord) -> String {
    match &record.policy {
        Some(policy) => policy.clone(),
        None if record.aws_managed => s3_key_policy(&place.region, &place.account),
        None => default_policy(&place.account),
    }
}

/// The policy that a key gets from CreateKey without one (KMS developer guide, "Default key policy").
pub(super) fn default_policy(account: &AccountId) -> String {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": iam_root_arn(account) },
            "Action": "kms:*",
            "Resource": "*"
        }]
    })
    .to_string()
}

/// The policy of `alias/aws/s3`, as AWS writes it.
fn s3_key_policy(region: &Region, account: &AccountId) -> String {
    let use_actions = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"];
    json!({
        "Version": "2012-10-17",
        "Id": "auto-s3-2",
        "Statement": [{
            "Sid": "Allow access through S3 for all principals in the account that are authorized to use S3",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": use_actions,
            "Resource": "*",
            "Condition": { "StringEquals": {
                "kms:CallerAccount": account.as_str(),
                "kms:ViaService": format!("s3.{region}.amazonaws.com")
            } }
        }, {
            "Sid": "Allow direct access to key metadata to the account",
            "Effect": "Allow",
            "Principal": { "AWS": iam_root_arn(account) },
            "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
            "Resource": "*"
        }]
    })
    .to_string()
}
