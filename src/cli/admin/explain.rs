//! `strongroom policy explain`: why a request was denied, by its id.
//!
//! What was decided stands in the trail's record (`additionalEventData.denial`), which is read through the control socket of
//! the running server, or in the data directory of a stopped one: only who runs the server can. What would be decided
//! now is asked of the running server.

use clap::Args;
use serde_json::{Value, json};

use super::api::Api;
use super::connection::Connection;
use super::documents::own_account;
use super::print;
use super::simulation::{Asked, Outcome, of_principal, of_stranger};
use super::strangers::Stranger;
use super::who_can::before;
use crate::app::control::{Question, Records};
use crate::cli::Failure;
use crate::cli::roots::Store;
use crate::cli::secret_input::SecretInput;
use crate::config::Config;
use crate::wire::iso8601_seconds;

/// Say why a request was denied: who asked for what, which policy decided, what would be decided now, what would change it
///
/// Takes the request id that the answer had (x-amz-request-id, RequestId). Run it on the server's machine as the user
/// that runs the server: the record of the denial is read from the audit trail.
#[derive(Args)]
pub(super) struct Explain {
    /// Id of the request
    #[arg(value_name = "REQUEST-ID")]
    request_id: String,
}

pub(super) async fn run(connection: Connection, command: &Explain) -> Result<(), Failure> {
    let (config, output, connected) = connection.on_this_machine()?;
    let records = records(config, &command.request_id).await?;
    let record = chosen(&records).ok_or_else(|| {
        Failure::Failed(format!(
            "the trail has no record of request {}. It has all calls that administer, all uses of keys, and calls on objects \
             that policies denied; a request whose signature was refused, or that failed for another reason, is in the \
             server's log alone",
            command.request_id
        ))
    })?;
    let Some(denial) = Denial::of(record) else {
        return print::show(output, &json!({ "Record": record }), || not_denied(record));
    };
    let now = match &connected {
        Ok(connected) => now(&connected.api, record, &denial).await.map_err(|failure| failure.to_string()),
        Err(failure) => Err(failure.to_string()),
    };
    let advice = denial.advice(record);
    let json = json!({
        "Record": record,
        "Reason": denial.reason(),
        "Now": now.as_ref().map_or_else(|error| json!({ "Unknown": error }), |now| now.iter().map(Outcome::json).collect()),
        "Advice": advice,
    });
    print::show(output, &json, || {
        let now = match &now {
            Ok(outcomes) => outcomes.iter().map(now_words).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("Now: this could not be asked: {error}"),
        };
        format!("{}\n\nWhy: {}\n{now}\n\nTo change it: {advice}", told(record), denial.reason())
    })
}

/// Asks the running server, or the directory of a stopped one.
async fn records(config: Config, request_id: &str) -> Result<Vec<Value>, Failure> {
    let store = Store::find(config).await?;
    if !store.is_running() {
        store.open(&SecretInput::default()).await?;
    }
    let body = store.ask(Question::Records(request_id.to_owned())).await?;
    let unreadable = |error| Failure::Failed(format!("the server's answer can't be read: {error}"));
    let found: Records = minicbor::decode(&body).map_err(unreadable)?;
    Ok(found.records.iter().filter_map(|record| serde_json::from_str(record).ok()).collect())
}

/// The record that tells most: of a denial, the request's own rather than that of a call that S3 made for it.
fn chosen(records: &[Value]) -> Option<&Value> {
    records.iter().min_by_key(|record| {
        let denied = record.pointer("/additionalEventData/denial").is_some();
        let inner = record.pointer("/additionalEventData/parentRequestID").is_some();
        (!denied, inner)
    })
}

fn part<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Who asked.
fn who(record: &Value) -> String {
    let arn = part(record, "/userIdentity/arn");
    match (part(record, "/userIdentity/type"), part(record, "/userIdentity/userName")) {
        ("AWSAccount", _) => "somebody who did not sign".to_owned(),
        ("IAMUser", name) => format!("user {name} ({arn})"),
        ("AssumedRole", _) => format!("a session of a role ({arn})"),
        ("Root", _) => format!("the root of account {}", part(record, "/userIdentity/accountId")),
        _ if arn.is_empty() => part(record, "/userIdentity/type").to_owned(),
        _ => arn.to_owned(),
    }
}

/// What happened, in one paragraph.
fn told(record: &Value) -> String {
    let key = match part(record, "/userIdentity/accessKeyId") {
        "" => String::new(),
        id => format!(" with access key {id}"),
    };
    format!(
        "{}, from {}: {}{key} called {} of {}.\nAnswered with {}: {}",
        part(record, "/eventTime"),
        part(record, "/sourceIPAddress"),
        who(record),
        part(record, "/eventName"),
        part(record, "/eventSource"),
        part(record, "/errorCode"),
        part(record, "/errorMessage"),
    )
}

