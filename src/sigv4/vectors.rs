//! The published vectors in `fixtures/sigv4`: a new one is a new file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::crypto::sha256;

/// A vector file, parsed.
pub(crate) struct Vector {
    pub(crate) secret: String,
    pub(crate) rule: PathRule,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    payload_hash: String,
    canonical_request: String,
    string_to_sign: String,
    chunks: Vec<(u64, String)>,
    trailer: Vec<String>,
}

impl Vector {
    pub(crate) fn load(name: &str) -> Self {
        Self::read(&folder().join(name))
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut sections = text.split("\n=== ");
        let settings = sections.next().unwrap();
        let setting = |name: &str| settings.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
        let sections: Vec<(&str, &str)> = sections.map(|s| s.split_once('\n').unwrap()).collect();
        let section =
            |name: &str| sections.iter().find(|(n, _)| *n == name).map(|(_, text)| text.trim_end_matches('\n'));
        let request = section("request").unwrap();
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let (line, fields) = head.split_once('\n').unwrap();
        let (method, target) = line.strip_suffix(" HTTP/1.1").unwrap().split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = parse_headers(fields);
        let sent_hash = headers.get("x-amz-content-sha256").map(|v| v.to_str().unwrap().to_owned());
        let chunks = section("chunks").unwrap_or_default().lines();
        Self {
            secret: setting("secret").unwrap().to_owned(),
            rule: if setting("paths") == Some("as-sent") { PathRule::AsSent } else { PathRule::NormalizedTwice },
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            payload_hash: sent_hash
                .or_else(|| setting("payload").map(str::to_owned))
                .unwrap_or_else(|| hex(&sha256(body.as_bytes()))),
            headers,
            body: body.as_bytes().to_vec(),
            canonical_request: section("canonical request").unwrap().to_owned(),
            string_to_sign: section("string to sign").unwrap().to_owned(),
            chunks: chunks
                .map(|l| l.split_once(' ').unwrap())
                .map(|(size, signature)| (u64::from_str_radix(size, 16).unwrap(), signature.to_owned()))
                .collect(),
            trailer: section("trailer").unwrap_or_default().lines().map(str::to_owned).collect(),
        }
    }

    /// The body with its chunks framed and signed as listed.
    pub(crate) fn framed_body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (size, signature) in &self.chunks {
            body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
            body.resize(body.len() + usize::try_from(*size).unwrap(), b'a');
            if *size > 0 {
                body.extend_from_slice(b"\r\n");
            }
        }
        for line in &self.trailer {
            body.extend_from_slice(format!("{line}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body
    }

    fn claimed(&self) -> Authorization {
        if let Some(header) = self.headers.get("authorization") {
            return parse_authorization(header.to_str().unwrap().strip_prefix(ALGORITHM).unwrap()).unwrap();
        }
        let params = Params::parse(&self.query);
        let presigned = Presigned::parse(&params).unwrap();
        Authorization {
            credential: presigned.credential.to_owned(),
            signed_headers: presigned.signed_headers.to_owned(),
            signature: presigned.signature.to_owned(),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sigv4")
}

fn parse_headers(fields: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // A folded line belongs to the one before it.
    for line in fields.replace("\n ", " ").lines() {
        let (name, value) = line.split_once(':').unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim()).unwrap());
    }
    headers
}

/// Recomputes everything that a vector states.
fn check(vector: &Vector, name: &str) {
    let claimed = vector.claimed();
    let credential = Credential::parse(&claimed.credential).unwrap();
    let scope = Scope { date: credential.date, region: credential.region, service: credential.service };
    let host = vector.headers.get("host").unwrap().to_str().unwrap();
    let Vector { method, path, query, headers, .. } = vector;
    let parts = SignedParts { method, path, query, headers, host };
    let canonical = canonical_request(&parts, &claimed.signed_headers, &vector.payload_hash, vector.rule);
    assert_eq!(String::from_utf8(canonical.clone()).unwrap(), vector.canonical_request, "{name}");
    let date = vector.string_to_sign.lines().nth(1).unwrap();
    let text = string_to_sign(date, &scope, &canonical);
    assert_eq!(text, vector.string_to_sign, "{name}");
    let key = SigningKey::derive(vector.secret.as_bytes(), &scope).unwrap();
    assert_eq!(key.sign(text.as_bytes()), claimed.signature, "{name}");
    if vector.chunks.is_empty() {
        return;
    }
    let mut decoder = Decoder::new(Some(ChunkSigner::new(key, date, &scope, &claimed.signature)));
    let mut input = Bytes::from(vector.framed_body());
    let mut decoded = 0;
    while let Some(data) = decoder.decode(&mut input).unwrap() {
        decoded += data.len() as u64;
    }
    assert_eq!(decoded, vector.chunks.iter().map(|(size, _)| size).sum::<u64>(), "{name}");
    assert_eq!(decoder.finish().unwrap().len(), vector.trailer.len().saturating_sub(1), "{name}");
}

#[test]
fn published_vectors() {
    let mut checked = 0;
    for kind in ["s3", "suite"] {
        for entry in std::fs::read_dir(folder().join(kind)).unwrap() {
            let path = entry.unwrap().path();
            check(&Vector::read(&path), &path.display().to_string());
            checked += 1;
        }
    }
    assert!(checked >= 80, "only {checked} vectors found");
}
