//! What happened, before it becomes a record.

use serde_json::Value;

use crate::auth::Access;
use crate::names::AccountId;

/// What kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A principal called an API: `AwsApiCall`.
    ApiCall,
    /// The program acted by itself: `AwsServiceEvent`.
    ServiceEvent,
}

/// A resource that an event touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventResource {
    /// Its owner; none where that is not for the trail to tell: another account's bucket.
    pub account: Option<AccountId>,
    /// E.g. `AWS::KMS::Key`.
    pub kind: &'static str,
    /// Its ARN.
    pub arn: String,
}

/// An event. Never put plaintext, ciphertext, key material, tokens or secrets into one.
#[derive(Debug, Clone)]
pub struct Event {
    /// Caller and request.
    pub access: Access,
    /// E.g. `kms.amazonaws.com`.
    pub source: &'static str,
    /// E.g. `Decrypt`.
    pub name: &'static str,
    /// The kind.
    pub kind: EventKind,
    /// `requestParameters`, or null. Of a [`EventKind::ServiceEvent`], which has none: `serviceEventDetails`.
    pub request: Value,
    /// `responseElements`, or null.
    pub response: Value,
    /// `additionalEventData`, or null.
    pub additional: Value,
    /// `errorCode` and `errorMessage`.
    pub error: Option<(String, String)>,
    /// `readOnly`.
    pub read_only: bool,
    /// `managementEvent`; data events are false.
    pub management: bool,
    /// `resources`.
    pub resources: Vec<EventResource>,
    /// The call was made by S3 on behalf of the caller: `invokedBy` and `sourceIPAddress` say so, and the S3 request
    /// id goes into `additionalEventData.parentRequestID`.
    pub via_s3: bool,
    /// The account that receives the event.
    pub recipient: AccountId,
}
