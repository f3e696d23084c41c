//! Signature Version 4 for the client: `aws-sigv4` derives and signs, the canonical request is ours.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4;

use crate::crypto;
use crate::sources::Timestamp;
use crate::wire;

/// Signs requests of one endpoint with one access key.
pub(super) struct Signer {
    access_key: String,
    secret_key: String,
    region: String,
    /// `s3` or `kms`.
    service: &'static str,
    /// The signing key and the day (`20261125`) that it is for.
    day_key: Mutex<(String, [u8; 32])>,
}

/// What is signed. `headers` are all headers that the signature covers but `host`, `x-amz-content-sha256` and
/// `x-amz-date`: lower case, their values trimmed.
#[derive(Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    /// Percent-encoded.
    pub(super) path: &'a str,
    /// Percent-encoded and sorted, as `name=value&…`.
    pub(super) query: &'a str,
    pub(super) host: &'a str,
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) payload_hash: &'a str,
}

/// The two headers that a signature adds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) amz_date: String,
    pub(super) authorization: String,
}

impl Signer {
    pub(super) fn new(access_key: &str, secret_key: &str, region: &str, service: &'static str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            region: region.to_owned(),
            service,
            day_key: Mutex::new((String::new(), [0; 32])),
        }
    }

    pub(super) fn sign(&self, request: &Unsigned<'_>, now: Timestamp) -> Signature {
        let amz_date = wire::amz_date(now);
        let day = &amz_date[..8];
        let mut headers: Vec<(&str, &str)> =
            vec![("host", request.host), ("x-amz-content-sha256", request.payload_hash), ("x-amz-date", &amz_date)];
        headers.extend(request.headers.iter().map(|(name, value)| (*name, value.as_str())));
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");

        let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
        for (name, value) in &headers {
            writeln!(canonical, "{name}:{value}").expect("a String takes all");
        }
        write!(canonical, "\n{names}\n{}", request.payload_hash).expect("a String takes all");

        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hash = hex(&crypto::sha256(canonical.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{hash}");
        let signature = v4::calculate_signature(self.key_of(day, now), to_sign.as_bytes());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );
        Signature { amz_date, authorization }
    }

    fn key_of(&self, day: &str, now: Timestamp) -> [u8; 32] {
        let mut day_key = self.day_key.lock().expect("no holder panics");
        if day_key.0 != day {
            let at = UNIX_EPOCH + Duration::from_secs(now.seconds().unsigned_abs());
            let key = v4::generate_signing_key(&self.secret_key, at, &self.region, self.service);
            *day_key = (day.to_owned(), key.as_ref().try_into().expect("HMAC-SHA256 makes 32 bytes"));
        }
        day_key.1
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Example: GET Object" of "Authenticating Requests: Using the Authorization Header" in the S3 API Reference.
    #[test]
    fn published_example() {
        const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let signer = Signer::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3");
        let now = wire::parse_amz_date("20130524T000000Z").expect("is a date");
        let request = Unsigned {
            method: "GET",
            path: "/test.txt",
            query: "",
            host: "examplebucket.s3.amazonaws.com",
            headers: &[("range", "bytes=0-9".to_owned())],
            payload_hash: EMPTY,
        };
        let signed = signer.sign(&request, now);
        assert_eq!(signed.amz_date, "20130524T000000Z");
        assert_eq!(
            signed.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }
}
