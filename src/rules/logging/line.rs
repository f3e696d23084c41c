//! Lines of a server access log, and names of log objects.
//!
//! A line has 27 fields, parted by blanks (S3 User Guide, "Amazon S3 server access log format"). What is not known or
//! does not apply is `-`. The time is in brackets; request line, referer and user agent are in quotes.

use std::fmt::{self, Write as _};

use time::OffsetDateTime;

use super::LogKeyFormat;
use crate::sources::Timestamp;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Parameters of a query whose values let a reader of the log act as the sender, or read what is encrypted: they are not
/// written. (AWS writes the request line as it was sent.)
const SECRET_PARAMETERS: [&str; 5] = [
    "signature",
    "x-amz-security-token",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-signature",
];

/// One request, as its line tells it. Empty texts and `None` are shown as `-`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Canonical id.
    pub bucket_owner: String,
    /// The bucket's name.
    pub bucket: String,
    /// When the request came.
    pub received: Timestamp,
    /// The client's address.
    pub remote_ip: String,
    /// Canonical id of a root, ARN of others.
    pub requester: String,
    /// The request's id.
    pub request_id: String,
    /// As `REST.GET.OBJECT`.
    pub operation: String,
    /// The object's key, as it is.
    pub key: String,
    /// `GET`
    pub method: String,
    /// Path and query as they were sent; empty: there was no request.
    pub target: String,
    /// `HTTP/1.1`
    pub protocol: &'static str,
    /// HTTP status.
    pub status: Option<u16>,
    /// The error's code.
    pub error: &'static str,
    /// Of the answer's body.
    pub bytes_sent: u64,
    /// Of the whole object.
    pub object_size: Option<u64>,
    /// From the request's arrival to the last byte of the answer.
    pub total_ms: Option<u64>,
    /// From the last byte of the request to the first of the answer.
    pub turn_around_ms: Option<u64>,
    /// The header.
    pub referer: String,
    /// The header.
    pub user_agent: String,
    /// The version that the request named.
    pub version_id: String,
    /// `x-amz-id-2`
    pub host_id: String,
    /// `SigV4` or `SigV2`
    pub signature_version: &'static str,
    /// The cipher suite's name.
    pub cipher_suite: String,
    /// `AuthHeader`, `QueryString` or `HtmlForm`
    pub authentication: &'static str,
    /// The `Host` that was asked for.
    pub host: String,
    /// `TLSv1.3`
    pub tls_version: &'static str,
    /// An ACL was needed to let the caller in.
    pub acl_required: bool,
}

impl Entry {
    /// The line, with its end.
    pub fn line(&self) -> String {
        let mut out = String::with_capacity(600);
        let w = &mut out;
        field(w, &self.bucket_owner);
        field(w, &self.bucket);
        let _ = write!(w, "[{}] ", time_of(self.received)); // a String takes all
        for text in [&self.remote_ip, &self.requester, &self.request_id, &self.operation] {
            field(w, text);
        }
        field(w, &encoded_key(&self.key));
        if self.target.is_empty() {
            w.push_str("- ");
        } else {
            quoted(w, format_args!("{} {} {}", self.method, without_secrets(&self.target), self.protocol));
        }
        number(w, self.status.map(u64::from));
        field(w, self.error);
        number(w, Some(self.bytes_sent).filter(|bytes| *bytes > 0));
        number(w, self.object_size);
        number(w, self.total_ms);
        number(w, self.turn_around_ms);
        for text in [&self.referer, &self.user_agent] {
            match (text.as_str(), self.target.as_str()) {
                // No header, since no request.
                ("", "") => field(w, ""),
                ("", _) => quoted(w, format_args!("-")),
                (text, _) => quoted(w, format_args!("{text}")),
            }
        }
        for text in [
            self.version_id.as_str(),
            &self.host_id,
            self.signature_version,
            &self.cipher_suite,
            self.authentication,
            &self.host,
            self.tls_version,
            "", // the ARN of an access point, which there is none of
            if self.acl_required { "Yes" } else { "" },
            "", // AWS's Region that the request came from
        ] {
            field(w, text);
        }
        w.pop();
        w.push('\n');
        out
    }
}

/// A field that blanks, quotes, brackets and line ends can't break out of.
fn field(w: &mut String, text: &str) {
    match text {
        "" => w.push('-'),
        text => w.extend(text.chars().map(|c| match c {
            '"' | '[' | ']' => '_',
            c if c.is_whitespace() || c.is_control() => '+',
            c => c,
        })),
    }
    w.push(' ');
}

fn number(w: &mut String, number: Option<u64>) {
    match number {
        Some(number) => {
            let _ = write!(w, "{number} "); // a String takes all
        }
        None => w.push_str("- "),
    }
}

