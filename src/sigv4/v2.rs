//! Signature Version 2 (S3 User Guide, "Signing and authenticating REST requests"), in a header and in presigned URLs:
//! boto3 and aws-cli v1 still make such URLs for us-east-1.

use std::collections::BTreeMap;

use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue};

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

/// Headers with lines of their own in the string to sign, beside the date.
const PLAIN_HEADERS: [&str; 2] = ["content-md5", "content-type"];

/// What is around a header's value and no part of it.
const BLANKS: [char; 2] = [' ', '\t'];

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
    /// All headers; of a presigned URL those of [`headers_of_v2_url`].
    pub headers: &'a HeaderMap,
    /// In a presigned URL `Expires`, in a header `Date`, as sent; empty where `x-amz-date` stands for that.
    pub date: &'a str,
}

/// Whether a query parameter of this name is signed.
pub fn is_signed_by_v2(parameter: &str) -> bool {
    SIGNED_PARAMETERS.contains(&parameter)
}

/// Why a request is not what one signer of Version 2 could have meant: other requests have the same string to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V2Ambiguity(pub String);

/// The headers of a request by a presigned URL. Signers move headers into the query; there they are signed as headers, so
/// they are headers here: nothing is signed that is not acted on. A parameter that could be no header, that repeats, or
/// that stands beside a header with another value, would be signed in the words of another request.
pub fn headers_of_v2_url(params: &Params, sent: &HeaderMap) -> Result<HeaderMap, V2Ambiguity> {
    let mut headers = sent.clone();
    let mut moved = HeaderMap::new();
    for (name, value) in params.iter() {
        let lower = name.to_ascii_lowercase();
        let plain = PLAIN_HEADERS.contains(&lower.as_str());
        if !plain && !lower.starts_with("x-amz-") {
            continue;
        }
        let not_one = || V2Ambiguity(format!("The query parameter {lower:?} does not stand for one header"));
        let (Ok(name), Ok(value)) =
            (lower.parse::<HeaderName>(), HeaderValue::from_bytes(value.trim_matches(BLANKS).as_bytes()))
        else {
            return Err(not_one());
        };
        if moved.insert(name.clone(), value.clone()).is_some() {
            return Err(not_one());
        }
        let mut beside = sent.get_all(&name).iter();
        match (beside.next(), beside.next()) {
            (None, _) => _ = headers.insert(name, value),
            // Sent in both places with one value it was signed once.
            (Some(header), None) if header.as_bytes().trim_ascii() == value.as_bytes() => {}
            // Only the header is signed, and only it is acted on.
            (Some(_), _) if plain => {}
            (Some(_), _) => return Err(not_one()),
        }
    }
    Ok(headers)
}

/// Finds what the string to sign does not tell apart: a header of which the first value alone is signed, sent more than
/// once, and a signed parameter whose value reads like more parameters.
pub fn check_v2(request: &V2Request<'_>) -> Result<(), V2Ambiguity> {
    for name in PLAIN_HEADERS.into_iter().chain(["date", "x-amz-date"]) {
        if request.headers.get_all(name).iter().nth(1).is_some() {
            return Err(V2Ambiguity(format!("The header {name} was sent more than once")));
        }
    }
    for (name, value) in request.params.iter().filter(|(name, _)| is_signed_by_v2(name)) {
        let more = value.split('&').skip(1).map(|pair| pair.split('=').next().unwrap_or(pair));
        if more.into_iter().any(is_signed_by_v2) {
            return Err(V2Ambiguity(format!("The value of the query parameter {name:?} reads like other parameters")));
        }
    }
    Ok(())
}

/// The string to sign.
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
    let sent = request
        .headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim_matches(BLANKS).to_owned());
    sent.unwrap_or_default()
}

