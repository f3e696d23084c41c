mod faults;
mod form;
mod v2;

use bytes::Bytes;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::*;
use crate::auth::{Account, CallerKind};
use crate::crypto::{ChecksumAlgorithm, SecretBytes};
use crate::names::{AccountId, CanonicalId};
use crate::sigv4::vectors::Vector;
use crate::sigv4::{SignedParts, Signer, UNSIGNED_PAYLOAD, presign, sign_headers};
use crate::sources::{Sources, Timestamp};
use crate::wire::{Findings, RequestBody, RequestId, parse_amz_date};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: &str = "s3.example.com:9000";

fn now() -> Timestamp {
    parse_amz_date("20130524T000000Z").unwrap()
}

fn account() -> AccountId {
    AccountId::parse("111122223333").unwrap()
}

fn directory() -> Directory {
    let mut seed = crate::auth::Seed::default();
    let canonical_id = CanonicalId::of_account(&account());
    let of = Account { id: account(), canonical_id, display_name: String::new(), email: None };
    for (id, principal) in [(KEY, Principal::root(&of)), ("ALICE", Principal::user(&of, "alice", Vec::new()))] {
        let secret = SecretBytes::new(SECRET.as_bytes().to_vec());
        assert!(seed.add_key(id.to_owned(), Identity { principal: principal.into(), secret }));
    }
    Arc::new(seed).into()
}

/// What needs no waiting, since nothing is looked up outside the seed.
fn at_once<T>(ready: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(ready).expect("nothing to wait for")
}

fn settings() -> AuthSettings {
    let regions = ["us-east-1", "eu-west-3"].map(|r| Region::parse(r).unwrap()).to_vec();
    AuthSettings { regions, presigned_v2: true, signature_v2: false, domains: vec!["s3.example.com".to_owned()] }
}

/// A request on the wire, to be signed, spoilt and verified.
#[derive(Clone)]
struct Sent {
    method: String,
    path: String,
    query: String,
    host: String,
    headers: HeaderMap,
    body: Vec<u8>,
    service: &'static str,
    region: &'static str,
    key: &'static str,
    /// When it was signed.
    signed: Timestamp,
    /// When it arrived.
    received: Timestamp,
}

fn sent(method: &str, target: &str) -> Sent {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Sent {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        host: HOST.to_owned(),
        headers: HeaderMap::new(),
        body: Vec::new(),
        service: "s3",
        region: "us-east-1",
        key: KEY,
        signed: now(),
        received: now(),
    }
}

impl Sent {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }

    fn get(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    fn with_body(self, body: &[u8]) -> Self {
        let mut with = self.header("content-length", &body.len().to_string());
        with.body = body.to_vec();
        with
    }

    fn parts(&self) -> SignedParts<'_> {
        let Self { method, path, query, headers, host, .. } = self;
        SignedParts { method, path, query, headers, host }
    }

    fn with_signer<T>(&self, sign: impl FnOnce(&Signer<'_>) -> T) -> T {
        let secret = SecretBytes::new(SECRET.as_bytes().to_vec());
        let Self { key: access_key_id, region, service, signed: now, .. } = *self;
        sign(&Signer { access_key_id, secret: &secret, region, service, now })
    }

    /// Signs with headers, the hash of the body included.
    fn signed(self) -> Self {
        let hash = hex(&sha256(&self.body));
        self.signed_as(&hash)
    }

    fn signed_as(mut self, payload_hash: &str) -> Self {
        let headers = self.with_signer(|signer| sign_headers(signer, &self.parts(), payload_hash).0);
        self.headers = headers;
        self
    }

    fn presigned(mut self, expires_seconds: u64) -> Self {
        let expires = Duration::from_secs(expires_seconds);
        self.query = self.with_signer(|signer| presign(signer, &self.parts(), expires));
        self
    }

    fn request(&self) -> Request {
        let target = if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) };
        let builder = http::Request::builder().method(self.method.as_str()).uri(target);
        let (mut head, ()) = builder.body(()).unwrap().into_parts();
        head.headers = self.headers.clone();
        let host = self.host.split(':').next().unwrap().to_owned();
        let edge = Edge {
            request_id: RequestId::generate(&Sources::seeded(1, now())),
            received: self.received,
            source_ip: IpAddr::from([127, 0, 0, 1]),
            secure: false,
            confidential: true,
            tls: None,
            host,
            host_header: self.host.clone(),
            findings: Findings::default(),
        };
        Request { head, edge, body: RequestBody::full(self.body.clone()) }
    }

    fn authenticate(&self) -> Result<Authenticated, AuthError> {
        let (directory, settings) = (directory(), settings());
        at_once(authenticate(self.request(), self.service, &directory, &settings))
    }

    fn refused(&self) -> AuthError {
        let error = self.authenticate().err().expect("the request is refused");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        error
    }

    fn mismatches(&self) -> bool {
        matches!(self.refused(), AuthError::SignatureDoesNotMatch { .. })
    }

    async fn collected(&self, limit: usize) -> Result<Collected, CollectError> {
        authenticate_collected(self.request(), self.service, limit, &directory(), &settings()).await
    }
}

