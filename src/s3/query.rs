//! The query string, decoded once.

use super::code::Code;
use super::error::Error;
use crate::wire::decode_query;

/// Names and values in the order sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a raw query string. What is not UTF-8 is `InvalidURI`.
    pub(crate) fn parse(raw: &str) -> Result<Self, Error> {
        let decode = |text: &str| decode_query(text).ok_or_else(|| Error::new(Code::InvalidURI));
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        Ok(Self(pairs.collect::<Result<_, Error>>()?))
    }

    /// The first value of a name; `Some("")` where it stands without one.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether a name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A number from 0 to 2^31 - 1; AWS's texts for what is none.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u32>, Error> {
        let Some(text) = self.value(name).filter(|v| !v.is_empty()) else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(n) if (0..=i64::from(i32::MAX)).contains(&n) => Ok(u32::try_from(n).ok()),
            Ok(_) => Err(Error::invalid_argument(
                format!("Argument {name} must be an integer between 0 and 2147483647"),
                name,
                text,
            )),
            Err(_) => Err(Error::invalid_argument(
                format!("Provided {name} not an integer or within integer range"),
                name,
                text,
            )),
        }
    }
}