fn amz_headers(request: &V2Request<'_>) -> BTreeMap<String, String> {
    let names = request.headers.keys().filter(|name| name.as_str().starts_with("x-amz-"));
    let joined = |name: &HeaderName| {
        let values = request.headers.get_all(name).iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim_matches(BLANKS).to_owned())
            .collect::<Vec<_>>()
            .join(",")
    };
    names.map(|name| (name.as_str().to_owned(), joined(name))).collect()
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
        let headers = headers_of_v2_url(&params, &headers).unwrap();
        let request = V2Request {
            method: "PUT",
            host_bucket: None,
            path: "/b/k%20k",
            params: &params,
            headers: &headers,
            date: "1",
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
            let request = V2Request { method: "GET", host_bucket, path, params: &params, headers: &headers, date: "1" };
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
        };
        let text = string_to_sign_v2(&request);
        assert_eq!(text, format!("PUT\n\nimage/jpeg\n{date}\n/johnsmith/photos/puppy.jpg"));
        assert_eq!(signature_v2(SECRET, &text), "MyyxeRY7whkBe+bq8fHCL/2kKUg=");
    }

    #[test]
    fn signed_parameters_are_in_order() {
        assert!(SIGNED_PARAMETERS.is_sorted());
    }

    #[test]
    fn a_parameter_that_stands_for_no_one_header_is_refused() {
        let headers = |query: &str, sent: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in sent {
                map.append(*name, HeaderValue::from_static(value));
            }
            headers_of_v2_url(&Params::parse(query), &map)
        };
        let value = HeaderValue::from_static;
        let one = headers("X-Amz-Meta-A=+v+&content-md5=m&other=%0A", &[]).unwrap();
        assert_eq!((&one["x-amz-meta-a"], &one["content-md5"], one.len()), (&value("v"), &value("m"), 2));
        for query in [
            "x-amz-meta-owner=team-a%0Ax-amz-tagging:class=secret",
            "x-amz-server-side-encryption%3Aaws=kms",
            "x-amz-meta-a%0A=1",
            "x-amz-meta-a%20=1",
            "x-amz-meta-%C3%A9=1",
            "x-amz-meta-a=1%00",
            "x-amz-meta-a=1%0D",
            "x-amz-meta-a=1&x-amz-meta-a=2",
            "x-amz-meta-a=1&X-Amz-Meta-A=1",
            "content-md5=m%0A",
            "content-type=a&Content-Type=b",
        ] {
            assert!(headers(query, &[]).is_err(), "{query}");
        }
        let (a, one, two) = ("x-amz-meta-a", ("x-amz-meta-a", "1"), ("x-amz-meta-a", "2"));
        assert_eq!(headers("x-amz-meta-a=1", &[one]).unwrap().get_all(a).iter().count(), 1);
        assert!(headers("x-amz-meta-a=2", &[one]).is_err());
        assert!(headers("x-amz-meta-a=1", &[one, two]).is_err());
        assert!(headers("x-amz-meta-a=1", &[one, one]).is_err());
        assert_eq!(headers("content-type=b", &[("content-type", "a")]).unwrap().get("content-type").unwrap(), "a");
    }

    #[test]
    fn what_the_string_to_sign_does_not_tell_apart_is_refused() {
        let check = |query: &str, sent: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.append(*name, HeaderValue::from_static(value));
            }
            let params = Params::parse(query);
            let (params, headers) = (&params, &headers);
            check_v2(&V2Request { method: "GET", host_bucket: None, path: "/b/k", params, headers, date: "1" })
        };
        for name in ["content-type", "content-md5", "date", "x-amz-date"] {
            assert_eq!(check("", &[(name, "1")]), Ok(()), "{name}");
            assert!(check("", &[(name, "1"), (name, "1")]).is_err(), "{name}");
        }
        assert_eq!(check("", &[("x-amz-meta-a", "1"), ("x-amz-meta-a", "2")]), Ok(()));
        assert_eq!(check("response-content-type=a%26b%3Dc&prefix=a%26versionId", &[]), Ok(()));
        assert!(check("response-content-type=a%26versionId%3Dv", &[]).is_err());
        assert!(check("partNumber=1%26uploadId", &[]).is_err());
    }

    #[test]
    fn an_empty_line_of_a_header_is_signed() {
        let mut headers = HeaderMap::new();
        headers.append("x-amz-meta-a", HeaderValue::from_static(""));
        headers.append("x-amz-meta-a", HeaderValue::from_static("1"));
        let (params, headers) = (&Params::parse(""), &headers);
        let request = V2Request { method: "PUT", host_bucket: None, path: "/b/k", params, headers, date: "1" };
        assert_eq!(string_to_sign_v2(&request), "PUT\n\n\n1\nx-amz-meta-a:,1\n/b/k");
    }
}
