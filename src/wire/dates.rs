//! The four date forms of AWS's protocols.

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::sources::Timestamp;

const HTTP: &[FormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const RFC850: &[FormatItem<'_>] = format_description!(
    "[weekday repr:long], [day]-[month repr:short]-[year repr:last_two] [hour]:[minute]:[second] GMT"
);
const ASCTIME: &[FormatItem<'_>] =
    format_description!("[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]");
const AMZ: &[FormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
const ISO_MS: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const ISO_S: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// `Wed, 25 Nov 2026 12:00:00 GMT` (`Last-Modified`).
pub fn http_date(at: Timestamp) -> String {
    render(at, HTTP)
}

/// `20261125T120000Z` (`x-amz-date`).
pub fn amz_date(at: Timestamp) -> String {
    render(at, AMZ)
}

/// `2026-11-25T12:00:00.000Z` (XML answers).
pub fn iso8601_ms(at: Timestamp) -> String {
    render(at, ISO_MS)
}

/// `2026-11-25T12:00:00Z` (CloudTrail).
pub fn iso8601_seconds(at: Timestamp) -> String {
    render(at, ISO_S)
}

/// Reads any of the three forms that RFC 9110 names for `Date` and the conditional headers.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    // RFC 850 years have two digits, which `time` cannot complete; such dates are from before 2000 or a test.
    let parse = |form| time::PrimitiveDateTime::parse(text.trim(), form).ok();
    let at = parse(HTTP).or_else(|| parse(ASCTIME)).or_else(|| parse(RFC850))?;
    Some(Timestamp(at.assume_utc().unix_timestamp() * 1000))
}

/// Reads `20261125T120000Z`.
pub fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let at = time::PrimitiveDateTime::parse(text, AMZ).ok()?;
    Some(Timestamp(at.assume_utc().unix_timestamp() * 1000))
}

fn render(at: Timestamp, form: &[FormatItem<'_>]) -> String {
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let at = Timestamp(1_795_608_000_123);
        assert_eq!(http_date(at), "Wed, 25 Nov 2026 12:00:00 GMT");
        assert_eq!(amz_date(at), "20261125T120000Z");
        assert_eq!(iso8601_ms(at), "2026-11-25T12:00:00.123Z");
        assert_eq!(iso8601_seconds(at), "2026-11-25T12:00:00Z");
        assert_eq!(parse_http_date("Wed, 25 Nov 2026 12:00:00 GMT"), Some(Timestamp(1_795_608_000_000)));
        assert_eq!(parse_http_date("Wed Nov 25 12:00:00 2026"), Some(Timestamp(1_795_608_000_000)));
        assert_eq!(parse_amz_date("20261125T120000Z"), Some(Timestamp(1_795_608_000_000)));
        for bad in ["", "yesterday", "2026-11-25"] {
            assert_eq!(parse_http_date(bad), None);
            assert_eq!(parse_amz_date(bad), None);
        }
    }
}
