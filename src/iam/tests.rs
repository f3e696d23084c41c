//! Every file of `fixtures/iam/stories` is a story: steps with a request and what is expected of its answer. The check
//! also holds every story to these rules: each call of an authenticated caller leaves exactly one record, with its
//! error; no secret is in the trail; an answer has a result where the model has output.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use super::table::{Callers, Service, rows};
use super::{BODY_MAX_BYTES, serve};
use crate::app::tests::Gateway;
use crate::crypto::{SecretBytes, sha256};
use crate::index::Faults;
use crate::names::hex;
use crate::sigv4::{SignedParts, Signer, presign, sign_headers};
use crate::sources::Timestamp;
use crate::wire::xml::{self, Element};
use crate::wire::{Edge, Findings, Request, RequestBody, RequestId, ResponseBody, encode_uri};

const SETTINGS: &str = include_str!("../../fixtures/iam/settings.toml");
const OPERATIONS: &str = include_str!("../../fixtures/iam/operations.txt");
const SECRET: &str = "a-secret-for-tests";
const HOST: &str = "iam.test";

/// Elements of answers and parameters of requests that no record may hold.
const UNRECORDED: [&str; 12] = [
    "AddPrivateKey",
    "EncodedMessage",
    "NewPassword",
    "OldPassword",
    "Password",
    "PrivateKey",
    "SAMLAssertion",
    "SecretAccessKey",
    "SessionToken",
    "TokenCode",
    "TradeInToken",
    "WebIdentityToken",
];

struct World {
    gateway: Gateway,
    /// Values that earlier answers gave, by name.
    known: BTreeMap<String, String>,
    /// What requests and answers held of [`UNRECORDED`].
    secrets: Vec<String>,
}

/// How a request is sent.
#[derive(Debug, Clone)]
struct Sent {
    service: Service,
    body: String,
    /// Access key, secret, session token; none: not signed.
    signer: Option<(String, String, Option<String>)>,
    region: String,
    /// The parameters and the signature in the query of a GET.
    presigned: bool,
    confidential: bool,
    /// Seconds between signing and arriving.
    late: i64,
}

impl World {
    async fn new(seed: u64) -> Self {
        Self { gateway: Gateway::new(seed, SETTINGS).await, known: BTreeMap::new(), secrets: Vec::new() }
    }

    /// Status, headers and body of the answer to one request.
    async fn send(&self, sent: &Sent) -> (u16, HeaderMap, String) {
        let answer = serve(&self.gateway.app, sent.service, self.request(sent)).await;
        let (head, body) = answer.into_parts();
        let ResponseBody::Full(body) = body else { panic!("this protocol never streams") };
        let body = String::from_utf8(body.unwrap_or_default().to_vec()).expect("text");
        (head.status.as_u16(), head.headers, body)
    }

