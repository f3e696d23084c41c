//! Signature Version 2 (S3 User Guide, "Signing and authenticating REST requests"), in a header and in presigned URLs:
//! boto3 and aws-cli v1 still make such URLs for us-east-1.

use std::collections::BTreeMap;

use base64::Engine as _;
use http::HeaderMap;

use super::Params;
use crate::crypto::hmac_sha1;

/// The query parameters that name a resource of their own or change the answer: the only ones that are signed.
const SIGNED_PARAMETERS: [&str; 40] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// What of a request is signed.
#[derive(Debug, Clone, Copy)]
pub struct V2Request<'a> {
    /// Upper case.
    pub method: &'a str,
    /// The bucket that the host names, in virtual-host style.
    pub host_bucket: Option<&'a str>,
    /// Still encoded, as sent.
    pub path: &'a str,
    /// The query.
    pub params: &'a Params,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// In a presigned URL `Expires`, in a header `Date`, as sent; empty where `x-amz-date` stands for that.
    pub date: &'a str,
    /// It is a presigned URL, whose parameters may be headers that signers moved there.
    pub presigned: bool,
}

/// The string to sign. `x-amz-*` parameters of a presigned URL are signed as if they were headers.
pub fn string_to_sign_v2(request: &V2Request<'_>) -> String {
    let mut out = format!(
        "{}\n{}\n{}\n{}\n",
        request.method,
        plain_header(request, "content-md5"),
        plain_header(request, "content-type"),
        request.date
    );
    for (name, value) in amz_headers(request) {
        out.push_str(&format!("{name}:{value}\n"));
    }
    if let Some(bucket) = request.host_bucket {
        out.push('/');
        out.push_str(bucket);
    }
    out.push_str(request.path);
    // A bucket's own path ends in a slash here, whether or not it was sent with one: botocore signs it so, since AWS
    // takes nothing else.
    if request.host_bucket.is_none() && request.path.rfind('/') == Some(0) && request.path.len() > 1 {
        out.push('/');
    }
    let mut signed: Vec<_> = request.params.iter().filter(|(name, _)| SIGNED_PARAMETERS.contains(name)).collect();
    signed.sort_unstable();
    for (i, (name, value)) in signed.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        out.push_str(name);
        if !value.is_empty() {
            out.push('=');
            out.push_str(value);
        }
    }
    out
}

/// The signature, base64.
pub fn signature_v2(secret: &[u8], string_to_sign: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(hmac_sha1(secret, string_to_sign.as_bytes()))
}

fn plain_header(request: &V2Request<'_>, name: &str) -> String {
    let sent = request.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    let moved = || moved(request).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned());
    sent.or_else(moved).unwrap_or_default()
}

/// The parameters that may be headers.
fn moved<'a>(request: &V2Request<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    request.params.iter().filter(|_| request.presigned)
}

fn amz_headers(request: &V2Request<'_>) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let sent = request.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-"));
    for (name, value) in sent {
        let value = String::from_utf8_lossy(value.as_bytes());
        join(headers.entry(name.as_str().to_owned()).or_default(), value.trim());
    }
    for (name, value) in moved(request) {
        let name = name.to_ascii_lowercase();
        // Sent in both places with one value it was signed once; with two it was not signed so at all.
        if name.starts_with("x-amz-") && headers.get(&name).is_none_or(|sent| sent != value) {
            join(headers.entry(name).or_default(), value);
        }
    }
    headers
}

fn join(joined: &mut String, value: &str) {
    if !joined.is_empty() {
        joined.push(',');
    }
    joined.push_str(value);
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn the_published_example() {
        let params = Params::parse(
            "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620",
        );
        let request = V2Request {
            method: "GET",
            host_bucket: Some("johnsmith"),
            path: "/photos/puppy.jpg",
            params: &params,
            headers: &HeaderMap::new(),
            date: "1175139620",
            presigned: true,
        };
        let text = string_to_sign_v2(&request);
        assert_eq!(text, "GET\n\n\n1175139620\n/johnsmith/photos/puppy.jpg");
        assert_eq!(Some(signature_v2(SECRET, &text).as_str()), params.first("Signature"));
    }

    #[test]
    fn headers_and_parameters_that_are_signed() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(" text/plain "));
        headers.append("x-amz-meta-b", HeaderValue::from_static("1"));
        headers.append("x-amz-meta-b", HeaderValue::from_static(" 2 "));
        headers.insert("x-amz-acl", HeaderValue::from_static("private"));
        let params = Params::parse(
            "uploadId=u+1&prefix=p&partNumber=7&acl&X-Amz-Acl=private&x-amz-meta-a=%C3%A9&Content-MD5=m&Expires=1",
        );
        let request = V2Request {
            method: "PUT",
            host_bucket: None,
            path: "/b/k%20k",
            params: &params,
            headers: &headers,
            date: "1",
            presigned: true,
        };
        assert_eq!(
            string_to_sign_v2(&request),
            "PUT\nm\ntext/plain\n1\nx-amz-acl:private\nx-amz-meta-a:é\nx-amz-meta-b:1,2\n\
             /b/k%20k?acl&partNumber=7&uploadId=u 1"
        );
    }

    #[test]
    fn a_buckets_path_ends_in_a_slash() {
        for (host_bucket, path, expected) in [
            (None, "/", "/"),
            (None, "/b", "/b/?versions"),
            (None, "/b/", "/b/?versions"),
            (None, "/b/k", "/b/k?versions"),
            (Some("b"), "/", "/b/?versions"),
            (Some("b"), "/k", "/b/k?versions"),
        ] {
            let params = Params::parse(if path == "/" && host_bucket.is_none() { "" } else { "versions" });
            let headers = HeaderMap::new();
            let request = V2Request {
                method: "GET",
                host_bucket,
                path,
                params: &params,
                headers: &headers,
                date: "1",
                presigned: true,
            };
            assert_eq!(string_to_sign_v2(&request), format!("GET\n\n\n1\n{expected}"), "{host_bucket:?} {path}");
        }
    }

    #[test]
    fn the_published_example_of_a_header() {
        let mut headers = HeaderMap::new();
        let date = "Tue, 27 Mar 2007 21:15:45 +0000";
        headers.insert("content-type", HeaderValue::from_static("image/jpeg"));
        let params = Params::parse("x-amz-meta-a=no-header");
        let request = V2Request {
            method: "PUT",
            host_bucket: Some("johnsmith"),
            path: "/photos/puppy.jpg",
            params: &params,
            headers: &headers,
            date,
            presigned: false,
        };
        let text = string_to_sign_v2(&request);
        assert_eq!(text, format!("PUT\n\nimage/jpeg\n{date}\n/johnsmith/photos/puppy.jpg"));
        assert_eq!(signature_v2(SECRET, &text), "MyyxeRY7whkBe+bq8fHCL/2kKUg=");
    }

    #[test]
    fn signed_parameters_are_in_order() {
        assert!(SIGNED_PARAMETERS.is_sorted());
    }
}
