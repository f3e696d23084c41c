//! Conditional requests: on reads (RFC 9110, section 13.2.2), on the source of a copy, and on writes. Pure.

use http::HeaderMap;

use super::code::Code;
use super::error::Error;
use super::fields::{joined, single};
use crate::objects::{ObjectInfo, WriteCondition};
use crate::sources::Timestamp;
use crate::wire::{http_date, parse_http_date};

/// The names of the four headers, as sent and as AWS spells them in an error's `Condition`.
#[derive(Debug)]
pub(crate) struct Names {
    if_match: (&'static str, &'static str),
    if_none_match: (&'static str, &'static str),
    if_modified_since: (&'static str, &'static str),
    if_unmodified_since: (&'static str, &'static str),
}

/// Of GetObject and HeadObject.
pub(crate) const READ: Names = Names {
    if_match: ("if-match", "If-Match"),
    if_none_match: ("if-none-match", "If-None-Match"),
    if_modified_since: ("if-modified-since", "If-Modified-Since"),
    if_unmodified_since: ("if-unmodified-since", "If-Unmodified-Since"),
};

/// Of the source of CopyObject and UploadPartCopy.
pub(crate) const COPY_SOURCE: Names = Names {
    if_match: ("x-amz-copy-source-if-match", "x-amz-copy-source-If-Match"),
    if_none_match: ("x-amz-copy-source-if-none-match", "x-amz-copy-source-If-None-Match"),
    if_modified_since: ("x-amz-copy-source-if-modified-since", "x-amz-copy-source-If-Modified-Since"),
    if_unmodified_since: ("x-amz-copy-source-if-unmodified-since", "x-amz-copy-source-If-Unmodified-Since"),
};

/// Conditions on an existing object. Dates that are none are ignored, as HTTP asks.
#[derive(Debug, Default)]
pub(crate) struct ReadConditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

