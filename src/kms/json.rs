//! The body of a KMS request: one JSON object, read strictly.

use serde_json::{Map, Value};

use crate::wire::parse_strict_json;

/// Reads a request body. An empty one counts as `{}`: calls without parameters may come without.
pub(super) fn parse_object(body: &[u8]) -> Option<Map<String, Value>> {
    if body.is_empty() {
        return Some(Map::new());
    }
    match parse_strict_json(body) {
        Some(Value::Object(members)) => Some(members),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse_object;

    #[test]
    fn objects_only() {
        for good in ["", "{}", r#"{"a":1,"b":[{"c":null}]}"#] {
            assert!(parse_object(good.as_bytes()).is_some(), "{good}");
        }
        for bad in ["[]", "1", "{", r#"{"a":1,"a":1}"#] {
            assert!(parse_object(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
