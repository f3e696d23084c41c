//! Values of condition keys, and what a policy's operands are parsed to.

use std::net::IpAddr;

use crate::sources::Timestamp;
use crate::wire::iso8601_seconds;

/// One value of a condition key in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text; operators of another type parse it.
    Text(&'a str),
    /// A whole number: days, bytes, seconds since 1970 for `aws:EpochTime`.
    Number(i64),
    /// `true` or `false`.
    Bool(bool),
    /// A point in time. As text it is ISO 8601 with seconds.
    Time(Timestamp),
    /// An address. An IPv4 address in IPv6 form counts as IPv4.
    Ip(IpAddr),
    /// Bytes, for `BinaryEquals`.
    Bytes(&'a [u8]),
}

/// A decimal number, exact, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(i128);

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cidr {
    address: IpAddr,
    prefix_bits: u8,
}

impl Value<'_> {
    /// Calls `f` with the value as text; none for bytes.
    pub(super) fn with_text<R>(self, f: impl FnOnce(&str) -> R) -> Option<R> {
        match self {
            Self::Text(text) => Some(f(text)),
            Self::Number(number) => Some(f(&number.to_string())),
            Self::Bool(true) => Some(f("true")),
            Self::Bool(false) => Some(f("false")),
            Self::Time(at) => Some(f(&iso8601_seconds(at))),
            Self::Ip(address) => Some(f(&address.to_canonical().to_string())),
            Self::Bytes(_) => None,
        }
    }

    pub(super) fn decimal(self) -> Option<Decimal> {
        match self {
            Self::Text(text) => Decimal::parse(text),
            Self::Number(number) => Some(Decimal::whole(number)),
            Self::Time(at) => Some(Decimal::whole(at.seconds())),
            Self::Bool(_) | Self::Ip(_) | Self::Bytes(_) => None,
        }
    }

    pub(super) fn time(self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => parse_date(text),
            Self::Number(seconds) => seconds.checked_mul(1000).map(Timestamp),
            Self::Time(at) => Some(at),
            Self::Bool(_) | Self::Ip(_) | Self::Bytes(_) => None,
        }
    }

    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.to_canonical()),
            Self::Text(text) => text.parse::<IpAddr>().ok().map(|address| address.to_canonical()),
            Self::Number(_) | Self::Bool(_) | Self::Time(_) | Self::Bytes(_) => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Text(text) => Some(text.as_bytes()),
            Self::Number(_) | Self::Bool(_) | Self::Time(_) | Self::Ip(_) => None,
        }
    }
}

impl Decimal {
    const FRACTION_DIGITS: usize = 9;
    const ONE: i128 = 1_000_000_000;

    fn whole(number: i64) -> Self {
        Self(i128::from(number) * Self::ONE)
    }

    /// Digits with an optional sign and fraction: up to 19 before the point and 9 after it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |digits: &str, limit| {
            !digits.is_empty() && digits.len() <= limit && digits.bytes().all(|b| b.is_ascii_digit())
        };
        if !plain(whole, 19) || !plain(fraction, Self::FRACTION_DIGITS) {
            return None;
        }
        let scale = 10_i128.pow(u32::try_from(Self::FRACTION_DIGITS - fraction.len()).ok()?);
        let magnitude = whole.parse::<i128>().ok()? * Self::ONE + fraction.parse::<i128>().ok()? * scale;
        Some(Self(if negative { -magnitude } else { magnitude }))
    }
}

