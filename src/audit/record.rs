//! From an [`Event`] to its record: CloudTrail's form, version 1.11 ("CloudTrail record contents for management, data,
//! and network activity events", "CloudTrail userIdentity element"), in canonical JSON.
//!
//! Ours besides: `additionalEventData.parentRequestID` ties a use of a key to the S3 request behind it,
//! `additionalEventData.job` names the job that acted, and `additionalEventData.denial` says why a call was denied, which
//! clients of other accounts are not told.

use serde_json::{Map, Value, json};

use super::canonical;
use super::event::{Event, EventKind, EventResource};
use crate::auth::{Access, CallerKind, IssuerKind, Principal, Refusal, RequestFacts, Session};
use crate::names::AccountId;
use crate::sources::{Sources, Timestamp};
use crate::wire::iso8601_seconds;

/// `requestParameters` and `responseElements` above this are left out, as CloudTrail does.
pub(super) const PARAMETERS_MAX_BYTES: usize = 100 * 1024;
/// The same for `additionalEventData`.
pub(super) const ADDITIONAL_MAX_BYTES: usize = 28 * 1024;
/// `errorCode` and `errorMessage` are cut at this, as CloudTrail does.
pub(super) const ERROR_MAX_BYTES: usize = 1024;

/// Who acts when it is not a client: AWS's word for its own services, which SIEM rules know.
const INTERNAL: &str = "AWS Internal";
/// CloudTrail's word in place of a secret.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// Parameters that never reach a record, in lower case: plaintext, ciphertext, key material, tokens, secrets. The
/// layers above leave them out; this catches a slip. Only at the top, where parameters stand: an encryption context
/// may use such a word as a key, and is recorded as it was.
const SECRETS: [&str; 26] = [
    "ciphertext",
    "ciphertextblob",
    "ciphertextforrecipient",
    "encryptedkeymaterial",
    "granttoken",
    "granttokens",
    "importtoken",
    "keymaterial",
    "mac",
    "message",
    "password",
    "plaintext",
    "plaintextkey",
    "privatekeyciphertextblob",
    "privatekeyplaintext",
    "secretaccesskey",
    "sessiontoken",
    "sharedsecret",
    "signature",
    "authorization",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-signature",
    "awsaccesskeyid",
];

/// The caller, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) kind: &'a CallerKind,
    pub(super) account: Option<&'a AccountId>,
    pub(super) arn: &'a str,
    pub(super) user_id: &'a str,
    pub(super) session: Option<&'a Session>,
    pub(super) access_key_id: Option<&'a str>,
}

impl<'a> Who<'a> {
    pub(super) fn of(access: &'a Access) -> Self {
        Self { access_key_id: access.caller().access_key_id(), ..Self::principal(access.caller().principal()) }
    }

    pub(super) fn principal(principal: &'a Principal) -> Self {
        Self {
            kind: principal.kind(),
            account: principal.account(),
            arn: principal.arn(),
            user_id: principal.user_id(),
            session: principal.session(),
            access_key_id: None,
        }
    }
}

/// What a record gets besides its event.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    /// `eventID`.
    pub(super) event_id: String,
    /// `requestID` of a call that S3 makes: it has none from the edge.
    pub(super) inner_request_id: String,
    /// For events that no request caused.
    pub(super) now: Timestamp,
}

impl Stamp {
    pub(super) fn new(sources: &Sources) -> Self {
        Self { event_id: uuid_v4(sources), inner_request_id: uuid_v4(sources), now: sources.now() }
    }
}

