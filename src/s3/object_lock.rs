//! Object lock in the headers of requests and answers.

use http::HeaderMap;

use super::code::Code;
use super::cx::Cx;
use super::error::Error;
use super::fields::{filled, flag};
use super::lock_xml::{hold_name, not_in_the_future};
use super::object_answer::Answer;
use crate::app::before::View;
use crate::objects::{Bucket, ObjectInfo, Standing};
use crate::rules::lock::{LockConfiguration, ObjectLock, Retention, RetentionMode};
use crate::sources::Timestamp;
use crate::wire::{iso8601_ms, parse_iso8601};

const MODE: &str = "x-amz-object-lock-mode";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";
const HOLD: &str = "x-amz-object-lock-legal-hold";
const BYPASS: &str = "x-amz-bypass-governance-retention";
/// What the names of all headers begin with that ask for a lock.
const PREFIX: &str = "x-amz-object-lock-";

/// The lock that a write's headers ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    retention: Option<(RetentionMode, Timestamp)>,
    hold: Option<bool>,
}

impl Asked {
    /// `now`: the wall clock, after which the date has to be.
    fn parse(headers: &HeaderMap, now: Timestamp) -> Result<Self, Error> {
        let retention = match (filled(headers, MODE)?, filled(headers, UNTIL)?) {
            (None, None) => None,
            (Some(_), None) => return Err(one_is_missing(UNTIL)),
            (None, Some(_)) => return Err(one_is_missing(MODE)),
            (Some(mode), Some(until)) => Some(parse_retention(mode, until, now)?),
        };
        let hold = match filled(headers, HOLD)? {
            None => None,
            Some("ON") => Some(true),
            Some("OFF") => Some(false),
            // Not recorded.
            Some(other) => {
                return Err(Error::invalid_argument("Legal Hold must be either of 'ON' or 'OFF'", HOLD, other));
            }
        };
        Ok(Self { retention, hold })
    }
}

fn parse_retention(mode: &str, until: &str, now: Timestamp) -> Result<(RetentionMode, Timestamp), Error> {
    let unknown = || Error::invalid_argument("Unknown wormMode directive.", MODE, mode);
    let mode = RetentionMode::parse(mode).ok_or_else(unknown)?;
    // Not recorded.
    let no_date = || Error::invalid_argument("The retain until date must be provided in ISO 8601 format", UNTIL, until);
    let date = parse_iso8601(until).ok_or_else(no_date)?;
    if date <= now { Err(not_in_the_future(UNTIL, until)) } else { Ok((mode, date)) }
}

fn one_is_missing(name: &'static str) -> Error {
    let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
    Error::with_message(Code::InvalidArgument, message).and("ArgumentName", name)
}

/// What has no place in a bucket without object lock.
pub(crate) fn not_configured() -> Error {
    Error::invalid_request("Bucket is missing Object Lock Configuration")
}

/// Headers that ask for a kind of lock that is not had here (event holds) must not be passed over.
fn refuse_unknown(headers: &HeaderMap) -> Result<(), Error> {
    let known = [MODE, UNTIL, HOLD];
    let unknown = headers.keys().find(|name| name.as_str().starts_with(PREFIX) && !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(Error::header_not_implemented(name.as_str())))
}

/// The lock that a write asks for; what the bucket's default adds to it is settled when the version is made. Each part
/// of it needs leave of its own.
pub(crate) async fn of_new_object(cx: &Cx) -> Result<Option<ObjectLock>, Error> {
    let headers = &cx.head.headers;
    if !headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        return Ok(None);
    }
    if !cx.bucket().has_object_lock() {
        return Err(not_configured());
    }
    refuse_unknown(headers)?;
    let now = cx.app.objects.lock_time().await?;
    let Asked { retention, hold } = Asked::parse(headers, now.wall)?;
    if retention.is_some() {
        cx.grant_object("s3:PutObjectRetention", cx.bucket(), cx.key())?;
    }
    if hold.is_some() {
        cx.grant_object("s3:PutObjectLegalHold", cx.bucket(), cx.key())?;
    }
    let retention = retention.map(|(mode, until)| Retention::new(mode, until, now));
    Ok(Some(ObjectLock { retention, legal_hold: hold }).filter(|lock| *lock != ObjectLock::default()))
}

/// What is going to be locked has to come with a checksum, since nobody could put it right afterwards. `named`: it
/// does; `what`: `Object` or `Part`.
pub(crate) async fn check_digest(
    cx: &Cx,
    named: bool,
    asked: Option<ObjectLock>,
    what: &'static str,
) -> Result<(), Error> {
    if named || !cx.bucket().has_object_lock() {
        return Ok(());
    }
    let configuration = cx.app.objects.configuration::<LockConfiguration>(cx.bucket()).await?;
    if asked.is_none() && configuration.is_none_or(|configuration| configuration.default.is_none()) {
        return Ok(());
    }
    Err(Error::invalid_request(format!(
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put {what} requests with Object Lock parameters"
    )))
}