/// Reads a date as AWS takes it in policies: a W3C profile of ISO 8601 (`2026`, `2026-11`, `2026-11-25`,
/// `2026-11-25T12:00Z`, seconds and a fraction, `Z` or an offset; no zone means UTC), or seconds since 1970.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    if text.len() > 4 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<i64>().ok()?.checked_mul(1000).map(Timestamp);
    }
    let (date, clock) = match text.split_once(['T', 't']) {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut fields = date.split('-');
    let year = fixed_digits(fields.next()?, 4)?;
    let month = fields.next().map_or(Some(1), |month| fixed_digits(month, 2))?;
    let day = fields.next().map_or(Some(1), |day| fixed_digits(day, 2))?;
    if fields.next().is_some() {
        return None;
    }
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let midnight_ms = date.midnight().assume_utc().unix_timestamp() * 1000;
    Some(Timestamp(midnight_ms + clock.map_or(Some(0), parse_clock)?))
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`, and a zone: milliseconds after the midnight of UTC.
fn parse_clock(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let offset_minutes = match zone.as_bytes().first() {
        None => 0,
        Some(b'Z' | b'z') if zone.len() == 1 => 0,
        Some(sign @ (b'+' | b'-')) => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let minutes = below(fixed_digits(hours, 2)?, 24)? * 60 + below(fixed_digits(minutes, 2)?, 60)?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        Some(_) => return None,
    };
    let mut fields = clock.splitn(3, ':');
    let hours = below(fixed_digits(fields.next()?, 2)?, 24)?;
    let minutes = below(fixed_digits(fields.next()?, 2)?, 60)?;
    let seconds_ms = fields.next().map_or(Some(0), |seconds| {
        let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let known = fraction.bytes().all(|b| b.is_ascii_digit()) && (1..=9).contains(&fraction.len());
        let ms = known.then(|| format!("{fraction:0<3}")[..3].parse::<i64>().ok())??;
        Some(below(fixed_digits(seconds, 2)?, 60)? * 1000 + ms)
    })?;
    Some((hours * 60 + minutes - offset_minutes) * 60_000 + seconds_ms)
}

fn fixed_digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn below(number: i64, limit: i64) -> Option<i64> {
    (number < limit).then_some(number)
}

impl Cidr {
    /// Reads `203.0.113.0/24`, `2001:db8::/32`, or one address. Bits behind the prefix do not count.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => bits,
            Some(text) if (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().ok().filter(|prefix| *prefix <= bits)?
            }
            Some(_) => return None,
        };
        // IPv4 addresses in their IPv6 form are IPv4 addresses: how wide a range of them is, is judged as of any other.
        match address {
            IpAddr::V6(mapped) if prefix_bits >= 96 && mapped.to_ipv4_mapped().is_some() => {
                Some(Self { address: address.to_canonical(), prefix_bits: prefix_bits - 96 })
            }
            _ => Some(Self { address, prefix_bits }),
        }
    }

    /// Whether `address`, in canonical form, lies in the range.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let (range, address, shift) = match (self.address, address) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                (u128::from(range.to_bits()), u128::from(address.to_bits()), 32 - self.prefix_bits)
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => (range.to_bits(), address.to_bits(), 128 - self.prefix_bits),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        shift >= 128 || range >> shift == address >> shift
    }

    /// Whether S3 counts a condition on this range as no restriction: wider than /8, for IPv6 than /32 unless it lies in
    /// the private `fc00::/7` (RFC 4193).
    pub(super) fn is_broad(&self) -> bool {
        match self.address {
            IpAddr::V4(_) => self.prefix_bits < 8,
            IpAddr::V6(address) => {
                let private = self.prefix_bits >= 7 && address.segments()[0] & 0xfe00 == 0xfc00;
                self.prefix_bits < 32 && !private
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let order = ["-9999999999999999999", "-1.5", "-1", "0", "0.000000001", "1", "1.05", "1.5", "9007199254740993"];
        let parsed: Vec<_> = order.iter().map(|text| Decimal::parse(text).expect(text)).collect();
        assert!(parsed.is_sorted_by(|a, b| a < b));
        assert_eq!(Decimal::parse("-0"), Decimal::parse("+0.0"));
        assert_eq!(Decimal::parse("42"), Some(Decimal::whole(42)));
        for bad in ["", "-", "+", ".", "1.", ".5", "1e3", "0x1", " 1", "1 ", "１", "1.0000000001", "--1", "inf"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates() {
        let noon = Some(Timestamp(1_795_608_000_000));
        for same in [
            "1795608000",
            "2026-11-25T12:00Z",
            "2026-11-25T12:00:00Z",
            "2026-11-25t12:00:00.000z",
            "2026-11-25T12:00:00",
            "2026-11-25T13:30:00+01:30",
            "2026-11-25T04:00:00-08:00",
        ] {
            assert_eq!(parse_date(same), noon, "{same}");
        }
        assert_eq!(parse_date("2026"), parse_date("2026-01-01T00:00:00Z"));
        assert_eq!(parse_date("2026-11"), parse_date("2026-11-01"));
        assert_eq!(parse_date("2026-11-25T12:00:00.1239Z"), Some(Timestamp(1_795_608_000_123)));
        assert_eq!(parse_date("2024-02-29"), Some(Timestamp(1_709_164_800_000)));
        for bad in [
            "",
            "26",
            "2026-",
            "2026-13",
            "2026-02-29",
            "2026-1-1",
            "2026-11-25T",
            "2026-11-25T24:00Z",
            "2026-11-25T12Z",
            "2026-11-25T12:00:60Z",
            "2026-11-25T12:00:00.Z",
            "2026-11-25T12:00Zulu",
            "2026-11-25T12:00+1:00",
            "2026-11-25T12:00é",
            "tomorrow",
            "99999999999999999999",
        ] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn ranges() {
        let inside = |range: &str, address: &str| {
            Cidr::parse(range).expect(range).contains(Value::Text(address).address().expect(address))
        };
        for (range, address) in [
            ("203.0.113.0/24", "203.0.113.255"),
            ("203.0.113.77/24", "203.0.113.1"),
            ("0.0.0.0/0", "198.51.100.1"),
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7", "::ffff:203.0.113.7"),
            ("::ffff:203.0.113.0/120", "203.0.113.7"),
            ("2001:db8::/32", "2001:db8:ffff::1"),
            ("::/0", "2001:db8::1"),
            ("2001:db8::1", "2001:DB8:0:0::1"),
        ] {
            assert!(inside(range, address), "{address} in {range}");
        }
        for (range, address) in [
            ("203.0.113.0/24", "203.0.114.0"),
            ("203.0.113.7/32", "203.0.113.6"),
            ("0.0.0.0/0", "2001:db8::1"),
            ("::/0", "203.0.113.7"),
            ("2001:db8::/33", "2001:db8:8000::"),
        ] {
            assert!(!inside(range, address), "{address} in {range}");
        }
        for bad in
            ["", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "::/129", "10.0.0.0/8/8", "010.0.0.1"]
        {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }
}