/// Of a record that no policy is the reason of.
fn not_denied(record: &Value) -> String {
    match part(record, "/errorCode") {
        "" => format!(
            "{}: {} called {} of {}. It was allowed and done",
            part(record, "/eventTime"),
            who(record),
            part(record, "/eventName"),
            part(record, "/eventSource")
        ),
        _ => format!("{}\n\nNo policy decided this: the message says what was wrong", told(record)),
    }
}

/// `additionalEventData.denial`
#[derive(Debug, Clone, PartialEq, Eq)]
struct Denial {
    action: String,
    resource: String,
    policy_type: String,
    /// Name of the policy, number of the statement from 1, `Sid`.
    by: Option<(String, u64, String)>,
}

impl Denial {
    fn of(record: &Value) -> Option<Self> {
        let denial = record.pointer("/additionalEventData/denial")?;
        let text = |name: &str| denial[name].as_str().unwrap_or_default().to_owned();
        let explicit = denial["decision"] == "explicitDeny";
        let statement = denial["statement"].as_u64().unwrap_or_default() + 1;
        Some(Self {
            action: text("action"),
            resource: text("resource"),
            policy_type: text("policyType"),
            by: explicit.then(|| (text("policy"), statement, text("sid"))),
        })
    }

    fn on(&self) -> String {
        match self.resource.as_str() {
            "*" => self.action.clone(),
            resource => format!("{} on {resource}", self.action),
        }
    }

    fn reason(&self) -> String {
        let Self { policy_type, .. } = self;
        let Some((policy, statement, sid)) = &self.by else {
            return format!("no {policy_type} allowed {}", self.on());
        };
        let named = if policy.is_empty() { String::new() } else { format!(" {policy}") };
        let sid = if sid.is_empty() { String::new() } else { format!(" ({sid:?})") };
        format!("statement {statement}{sid} of the {policy_type}{named} denied {}", self.on())
    }

    fn advice(&self, record: &Value) -> String {
        if self.by.is_some() {
            return "that statement would have to go or be narrowed; no policy that allows outweighs one that denies"
                .to_owned();
        }
        let (asker, on) = (who(record), self.on());
        match self.policy_type.as_str() {
            "resource-based policy" => {
                format!("the policy of the bucket or key would have to allow {on} to {asker}")
            }
            "permissions boundary" => format!("the permissions boundary of {asker} would have to allow {on}"),
            "session policy" => {
                format!(
                    "the session was made with a policy that does not allow {on}: it takes a new session without that"
                )
            }
            "role trust policy" => format!("the trust policy of the role would have to name {asker}"),
            _ => match (part(record, "/userIdentity/type"), part(record, "/userIdentity/userName")) {
                ("IAMUser", name) => format!(
                    "give the user, or one of its groups, a policy that allows {on}:\n    strongroom policy attach POLICY \
                     --user {name}"
                ),
                ("AssumedRole", _) => {
                    let role = part(record, "/userIdentity/sessionContext/sessionIssuer/userName");
                    format!(
                        "give the role a policy that allows {on}:\n    strongroom policy attach POLICY --role {role}"
                    )
                }
                _ => format!("a policy would have to allow {on} to {asker}"),
            },
        }
    }
}

fn now_words(outcome: &Outcome) -> String {
    match outcome.word().as_str() {
        "yes" => format!("Now: it would be allowed, by {}", outcome.reason()),
        "no" => format!("Now: it would still be denied: {}", outcome.reason()),
        depends => format!("Now: that {depends}; as far as is known here: {}", outcome.reason()),
    }
}

/// What would be decided as things are now.
async fn now(api: &Api, record: &Value, denial: &Denial) -> Result<Vec<Outcome>, Failure> {
    if denial.policy_type == "session policy" {
        return Err(Failure::Failed("the policies of a session are kept nowhere but in its token".to_owned()));
    }
    let own = own_account(api).await?;
    let resources = [denial.resource.clone()];
    let owner = record.pointer("/resources/0/accountId").and_then(Value::as_str).unwrap_or(&own);
    let before = before(api, &denial.resource).await?;
    let context = circumstances(record, &iso8601_seconds(api.sources.now()));
    let asked = Asked {
        action: &denial.action,
        resources: &resources,
        resource_policy: before.policy.as_deref(),
        owner,
        context: &context,
    };
    let principal = principal(record);
    if part(record, "/userIdentity/accountId") == own && is_simulated(&principal) {
        return Ok(of_principal(api, &principal, asked).await?);
    }
    let stranger = match principal.as_str() {
        "" => Some(Stranger::anybody()[0].clone()),
        arn => Stranger::of_arn(arn),
    };
    let stranger = stranger.ok_or_else(|| Failure::Failed(format!("{principal} can't be simulated")))?;
    if denial.policy_type != "resource-based policy" {
        let text = "it was another account's own policies that denied it, which are not seen from here";
        return Err(Failure::Failed(text.to_owned()));
    }
    of_stranger(stranger.subject(), asked).map_err(Failure::Failed)
}