/// The record of `event`, which `who` caused by the request of `facts` (those of the event's access).
pub(super) fn render(event: &Event, who: Who<'_>, facts: &RequestFacts, stamp: &Stamp) -> String {
    let job = matches!(who.kind, CallerKind::System { .. } | CallerKind::Service { .. });
    let internal = event.via_s3 || job;
    let at = if job || event.kind == EventKind::ServiceEvent { stamp.now } else { facts.received };
    let request = limited(redacted(&event.request), PARAMETERS_MAX_BYTES, "requestParameters");
    let (parameters, details) = match event.kind {
        EventKind::ApiCall => (request, Value::Null),
        EventKind::ServiceEvent => (Value::Null, request),
    };
    let request_id = if event.via_s3 { &stamp.inner_request_id } else { &facts.request_id };
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("eventVersion", json!("1.11"));
    put("userIdentity", identity(event, who));
    put("eventTime", json!(iso8601_seconds(at)));
    put("eventSource", json!(event.source));
    put("eventName", json!(event.name));
    put("awsRegion", json!(region(event, facts)));
    put("sourceIPAddress", if internal { json!(INTERNAL) } else { json!(facts.source_ip.to_string()) });
    put("userAgent", if internal { json!(INTERNAL) } else { json!(facts.user_agent) });
    put("requestParameters", parameters);
    put("responseElements", limited(redacted(&event.response), PARAMETERS_MAX_BYTES, "responseElements"));
    put("eventID", json!(stamp.event_id));
    put("readOnly", json!(event.read_only));
    put("managementEvent", json!(event.management));
    put("eventCategory", json!(if event.management { "Management" } else { "Data" }));
    put("recipientAccountId", json!(event.recipient.as_str()));
    put(
        "eventType",
        json!(match event.kind {
            EventKind::ApiCall => "AwsApiCall",
            EventKind::ServiceEvent => "AwsServiceEvent",
        }),
    );
    let optional = [
        ("serviceEventDetails", details),
        ("additionalEventData", additional(event, who, facts)),
        ("requestID", if request_id.is_empty() { Value::Null } else { json!(request_id) }),
        ("errorCode", event.error.as_ref().map_or(Value::Null, |(code, _)| json!(cut(code)))),
        ("errorMessage", event.error.as_ref().map_or(Value::Null, |(_, message)| json!(cut(message)))),
        ("resources", resources(&event.resources)),
        ("tlsDetails", if internal { Value::Null } else { tls_details(facts) }),
    ];
    for (name, value) in optional.into_iter().filter(|(_, value)| !value.is_null()) {
        put(name, value);
    }
    canonical::render(&Value::Object(record))
}

/// Whether a record tells of this request, or of a call that S3 made for it.
pub(super) fn is_of_request(record: &str, request_id: &str) -> bool {
    if request_id.is_empty() || !record.contains(request_id) {
        return false;
    }
    let record: Value = serde_json::from_str(record).unwrap_or_default();
    let places = ["/requestID", "/additionalEventData/parentRequestID"];
    places.iter().any(|place| record.pointer(place).is_some_and(|id| id == request_id))
}

/// IAM is in one Region, whichever its clients sign for.
fn region<'a>(event: &Event, facts: &'a RequestFacts) -> &'a str {
    if event.source == "iam.amazonaws.com" { "us-east-1" } else { facts.region.as_str() }
}

fn identity(event: &Event, who: Who<'_>) -> Value {
    let account = who.account.map_or("", AccountId::as_str);
    let of = |kind: &str| json!({"type": kind, "principalId": who.user_id, "arn": who.arn, "accountId": account});
    let mut identity = match who.kind {
        CallerKind::Root => of("Root"),
        CallerKind::User { name } => {
            let mut identity = of("IAMUser");
            identity["userName"] = json!(name);
            identity
        }
        CallerKind::Role { .. } => of("AssumedRole"),
        CallerKind::FederatedUser { .. } => of("FederatedUser"),
        CallerKind::WebIdentity { provider, subject } => json!({
            "type": "WebIdentityUser", "principalId": who.user_id, "userName": subject, "identityProvider": provider
        }),
        CallerKind::System { .. } => {
            json!({"type": "AWSService", "accountId": event.recipient.as_str(), "invokedBy": INTERNAL})
        }
        CallerKind::Service { name, .. } => json!({"type": "AWSService", "invokedBy": name}),
        // As S3's data events have it for requests that nobody signed.
        CallerKind::Anonymous => json!({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}),
    };
    if let Some(session) = who.session {
        identity["sessionContext"] = session_context(session, who);
    }
    if let Some(id) = who.access_key_id {
        identity["accessKeyId"] = json!(id);
    }
    if event.via_s3 && !matches!(who.kind, CallerKind::Service { .. }) {
        identity["invokedBy"] = json!(INTERNAL);
    }
    identity
}

