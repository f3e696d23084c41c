//! The four date forms of AWS's protocols.

use std::fmt::Write as _;

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::{datetime, format_description};

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

/// The last moment with a year of four digits, as dates are written.
const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59.999 UTC);

/// `Wed, 25 Nov 2026 12:00:00 GMT` (`Last-Modified`).
pub fn http_date(at: Timestamp) -> String {
    render(at, HTTP)
}

/// `20261125T120000Z` (`x-amz-date`).
pub fn amz_date(at: Timestamp) -> String {
    render(at, AMZ)
}

/// `2026-11-25T12:00:00.123Z` (XML answers). AWS always writes `.000`; the fraction stays here, since `aws s3 sync` takes
/// what was written and stored within one second for changed when the object looks older than the file.
pub fn iso8601_ms(at: Timestamp) -> String {
    render(at, ISO_MS)
}

/// Appends what [`iso8601_ms`] gives: a list page shows 1,000 of them.
pub fn iso8601_ms_into(out: &mut String, at: Timestamp) {
    const DAY_MS: i64 = 86_400_000;
    // A list is mostly years 1970 to 9999; anything else goes the general way.
    if !(0..253_402_300_800_000).contains(&at.0) {
        return out.push_str(&iso8601_ms(at));
    }
    let (days, ms) = (at.0 / DAY_MS, at.0 % DAY_MS);
    let (year, month, day) = civil(days);
    let (h, m, s, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z"); // a String takes all
}

/// Year, month and day of a day count since 1970-01-01, none before it: Gregorian calendar, years starting in March so
/// that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_BEFORE_1970: i64 = 719_468; // since 0000-03-01
    let days = days + DAYS_BEFORE_1970;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// `2026-11-25T12:00:00Z` (CloudTrail).
pub fn iso8601_seconds(at: Timestamp) -> String {
    render(at, ISO_S)
}

/// Reads any of the three forms that RFC 9110 names for `Date` and the conditional headers.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    // RFC 850 years have two digits, which `time` cannot complete; such dates are from before 2000 or a test.
    let parse = |form| time::PrimitiveDateTime::parse(text.trim(), form).ok();
    let at = parse(HTTP).or_else(|| parse(ASCTIME)).or_else(|| parse(RFC850)).map(|at| at.assume_utc());
    // With another zone than GMT, `+0000` for instance: mail's form, which signers of Version 2 send.
    let mail = || OffsetDateTime::parse(text.trim(), &time::format_description::well_known::Rfc2822).ok();
    at.or_else(mail).map(|at| Timestamp(at.unix_timestamp() * 1000))
}

/// Reads ISO 8601 with a zone, e.g. `2026-11-25T12:00:00.000Z` (dates inside XML).
pub fn parse_iso8601(text: &str) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(text.trim(), &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

/// Reads `20261125T120000Z`.
pub fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let at = time::PrimitiveDateTime::parse(text, AMZ).ok()?;
    Some(Timestamp(at.assume_utc().unix_timestamp() * 1000))
}

fn render(at: Timestamp, form: &[FormatItem<'_>]) -> String {
    // What is later than four digits can say is told as the last moment that they can.
    let last = || if at.0 > 0 { LAST } else { OffsetDateTime::UNIX_EPOCH };
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).unwrap_or_else(|_| last());
    at.format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_later_than_all_years_is_no_early_moment() {
        for late in [253_402_300_800_000, i64::MAX] {
            assert_eq!(http_date(Timestamp(late)), "Fri, 31 Dec 9999 23:59:59 GMT");
            assert_eq!(iso8601_seconds(Timestamp(late)), "9999-12-31T23:59:59Z");
        }
    }

    #[test]
    fn forms() {
        let at = Timestamp(1_795_608_000_123);
        assert_eq!(http_date(at), "Wed, 25 Nov 2026 12:00:00 GMT");
        assert_eq!(amz_date(at), "20261125T120000Z");
        assert_eq!(iso8601_ms(at), "2026-11-25T12:00:00.123Z");
        assert_eq!(iso8601_seconds(at), "2026-11-25T12:00:00Z");
        assert_eq!(parse_http_date("Wed, 25 Nov 2026 12:00:00 GMT"), Some(Timestamp(1_795_608_000_000)));
        assert_eq!(parse_http_date("Wed, 25 Nov 2026 12:00:00 +0000"), Some(Timestamp(1_795_608_000_000)));
        assert_eq!(parse_http_date("Wed, 25 Nov 2026 13:00:00 +0100"), Some(Timestamp(1_795_608_000_000)));
        assert_eq!(parse_http_date("Wed Nov 25 12:00:00 2026"), Some(Timestamp(1_795_608_000_000)));
        assert_eq!(parse_amz_date("20261125T120000Z"), Some(Timestamp(1_795_608_000_000)));
        assert_eq!(parse_iso8601("2026-11-25T12:00:00.123Z"), Some(at));
        assert_eq!(parse_iso8601("2026-11-25T13:00:00.123+01:00"), Some(at));
        for bad in ["", "yesterday", "2026-11-25"] {
            assert_eq!(parse_iso8601(bad), None);
            assert_eq!(parse_http_date(bad), None);
            assert_eq!(parse_amz_date(bad), None);
        }
    }

    #[test]
    fn the_two_ways_to_iso8601_agree() {
        let days = (0..3_000_000).step_by(97).map(|day| day * 86_400_000 + 43_261_007);
        for ms in days.chain([-1, 0, 951_782_400_000, 4_107_542_400_000, 253_402_300_799_999, 253_402_300_800_000]) {
            let mut out = String::new();
            iso8601_ms_into(&mut out, Timestamp(ms));
            assert_eq!(out, iso8601_ms(Timestamp(ms)));
        }
    }
}