/// The user or role whose policies decide, or the root; empty of who did not sign.
fn principal(record: &Value) -> String {
    let issuer = part(record, "/userIdentity/sessionContext/sessionIssuer/arn");
    if issuer.is_empty() { part(record, "/userIdentity/arn").to_owned() } else { issuer.to_owned() }
}

fn is_simulated(arn: &str) -> bool {
    [":user/", ":role/"].iter().any(|kind| arn.contains(kind))
}

/// The condition keys that the record tells of the request.
fn circumstances(record: &Value, now: &str) -> Vec<(String, &'static str, String)> {
    let mut context = vec![("aws:CurrentTime".to_owned(), "date", now.to_owned())];
    let mut add = |name: &str, kind, value: &str| context.push((name.to_owned(), kind, value.to_owned()));
    let address = part(record, "/sourceIPAddress");
    if address.parse::<std::net::IpAddr>().is_ok() {
        add("aws:SourceIp", "ip", address);
    }
    add("aws:SecureTransport", "boolean", if record["tlsDetails"].is_null() { "false" } else { "true" });
    let agent = part(record, "/userAgent");
    if !agent.is_empty() {
        add("aws:UserAgent", "string", agent);
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(identity: Value, denial: Value) -> Value {
        json!({
            "eventTime": "2026-11-26T01:00:00Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject",
            "sourceIPAddress": "192.0.2.7", "userIdentity": identity, "errorCode": "AccessDenied",
            "errorMessage": "Access Denied", "additionalEventData": {"denial": denial},
        })
    }

    fn alice() -> Value {
        json!({"type": "IAMUser", "userName": "alice", "arn": "arn:aws:iam::111122223333:user/alice"})
    }

    fn denial(kind: &str) -> Value {
        json!({"action": "s3:GetObject", "resource": "arn:b/k", "decision": "implicitDeny", "policyType": kind})
    }

    #[test]
    fn denials_in_words() {
        let mut explicit = denial("identity-based policy");
        for (name, value) in
            [("decision", json!("explicitDeny")), ("policy", json!("P")), ("statement", json!(1)), ("sid", json!("No"))]
        {
            explicit[name] = value;
        }
        let role = json!({"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/s",
            "sessionContext": {"sessionIssuer": {"userName": "r", "arn": "arn:aws:iam::1:role/r"}}});
        for (identity, denial, reason, advice) in [
            (
                alice(),
                denial("identity-based policy"),
                "no identity-based policy allowed s3:GetObject on arn:b/k",
                "strongroom policy attach POLICY --user alice",
            ),
            (
                alice(),
                explicit,
                "statement 2 (\"No\") of the identity-based policy P denied s3:GetObject on arn:b/k",
                "no policy that allows outweighs",
            ),
            (
                role.clone(),
                denial("identity-based policy"),
                "no identity-based policy allowed",
                "strongroom policy attach POLICY --role r",
            ),
            (role, denial("session policy"), "no session policy allowed", "a new session"),
            (
                json!({"type": "AWSAccount"}),
                denial("resource-based policy"),
                "no resource-based policy allowed",
                "to somebody who did not sign",
            ),
            (alice(), denial("permissions boundary"), "no permissions boundary allowed", "boundary of user alice"),
        ] {
            let record = record(identity, denial);
            let denial = Denial::of(&record).unwrap();
            assert!(denial.reason().contains(reason), "{}", denial.reason());
            assert!(denial.advice(&record).contains(advice), "{}", denial.advice(&record));
        }
        assert!(Denial::of(&json!({})).is_none());
        assert_eq!(
            told(&record(alice(), Value::Null)),
            "2026-11-26T01:00:00Z, from 192.0.2.7: user alice (arn:aws:iam::111122223333:user/alice) called GetObject of \
             s3.amazonaws.com.\nAnswered with AccessDenied: Access Denied"
        );
    }

    #[test]
    fn the_record_that_tells_most() {
        let of_s3 = json!({"eventName": "PutObject", "additionalEventData": {"denial": {}}});
        let of_kms =
            json!({"eventName": "GenerateDataKey", "additionalEventData": {"denial": {}, "parentRequestID": "x"}});
        let done = json!({"eventName": "GetObject"});
        let all = [of_kms.clone(), done.clone(), of_s3.clone()];
        assert_eq!(chosen(&all), Some(&of_s3));
        assert_eq!(chosen(&[done.clone(), of_kms.clone()]), Some(&of_kms));
        assert!(not_denied(&done).contains("It was allowed and done"));
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn circumstances_of_the_request() {
        let record = record(alice(), Value::Null);
        let names: Vec<String> =
            circumstances(&record, "2026-11-26T02:00:00Z").into_iter().map(|(n, _, v)| format!("{n}={v}")).collect();
        assert_eq!(
            names,
            ["aws:CurrentTime=2026-11-26T02:00:00Z", "aws:SourceIp=192.0.2.7", "aws:SecureTransport=false"]
        );
    }
}