/// What they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Proceed,
    /// The client has it already: 304 to a read. Holds the condition's name.
    NotModified(&'static str),
    /// 412. Holds the condition's name.
    Failed(&'static str),
}

impl ReadConditions {
    /// Reads the headers of these names.
    pub(crate) fn parse(headers: &HeaderMap, names: &Names) -> Self {
        let date = |name| headers.get(name).and_then(|v| v.to_str().ok()).and_then(parse_http_date);
        Self {
            if_match: joined(headers, names.if_match.0),
            if_none_match: joined(headers, names.if_none_match.0),
            if_modified_since: date(names.if_modified_since.0),
            if_unmodified_since: date(names.if_unmodified_since.0),
        }
    }

    /// For a read: 412, 304 with what a cache needs to know, or go on.
    pub(crate) fn check_read(&self, info: &ObjectInfo, now: Timestamp) -> Result<(), Error> {
        match self.judge(&info.etag, info.modified, now, &READ) {
            Verdict::Proceed => Ok(()),
            Verdict::Failed(name) => Err(failed(name)),
            Verdict::NotModified(_) => Err(Error::new(Code::NotModified)
                .header("etag", format!("\"{}\"", info.etag))
                .header("last-modified", http_date(info.modified))),
        }
    }

    /// For the source of a copy, where a copy that is not needed is 412 too.
    pub(crate) fn check_source(&self, info: &ObjectInfo, now: Timestamp) -> Result<(), Error> {
        match self.judge(&info.etag, info.modified, now, &COPY_SOURCE) {
            Verdict::Proceed => Ok(()),
            Verdict::Failed(name) | Verdict::NotModified(name) => Err(failed(name)),
        }
    }

    /// In HTTP's order: an ETag speaks where there is one, else the date; times count in whole seconds, since
    /// `Last-Modified` has no more.
    fn judge(&self, etag: &str, modified: Timestamp, now: Timestamp, names: &Names) -> Verdict {
        if let Some(list) = &self.if_match {
            if !names_etag(list, etag) {
                return Verdict::Failed(names.if_match.1);
            }
        } else if let Some(date) = self.if_unmodified_since
            && modified.seconds() > date.seconds()
        {
            return Verdict::Failed(names.if_unmodified_since.1);
        }
        if let Some(list) = &self.if_none_match {
            if names_etag(list, etag) {
                return Verdict::NotModified(names.if_none_match.1);
            }
        } else if let Some(date) = self.if_modified_since
            // A date yet to come says nothing of what the client has.
            && date.seconds() <= now.seconds()
            && modified.seconds() <= date.seconds()
        {
            return Verdict::NotModified(names.if_modified_since.1);
        }
        Verdict::Proceed
    }
}

/// `If-Range` (RFC 9110, section 13.1.5): whether the client's part is of the object as it is now, so that a range goes
/// with it. Otherwise the whole is answered.
pub(crate) fn range_applies(if_range: Option<&str>, etag: &str, modified: Timestamp) -> bool {
    match if_range {
        None => true,
        Some(validator) => match parse_http_date(validator) {
            Some(date) => date.seconds() == modified.seconds(),
            None => unquoted(validator) == etag,
        },
    }
}

/// Conditions of PutObject, CopyObject and CompleteMultipartUpload: `If-Match: etag` or `If-None-Match: *`; all else
/// that HTTP knows is `NotImplemented`, as AWS answers it.
pub(crate) fn write_condition(headers: &HeaderMap) -> Result<WriteCondition, Error> {
    for (name, sent) in [("If-Modified-Since", "if-modified-since"), ("If-Unmodified-Since", "if-unmodified-since")] {
        if headers.contains_key(sent) {
            return Err(Error::header_not_implemented(name));
        }
    }
    match (single(headers, "if-match")?, single(headers, "if-none-match")?) {
        (None, None) => Ok(WriteCondition::default()),
        (Some(_), Some(_)) => Err(Error::header_not_implemented("If-Match,If-None-Match")
            .and("additionalMessage", "Multiple conditional request headers present in the request")),
        (None, Some("*")) => Ok(WriteCondition { if_absent: true, ..WriteCondition::default() }),
        (None, Some(_)) => Err(value_not_accepted("If-None-Match")),
        (Some("*"), None) => Err(value_not_accepted("If-Match")),
        (Some(etag), None) => {
            Ok(WriteCondition { if_match: Some(unquoted(etag).to_owned()), ..WriteCondition::default() })
        }
    }
}

/// An ETag without its quotes: clients send both forms.
pub(crate) fn unquoted(etag: &str) -> &str {
    let etag = etag.trim();
    etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(etag)
}

fn names_etag(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || unquoted(one.strip_prefix("W/").unwrap_or(one)) == etag)
}

fn failed(condition: &'static str) -> Error {
    Error::new(Code::PreconditionFailed).and("Condition", condition)
}