async fn body_of(authenticated: Authenticated) -> Result<Bytes, PayloadError> {
    Ok(authenticated.payload.collect(1 << 20).await?.expect("a small body").0)
}

#[tokio::test]
async fn published_examples_are_taken() {
    for (name, kind) in [
        ("get-object", SignatureKind::V4Header),
        ("put-object", SignatureKind::V4Header),
        ("get-lifecycle", SignatureKind::V4Header),
        ("list-objects", SignatureKind::V4Header),
        ("presigned-get", SignatureKind::V4Query),
        ("chunked-put", SignatureKind::V4Header),
        ("chunked-put-trailer", SignatureKind::V4Header),
    ] {
        let vector = Vector::load(&format!("s3/{name}.vec"));
        assert_eq!(vector.secret, SECRET);
        let mut example = sent(&vector.method, &vector.path);
        (example.query, example.headers) = (vector.query.clone(), vector.headers.clone());
        example.host = vector.headers.get("host").unwrap().to_str().unwrap().to_owned();
        example.body = if name.starts_with("chunked") { vector.framed_body() } else { vector.body.clone() };
        if !example.body.is_empty() && !example.headers.contains_key("content-length") {
            example.set("content-length", &example.body.len().to_string());
        }
        let authenticated = example.authenticate().unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(authenticated.access.facts().signature, kind, "{name}");
        assert_eq!(authenticated.access.caller().access_key_id(), Some(KEY), "{name}");
        let trailer = name.ends_with("trailer").then_some(ChecksumAlgorithm::Crc32c);
        assert_eq!(authenticated.payload.client_checksum(), trailer, "{name}");
        let body = body_of(authenticated).await.unwrap();
        let expected = if name.starts_with("chunked") { vec![b'a'; 66_560] } else { vector.body };
        assert_eq!(body, expected, "{name}");
    }
}

#[test]
fn callers_and_facts() {
    let root = sent("GET", "/b/k").header("user-agent", "aws-cli/2").signed().authenticate().unwrap().access;
    assert_eq!(root.caller().kind(), &CallerKind::Root);
    assert_eq!(root.caller().account(), Some(&account()));
    assert_eq!((root.facts().region.as_str(), root.facts().user_agent.as_str()), ("us-east-1", "aws-cli/2"));
    let mut user = sent("GET", "/b/k");
    (user.key, user.region) = ("ALICE", "eu-west-3");
    let user = user.presigned(60).authenticate().unwrap().access;
    assert_eq!(user.caller().arn(), "arn:aws:iam::111122223333:user/alice");
    assert_eq!((user.facts().region.as_str(), user.facts().signature), ("eu-west-3", SignatureKind::V4Query));
    let nobody = sent("GET", "/b/k?X-Amz-Signature=x&Expires=1").authenticate().unwrap().access;
    assert_eq!((nobody.caller().kind(), nobody.caller().account()), (&CallerKind::Anonymous, None));
    assert_eq!((nobody.facts().region.as_str(), nobody.facts().signature), ("us-east-1", SignatureKind::Anonymous));
}