/// In quotes; what would end them, or the line, is escaped: one request is one line whatever its headers hold.
fn quoted(w: &mut String, text: fmt::Arguments<'_>) {
    w.push('"');
    for c in text.to_string().chars() {
        match c {
            '"' => w.push_str("%22"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(w, "%{byte:02X}"); // a String takes all
                }
            }
            c => w.push(c),
        }
    }
    w.push_str("\" ");
}

/// The key, URL-encoded; slashes stay.
fn encoded_key(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}"); // a String takes all
            }
        }
    }
    out
}

/// A request's path and query without the values of [`SECRET_PARAMETERS`].
fn without_secrets(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let shown = |pair: &str| match pair.split_once('=') {
        // A name in another spelling, as `%53ignature`, is that parameter too.
        Some((name, _)) if is_secret(name) => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    format!("{path}?{}", query.split('&').map(shown).collect::<Vec<_>>().join("&"))
}

fn is_secret(name: &str) -> bool {
    let decoded = percent_decoded(name).to_ascii_lowercase();
    SECRET_PARAMETERS.contains(&decoded.as_str())
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// In UTC; a time that no calendar has is the beginning of all.
fn date_of(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `06/Feb/2019:00:00:38 +0000`
fn time_of(at: Timestamp) -> String {
    let at = date_of(at);
    let month = MONTHS[usize::from(u8::from(at.month())) - 1];
    let (h, m, s) = at.to_hms();
    format!("{:02}/{month}/{:04}:{h:02}:{m:02}:{s:02} +0000", at.day(), at.year())
}

/// The day of a time, counted from 1970-01-01.
pub fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// What partitions the names of log objects.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The account of the bucket that the log is of.
    pub account: &'a str,
    /// Its Region.
    pub region: &'a str,
    /// Its name.
    pub bucket: &'a str,
}

/// The name of a log object that is delivered at `now`, of requests on `day`. `unique`: 8 random bytes.
///
/// Where names go by the day of the requests their hour, minute and second are 00 (S3 API Reference, PartitionedPrefix).
pub fn object_key(
    (prefix, format): (&str, LogKeyFormat),
    source: Source<'_>,
    (day, now): (i64, Timestamp),
    unique: [u8; 8],
) -> String {
    let at = date_of(match format {
        LogKeyFormat::Simple | LogKeyFormat::PartitionedByDelivery => now,
        LogKeyFormat::PartitionedByEvent => Timestamp(day.saturating_mul(DAY_MS)),
    });
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let mut key = prefix.to_owned();
    if format != LogKeyFormat::Simple {
        let Source { account, region, bucket } = source;
        let _ = write!(key, "{account}/{region}/{bucket}/{year:04}/{month:02}/{day:02}/"); // a String takes all
    }
    let (h, m, s) = at.to_hms();
    let _ = write!(key, "{year:04}-{month:02}-{day:02}-{h:02}-{m:02}-{s:02}-"); // a String takes all
    unique.iter().for_each(|byte| {
        let _ = write!(key, "{byte:02X}"); // a String takes all
    });
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 06/Feb/2019:00:00:38 +0000
    const AT: Timestamp = Timestamp(1_549_411_238_000);
    /// The guide's examples without the fields that nothing here has (access point, Region).
    const EXAMPLES: &str = include_str!("../../../fixtures/s3/access_log.txt");

    fn example(operation: &str, target: &str) -> Entry {
        Entry {
            bucket_owner: "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be".to_owned(),
            bucket: "amzn-s3-demo-bucket1".to_owned(),
            received: AT,
            remote_ip: "192.0.2.3".to_owned(),
            requester: "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be".to_owned(),
            request_id: "3E57427F3EXAMPLE".to_owned(),
            operation: operation.to_owned(),
            method: operation.split('.').nth(1).unwrap().to_owned(),
            target: target.to_owned(),
            protocol: "HTTP/1.1",
            status: Some(200),
            bytes_sent: 113,
            total_ms: Some(7),
            user_agent: "S3Console/0.4".to_owned(),
            host_id: "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234=".to_owned(),
            signature_version: "SigV4",
            cipher_suite: "ECDHE-RSA-AES128-GCM-SHA256".to_owned(),
            authentication: "AuthHeader",
            host: "amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com".to_owned(),
            tls_version: "TLSv1.2",
            ..Entry::default()
        }
    }

    /// Fields as programs that read these logs part them.
    fn fields(line: &str) -> Vec<String> {
        let (mut fields, mut rest) = (Vec::new(), line.strip_suffix('\n').unwrap());
        while !rest.is_empty() {
            let end = match rest.as_bytes()[0] {
                b'"' => 1 + rest[1..].find('"').unwrap() + 1,
                b'[' => rest.find(']').unwrap() + 1,
                _ => rest.find(' ').unwrap_or(rest.len()),
            };
            fields.push(rest[..end].to_owned());
            rest = rest[end..].strip_prefix(' ').unwrap_or("");
        }
        fields
    }

    #[test]
    fn lines_are_those_of_the_guide() {
        let versioning =
            Entry { acl_required: true, ..example("REST.GET.VERSIONING", "/amzn-s3-demo-bucket1?versioning") };
        let policy = Entry {
            status: Some(404),
            error: "NoSuchBucketPolicy",
            bytes_sent: 297,
            total_ms: Some(38),
            request_id: "A1206F460EXAMPLE".to_owned(),
            ..example("REST.GET.BUCKETPOLICY", "/amzn-s3-demo-bucket1?policy")
        };
        let put = Entry {
            received: AT.plus(std::time::Duration::from_secs(79)),
            key: "s3-dg.pdf".to_owned(),
            bytes_sent: 0,
            object_size: Some(4_406_583),
            total_ms: Some(41_754),
            turn_around_ms: Some(28),
            request_id: "DD6CC733AEXAMPLE".to_owned(),
            ..example("REST.PUT.OBJECT", "/amzn-s3-demo-bucket1/s3-dg.pdf")
        };
        let ours: String = [versioning, policy, put].iter().map(Entry::line).collect();
        assert_eq!(ours, EXAMPLES);
        assert!(EXAMPLES.lines().all(|line| fields(&format!("{line}\n")).len() == 27));
    }

    #[test]
    fn what_no_request_has_done_is_dashes() {
        let entry = Entry {
            bucket_owner: "o".to_owned(),
            bucket: "b".to_owned(),
            received: AT,
            requester: "AmazonS3".to_owned(),
            request_id: "R".to_owned(),
            operation: "S3.EXPIRE.OBJECT".to_owned(),
            key: "a b".to_owned(),
            ..Entry::default()
        };
        let expected = "o b [06/Feb/2019:00:00:38 +0000] - AmazonS3 R S3.EXPIRE.OBJECT a%20b - - - - - - - - - \
                        - - - - - - - - - -\n";
        assert_eq!(entry.line(), expected);
        assert_eq!(fields(expected).len(), 27);
    }

    #[test]
    fn no_header_adds_a_field_or_a_line() {
        let base = example("REST.GET.OBJECT", "/b/k");
        for bad in ["a\"b", "a b", "\n", "x\r\ny z", "\u{85}", "é \u{2028}", "\"", "[", "]", "-", "\\\""] {
            let entry = Entry {
                referer: bad.to_owned(),
                user_agent: bad.to_owned(),
                key: bad.to_owned(),
                version_id: bad.to_owned(),
                host: bad.to_owned(),
                ..base.clone()
            };
            let line = entry.line();
            assert_eq!(line.lines().count(), 1, "{bad:?}");
            assert_eq!(fields(&line).len(), 27, "{bad:?}: {line}");
        }
    }

    #[test]
    fn secrets_of_a_query_are_not_written() {
        for (sent, written) in [
            ("/b/k", "/b/k"),
            ("/b/k?versionId=1&uploads", "/b/k?versionId=1&uploads"),
            ("/b/k?X-Amz-Date=d&X-Amz-Signature=abc", "/b/k?X-Amz-Date=d&X-Amz-Signature=***"),
            ("/b/k?%53ignature=abc&x=1", "/b/k?%53ignature=***&x=1"),
            ("/b/k?X-Amz-Security-Token=a=b&%", "/b/k?X-Amz-Security-Token=***&%"),
            (
                "/?x-amz-server-side-encryption-customer-key=K&x-amz-server-side-encryption-customer-key-MD5=M",
                "/?x-amz-server-side-encryption-customer-key=***&x-amz-server-side-encryption-customer-key-MD5=M",
            ),
            ("/b/k?é%=1", "/b/k?é%=1"),
        ] {
            assert_eq!(without_secrets(sent), written);
        }
    }

    #[test]
    fn names_of_log_objects() {
        let unique = [0xE5, 0x68, 0xB2, 0, 1, 2, 3, 4];
        let source = Source { account: "111122223333", region: "us-east-1", bucket: "b" };
        let name = |prefix, format| {
            // The day before the delivery.
            object_key((prefix, format), source, (day_of(AT) - 1, AT), unique)
        };
        assert_eq!(name("logs/", LogKeyFormat::Simple), "logs/2019-02-06-00-00-38-E568B20001020304");
        assert_eq!(
            name("", LogKeyFormat::PartitionedByDelivery),
            "111122223333/us-east-1/b/2019/02/06/2019-02-06-00-00-38-E568B20001020304"
        );
        assert_eq!(
            name("p", LogKeyFormat::PartitionedByEvent),
            "p111122223333/us-east-1/b/2019/02/05/2019-02-05-00-00-00-E568B20001020304"
        );
    }
}