    fn request(&self, sent: &Sent) -> Request {
        let now = self.gateway.sources.now();
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static(HOST));
        let (mut method, mut query, mut body) = ("POST", String::new(), sent.body.clone());
        if sent.presigned {
            (method, query, body) = ("GET", body, String::new());
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        }
        if let Some((key, secret, token)) = &sent.signer {
            let secret = SecretBytes::new(secret.as_bytes().to_vec());
            let signed = Timestamp(now.0 - sent.late * 1000);
            let signer = Signer {
                access_key_id: key,
                secret: &secret,
                region: &sent.region,
                service: sent.service.name(),
                now: signed,
            };
            if let Some(token) = token {
                if sent.presigned {
                    query = format!("{query}&X-Amz-Security-Token={}", encode_uri(token));
                } else {
                    headers.insert("x-amz-security-token", token.parse().unwrap());
                }
            }
            let parts = SignedParts { method, path: "/", query: &query, headers: &headers, host: HOST };
            if sent.presigned {
                query = presign(&signer, &parts, Duration::from_secs(900));
            } else {
                headers = sign_headers(&signer, &parts, &hex(&sha256(body.as_bytes()))).0;
            }
        }
        let uri = if query.is_empty() { "/".to_owned() } else { format!("/?{query}") };
        let mut head = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
        head.headers = headers;
        let edge = Edge {
            request_id: RequestId::generate(&self.gateway.sources),
            received: now,
            source_ip: [192, 0, 2, 1].into(),
            secure: sent.confidential,
            confidential: sent.confidential,
            tls: None,
            host: HOST.to_owned(),
            host_header: HOST.to_owned(),
            findings: Findings::default(),
        };
        Request { head, edge, body: RequestBody::full(body) }
    }

    /// Puts what is known into `${name}`, and text of a length into `${text:N}`.
    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill_text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => members.iter().map(|(name, v)| (name.clone(), self.fill(v))).collect(),
            other => other.clone(),
        }
    }

    fn fill_text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        while let Some((before, rest)) = out.split_once("${") {
            let (name, after) = rest.split_once('}').expect("a closing brace");
            let filled = match name.split_once(':') {
                Some(("text", n)) => "t".repeat(n.parse().unwrap()),
                _ => self.known.get(name).unwrap_or_else(|| panic!("{name} is not known")).clone(),
            };
            out = format!("{before}{filled}{after}");
        }
        out
    }

    /// Compares with what is expected: `*` is anything, `${name}` what is known, `=name` anything, kept as `name`;
    /// `null` an absent member. Members that are not mentioned are not looked at. An object where a text was found is a
    /// policy document: the text is parsed, percent-decoded if need be.
    fn compare(&mut self, expected: &Value, found: &Value, at: &str) {
        match expected {
            Value::String(text) if text == "*" => assert!(!found.is_null(), "{at} is missing"),
            Value::String(text) if text.starts_with('=') => {
                let value = found.as_str().unwrap_or_else(|| panic!("{at} is no text: {found}"));
                self.known.insert(text[1..].to_owned(), value.to_owned());
            }
            Value::String(_) => assert_eq!(&self.fill(expected), found, "{at}"),
            Value::Array(items) => {
                // A list without items is written as an element without content.
                let none = Vec::new();
                let list =
                    if found == "" { &none } else { found.as_array().unwrap_or_else(|| panic!("{at}: {found}")) };
                assert_eq!(items.len(), list.len(), "{at}: {found}");
                for (n, item) in items.iter().enumerate() {
                    self.compare(item, &list[n], &format!("{at}[{n}]"));
                }
            }
            Value::Object(members) => {
                let parsed = found.as_str().filter(|text| !text.is_empty()).map(|text| {
                    let text = crate::wire::decode_path(text).expect("text");
                    serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{at}: {e}: {text}"))
                });
                let found = parsed.as_ref().unwrap_or(found);
                for (name, member) in members {
                    self.compare(member, &found[name], &format!("{at}.{name}"));
                }
            }
            other => assert_eq!(other, found, "{at}"),
        }
    }

    async fn play(&mut self, step: &Value, at: &str) {
        if let Some(seconds) = step["wait_seconds"].as_u64() {
            self.gateway.sources.advance(Duration::from_secs(seconds));
            return;
        }
        let call = step["call"].as_str().unwrap_or_else(|| panic!("{at} has no call"));
        let before = self.gateway.record_count().await;
        let sent = self.sent(call, step);
        let (status, headers, body) = self.send(&sent).await;
        assert!(headers.contains_key("x-amzn-requestid") && headers[CONTENT_TYPE] == "text/xml", "{at}");
        let root = xml::parse(body.as_bytes()).unwrap_or_else(|_| panic!("{at}: {body}"));
        let error = step["error"].as_str();
        let expected_status = step["status"].as_u64().unwrap_or_else(|| if error.is_some() { 400 } else { 200 });
        assert_eq!(u64::from(status), expected_status, "{at}: {body}");
        match error {
            Some(code) => {
                let namespace = sent.service.namespace();
                assert!(body.starts_with(&format!("<ErrorResponse xmlns=\"{namespace}\"><Error>")), "{at}: {body}");
                let error = root.child("Error").unwrap_or_else(|| panic!("{at}: {body}"));
                assert_eq!(error.child_text("Code"), Some(code), "{at}: {body}");
                let fault = if status < 500 { "Sender" } else { "Receiver" };
                assert_eq!(error.child_text("Type"), Some(fault), "{at}: {body}");
                let message = step.get("message").expect("every error says what its message is").clone();
                let found = error.child("Message").map(|message| json!(message.text)).unwrap_or_default();
                self.compare(&message, &found, &format!("{at}.message"));
            }
            None => self.check_answer(call, sent.service, &root, &body, step, at),
        }
        self.check_record(call, before, step, at).await;
    }

    fn sent(&self, call: &str, step: &Value) -> Sent {
        let named = |name: &str| match name {
            "iam" => Service::Iam,
            "sts" => Service::Sts,
            other => panic!("{other} is no service"),
        };
        let row = rows().find(|row| row.name == call);
        let service = step["service"].as_str().map(named).or_else(|| row.map(|row| row.service)).expect("a service");
        let body = match step["body"].as_str() {
            Some(raw) => raw.to_owned(),
            None => {
                let mut form = format!("Action={call}&Version={}", service.version());
                flatten(&mut form, "", &self.fill(step.get("request").unwrap_or(&json!({}))));
                form
            }
        };
        let text = |value: &Value| value.as_str().map(|text| self.fill_text(text));
        let signer = match &step["as"] {
            Value::String(name) if name == "NOBODY" => None,
            Value::Object(keys) => Some((
                text(&keys["key"]).expect("a key"),
                text(&keys["secret"]).expect("a secret"),
                keys.get("token").and_then(text),
            )),
            who => {
                let key = who.as_str().unwrap_or("ADMIN").repeat(4);
                Some((key, text(&step["secret"]).unwrap_or_else(|| SECRET.to_owned()), None))
            }
        };
        Sent {
            // What is not signed comes in as a call to STS.
            service: if signer.is_some() { service } else { Service::Sts },
            body,
            signer,
            region: step["region"].as_str().unwrap_or("us-east-1").to_owned(),
            presigned: step["presigned"] == true,
            confidential: step["http"] != true,
            late: step["late"].as_i64().unwrap_or(0),
        }
    }

    fn check_answer(&mut self, call: &str, service: Service, root: &Element, body: &str, step: &Value, at: &str) {
        let begin = format!("<{call}Response xmlns=\"{}\">", service.namespace());
        assert!(body.starts_with(&begin), "{at}: {body}");
        let id = root.child("ResponseMetadata").and_then(|metadata| metadata.child_text("RequestId"));
        assert!(id.is_some_and(|id| !id.is_empty()), "{at}: {body}");
        let result = root.child(&format!("{call}Result"));
        let has_output = OPERATIONS.lines().any(|line| line.starts_with(&format!("{} {call} result ", service.name())));
        assert_eq!(result.is_some(), has_output, "{at}: whether there is a result: {body}");
        let found = result.map(to_json).unwrap_or_default();
        collect(&found, &mut self.secrets);
        if let Some(answer) = step.get("answer") {
            self.compare(answer, &found, at);
        }
    }

    async fn check_record(&mut self, call: &str, before: u64, step: &Value, at: &str) {
        collect(&self.fill(&step["request"]), &mut self.secrets);
        let events = self.gateway.records(before).await;
        if step["recorded"] == false {
            assert!(events.is_empty(), "{at}: {events:?}");
            return;
        }
        assert_eq!(events.len(), 1, "{at}: {events:?}");
        assert_eq!(events[0]["eventName"], call, "{at}");
        let is_error = !events[0]["errorCode"].is_null();
        assert_eq!(is_error, step.get("error").is_some(), "{at}: {}", events[0]);
        if let Some(expected) = step.get("event") {
            self.compare(expected, &events[0], &format!("{at}.event"));
        }
        let text = events[0].to_string();
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{at}: a secret is in the record");
        }
    }
}

