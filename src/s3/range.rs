//! Byte ranges: `Range` of a read (RFC 9110, section 14) and `x-amz-copy-source-range` of UploadPartCopy. Pure.

use super::code::Code;
use super::error::Error;
use crate::crypto::PlainRange;

/// One range as asked for, before the object's size is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// `first-last`, both inclusive.
    FromTo(u64, u64),
    /// `first-`
    From(u64),
    /// `-n`: the last n bytes.
    Suffix(u64),
}

/// Reads `Range`. `None` where S3 answers the whole object: several ranges, another unit, what is malformed.
pub(crate) fn parse(header: &str) -> Option<ByteRange> {
    let (unit, spec) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || spec.contains(',') {
        return None;
    }
    let (first, last) = spec.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", "") => None,
        ("", suffix) => position(suffix).map(ByteRange::Suffix),
        (first, "") => position(first).map(ByteRange::From),
        (first, last) => {
            let (first, last) = (position(first)?, position(last)?);
            (first <= last).then_some(ByteRange::FromTo(first, last))
        }
    }
}

impl ByteRange {
    /// The bytes of an object of `plain_len` bytes that this names, clipped at its end; `None` if there are none.
    pub(crate) fn resolve(self, plain_len: u64) -> Option<PlainRange> {
        let (start, end) = match self {
            Self::FromTo(first, last) => (first, last.saturating_add(1).min(plain_len)),
            Self::From(first) => (first, plain_len),
            Self::Suffix(suffix) => (plain_len.saturating_sub(suffix), plain_len),
        };
        (start < end).then_some(PlainRange { start, end })
    }
}

/// `InvalidRange`, with what AWS says of the object.
pub(crate) fn not_satisfiable(header: &str, plain_len: u64) -> Error {
    Error::new(Code::InvalidRange).and("RangeRequested", header).and("ActualObjectSize", plain_len.to_string())
}

/// `bytes first-last/size`
pub(crate) fn content_range(range: PlainRange, plain_len: u64) -> String {
    format!("bytes {}-{}/{plain_len}", range.start, range.end - 1)
}

const COPY_RANGE: &str = "x-amz-copy-source-range";

/// Reads `x-amz-copy-source-range`, which must be `bytes=first-last` and lie within a source of `plain_len` bytes:
/// other than of a read's range, nothing is clipped or ignored.
pub(crate) fn copy_source_range(header: &str, plain_len: u64) -> Result<PlainRange, Error> {
    let form = || {
        Error::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
            COPY_RANGE,
            header,
        )
    };
    let (first, last) = header.strip_prefix("bytes=").and_then(|spec| spec.split_once('-')).ok_or_else(form)?;
    let (Some(first), Some(last)) = (position(first), position(last)) else { return Err(form()) };
    if first > last {
        return Err(form());
    }
    if first >= plain_len {
        return Err(Error::invalid_request("The specified copy range is invalid for the source object size"));
    }
    if last >= plain_len {
        let message = format!("Range specified is not valid for source object of size: {plain_len}");
        return Err(Error::invalid_argument(message, COPY_RANGE, header));
    }
    Ok(PlainRange { start: first, end: last + 1 })
}

/// Digits only; more than fits is as far as any object can reach.
fn position(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let cases = [
            ("bytes=0-0", Some((0, 1))),
            ("bytes=0-9", Some((0, 10))),
            ("bytes=3-5", Some((3, 6))),
            ("bytes=9-9", Some((9, 10))),
            ("bytes=5-99999999999999999999999", Some((5, 10))),
            ("bytes=5-", Some((5, 10))),
            ("bytes=0-", Some((0, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-10", Some((0, 10))),
            ("bytes=-11", Some((0, 10))),
            ("bytes=-0", None),
            ("bytes=10-", None),
            ("bytes=10-12", None),
            ("bytes=99999999999999999999999-", None),
            ("Bytes = 3 - 5 ", Some((3, 6))),
        ];
        for (header, expected) in cases {
            let range = parse(header).unwrap_or_else(|| panic!("{header}")).resolve(10);
            assert_eq!(range, expected.map(|(start, end)| PlainRange { start, end }), "{header}");
        }
        for header in ["bytes=0-", "bytes=0-5", "bytes=-5"] {
            assert_eq!(parse(header).unwrap().resolve(0), None, "{header} of an empty object");
        }
    }

    #[test]
    fn what_is_malformed_or_several_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2,4-5",
            "items=0-1",
            "bytes=1",
            "bytes=--1",
            "bytes=1-2-3",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn copy_ranges_are_strict() {
        assert_eq!(copy_source_range("bytes=0-9", 10).unwrap(), PlainRange { start: 0, end: 10 });
        assert_eq!(copy_source_range("bytes=4-4", 10).unwrap(), PlainRange { start: 4, end: 5 });
        let form = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
                    the zero-based offsets of the first and last bytes to copy";
        let cases = [
            ("bytes=0-10", Code::InvalidArgument, "Range specified is not valid for source object of size: 10"),
            ("bytes=10-12", Code::InvalidRequest, "The specified copy range is invalid for the source object size"),
            ("0-1", Code::InvalidArgument, form),
            ("bytes=0-", Code::InvalidArgument, form),
            ("bytes=-1", Code::InvalidArgument, form),
            ("bytes=5-2", Code::InvalidArgument, form),
            ("bytes=1-2,3-4", Code::InvalidArgument, form),
            ("bytes=a-b", Code::InvalidArgument, form),
        ];
        for (header, code, message) in cases {
            let error = copy_source_range(header, 10).unwrap_err();
            assert_eq!((error.code(), error.message()), (code, message), "{header}");
        }
    }
}
