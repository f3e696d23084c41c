//! Values of settings that have a form of their own, the same in a flag, a variable and the file.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::TlsFiles;
use crate::crypto::SecretBytes;

/// A length of time with its unit: `500ms`, `30s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span(pub(super) Duration);

/// An address with a prefix length: `10.0.0.0/8`; a bare address stands for itself alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) prefix_bits: u8,
}

/// One option of an upstream store.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct StoreOption {
    pub(super) name: String,
    pub(super) value: String,
}

/// A secret out of a file or variable.
pub(super) struct Secret(pub(super) SecretBytes);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no length of time: use a whole number and a unit, e.g. 500ms, 30s, 5m, 1h");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit_ms = match &text[digits..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let span_ms = number.checked_mul(unit_ms).filter(|ms| *ms <= LONGEST_SPAN_MS);
        let span_ms = span_ms.ok_or_else(|| format!("{text:?} is too long: at most 720h"))?;
        if span_ms == 0 {
            return Err(format!("{text:?}: zero is no time-out; to wait long, give a long one"));
        }
        Ok(Self(Duration::from_millis(span_ms)))
    }
}

/// 30 days: far beyond any use, and small enough that adding it to a clock never overflows.
const LONGEST_SPAN_MS: u64 = 720 * 3_600_000;

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            _ if ms.is_multiple_of(3_600_000) => write!(f, "{}h", ms / 3_600_000),
            _ if ms.is_multiple_of(60_000) => write!(f, "{}m", ms / 60_000),
            _ if ms.is_multiple_of(1000) => write!(f, "{}s", ms / 1000),
            _ => write!(f, "{ms}ms"),
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address or network: use e.g. 10.1.2.3, 10.0.0.0/8 or fd00::/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) => prefix.parse::<u8>().ok().filter(|bits| *bits <= widest).ok_or_else(wrong)?,
            None => widest,
        };
        Ok(Self { address, prefix_bits })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for TlsFiles {
    type Err = String;

    /// `CERT,KEY`, as flag and variable have it.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(',') {
            Some((cert, key)) if !cert.is_empty() && !key.is_empty() => {
                Ok(Self { cert: PathBuf::from(cert), key: PathBuf::from(key) })
            }
            _ => Err("give certificate and key as CERT,KEY; several pairs are parted by a semicolon".to_owned()),
        }
    }
}

impl FromStr for StoreOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The value may be a secret: it is not repeated in the error.
        let (name, value) = text.split_once('=').ok_or("give an option as NAME=VALUE")?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Debug for StoreOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=(hidden)", self.name)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(SecretBytes::new(String::deserialize(deserializer)?.into_bytes())))
    }
}

/// `tls` in the file: one table, or an array of tables.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<TlsFiles>>, D::Error> {
    struct OneOrMany;

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<TlsFiles>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("{ cert = \"FILE\", key = \"FILE\" }, or an array of such tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<TlsFiles>, A::Error> {
            TlsFiles::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<TlsFiles>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }

    deserializer.deserialize_any(OneOrMany).map(Some)
}

/// `[store_options]` in the file: a table of scalars.
pub(super) fn option_table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<StoreOption>>, D::Error> {
    let table = toml::Table::deserialize(deserializer)?;
    let option = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(value) => Ok(StoreOption { name, value }),
        toml::Value::Boolean(value) => Ok(StoreOption { name, value: value.to_string() }),
        toml::Value::Integer(value) => Ok(StoreOption { name, value: value.to_string() }),
        _ => Err(D::Error::custom(format!("store option {name:?}: give a text, a number, true or false"))),
    };
    table.into_iter().map(option).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_name_their_unit() {
        for (text, ms) in
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("720h", LONGEST_SPAN_MS)]
        {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.0, Duration::from_millis(ms), "{text}");
            assert_eq!(span.to_string().parse(), Ok(span), "{text}");
        }
        for bad in ["", "30", "s", "-1s", "1.5s", "1 s", "1d", "0s", "721h", "99999999999999999999h", "30ś"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks() {
        let network = |text: &str| text.parse::<Network>().map(|n| (n.address.to_string(), n.prefix_bits));
        assert_eq!(network("10.0.0.0/8"), Ok(("10.0.0.0".to_owned(), 8)));
        assert_eq!(network("10.1.2.3"), Ok(("10.1.2.3".to_owned(), 32)));
        assert_eq!(network("fd00::/8"), Ok(("fd00::".to_owned(), 8)));
        assert_eq!(network("::ffff:10.1.2.3"), Ok(("10.1.2.3".to_owned(), 32)));
        for bad in ["", "proxy", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pairs() {
        assert_eq!("a.pem,a.key".parse(), Ok(TlsFiles { cert: "a.pem".into(), key: "a.key".into() }));
        for bad in ["", "a.pem", ",a.key", "a.pem,"] {
            assert!(bad.parse::<TlsFiles>().is_err(), "{bad}");
        }
        let secret = "aws_secret_access_key=abc=def".parse::<StoreOption>().expect("an option");
        assert_eq!((secret.name.as_str(), secret.value.as_str()), ("aws_secret_access_key", "abc=def"));
        assert!(!format!("{secret:?}").contains("abc"));
    }
}