fn value_not_accepted(header: &'static str) -> Error {
    let message = format!("We don't accept the provided value of {header} header for this API");
    Error::header_not_implemented(header).and("additionalMessage", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;

    const ETAG: &str = "0123456789abcdef0123456789abcdef";
    /// Wed, 25 Nov 2026 12:00:00.500 GMT
    const MODIFIED: Timestamp = Timestamp(1_795_608_000_500);
    const NOW: Timestamp = Timestamp(1_795_608_000_500 + 86_400_000);

    const BEFORE: &str = "Wed, 25 Nov 2026 11:59:59 GMT";
    const SAME: &str = "Wed, 25 Nov 2026 12:00:00 GMT";
    const AFTER: &str = "Wed, 25 Nov 2026 12:00:01 GMT";
    const FUTURE: &str = "Wed, 25 Nov 2037 12:00:01 GMT";

    fn verdict(headers: &[(&str, &str)]) -> Verdict {
        ReadConditions::parse(&sample(headers), &READ).judge(ETAG, MODIFIED, NOW, &READ)
    }

    #[test]
    fn reads_follow_the_precedence_of_http() {
        use Verdict::{Failed, NotModified, Proceed};
        let quoted = &format!("\"{ETAG}\"");
        let weak = &format!("W/\"{ETAG}\"");
        let list = &format!("\"x\", \"{ETAG}\"");
        let cases: &[(&[(&str, &str)], Verdict)] = &[
            (&[], Proceed),
            (&[("if-match", quoted)], Proceed),
            (&[("if-match", ETAG)], Proceed),
            (&[("if-match", "*")], Proceed),
            (&[("if-match", list)], Proceed),
            (&[("if-match", "\"x\"")], Failed("If-Match")),
            (&[("if-match", "")], Failed("If-Match")),
            (&[("if-none-match", quoted)], NotModified("If-None-Match")),
            (&[("if-none-match", weak)], NotModified("If-None-Match")),
            (&[("if-none-match", "*")], NotModified("If-None-Match")),
            (&[("if-none-match", "\"x\"")], Proceed),
            (&[("if-modified-since", BEFORE)], Proceed),
            (&[("if-modified-since", SAME)], NotModified("If-Modified-Since")),
            (&[("if-modified-since", AFTER)], NotModified("If-Modified-Since")),
            (&[("if-modified-since", FUTURE)], Proceed),
            (&[("if-modified-since", "yesterday")], Proceed),
            (&[("if-unmodified-since", BEFORE)], Failed("If-Unmodified-Since")),
            (&[("if-unmodified-since", SAME)], Proceed),
            (&[("if-unmodified-since", FUTURE)], Proceed),
            (&[("if-match", quoted), ("if-unmodified-since", BEFORE)], Proceed),
            (&[("if-none-match", quoted), ("if-modified-since", BEFORE)], NotModified("If-None-Match")),
            (&[("if-none-match", "\"x\""), ("if-modified-since", AFTER)], Proceed),
            (&[("if-match", "\"x\""), ("if-none-match", quoted)], Failed("If-Match")),
        ];
        for (headers, expected) in cases {
            assert_eq!(verdict(headers), *expected, "{headers:?}");
        }
    }

    #[test]
    fn a_range_goes_with_the_object_it_was_made_for() {
        let quoted = format!("\"{ETAG}\"");
        for same in [None, Some(quoted.as_str()), Some(ETAG), Some(SAME)] {
            assert!(range_applies(same, ETAG, MODIFIED), "{same:?}");
        }
        for other in ["\"x\"", "W/\"0123456789abcdef0123456789abcdef\"", BEFORE, AFTER, "*"] {
            assert!(!range_applies(Some(other), ETAG, MODIFIED), "{other}");
        }
    }

    #[test]
    fn writes_take_two_conditions_only() {
        let write = |headers: &[(&str, &str)]| write_condition(&sample(headers));
        assert_eq!(write(&[]).unwrap(), WriteCondition::default());
        assert_eq!(
            write(&[("if-none-match", "*")]).unwrap(),
            WriteCondition { if_absent: true, ..WriteCondition::default() }
        );
        let matching = WriteCondition { if_match: Some("ab".to_owned()), ..WriteCondition::default() };
        assert_eq!(write(&[("if-match", "\"ab\"")]).unwrap(), matching);
        assert_eq!(write(&[("if-match", "ab")]).unwrap(), matching);
        let refused: &[&[(&str, &str)]] = &[
            &[("if-none-match", "\"ab\"")],
            &[("if-match", "*")],
            &[("if-match", "ab"), ("if-none-match", "*")],
            &[("if-modified-since", SAME)],
            &[("if-unmodified-since", SAME)],
        ];
        for headers in refused {
            assert_eq!(write(headers).unwrap_err().code(), Code::NotImplemented, "{headers:?}");
        }
    }

    #[test]
    fn an_etag_keeps_what_is_not_a_pair_of_quotes() {
        for (sent, etag) in [("\"a\"", "a"), ("a", "a"), (" \"a-2\" ", "a-2"), ("\"a", "\"a"), ("\"", "\"")] {
            assert_eq!(unquoted(sent), etag);
        }
    }
}