/// Appends parameters: lists as `Name.member.1`, structures as `Name.Member`. A policy may stand in a story as the
/// document that it is; the API takes it as text.
fn flatten(form: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(members) if is_document(name, members) => {
            flatten(form, name, &value.to_string().into());
        }
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flatten(form, &name, value);
            }
        }
        Value::Array(items) if items.is_empty() => *form += &format!("&{name}="),
        Value::Array(items) => {
            for (n, item) in (1..).zip(items) {
                flatten(form, &format!("{name}.member.{n}"), item);
            }
        }
        Value::String(text) => *form += &format!("&{name}={}", encode_uri(text)),
        other => *form += &format!("&{name}={other}"),
    }
}

fn is_document(name: &str, members: &Map<String, Value>) -> bool {
    !name.is_empty() && members.contains_key("Statement")
}

/// An element as JSON: texts, objects, and lists of `member`. An empty one is an empty text.
fn to_json(element: &Element) -> Value {
    match &element.children[..] {
        [] => element.text.clone().into(),
        [first, ..] if first.name == "member" => element.children.iter().map(to_json).collect(),
        children => children.iter().map(|child| (child.name.clone(), to_json(child))).collect(),
    }
}

/// Finds the texts in members that no record may hold, at whatever depth; short ones are in some record by chance.
fn collect(value: &Value, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        if UNRECORDED.contains(&name.as_str()) {
            found.extend(member.as_str().filter(|text| text.len() > 4).map(str::to_owned));
        }
        collect(member, found);
    }
    value.as_array().into_iter().flatten().for_each(|item| collect(item, found));
}

