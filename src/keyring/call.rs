//! What the trail gets of a call to the key module.
//!
//! A method that takes a [`Grant`] records its own outcome, once, before it returns: a change together with its
//! record in one commit, a use or a refusal by itself. What fails before there is a grant (malformed input, a key
//! that is not found, a denial) is recorded by the protocol that answers the caller, with
//! [`KeyRing::record_refusal`].

use serde_json::{Value, json};

use super::record::{LastUseRecord, last_use_row};
use super::service::KeyRing;
use super::{KeyMetadata, KeyringError};
use crate::audit::{AuditError, Event, EventKind, EventResource};
use crate::auth::{Access, Grant};
use crate::index::{CommitError, RowBatch};
use crate::names::AccountId;

/// The operations that GetKeyLastUsage tells of (`KeyLastUsageTrackingOperation`).
const TRACKED: [&str; 14] = [
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// How a call appears in the trail.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// `requestParameters`: never plaintext, ciphertext, tokens.
    pub request: Value,
    /// Made by S3 on behalf of the caller: see [`Event::via_s3`].
    pub via_s3: bool,
}

/// A refusal to be recorded: of a call that failed before any method took a grant.
#[derive(Debug, Clone)]
pub struct Refused<'a> {
    /// Who asked.
    pub access: &'a Access,
    /// The API's name, e.g. `Decrypt`.
    pub name: &'static str,
    /// How the call appears.
    pub call: &'a Call,
    /// The keys that were found before it failed.
    pub resources: Vec<EventResource>,
    /// The account of the caller.
    pub recipient: &'a AccountId,
    /// AWS's error name.
    pub code: &'a str,
    /// AWS's text.
    pub message: &'a str,
}

/// What a successful call adds to its event.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) response: Value,
    pub(super) additional: Value,
}

/// The resource that a key is in the trail.
pub(super) fn key_resource(metadata: &KeyMetadata) -> EventResource {
    EventResource { account: Some(metadata.account.clone()), kind: "AWS::KMS::Key", arn: metadata.arn.clone() }
}

impl KeyRing {
    /// Records a call that failed before a method with a grant was reached. Until this returns `Ok` the caller must
    /// get no answer but an internal error (fail closed).
    pub async fn record_refusal(&self, refused: Refused<'_>) -> Result<(), KeyringError> {
        let event = Event {
            error: Some((audit_code(refused.code).to_owned(), refused.message.to_owned())),
            ..blank(refused.access, refused.name, refused.call, refused.resources, refused.recipient)
        };
        self.record(&event).await
    }

    /// Records the outcome of a call that changed nothing, and hands it on.
    pub(super) async fn conclude<T>(
        &self,
        event: Event,
        outcome: Result<(T, Details), KeyringError>,
    ) -> Result<T, KeyringError> {
        match outcome {
            Ok((value, details)) => {
                let event = Event { response: details.response, additional: details.additional, ..event };
                self.record_success(&event).await?;
                Ok(value)
            }
            Err(error) => self.conclude_refused(event, error).await,
        }
    }

    /// Records a refusal and hands it on.
    pub(super) async fn conclude_refused<T>(&self, event: Event, error: KeyringError) -> Result<T, KeyringError> {
        let shown = (audit_code(error.code()).to_owned(), error.message().unwrap_or_default());
        self.record(&Event { error: Some(shown), ..event }).await?;
        Err(error)
    }