/// Whether governance mode is to be bypassed. AWS refuses the header in buckets without object lock, whatever it says.
pub(crate) fn asks_bypass(bucket: &Bucket, headers: &HeaderMap) -> Result<bool, Error> {
    if headers.contains_key(BYPASS) && !bucket.has_object_lock() {
        let message = "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.";
        return Err(Error::with_message(Code::InvalidArgument, message).and("ArgumentName", BYPASS));
    }
    bypass_value(headers)
}

fn bypass_value(headers: &HeaderMap) -> Result<bool, Error> {
    Ok(flag(headers, BYPASS)?.unwrap_or(false))
}

/// Shows a version's lock, each part of it to those who may ask for it.
pub(crate) fn show(cx: &Cx, info: &ObjectInfo, answer: &mut Answer) {
    let Some(lock) = info.lock else { return };
    let standing = Standing::Object(info.access.clone());
    let may = |action| cx.may(action, (&info.key, View::Object(&standing)));
    if let Some(retention) = lock.retention.filter(|_| may("s3:GetObjectRetention")) {
        answer.set(MODE, retention.mode.name());
        answer.set(UNTIL, &iso8601_ms(retention.until()));
    }
    if let Some(on) = lock.legal_hold.filter(|_| may("s3:GetObjectLegalHold")) {
        answer.set(HOLD, hold_name(on));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::{Lines, sample};

    /// Wed, 25 Nov 2026 12:00:00 GMT
    const NOW: Timestamp = Timestamp(1_795_608_000_000);

    #[test]
    fn what_a_write_asks_for() {
        let cases: &[(Lines<'_>, Asked)] = &[
            (&[], Asked::default()),
            (&[(MODE, ""), (UNTIL, ""), (HOLD, "")], Asked::default()),
            (&[(HOLD, "ON")], Asked { hold: Some(true), ..Asked::default() }),
            (&[(HOLD, "OFF")], Asked { hold: Some(false), ..Asked::default() }),
            (
                &[(MODE, "GOVERNANCE"), (UNTIL, "2026-11-25T12:00:00.001Z")],
                Asked { retention: Some((RetentionMode::Governance, Timestamp(NOW.0 + 1))), hold: None },
            ),
            (
                &[(MODE, "COMPLIANCE"), (UNTIL, "2026-11-25T14:00:01+01:00"), (HOLD, "ON")],
                Asked { retention: Some((RetentionMode::Compliance, Timestamp(NOW.0 + 3_601_000))), hold: Some(true) },
            ),
        ];
        for (headers, expected) in cases {
            assert_eq!(Asked::parse(&sample(headers), NOW).unwrap(), *expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_refused_names_the_header() {
        let both = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
        let past = "The retain until date must be in the future!";
        let no_date = "The retain until date must be provided in ISO 8601 format";
        let cases: &[(Lines<'_>, &str, &str)] = &[
            (&[(MODE, "GOVERNANCE")], both, UNTIL),
            (&[(UNTIL, "2030-01-01T00:00:00Z")], both, MODE),
            (&[(MODE, "BAD-VALUE"), (UNTIL, "2030-01-01T00:00:00Z")], "Unknown wormMode directive.", MODE),
            (&[(MODE, "governance"), (UNTIL, "2030-01-01T00:00:00Z")], "Unknown wormMode directive.", MODE),
            (&[(MODE, "GOVERNANCE"), (UNTIL, "2026-11-25T12:00:00Z")], past, UNTIL),
            (&[(MODE, "GOVERNANCE"), (UNTIL, "1970-01-01T00:00:00Z")], past, UNTIL),
            (&[(MODE, "GOVERNANCE"), (UNTIL, "2030-01-01")], no_date, UNTIL),
            (&[(MODE, "GOVERNANCE"), (UNTIL, "Wed, 25 Nov 2030 12:00:00 GMT")], no_date, UNTIL),
            (&[(HOLD, "on")], "Legal Hold must be either of 'ON' or 'OFF'", HOLD),
        ];
        for (headers, message, name) in cases {
            let error = Asked::parse(&sample(headers), NOW).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::InvalidArgument, *message), "{headers:?}");
            assert_eq!(error.elements().next(), Some(("ArgumentName", *name)), "{headers:?}");
        }
    }

    #[test]
    fn locks_of_a_kind_that_is_not_had_are_not_passed_over() {
        assert!(refuse_unknown(&sample(&[(MODE, "x"), (UNTIL, "x"), (HOLD, "x")])).is_ok());
        let error = refuse_unknown(&sample(&[("x-amz-object-lock-event-hold", "ON")])).unwrap_err();
        assert_eq!(error.code(), Code::NotImplemented);
        assert_eq!(error.elements().next(), Some(("Header", "x-amz-object-lock-event-hold")));
    }

    #[test]
    fn bypass_is_said_by_true() {
        for (value, expected) in [("true", Some(true)), ("True", Some(true)), ("false", Some(false)), ("1", None)] {
            assert_eq!(bypass_value(&sample(&[(BYPASS, value)])).ok(), expected, "{value}");
        }
        assert_eq!(bypass_value(&sample(&[])).ok(), Some(false));
    }
}
