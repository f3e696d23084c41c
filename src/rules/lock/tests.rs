use super::RetentionMode::{Compliance, Governance};
use super::*;

const DAY_MS: i64 = 86_400_000;
const NOW_MS: i64 = 1_795_608_000_000;

/// Days from the start on the wall clock and on the trusted one, which is an hour behind.
fn at(wall: i64, trusted: i64) -> LockTime {
    LockTime { wall: day(wall), trusted: Timestamp(NOW_MS - 3_600_000 + trusted * DAY_MS) }
}

fn day(day: i64) -> Timestamp {
    Timestamp(NOW_MS + day * DAY_MS)
}

fn kept(mode: RetentionMode, days: i64) -> ObjectLock {
    ObjectLock { retention: Some(Retention::new(mode, day(days), at(0, 0))), legal_hold: None }
}

const HELD: ObjectLock = ObjectLock { retention: None, legal_hold: Some(true) };
const LOCKED: Result<(), Locked> = Err(Locked { bypass_helps: false });
const GOVERNED: Result<(), Locked> = Err(Locked { bypass_helps: true });

#[test]
fn what_may_be_deleted() {
    let released = ObjectLock { legal_hold: Some(false), ..ObjectLock::default() };
    let both = ObjectLock { legal_hold: Some(true), ..kept(Governance, 10) };
    let cases = [
        ("nothing set", ObjectLock::default(), at(0, 0), Ok(()), Ok(())),
        ("hold released", released, at(0, 0), Ok(()), Ok(())),
        ("held", HELD, at(0, 0), LOCKED, LOCKED),
        ("held for ever", HELD, at(100_000, 100_000), LOCKED, LOCKED),
        ("governance", kept(Governance, 10), at(9, 9), GOVERNED, Ok(())),
        ("governance to its last moment", kept(Governance, 10), at(10, 10), GOVERNED, Ok(())),
        ("governance over", kept(Governance, 10), at(11, 11), Ok(()), Ok(())),
        ("compliance", kept(Compliance, 10), at(9, 9), LOCKED, LOCKED),
        ("compliance over", kept(Compliance, 10), at(11, 11), Ok(()), Ok(())),
        ("the wall clock jumped ahead", kept(Compliance, 10), at(9_999, 1), LOCKED, LOCKED),
        ("the wall clock fell back", kept(Compliance, 10), at(-9_999, 11), LOCKED, LOCKED),
        ("held and kept", both, at(0, 0), LOCKED, LOCKED),
        ("held, and no longer kept", both, at(11, 11), LOCKED, LOCKED),
    ];
    for (what, lock, now, plainly, by_bypass) in cases {
        assert_eq!((lock.check_delete(now, false), lock.check_delete(now, true)), (plainly, by_bypass), "{what}");
        assert!(!lock.is_empty() || (plainly, by_bypass) == (Ok(()), Ok(())), "{what}");
    }
}

#[test]
fn a_retention_that_holds_is_only_extended_or_made_stricter() {
    let now = at(1, 1);
    let cases = [
        ("none yet", ObjectLock::default(), Some((Compliance, day(5))), Ok(()), Ok(())),
        ("nothing to remove", ObjectLock::default(), None, Ok(()), Ok(())),
        ("extended", kept(Governance, 10), Some((Governance, day(11))), Ok(()), Ok(())),
        ("as it is", kept(Governance, 10), Some((Governance, day(10))), Ok(()), Ok(())),
        ("made stricter", kept(Governance, 10), Some((Compliance, day(10))), Ok(()), Ok(())),
        ("stricter and shorter", kept(Governance, 10), Some((Compliance, day(9))), GOVERNED, Ok(())),
        ("shortened", kept(Governance, 10), Some((Governance, day(9))), GOVERNED, Ok(())),
        ("removed", kept(Governance, 10), None, GOVERNED, Ok(())),
        ("compliance extended", kept(Compliance, 10), Some((Compliance, day(11))), Ok(()), Ok(())),
        ("compliance shortened", kept(Compliance, 10), Some((Compliance, day(9))), LOCKED, LOCKED),
        ("compliance made weaker", kept(Compliance, 10), Some((Governance, day(11))), LOCKED, LOCKED),
        ("compliance removed", kept(Compliance, 10), None, LOCKED, LOCKED),
        ("over, replaced", kept(Compliance, -1), Some((Governance, day(2))), Ok(()), Ok(())),
        ("over, removed", kept(Compliance, -1), None, Ok(()), Ok(())),
    ];
    for (what, lock, new, plainly, by_bypass) in cases {
        // A past retention is one that was set in time.
        let lock = match lock.retention {
            Some(old) if old.until() < day(0) => {
                ObjectLock { retention: Some(Retention::new(old.mode, old.until(), at(-5, -5))), ..lock }
            }
            _ => lock,
        };
        for (bypass, expected) in [(false, plainly), (true, by_bypass)] {
            let changed = lock.with_retention(new, now, bypass);
            assert_eq!(changed.map(|_| ()), expected, "{what}, bypass {bypass}");
            if let Ok(changed) = changed {
                assert_eq!(changed.retention.map(|kept| (kept.mode, kept.until())), new, "{what}");
                assert_eq!(changed.legal_hold, lock.legal_hold, "{what}");
            }
        }
    }
}