async fn check(path: &Path, seed: u64) {
    let story: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut world = World::new(seed).await;
    for (n, step) in story["steps"].as_array().expect("steps").iter().enumerate() {
        let at = format!("{} step {n} {}", path.file_stem().unwrap().to_string_lossy(), step["call"]);
        world.play(step, &at).await;
    }
}

#[tokio::test]
async fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/iam/stories");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "the fixtures are there");
    for (seed, path) in paths.iter().enumerate() {
        check(path, seed as u64).await;
    }
}

fn call(call: &str) -> Sent {
    Sent {
        service: Service::Sts,
        body: format!("Action={call}&Version=2011-06-15"),
        signer: Some(("ADMINADMINADMINADMIN".to_owned(), SECRET.to_owned(), None)),
        region: "us-east-1".to_owned(),
        presigned: false,
        confidential: true,
        late: 0,
    }
}

/// Fail closed: who one is is not told without the record of it.
#[tokio::test]
async fn what_cannot_be_recorded_is_an_internal_error() {
    let world = World::new(100).await;
    for (name, code) in [("GetCallerIdentity", "InternalFailure"), ("GetAccessKeyInfo", "InternalFailure")] {
        world.gateway.index.set_faults(Faults { full_in: Some(1), ..Faults::default() });
        let (status, _, body) = world.send(&call(name)).await;
        assert_eq!(status, 500, "{body}");
        assert!(body.contains(&format!("<Type>Receiver</Type><Code>{code}</Code>")) && !body.contains("Arn"), "{body}");
    }
}

#[tokio::test]
async fn bodies_over_the_limit() {
    let world = World::new(101).await;
    let mut sent = call("GetCallerIdentity");
    let rest = BODY_MAX_BYTES - sent.body.len() - "&x=".len();
    sent.body = format!("{}&x={}", sent.body, "x".repeat(rest));
    assert_eq!(world.send(&sent).await.0, 200);
    sent.body.push('x');
    let (status, _, body) = world.send(&sent).await;
    assert!(status == 413 && body.contains("<Code>RequestEntityTooLarge</Code>"), "{status} {body}");
}

/// Whatever a row is, nobody gets at it without a signature but where the row says so.
#[tokio::test]
async fn every_operation_asks_for_a_signature() {
    let world = World::new(102).await;
    for row in rows().filter(|row| row.callers == Callers::Signed) {
        let mut sent = call(row.name);
        sent.body = format!("Action={}&Version={}", row.name, row.service.version());
        sent.signer = None;
        let (status, _, body) = world.send(&sent).await;
        assert!(status == 403 && body.contains("<Code>MissingAuthenticationToken</Code>"), "{}: {body}", row.name);
    }
    assert_eq!(world.gateway.record_count().await, 0);
}

