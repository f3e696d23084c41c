//! The XML of object lock: of buckets, retentions and legal holds. Pure.

use super::document::{malformed, optional_word, read, required, switch, word};
use super::error::Error;
use crate::rules::lock::{
    DefaultRetention, LockConfiguration, Period, RETENTION_MAX_DAYS, RETENTION_MAX_YEARS, Retention, RetentionMode,
};
use crate::sources::Timestamp;
use crate::wire::xml::{Element, Writer};
use crate::wire::{iso8601_ms, parse_iso8601};

/// Reads an `ObjectLockConfiguration`.
pub(crate) fn parse_configuration(body: &[u8]) -> Result<LockConfiguration, Error> {
    let root = read(body, "ObjectLockConfiguration", &["ObjectLockEnabled", "Rule"])?;
    if word(&root, "ObjectLockEnabled")? != "Enabled" {
        return Err(malformed());
    }
    let default = root.at_most_one("Rule")?.map(|rule| {
        rule.expect_only(&["DefaultRetention"])?;
        parse_default(required(rule, "DefaultRetention")?)
    });
    Ok(LockConfiguration { default: default.transpose()? })
}

fn parse_default(element: &Element) -> Result<DefaultRetention, Error> {
    refuse_event_holds(element)?;
    element.expect_only(&["Mode", "Days", "Years"])?;
    let mode = RetentionMode::parse(word(element, "Mode")?).ok_or_else(malformed)?;
    let period = match (optional_word(element, "Days")?, optional_word(element, "Years")?) {
        (Some(days), None) => Period::Days(length(days, RETENTION_MAX_DAYS)?),
        (None, Some(years)) => Period::Years(length(years, RETENTION_MAX_YEARS)?),
        (Some(_), Some(_)) | (None, None) => return Err(malformed()),
    };
    Ok(DefaultRetention { mode, period })
}

/// Both texts are not recorded.
fn length(text: &str, max: u32) -> Result<u32, Error> {
    let number: i64 = text.parse().map_err(|_| malformed())?;
    let refused = |message| Err(Error::invalid_argument(message, "DefaultRetention", text));
    match u32::try_from(number) {
        Err(_) if number > 0 => refused("Default retention period too large"),
        Err(_) | Ok(0) => refused("Default retention period must be a positive integer value"),
        Ok(number) if number > max => refused("Default retention period too large"),
        Ok(number) => Ok(number),
    }
}

/// Holds that wait for an event came to S3 in 2026 and are not had here: none is taken for a lock that it is not.
fn refuse_event_holds(element: &Element) -> Result<(), Error> {
    if element.children.iter().any(|child| child.name.contains("EventHold")) {
        return Err(Error::not_implemented("Event holds of Object Lock are not implemented by this server."));
    }
    Ok(())
}

/// Prints an `ObjectLockConfiguration`.
pub(crate) fn render_configuration(configuration: &LockConfiguration) -> Writer {
    let mut w = Writer::document();
    w.root("ObjectLockConfiguration", |w| {
        w.leaf("ObjectLockEnabled", "Enabled");
        let Some(default) = configuration.default else { return };
        w.node("Rule", |w| {
            w.node("DefaultRetention", |w| {
                w.leaf("Mode", default.mode.name());
                match default.period {
                    Period::Days(days) => w.number("Days", days.into()),
                    Period::Years(years) => w.number("Years", years.into()),
                };
            });
        });
    });
    w
}

/// Reads a `Retention`; an empty one removes what is set. `now`: the wall clock, after which the date has to be.
pub(crate) fn parse_retention(body: &[u8], now: Timestamp) -> Result<Option<(RetentionMode, Timestamp)>, Error> {
    let Some((mode, text)) = retention_words(body)? else { return Ok(None) };
    let mode = RetentionMode::parse(&mode).ok_or_else(malformed)?;
    let until = parse_iso8601(&text).ok_or_else(malformed)?;
    if until <= now {
        return Err(not_in_the_future("RetainUntilDate", &text));
    }
    Ok(Some((mode, until)))
}

/// Mode and date of a `Retention` as they are written.
pub(crate) fn retention_words(body: &[u8]) -> Result<Option<(String, String)>, Error> {
    let root = read(body, "Retention", &["Mode", "RetainUntilDate", "EventHold", "EventHoldDuration"])?;
    refuse_event_holds(&root)?;
    match (optional_word(&root, "Mode")?, optional_word(&root, "RetainUntilDate")?) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => Ok(Some((mode.to_owned(), until.to_owned()))),
        (Some(_), None) | (None, Some(_)) => Err(malformed()),
    }
}

/// AWS shows the date that it was given in Pacific time, which tells nobody anything: here it is as it was sent.
pub(crate) fn not_in_the_future(argument: &'static str, sent: &str) -> Error {
    Error::invalid_argument("The retain until date must be in the future!", argument, sent)
}

/// Prints a `Retention`.
pub(crate) fn render_retention(retention: &Retention) -> Writer {
    let mut w = Writer::document();
    w.root("Retention", |w| {
        w.leaf("Mode", retention.mode.name()).leaf("RetainUntilDate", &iso8601_ms(retention.until()));
    });
    w
}

/// Reads a `LegalHold`.
pub(crate) fn parse_legal_hold(body: &[u8]) -> Result<bool, Error> {
    switch(&read(body, "LegalHold", &["Status"])?, "Status", ["ON", "OFF"])
}

/// `ON` or `OFF`
pub(crate) fn hold_name(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// Prints a `LegalHold`.
pub(crate) fn render_legal_hold(on: bool) -> Writer {
    let mut w = Writer::document();
    w.root("LegalHold", |w| {
        w.leaf("Status", hold_name(on));
    });
    w
}