    /// Adds the record of a success to the batch of its change and commits both. `None`: somebody else was faster.
    pub(super) async fn commit(&self, batch: RowBatch<'_>, event: &Event) -> Result<Option<()>, KeyringError> {
        match self.audit().commit(batch, event).await {
            Ok(_) => Ok(Some(())),
            Err(CommitError::Conflict) => Ok(None),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    /// Records a success; of a cryptographic operation, also as the last use of its keys, in the same commit. The row
    /// is written without looking at the one before, so that uses wait for one another no more than their records do:
    /// the last use is the last one in the trail.
    async fn record_success(&self, event: &Event) -> Result<(), KeyringError> {
        if !TRACKED.contains(&event.name) {
            return self.record(event).await;
        }
        let mut batch = self.rows().batch();
        let announced = self.audit().append(&mut batch, event);
        let last_use = LastUseRecord {
            operation: event.name.to_owned(),
            at_ms: announced.at.0,
            event_id: announced.event_id,
            request_id: announced.request_id,
        };
        for resource in &event.resources {
            batch.put(last_use_row(&resource.arn), &last_use);
        }
        Ok(self.rows().commit(batch).await?)
    }

    pub(super) async fn record(&self, event: &Event) -> Result<(), KeyringError> {
        match self.audit().record(event).await {
            Ok(_) => Ok(()),
            Err(AuditError(error)) => Err(error.into()),
        }
    }
}

/// The event of a call under `grant`; `name` is the API's.
pub(super) fn event_of(grant: &Grant, name: &'static str, call: &Call, resources: Vec<EventResource>) -> Event {
    let caller = grant.access().caller().account();
    let recipient = caller.unwrap_or_else(|| &grant.resource().owner);
    blank(grant.access(), name, call, resources, recipient)
}

/// The event of something that the program does by itself to a key; `details` become `serviceEventDetails`.
pub(super) fn service_event(access: &Access, name: &'static str, key: &KeyMetadata, details: Value) -> Event {
    Event { resources: vec![key_resource(key)], ..service_event_in(access, name, &key.account, details) }
}

/// As [`service_event`], about no key of an account.
pub(super) fn service_event_in(access: &Access, name: &'static str, account: &AccountId, details: Value) -> Event {
    let call = Call { request: details, via_s3: false };
    Event { kind: EventKind::ServiceEvent, ..blank(access, name, &call, Vec::new(), account) }
}

fn blank(
    access: &Access,
    name: &'static str,
    call: &Call,
    resources: Vec<EventResource>,
    recipient: &AccountId,
) -> Event {
    Event {
        access: access.clone(),
        source: "kms.amazonaws.com",
        name,
        kind: EventKind::ApiCall,
        request: call.request.clone(),
        response: Value::Null,
        additional: Value::Null,
        error: None,
        read_only: is_read_only(name),
        management: true,
        resources,
        via_s3: call.via_s3,
        recipient: recipient.clone(),
    }
}

/// CloudTrail's `readOnly`: cryptographic uses count as reading, only what changes a key or an alias does not.
fn is_read_only(name: &str) -> bool {
    let reading = ["Decrypt", "DeriveSharedSecret", "Encrypt", "ReEncrypt", "Sign", "Verify", "Encapsulate"];
    let stems = ["Describe", "Generate", "Get", "List", "Verify", "Decapsulate"];
    reading.contains(&name) || stems.iter().any(|stem| name.starts_with(stem))
}

/// CloudTrail writes some errors otherwise than the API does.
fn audit_code(code: &str) -> &str {
    if code == "AccessDeniedException" { "AccessDenied" } else { code }
}

/// `additionalEventData` of a use; asymmetric and HMAC keys have no material ids.
pub(super) fn material_details(material_id: Option<&str>) -> Details {
    let additional = material_id.map_or(Value::Null, |id| json!({ "keyMaterialId": id }));
    Details { response: Value::Null, additional }
}

#[cfg(test)]
mod tests {
    use super::is_read_only;

    #[test]
    fn only_changes_are_not_read_only() {
        for name in ["Decrypt", "Encrypt", "ReEncrypt", "GenerateDataKey", "GenerateRandom", "DescribeKey", "ListKeys"]
        {
            assert!(is_read_only(name), "{name}");
        }
        for name in ["CreateKey", "DisableKey", "CreateAlias", "ScheduleKeyDeletion", "RotateKeyOnDemand", "DeleteKey"]
        {
            assert!(!is_read_only(name), "{name}");
        }
    }
}
