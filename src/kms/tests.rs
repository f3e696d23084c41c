//! Every file of `fixtures/kms` is a story: steps with a request and what is expected of its answer. The check also
//! holds every story to one rule: each call of an authenticated caller leaves exactly one record, with its error.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Service;
use crate::auth::{Account, AuthSettings, Directory, Identity, Principal, Seed};
use crate::crypto::{SecretBytes, sha256, wrap_for_tests};
use crate::index::Faults;
use crate::keyring::tests::{ACCOUNT, Fixture};
use crate::names::{AccountId, CanonicalId, Region, WrappingAlgorithm};
use crate::policy::{Attached, Kind, Policy, ReadyMade};
use crate::sigv4::{SignedParts, Signer, sign_headers};
use crate::wire::{Edge, Findings, Request, RequestBody, RequestId, ResponseBody};

mod audited;
mod fuzz;
mod matrix;
mod roles;
mod states;

const OTHER_ACCOUNT: &str = "444455556666";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

struct World {
    fixture: Fixture,
    seed: Arc<Seed>,
    auth: AuthSettings,
    /// Values that earlier answers gave, by name.
    known: BTreeMap<String, String>,
    /// What requests and answers held of [`UNRECORDED`], in Base64.
    secrets: BTreeSet<String>,
}

/// Members of requests and answers that no record may hold.
const UNRECORDED: [&str; 15] = [
    "CiphertextBlob",
    "EncryptedKeyMaterial",
    "GrantToken",
    "GrantTokens",
    "ImportToken",
    "KeyStorePassword",
    "Mac",
    "Message",
    "Plaintext",
    "PrivateKeyCiphertextBlob",
    "PrivateKeyPlaintext",
    "RawSecretAccessKey",
    "SharedSecret",
    "SharedSecretCiphertextBlob",
    "Signature",
];

/// How a step's request differs from a plain one.
#[derive(Debug, Clone)]
struct Sent {
    target: String,
    body: Vec<u8>,
    key: Option<String>,
    region: String,
    confidential: bool,
}

fn identity(principal: Arc<Principal>) -> Identity {
    Identity { principal, secret: SecretBytes::new(SECRET.as_bytes().to_vec()) }
}

impl World {
    async fn new(number: u64) -> Self {
        let mut seed = Seed::default();
        for (account, key) in [(ACCOUNT, "AKIAROOT"), (OTHER_ACCOUNT, "AKIAOTHER")] {
            let id = AccountId::parse(account).unwrap();
            let canonical_id = CanonicalId::of_account(&id);
            let root = seed.add_account(Account { id, canonical_id, display_name: account.to_owned(), email: None });
            assert!(seed.add_key(key.to_owned(), identity(root)));
        }
        let region = |name: &str| Region::parse(name).unwrap();
        let regions = vec![region("us-east-1"), region("eu-west-1")];
        let auth = AuthSettings { regions, presigned_v2: true, signature_v2: false, domains: Vec::new() };
        Self {
            fixture: Fixture::new(number).await,
            seed: Arc::new(seed),
            auth,
            known: BTreeMap::new(),
            secrets: BTreeSet::new(),
        }
    }

    /// The users of a story; unless it names some, alice, who has no policies.
    fn add_users(&mut self, story: &Value) {
        let nobody_else = json!({ "alice": [] });
        let users = story.get("users").unwrap_or(&nobody_else);
        for (name, policies) in users.as_object().expect("users by name") {
            self.add_user(name, policies);
        }
    }

    /// A user, whose access key is `AKIA` and its name, with identity policies: documents, and names of those that come
    /// with the program. A name with a `/` before it is of the other account: `other/bob`.
    fn add_user(&mut self, name: &str, policies: &Value) {
        let (account, name) = name.split_once('/').map_or((ACCOUNT, name), |(_, name)| (OTHER_ACCOUNT, name));
        let seed = Arc::get_mut(&mut self.seed).expect("no request runs");
        let account = seed.account(&AccountId::parse(account).unwrap()).unwrap();
        let attached = |policy: &Value| match policy {
            Value::String(name) => ReadyMade::find(name).unwrap_or_else(|| panic!("no role {name}")).attached(),
            document => {
                let policy = Policy::parse(document.to_string().as_bytes(), Kind::Identity);
                Attached { name: "inline".into(), policy: policy.unwrap_or_else(|e| panic!("{e}: {document}")).into() }
            }
        };
        let policies = policies.as_array().expect("a list of policies").iter().map(attached).collect();
        let principal = Principal::user(account, name, policies);
        let principal = seed.add_principal(principal);
        assert!(seed.add_key(format!("AKIA{}", name.to_uppercase()), identity(principal)));
    }