mod denied;
mod web_identity;

mod races {
    //! A change that loses its first races, as many as the caller's `MaxItems` says.

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::auth::{Access, authenticate_collected};
    use crate::iam::cx::{Changed, Cx};
    use crate::iam::error::{IamError, code};
    use crate::iam::input::{Fields, Params};
    use crate::iam::reply::Reply;
    use crate::iam::table::{Row, changes};
    use crate::iam::{RUNS_MAX, perform};

    static RUNS: AtomicU32 = AtomicU32::new(0);
    static ROW: Row = changes!(Iam, "CreateUser", losing);

    mod losing {
        use super::*;

        pub(super) struct Input(u32);

        impl Input {
            pub(super) fn read(fields: &mut Fields<'_>) -> Self {
                Self(fields.number("MaxItems", 0..=1000).unwrap_or(0))
            }
        }

        pub(super) async fn run(cx: &Cx<'_>, input: Input) -> Result<Changed, IamError> {
            cx.grant("arn:aws:iam::111122223333:user/x")?;
            cx.about("AWS::IAM::User", cx.account()?, "arn:aws:iam::111122223333:user/x");
            if RUNS.fetch_add(1, Ordering::SeqCst) < input.0 {
                return Err(IamError::lost_race());
            }
            let reply = Reply::empty().recording(json!({ "user": { "userName": "x" } }));
            cx.unchanged(reply).await
        }
    }

    /// Runs the row as `who`.
    async fn run(world: &World, who: &str, losses: usize) -> (Result<(), &'static str>, u32) {
        RUNS.store(0, Ordering::SeqCst);
        let mut sent = call("GetCallerIdentity");
        sent.signer = Some((who.repeat(4), SECRET.to_owned(), None));
        let app = &world.gateway.app;
        let settings = super::super::settings(&app.auth);
        let request = world.request(&sent);
        let collected = authenticate_collected(request, "sts", BODY_MAX_BYTES, &app.directory, &settings).await;
        let access: Access = collected.unwrap_or_else(|e| panic!("{e:?}")).access;
        let params =
            Params::parse("", format!("MaxItems={losses}&UserName=x").as_bytes()).unwrap_or_else(|e| panic!("{e:?}"));
        let outcome = perform(std::sync::Arc::clone(app), access, &ROW, params).await;
        (outcome.map(drop).map_err(|error| error.code.name), RUNS.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_change_that_lost_is_run_again_and_recorded_once() {
        let world = World::new(103).await;
        for (who, losses, outcome, runs, error) in [
            ("ADMIN", 0, Ok(()), 1, None),
            ("ADMIN", 3, Ok(()), 4, None),
            ("ADMIN", RUNS_MAX - 1, Ok(()), RUNS_MAX, None),
            (
                "ADMIN",
                RUNS_MAX,
                Err(code::CONCURRENT_MODIFICATION.name),
                RUNS_MAX,
                Some("ConcurrentModificationException"),
            ),
            ("ALICE", 0, Err("AccessDenied"), 0, Some("AccessDenied")),
            ("ADMIN", 1001, Err("ValidationError"), 0, Some("ValidationException")),
        ] {
            let before = world.gateway.record_count().await;
            assert_eq!(run(&world, who, losses).await, (outcome, runs as u32), "{who} {losses}");
            let events = world.gateway.records(before).await;
            assert_eq!(events.len(), 1, "{events:?}");
            let event = &events[0];
            assert_eq!(event["errorCode"].as_str(), error, "{event}");
            assert_eq!((&event["readOnly"], &event["requestParameters"]["userName"]), (&json!(false), &json!("x")));
            if error.is_none() {
                assert_eq!(event["responseElements"], json!({ "user": { "userName": "x" } }));
                assert_eq!(event["resources"].as_array().map(Vec::len), Some(1), "{event}");
            }
        }
    }
}