#[test]
fn the_body_is_not_touched() {
    struct Untouchable;
    impl http_body::Body for Untouchable {
        type Data = Bytes;
        type Error = std::io::Error;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            panic!("the client was told to continue before its request was judged")
        }
    }
    let waiting = sent("PUT", "/b/k").header("expect", "100-continue").header("content-length", "5");
    let request = Request { body: RequestBody::new(Untouchable), ..waiting.signed_as(UNSIGNED_PAYLOAD).request() };
    assert!(at_once(authenticate(request, "s3", &directory(), &settings())).is_ok());
}

#[test]
fn odd_paths_and_queries() {
    for target in [
        "/",
        "/b/a%20b+c%2Bd",
        "/b//a/../%2e%2E/.",
        "/b/%E2%82%AC/%F0%9F%98%80",
        "/b/!$&'()*,:;=@[]~",
        "/b/a%2Fb%3Fc%23d%25",
        "/b/%00%01%7f",
        "/b?list-type=2&prefix=a%20b&delimiter=%2F",
        "/b?prefix=a+b&x=%2B&empty&empty=&b=2&a=1&a=0",
        "/b/k?x-id=PutObject&uploads",
    ] {
        assert!(sent("GET", target).signed().authenticate().is_ok(), "{target}");
        assert!(sent("GET", target).presigned(1).authenticate().is_ok(), "{target}");
    }
    // Bare and encoded mean the same byte, a bare plus a space, so that one signature is good for both.
    let mut bare = sent("GET", "/b/%28a%20%29?p=%28").signed();
    (bare.path, bare.query) = ("/b/(a+)".to_owned(), "p=(".to_owned());
    assert!(bare.authenticate().is_ok());
}

#[test]
fn a_header_without_body_costs_nothing_to_accept() {
    // The CRT client signs `Content-Length: 0` on GET.
    let crt = sent("GET", "/b/k").header("content-length", "0").signed_as(UNSIGNED_PAYLOAD);
    assert!(crt.authenticate().is_ok());
    let mut stripped = crt;
    stripped.headers.remove("content-length");
    assert!(stripped.mismatches());
}

#[tokio::test]
async fn signed_chunks_through_the_whole_door() {
    let streaming = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let mut upload = sent("PUT", "/b/k").header("x-amz-decoded-content-length", "3");
    let (headers, mut chain) = upload.with_signer(|signer| sign_headers(signer, &upload.parts(), streaming));
    upload.headers = headers;
    for chunk in [&b"abc"[..], b""] {
        let signature = chain.sign_chunk(&sha256(chunk));
        upload.body.extend_from_slice(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).as_bytes());
        upload.body.extend_from_slice(chunk);
        upload.body.extend_from_slice(b"\r\n");
    }
    assert_eq!(&body_of(upload.authenticate().unwrap()).await.unwrap()[..], b"abc");
    let at = upload.body.windows(3).position(|w| w == b"abc").unwrap();
    upload.body[at] = b'x';
    assert_eq!(body_of(upload.authenticate().unwrap()).await, Err(PayloadError::ChunkSignature));
}

#[test]
fn parameters_that_stand_for_headers() {
    let js = "X-Amz-Server-Side-Encryption=aws%3Akms&x-amz-meta-a=%C3%A9&x-amz-checksum-crc32=AAAAAA%3D%3D\
              &x-amz-sdk-checksum-algorithm=CRC32&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&x-amz-acl=public-read&other=1";
    let request = || sent("PUT", &format!("/b/k?{js}")).header("x-amz-acl", "public-read");
    for (form, signed) in [("url", request().presigned(60)), ("header", request().signed()), ("nobody", request())] {
        let authenticated = signed.authenticate().unwrap_or_else(|error| panic!("{form}: {error:?}"));
        let headers = &authenticated.head.headers;
        assert_eq!(headers.get("x-amz-server-side-encryption").unwrap(), "aws:kms", "{form}");
        assert_eq!(headers.get("x-amz-meta-a").unwrap().as_bytes(), "é".as_bytes(), "{form}");
        // Said twice, and the same.
        assert_eq!(headers.get_all("x-amz-acl").iter().count(), 1, "{form}");
        // The checksum in the query is of an empty body: it promises nothing.
        assert_eq!(authenticated.payload.client_checksum(), None, "{form}");
        assert!(!headers.contains_key("x-amz-checksum-crc32"), "{form}");
    }
}