/// `sessionContext`. Users and roots who signed with credentials of GetSessionToken issued those themselves, so that
/// AWS names no issuer there.
fn session_context(session: &Session, who: Who<'_>) -> Value {
    let account = who.account.map_or("", AccountId::as_str);
    let mut context = json!({"attributes": {
        "creationDate": iso8601_seconds(session.issued), "mfaAuthenticated": "false"
    }});
    let issuer = &session.issuer;
    let kind = match issuer.kind {
        IssuerKind::Root => "Root",
        IssuerKind::User => "IAMUser",
        IssuerKind::Role => "Role",
    };
    if matches!(who.kind, CallerKind::Role { .. } | CallerKind::FederatedUser { .. }) {
        context["sessionIssuer"] =
            json!({"type": kind, "principalId": issuer.id, "arn": issuer.arn, "accountId": account});
        if let Some(name) = &issuer.name {
            context["sessionIssuer"]["userName"] = json!(name);
        }
    }
    if let Some(provider) = &session.federated_provider {
        context["webIdFederationData"] = json!({"federatedProvider": provider, "attributes": {}});
    }
    if let Some(name) = &session.source_identity {
        context["sourceIdentity"] = json!(name);
    }
    context
}

fn additional(event: &Event, who: Who<'_>, facts: &RequestFacts) -> Value {
    let mut additional = match limited(redacted(&event.additional), ADDITIONAL_MAX_BYTES, "additionalEventData") {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => Map::from_iter([("data".to_owned(), other)]),
    };
    if event.via_s3 && !facts.request_id.is_empty() {
        additional.insert("parentRequestID".to_owned(), json!(facts.request_id));
    }
    if let CallerKind::System { job } = who.kind {
        additional.insert("job".to_owned(), json!(job));
    }
    let denied = event.error.as_ref().is_some_and(|(code, _)| code.starts_with("AccessDenied"));
    if let Some(refusal) = event.access.refusal().filter(|_| denied) {
        additional.insert("denial".to_owned(), denial(&refusal));
    }
    if additional.is_empty() { Value::Null } else { Value::Object(additional) }
}

fn denial(refusal: &Refusal) -> Value {
    let mut denial = json!({
        "action": refusal.action, "resource": cut(&refusal.resource), "policyType": refusal.policy_type,
        "decision": if refusal.denied_by.is_some() { "explicitDeny" } else { "implicitDeny" },
    });
    if let Some(by) = &refusal.denied_by {
        denial["policy"] = json!(cut(&by.policy));
        denial["statement"] = json!(by.statement);
        if let Some(sid) = &by.sid {
            denial["sid"] = json!(cut(sid));
        }
    }
    denial
}

fn resources(resources: &[EventResource]) -> Value {
    if resources.is_empty() {
        return Value::Null;
    }
    let resource = |r: &EventResource| {
        let mut shown = json!({"type": r.kind, "ARN": r.arn});
        if let Some(account) = &r.account {
            shown["accountId"] = json!(account.as_str());
        }
        shown
    };
    resources.iter().map(resource).collect()
}

fn tls_details(facts: &RequestFacts) -> Value {
    let Some(tls) = &facts.tls else { return Value::Null };
    json!({
        "tlsVersion": tls.version,
        "cipherSuite": tls.cipher_suite,
        "clientProvidedHostHeader": facts.host,
    })
}

fn redacted(parameters: &Value) -> Value {
    let mut parameters = parameters.clone();
    for (name, value) in parameters.as_object_mut().into_iter().flatten() {
        if !value.is_null() && SECRETS.contains(&name.to_ascii_lowercase().as_str()) {
            *value = json!(HIDDEN);
        }
    }
    parameters
}

/// What CloudTrail writes in place of an element that is too large.
fn limited(value: Value, max_bytes: usize, name: &str) -> Value {
    if value.is_null() {
        return value;
    }
    let size = canonical::render(&value).len();
    if size <= max_bytes {
        return value;
    }
    json!({"omitted": true, "originalSize": size, "reason": format!("{name} too large")})
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(ERROR_MAX_BYTES)]
}

/// A random UUID (RFC 9562, version 4).
fn uuid_v4(sources: &Sources) -> String {
    let mut bytes = sources.random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests;