    /// Status, headers and body of the answer to one request.
    async fn send(&self, sent: &Sent) -> (u16, http::HeaderMap, Vec<u8>) {
        let directory = Directory::from(Arc::clone(&self.seed));
        let service = Service { keyring: &self.fixture.keyring, directory: &directory, auth: &self.auth };
        let response = service.answer(self.request(sent)).await;
        let (head, body) = response.into_parts();
        let ResponseBody::Full(body) = body else { panic!("KMS never streams") };
        (head.status.as_u16(), head.headers, body.unwrap_or_default().to_vec())
    }

    fn request(&self, sent: &Sent) -> Request {
        let now = self.fixture.sources.now();
        let mut headers = http::HeaderMap::new();
        headers.insert("host", "kms.test".parse().unwrap());
        headers.insert("content-type", "application/x-amz-json-1.1".parse().unwrap());
        headers.insert("x-amz-target", sent.target.parse().unwrap());
        if let Some(key) = &sent.key {
            let secret = SecretBytes::new(SECRET.as_bytes().to_vec());
            let signer = Signer { access_key_id: key, secret: &secret, region: &sent.region, service: "kms", now };
            let parts = SignedParts { method: "POST", path: "/", query: "", headers: &headers, host: "kms.test" };
            let hash: String = sha256(&sent.body).iter().map(|b| format!("{b:02x}")).collect();
            headers = sign_headers(&signer, &parts, &hash).0;
        }
        let mut head = http::Request::post("/").body(()).unwrap().into_parts().0;
        head.headers = headers;
        let edge = Edge {
            request_id: RequestId::generate(&self.fixture.sources),
            received: now,
            source_ip: [192, 0, 2, 1].into(),
            secure: sent.confidential,
            confidential: sent.confidential,
            tls: None,
            host: "kms.test".to_owned(),
            host_header: "kms.test".to_owned(),
            findings: Findings::default(),
        };
        Request { head, edge, body: RequestBody::full(sent.body.clone()) }
    }

    /// Puts what is known into `${name}`, bytes into `${bytes:N}` and `${text:N}`, and into `${wrap:ALGORITHM KEY N}` 32
    /// bytes of value N, wrapped under the public key that is known as KEY.
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
                Some(("bytes", n)) => STANDARD.encode(vec![0x5a; n.parse().unwrap()]),
                Some(("text", n)) => "t".repeat(n.parse().unwrap()),
                Some(("wrap", how)) => self.wrap(how),
                _ => self.known.get(name).unwrap_or_else(|| panic!("{name} is not known")).clone(),
            };
            out = format!("{before}{filled}{after}");
        }
        out
    }

    fn wrap(&self, how: &str) -> String {
        let [algorithm, key, value] = how.split(' ').collect::<Vec<_>>()[..] else { panic!("{how}") };
        let public_key = STANDARD.decode(&self.known[key]).unwrap();
        let algorithm = WrappingAlgorithm::parse(algorithm).expect("an algorithm");
        STANDARD.encode(wrap_for_tests(&public_key, algorithm, &[value.parse().unwrap(); 32]))
    }

    /// Compares an answer's body with what is expected: `*` is anything, `${name}` what is known, `=name` anything,
    /// kept as `name`; `null` an absent member. Members that are not mentioned are not looked at.
    fn compare(&mut self, expected: &Value, found: &Value, at: &str) {
        match expected {
            Value::String(text) if text == "*" => assert!(!found.is_null(), "{at} is missing"),
            Value::String(text) if text.starts_with('=') => {
                let value = found.as_str().unwrap_or_else(|| panic!("{at} is no text: {found}"));
                self.known.insert(text[1..].to_owned(), value.to_owned());
            }
            Value::String(_) => assert_eq!(&self.fill(expected), found, "{at}"),
            Value::Array(items) => {
                assert_eq!(Some(items.len()), found.as_array().map(Vec::len), "{at}: {found}");
                for (n, item) in items.iter().enumerate() {
                    self.compare(item, &found[n], &format!("{at}[{n}]"));
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.compare(member, &found[name], &format!("{at}.{name}"));
                }
            }
            other => assert_eq!(other, found, "{at}"),
        }
    }
}

/// The shortest secret that is looked for as bytes: shorter ones are part of something else by chance.
const SECRET_MIN_BYTES: usize = 8;