#[test]
fn parameters_and_headers_must_not_contradict_each_other() {
    let request = || sent("PUT", "/b/k?x-amz-acl=private").header("x-amz-acl", "public-read");
    for signed in [request().presigned(60), request().signed(), request()] {
        let error = signed.authenticate().err();
        let text = "Conflicting values provided in HTTP headers and query parameters.";
        assert_eq!(error, Some(AuthError::InvalidRequest(text.to_owned())));
    }
}

#[test]
fn what_is_asked_of_checksums_is_no_value() {
    let asked = "x-amz-checksum-algorithm=CRC32&X-Amz-Checksum-Type=FULL_OBJECT&x-amz-checksum-mode=ENABLED";
    let presigned = sent("POST", &format!("/b/k?uploads=&{asked}&x-amz-checksum-sha256=x")).presigned(60);
    let headers = presigned.authenticate().unwrap().head.headers;
    let got = ["algorithm", "type", "mode", "sha256"].map(|what| headers.get(format!("x-amz-checksum-{what}")));
    assert_eq!(got.map(|value| value.map_or("", |v| v.to_str().unwrap())), ["CRC32", "FULL_OBJECT", "ENABLED", ""]);
}

#[test]
fn a_signed_encryption_header_must_come_as_signed() {
    let sse = "x-amz-server-side-encryption";
    let presigned = sent("PUT", "/b/k").header(sse, "aws:kms").presigned(60);
    assert!(presigned.authenticate().is_ok());
    assert!(presigned.clone().header(sse, "AES256").mismatches());
    let mut left_out = presigned;
    left_out.headers.remove(sse);
    assert!(left_out.mismatches());
    let added = sent("PUT", "/b/k").presigned(60).header(sse, "AES256");
    assert_eq!(added.refused(), AuthError::HeadersNotSigned(vec![sse.to_owned()]));
}

#[tokio::test]
async fn bodies_whose_hash_is_signed_but_not_named() {
    let mut kms = sent("POST", "/").header("x-amz-target", "TrentService.Decrypt").with_body(b"{\"a\":1}");
    kms.service = "kms";
    let signed = kms.clone().signed();
    assert!(!signed.headers.contains_key("x-amz-content-sha256"));
    let collected = signed.collected(7).await.unwrap();
    assert_eq!((collected.body.expose(), collected.access.caller().kind()), (&b"{\"a\":1}"[..], &CallerKind::Root));
    assert_eq!(signed.collected(6).await.err().unwrap(), CollectError::TooLarge);
    for body in [&b"{\"a\":2}"[..], b"", b"{\"a\":1} "] {
        let changed = Sent { body: body.to_vec(), ..signed.clone() };
        let error = changed.collected(99).await.err().unwrap();
        assert!(matches!(error, CollectError::Auth(AuthError::SignatureDoesNotMatch { .. })), "{error:?}");
    }
    // A hash that the client names is not believed.
    let unsigned = kms.clone().header("x-amz-content-sha256", UNSIGNED_PAYLOAD).signed_as(UNSIGNED_PAYLOAD);
    assert!(unsigned.collected(99).await.is_err());
    let retargeted = signed.clone().header("x-amz-target", "TrentService.Encrypt");
    assert!(retargeted.collected(99).await.is_err());
    // Signed for another service, and no signature at all.
    let s3 = Sent { service: "s3", ..kms.clone() }.signed();
    let error = Sent { service: "kms", ..s3 }.collected(99).await.err().unwrap();
    assert!(matches!(error, CollectError::Auth(AuthError::HeaderMalformed { region: None, .. })), "{error:?}");
    assert_eq!(kms.collected(99).await.unwrap().access.caller().kind(), &CallerKind::Anonymous);
    let mut sts = sent("GET", "/?Action=GetCallerIdentity");
    sts.service = "sts";
    assert!(sts.presigned(60).collected(0).await.is_ok());
}

