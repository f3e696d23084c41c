//! Requests for tests of the protocol as a whole.

mod access_logs;
mod authorization;
mod bodies;
mod delivery;
mod denied;
mod documents;
mod fuzz;
mod headers;
mod inventory;
mod lifecycle;
mod lists;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};

use crate::app::tests::Gateway;
use crate::crypto::{SecretBytes, md5, sha256};
use crate::names::hex;
use crate::sigv4::{SignedParts, Signer, sign_headers};
use crate::wire::{Edge, Findings, Request, RequestBody, RequestId};

/// Three callers, by their access keys: an account's root, its user, and another account's root. The first account has
/// an event bus.
pub(super) const SETTINGS: &str = r#"
regions = ["us-east-1", "eu-west-1"]
[[account]]
id = "111122223333"
access_keys = [{ id = "ROOT", secret = "a-secret-for-tests" }]
user = [{ name = "alice", access_keys = [{ id = "ALICE", secret = "a-secret-for-tests" }] }]
[[account]]
id = "444455556666"
access_keys = [{ id = "OTHER", secret = "a-secret-for-tests" }]
[[notification_targets]]
arn = "arn:aws:events:us-east-1:111122223333:event-bus/default"
url = "http://127.0.0.1:9/"
"#;

/// Of all callers.
const SECRET: &str = "a-secret-for-tests";

impl Gateway {
    /// A signed request of the caller with this access key.
    pub(super) fn request(
        &self,
        key: &str,
        target: (&str, &str),
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Request {
        let header =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        self.request_as(key, target, &headers.iter().map(header).collect::<Vec<_>>(), body)
    }

    /// The same, whatever the values of the headers hold. One that is not given a digest has that of the body.
    pub(super) fn request_as(
        &self,
        key: &str,
        (method, uri): (&str, &str),
        headers: &[(HeaderName, HeaderValue)],
        body: impl AsRef<[u8]>,
    ) -> Request {
        let body = body.as_ref();
        let now = self.sources.now();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let secret = SecretBytes::new(SECRET.as_bytes().to_vec());
        let signer = Signer { access_key_id: key, secret: &secret, region: "us-east-1", service: "s3", now };
        let mut headers: HeaderMap = headers.iter().cloned().collect();
        headers.insert("host", HeaderValue::from_static("s3.test"));
        let digest = HeaderValue::try_from(STANDARD.encode(md5(body))).expect("Base64");
        headers.entry("content-md5").or_insert(digest);
        let parts = SignedParts { method, path, query, headers: &headers, host: "s3.test" };
        let mut head = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
        head.headers = sign_headers(&signer, &parts, &hex(&sha256(body))).0;
        head.headers.insert(CONTENT_LENGTH, body.len().into());
        let edge = Edge {
            request_id: RequestId::generate(&self.sources),
            received: now,
            source_ip: [192, 0, 2, 1].into(),
            secure: true,
            confidential: true,
            tls: None,
            host: "s3.test".to_owned(),
            host_header: "s3.test".to_owned(),
            findings: Findings::default(),
        };
        Request { head, edge, body: RequestBody::full(body.to_vec()) }
    }
}