impl World {
    /// Looks for every secret that went in or out, in whatever form, in what an auditor is given.
    async fn assert_no_secret_is_exported(&self) {
        let mut out = Vec::new();
        self.fixture.audit.export(0, None, &mut out).await.unwrap();
        let exported = String::from_utf8(out).expect("JSON lines");
        let folded = exported.to_ascii_lowercase();
        // What stories import is one small byte 32 times.
        let imported = (1..b' ').map(|byte| STANDARD.encode([byte; 32]));
        for secret in imported.chain(self.secrets.iter().cloned()) {
            assert!(!exported.contains(&secret), "a secret is in the trail: {secret}");
            let Ok(bytes) = STANDARD.decode(&secret) else { continue };
            if bytes.len() < SECRET_MIN_BYTES || bytes.iter().all(|byte| *byte == 0) {
                continue;
            }
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            assert!(!folded.contains(&hex), "a secret is in the trail: {hex}");
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(!exported.contains(&text), "a secret is in the trail: {text}");
            }
        }
    }
}

/// A request on the wire. A policy may stand in a story as the document that it is; the API takes it as text.
fn request_body(mut request: Value) -> Vec<u8> {
    if let Some(policy @ Value::Object(_)) = request.get_mut("Policy") {
        *policy = policy.to_string().into();
    }
    request.to_string().into_bytes()
}

/// `"as"`: the caller, default root; `"region"`; `"body"`: raw text instead of `"request"`; `"http": true`: in clear.
async fn play(world: &mut World, step: &Value, at: &str) {
    if let Some(seconds) = step["wait_seconds"].as_u64() {
        world.fixture.sources.advance(Duration::from_secs(seconds));
        world.fixture.keyring.destroy_due_keys().await.unwrap();
        world.fixture.keyring.rotate_due_keys().await.unwrap();
        world.fixture.keyring.expire_due_material().await.unwrap();
        return;
    }
    let call = step["call"].as_str().unwrap_or_else(|| panic!("{at} has no call"));
    let body = match step["body"].as_str() {
        Some(raw) => raw.as_bytes().to_vec(),
        None => request_body(world.fill(step.get("request").unwrap_or(&json!({})))),
    };
    let caller = step["as"].as_str().unwrap_or("AKIAROOT");
    let sent = Sent {
        target: format!("TrentService.{call}"),
        body,
        key: (caller != "nobody").then(|| caller.to_owned()),
        region: step["region"].as_str().unwrap_or("us-east-1").to_owned(),
        confidential: step["http"] != true,
    };
    let before = world.fixture.events().await.len();
    let (status, headers, body) = world.send(&sent).await;
    let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    assert!(headers.contains_key("x-amzn-requestid"), "{at}");
    let error = step.get("error");
    let expected_status = match step["status"].as_u64() {
        Some(status) => status,
        None if error.is_some() => 400,
        None => 200,
    };
    assert_eq!(u64::from(status), expected_status, "{at}: {body}");
    match error {
        Some(error) => {
            assert_eq!(body["__type"], *error, "{at}: {body}");
            let message = step.get("message").expect("every error says what its message is");
            world.compare(message, &body["message"], &format!("{at}.message"));
        }
        None => {
            if let Some(answer) = step.get("answer") {
                world.compare(answer, &body, at);
            }
        }
    }
    let events = &world.fixture.events().await[before..];
    if step["recorded"] == false {
        assert!(events.is_empty(), "{at}: {events:?}");
        return;
    }
    // What the program does by itself on the way is a record of its own.
    let calls: Vec<&Value> = events.iter().filter(|event| event["eventType"] == "AwsApiCall").collect();
    assert_eq!(calls.len(), 1, "{at}: {events:?}");
    assert_eq!(calls[0]["eventName"], call, "{at}");
    let shown = error.map(|e| if e == "AccessDeniedException" { json!("AccessDenied") } else { e.clone() });
    assert_eq!(calls[0].get("errorCode").filter(|c| !c.is_null()), shown.as_ref(), "{at}");
    if let Some(expected) = step.get("event") {
        world.compare(expected, calls[0], &format!("{at}.event"));
    }
    let text = calls[0].to_string();
    let request = world.fill(&step["request"]);
    let mut secrets = BTreeSet::new();
    unrecorded(&body, &mut secrets);
    unrecorded(&request, &mut secrets);
    // Shorter ones are in some record by chance.
    secrets.retain(|secret| secret.len() > 4);
    for secret in &secrets {
        assert!(!text.contains(secret), "{at}: a secret is in the record");
    }
    world.secrets.append(&mut secrets);
}

/// Finds the texts in members that no record may hold, at whatever depth.
fn unrecorded(value: &Value, found: &mut BTreeSet<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        if UNRECORDED.contains(&name.as_str()) {
            found.extend(member.as_str().map(str::to_owned));
            found.extend(member.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        }
        unrecorded(member, found);
    }
}