/// Another byte than the one at `at`, of the same kind, so that the request stays well-formed and its meaning changes.
fn change(text: &mut String, at: usize, by: u8) {
    let places: Vec<usize> =
        text.bytes().enumerate().filter(|(_, b)| b.is_ascii_alphanumeric()).map(|(i, _)| i).collect();
    let place = places[at % places.len()];
    let mut bytes = std::mem::take(text).into_bytes();
    let base = match bytes[place] {
        b'0'..=b'9' => (b'0', 10),
        b'a'..=b'z' => (b'a', 26),
        _ => (b'A', 26),
    };
    bytes[place] = base.0 + (bytes[place] - base.0 + 1 + by % (base.1 - 1)) % base.1;
    *text = String::from_utf8(bytes).unwrap();
}

proptest! {
    #[test]
    fn any_changed_byte_of_what_is_signed_is_found(
        path in "(/[a-z0-9]{1,8}){1,3}", query in "[a-z]{1,4}=[a-z0-9]{1,4}(&[a-z]{1,4}=[a-z0-9]{0,4}){0,2}",
        value in "[a-zA-Z0-9]{1,9}", body in proptest::collection::vec(any::<u8>(), 1..40),
        at in 0_usize..1000, by in any::<u8>(), presigned: bool,
    ) {
        let request = sent("PUT", &format!("{path}?{query}")).header("x-amz-meta-a", &value).with_body(&body);
        let good = if presigned { request.presigned(60) } else { request.signed() };
        prop_assert!(good.authenticate().is_ok());
        let spoil: [fn(&mut Sent, usize, u8); 5] = [
            |s, at, by| change(&mut s.method, at, by),
            |s, at, by| change(&mut s.path, at, by),
            |s, at, by| change(&mut s.query, at, by),
            |s, at, by| change(&mut s.host, at, by),
            |s, at, by| {
                let mut value = s.get("x-amz-meta-a").to_owned();
                change(&mut value, at, by);
                s.set("x-amz-meta-a", &value);
            },
        ];
        for spoil in spoil {
            let mut bad = good.clone();
            spoil(&mut bad, at, by);
            // Without the name of X-Amz-Algorithm a presigned URL is no signature at all, and its caller nobody.
            let caller = bad.authenticate().map(|a| a.access.caller().kind().clone());
            let Sent { method, path, query, host, .. } = bad;
            prop_assert!(!matches!(caller, Ok(kind) if kind != CallerKind::Anonymous), "{method} {path}?{query} {host}");
        }
        if !presigned {
            let mut bad = good.clone();
            let place = at % bad.body.len();
            bad.body[place] ^= by.max(1);
            let authenticated = bad.authenticate().unwrap();
            let error = futures_util::FutureExt::now_or_never(body_of(authenticated)).unwrap().unwrap_err();
            let is_mismatch = matches!(error, PayloadError::Sha256Mismatch { .. });
            prop_assert!(is_mismatch, "{:?}", error);
            let mut header = good.get("authorization").to_owned();
            change(&mut header, at, by);
            prop_assert!(good.header("authorization", &header).authenticate().is_err());
        }
    }

    #[test]
    fn no_header_or_query_panics(authorization in "\\PC{0,60}", query in "[ -~]{0,60}") {
        let mut request = sent(Method::GET.as_str(), "/b/k").header("x-amz-date", "20130524T000000Z");
        if let Ok(value) = HeaderValue::from_bytes(authorization.as_bytes()) {
            request.headers.insert("authorization", value);
            let _ = request.authenticate();
        }
        let prefixed = ["", "X-Amz-Algorithm=AWS4-HMAC-SHA256&", "Signature=x&"];
        for prefix in prefixed {
            let query = format!("{prefix}{}", query.replace([' ', '"', '<', '>', '`', '#'], "%"));
            if format!("/b/k?{query}").parse::<http::Uri>().is_ok() {
                let _ = sent("GET", &format!("/b/k?{query}")).authenticate();
            }
        }
    }
}
