//! JSON from clients, read strictly: a member that occurs twice is an error, not a choice.
//!
//! Which of two members of one name counts differs from parser to parser; what was authorized by one reading must not
//! be carried out by another.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one JSON value; none if it is not JSON, not UTF-8, nested deeper than 128 levels or has a repeated member.
pub fn parse_strict_json(bytes: &[u8]) -> Option<Value> {
    // serde_json bounds the depth at 128 by itself.
    serde_json::from_slice::<Strict>(bytes).ok().map(|Strict(value)| value)
}

/// A value without repeated members.
struct Strict(Value);

struct StrictVisitor;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StrictVisitor.deserialize(deserializer).map(Self)
    }
}

impl<'de> DeserializeSeed<'de> for StrictVisitor {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Strict(value) = members.next_value()?;
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use super::parse_strict_json;

    #[test]
    fn strict() {
        for good in ["[]", "1", "{}", r#"{"a":1,"b":[{"c":null}]}"#, r#" {"a":"\u00e9"} "#] {
            assert!(parse_strict_json(good.as_bytes()).is_some(), "{good}");
        }
        let deep = format!("{}{}", r#"{"a":"#.repeat(5000), "1");
        let bad = ["", "{", r#"{"a":1,"a":1}"#, r#"{"x":{"a":1,"a":2}}"#, r#"{"a":1}x"#, "{\"a\":\"\\ud800\"}", &deep];
        for bad in bad {
            assert!(parse_strict_json(bad.as_bytes()).is_none(), "{bad:.40}");
        }
        assert!(parse_strict_json(b"{\"a\":\"\xff\"}").is_none());
    }

    /// The double that is nearest, whose shortest digits are printed: what was read in a trail and written again is the same.
    #[test]
    fn numbers_stay_what_they_are() {
        for (text, printed) in [("40e105", "4e+106"), ("1795608000.123", "1795608000.123"), ("5e-324", "5e-324")] {
            assert_eq!(parse_strict_json(text.as_bytes()).unwrap().to_string(), printed);
        }
    }
}
