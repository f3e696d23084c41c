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

    /// A number from 0 to 2^31 - 1. AWS has two texts for what is none: one for a number below 0, which names the
    /// parameter in camel case (but for `max-uploads`), and one for what is no 32-bit integer at all.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u32>, Error> {
        let Some(text) = self.value(name).filter(|v| !v.is_empty()) else { return Ok(None) };
        // Java's parser, which AWS uses here, takes no `+`.
        match text.parse::<i32>().ok().filter(|_| !text.starts_with('+')) {
            Some(n) => u32::try_from(n).map(Some).map_err(|_| {
                let name = if name == "max-uploads" { name.to_owned() } else { camel_case(name) };
                let message = format!("Argument {name} must be an integer between 0 and 2147483647");
                Error::invalid_argument(message, name, n.to_string())
            }),
            None => {
                let message = format!("Provided {name} not an integer or within integer range");
                Err(Error::invalid_argument(message, name, text))
            }
        }
    }
}

/// `max-keys` becomes `maxKeys`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        out.push_str(&first.to_ascii_uppercase());
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn names_and_values_are_decoded_once() {
        let query = Query::parse("a=1+2&b&c=%2525&&d==&a=3&%65=f").unwrap();
        assert_eq!(query.value("a"), Some("1 2"));
        assert_eq!(query.value("b"), Some(""));
        assert_eq!(query.value("c"), Some("%25"));
        assert_eq!(query.value("d"), Some("="));
        assert_eq!(query.value("e"), Some("f"));
        assert!(!query.has("f"));
        assert!(Query::parse("a=%ff").is_err());
    }

    #[test]
    fn numbers_and_their_two_faults() {
        let number = |raw: &str| Query::parse(raw).unwrap().number("max-keys").map_err(|e| e.message().to_owned());
        assert_eq!(number(""), Ok(None));
        assert_eq!(number("max-keys="), Ok(None));
        assert_eq!(number("max-keys=0"), Ok(Some(0)));
        assert_eq!(number("max-keys=2147483647"), Ok(Some(2_147_483_647)));
        assert_eq!(number("max-keys=-0"), Ok(Some(0)));
        assert_eq!(number("max-keys=000000000000005"), Ok(Some(5)));
        for below in ["-1", "-01", "-2147483648"] {
            let expected = "Argument maxKeys must be an integer between 0 and 2147483647".to_owned();
            assert_eq!(number(&format!("max-keys={below}")), Err(expected));
        }
        for none in ["x", "1.0", "%2B5", "2147483648", "-2147483649", "%200", "9999999999999999999999"] {
            let expected = "Provided max-keys not an integer or within integer range".to_owned();
            assert_eq!(number(&format!("max-keys={none}")), Err(expected));
        }
    }
}
