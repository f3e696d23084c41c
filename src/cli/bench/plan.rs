//! What to do: the operation mix, sizes and durations, read from the command line. Pure.

use std::time::Duration;

use clap::ValueEnum;

/// S3's limit of parts an upload.
pub(super) const MAX_PARTS: u64 = 10_000;

/// An operation under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Put,
    Get,
    Head,
    Delete,
    List,
    /// GenerateDataKey.
    DataKey,
    /// Decrypt, of a data key.
    Decrypt,
    Encrypt,
}

impl Operation {
    pub(super) const ALL: [Self; 8] =
        [Self::Put, Self::Get, Self::Head, Self::Delete, Self::List, Self::DataKey, Self::Decrypt, Self::Encrypt];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Head => "head",
            Self::Delete => "delete",
            Self::List => "list",
            Self::DataKey => "data-key",
            Self::Decrypt => "decrypt",
            Self::Encrypt => "encrypt",
        }
    }

    /// Works on objects that were written before the load.
    pub(super) fn reads_pool(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Delete | Self::List)
    }

    /// Of the key service; the others are S3's.
    pub(super) fn is_of_keys(self) -> bool {
        matches!(self, Self::DataKey | Self::Decrypt | Self::Encrypt)
    }
}

/// Operations with their weights, none of them 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<(Operation, u32)>);

impl Mix {
    /// Reads `get`, `mixed` or `put=30,get=70`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "mixed" {
            return Ok(Self(vec![
                (Operation::Get, 45),
                (Operation::Head, 30),
                (Operation::Put, 15),
                (Operation::Delete, 10),
            ]));
        }
        let mut mix = Vec::new();
        for item in text.split(',') {
            let (name, weight) = item.split_once('=').unwrap_or((item, "1"));
            let operation = Operation::ALL.into_iter().find(|o| o.name() == name).ok_or_else(|| {
                format!("no operation '{name}': put, get, head, delete, list, mixed, data-key, decrypt or encrypt")
            })?;
            let weight = weight.parse::<u32>().ok().filter(|w| (1..=10_000).contains(w));
            let weight = weight.ok_or_else(|| format!("the weight of {name} is not a number from 1 to 10000"))?;
            if mix.iter().any(|&(o, _)| o == operation) {
                return Err(format!("{name} stands twice"));
            }
            mix.push((operation, weight));
        }
        let first_is_of_keys = mix[0].0.is_of_keys();
        if mix.iter().any(|(operation, _)| operation.is_of_keys() != first_is_of_keys) {
            return Err("data-key, decrypt and encrypt go with one another, not with operations on objects".to_owned());
        }
        Ok(Self(mix))
    }

    /// All of it is the key service's; otherwise all is S3's.
    pub(super) fn is_of_keys(&self) -> bool {
        self.operations().any(Operation::is_of_keys)
    }

    /// The operations in it.
    pub(super) fn operations(&self) -> impl Iterator<Item = Operation> {
        self.0.iter().map(|&(operation, _)| operation)
    }

    /// The mix as it was given.
    pub(super) fn label(&self) -> String {
        match self.0.as_slice() {
            [(only, _)] => only.name().to_owned(),
            many => many.iter().map(|(o, w)| format!("{}={w}", o.name())).collect::<Vec<_>>().join(","),
        }
    }
}

/// Deals the operations of a mix out so that each prefix of the sequence is as near to the weights as can be (smooth
/// weighted round robin): no randomness, so two runs do the same.
#[derive(Debug)]
pub(super) struct Dealer {
    credit: Vec<(Operation, i64, i64)>,
    total: i64,
}

impl Dealer {
    pub(super) fn new(mix: &Mix) -> Self {
        let credit: Vec<_> = mix.0.iter().map(|&(o, weight)| (o, i64::from(weight), 0)).collect();
        let total = credit.iter().map(|&(_, weight, _)| weight).sum();
        Self { credit, total }
    }

    pub(super) fn next(&mut self) -> Operation {
        for (_, weight, credit) in &mut self.credit {
            *credit += *weight;
        }
        let (operation, _, credit) =
            self.credit.iter_mut().max_by_key(|(_, _, credit)| *credit).expect("a mix is never empty");
        *credit -= self.total;
        *operation
    }
}

/// The encryption that requests ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Encryption {
    /// No header: the bucket's default.
    None,
    /// `AES256`.
    SseS3,
    /// `aws:kms`.
    SseKms,
    /// `aws:kms:dsse`.
    DsseKms,
    /// A random customer key a run.
    SseC,
}

/// What `x-amz-content-sha256` says of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Payload {
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// The body's SHA-256, which the server has to check.
    Signed,
}

/// The name that the command line uses.
pub(super) fn value_name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
}

/// Reads `512`, `4KiB`, `1MiB`, `5GiB`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 5] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0)];
    let (digits, shift) =
        UNITS.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift))).unwrap_or((text, 0));
    let size = digits.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
    size.ok_or_else(|| format!("'{text}' is no size: a number, or a number with B, KiB, MiB, GiB or TiB"))
}

/// Reads `500ms`, `10s`, `2m`, `1h`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let millis = UNITS.into_iter().find_map(|(unit, factor)| {
        let count = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
        count.checked_mul(factor)
    });
    let wrong = || format!("'{text}' is no duration: a number with ms, s, m or h");
    millis.filter(|&ms| ms > 0).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [("0", 0), ("512", 512), ("512B", 512), ("4KiB", 4096), ("64 MiB", 64 << 20)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5MiB", "4kb", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, ms) in [("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "s", "0s", "-1s", "1d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mixes() {
        assert_eq!(Mix::parse("get").map(|m| m.label()), Ok("get".to_owned()));
        assert_eq!(Mix::parse("put=30,get=70").map(|m| m.label()), Ok("put=30,get=70".to_owned()));
        assert_eq!(Mix::parse("data-key,decrypt=2").map(|m| m.is_of_keys()), Ok(true));
        assert_eq!(Mix::parse("mixed").map(|m| m.operations().count()), Ok(4));
        for text in ["", "scan", "put=0", "put=x", "put,put", "put,encrypt", "decrypt=1,get=2", "put=30;get=70"] {
            assert!(Mix::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dealer_keeps_to_the_weights_at_every_point() {
        let mix = Mix::parse("put=1,get=3").expect("is a mix");
        let mut dealer = Dealer::new(&mix);
        let mut puts = 0;
        for n in 1..=100 {
            puts += i64::from(dealer.next() == Operation::Put);
            assert!((4 * puts - n).abs() <= 4, "{puts} puts among {n}");
        }
        assert_eq!(puts, 25);
    }
}