/// A wall clock set far ahead lets nobody "extend" a retention into one that is over tomorrow.
#[test]
fn an_extension_never_shortens_on_the_trusted_clock() {
    let lock = kept(Compliance, 180);
    let jumped = LockTime { wall: day(365), ..at(1, 1) };
    let extended = lock.with_retention(Some((Compliance, day(366))), jumped, true).unwrap();
    let a_week_later = LockTime { wall: day(372), ..at(8, 8) };
    assert_eq!(extended.check_delete(a_week_later, true), LOCKED);
    let kept = extended.retention.unwrap();
    assert_eq!(kept.until_trusted_ms, lock.retention.unwrap().until_trusted_ms);
    // Who bypasses governance may shorten it on both.
    let governed = ObjectLock { retention: Some(Retention { mode: Governance, ..kept }), ..lock };
    let shortened = governed.with_retention(Some((Governance, day(3))), at(1, 1), true).unwrap();
    assert_eq!(shortened.check_delete(at(4, 4), false), Ok(()));
}

#[test]
fn periods_end_on_the_same_date() {
    let date = |year, month: u8, day| {
        let month = time::Month::try_from(month).unwrap();
        let date = time::Date::from_calendar_date(year, month, day).unwrap();
        Timestamp(date.midnight().assume_utc().unix_timestamp() * 1_000 + 1_234)
    };
    for (from, period, expected) in [
        (date(2026, 11, 25), Period::Days(1), date(2026, 11, 26)),
        (date(2026, 11, 25), Period::Days(RETENTION_MAX_DAYS), date(2126, 11, 1)),
        (date(2026, 11, 25), Period::Years(1), date(2027, 11, 25)),
        (date(2027, 11, 25), Period::Years(1), date(2028, 11, 25)),
        (date(2028, 2, 29), Period::Years(1), date(2029, 3, 1)),
        (date(2028, 2, 29), Period::Years(4), date(2032, 2, 29)),
        (date(2026, 11, 25), Period::Years(RETENTION_MAX_YEARS), date(2126, 11, 25)),
    ] {
        assert_eq!(period.after(from), expected, "{period:?}");
    }
    // What no calendar knows is kept for longer, not for less long.
    let far = Timestamp(i64::MAX / 2);
    assert_eq!(Period::Years(1).after(far), far.plus(DAY * 366));
}

#[test]
fn new_versions_get_the_default_unless_they_bring_a_retention() {
    let now = at(0, 0);
    let default = DefaultRetention { mode: Governance, period: Period::Days(3) };
    let (plain, with) = (LockConfiguration::default(), LockConfiguration { default: Some(default) });
    let by_default = Some(Retention::new(Governance, day(3), now));
    let own = kept(Compliance, 1);
    for (configuration, asked, expected) in [
        (plain, None, None),
        (plain, Some(HELD), Some(HELD)),
        (plain, Some(own), Some(own)),
        (with, None, Some(ObjectLock { retention: by_default, legal_hold: None })),
        (with, Some(HELD), Some(ObjectLock { retention: by_default, legal_hold: Some(true) })),
        (with, Some(own), Some(own)),
    ] {
        assert_eq!(configuration.lock_of_new(asked, now), expected);
    }
}