async fn check(path: &Path, seed: u64) {
    let story: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut world = World::new(seed).await;
    world.add_users(&story);
    for (n, step) in story["steps"].as_array().expect("steps").iter().enumerate() {
        let at = format!("{} step {n} {}", path.file_stem().unwrap().to_string_lossy(), step["call"]);
        play(&mut world, step, &at).await;
    }
    world.assert_no_secret_is_exported().await;
    assert!(world.fixture.audit.verify(None).await.unwrap().is_ok(), "the trail is whole");
}

#[tokio::test]
async fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kms");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 8, "the fixtures are there");
    for (seed, path) in paths.iter().enumerate() {
        check(path, seed as u64).await;
    }
}

fn plain(target: &str, body: &str) -> Sent {
    Sent {
        target: target.to_owned(),
        body: body.as_bytes().to_vec(),
        key: Some("AKIAROOT".to_owned()),
        region: "us-east-1".to_owned(),
        confidential: true,
    }
}

#[tokio::test]
async fn a_use_that_a_full_disk_keeps_from_the_record_is_an_internal_error() {
    let world = World::new(103).await;
    let full = || world.fixture.index.set_faults(Faults { full_in: Some(1), ..Faults::default() });
    for (target, body) in [("GenerateRandom", r#"{"NumberOfBytes":1}"#), ("CreateKey", "{}"), ("ListKeys", "?")] {
        full();
        let (status, _, body) = world.send(&plain(&format!("TrentService.{target}"), body)).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &body["__type"]), (500, &json!("KMSInternalException")), "{target}: {body}");
        assert!(body.get("Plaintext").is_none(), "{body}");
    }
}

#[tokio::test]
async fn bodies_over_the_limit_and_bytes_that_are_no_json() {
    let world = World::new(101).await;
    let fits = plain("TrentService.ListKeys", &format!("{}{{}}", " ".repeat(super::BODY_MAX_BYTES - 2)));
    assert_eq!(world.send(&fits).await.0, 200);
    let long = plain("TrentService.ListKeys", &format!("{}{{}}", " ".repeat(super::BODY_MAX_BYTES - 1)));
    assert_eq!(world.send(&long).await.0, 413);
    for bytes in [&b"{\"KeyId\":\"\xff\"}"[..], b"{\"KeyId\":\"\xed\xa0\x80\"}", b"\xff\xfe{\0}\0", b"{\"\xc0\xaf\":1}"]
    {
        let mut sent = plain("TrentService.DescribeKey", "");
        sent.body = bytes.to_vec();
        let (status, _, body) = world.send(&sent).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &body["__type"]), (400, &json!("SerializationException")), "{bytes:?}");
    }
    let mut random = world.fixture.sources.clone();
    for n in 0..500 {
        let mut sent = plain("TrentService.Encrypt", "");
        sent.body = random_body(&mut random, n);
        let (status, _, body) = world.send(&sent).await;
        assert_eq!(status, 400, "{}", String::from_utf8_lossy(&body));
    }
}

/// A valid request with some bytes changed.
fn random_body(sources: &mut crate::sources::Sources, n: usize) -> Vec<u8> {
    let mut body = br#"{"KeyId":"alias/x","Plaintext":"AAAA","EncryptionContext":{"a":"b"},"DryRun":true}"#.to_vec();
    for change in sources.random::<8>().chunks(2).take(1 + n % 4) {
        let at = usize::from(change[0]) % body.len();
        body[at] = change[1];
    }
    body
}

#[tokio::test]
async fn a_changed_ciphertext_never_opens() {
    let mut world = World::new(102).await;
    play(&mut world, &json!({ "call": "CreateKey", "answer": { "KeyMetadata": { "KeyId": "=id" } } }), "make").await;
    let encrypt = json!({
        "call": "Encrypt", "request": { "KeyId": "${id}", "Plaintext": "c2VjcmV0" },
        "answer": { "CiphertextBlob": "=blob" }
    });
    play(&mut world, &encrypt, "encrypt").await;
    let sealed = STANDARD.decode(&world.known["blob"]).unwrap();
    for at in 0..sealed.len() {
        for changed in [flipped(&sealed, at), sealed[..at].to_vec()] {
            let body = json!({ "CiphertextBlob": STANDARD.encode(&changed) }).to_string();
            let (status, _, answer) = world.send(&plain("TrentService.Decrypt", &body)).await;
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(status, 400, "byte {at}: {answer}");
            assert!(answer.get("Plaintext").is_none(), "byte {at}");
        }
    }
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 0x10;
    changed
}
