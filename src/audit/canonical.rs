//! JSON in one spelling: keys sorted by their bytes, no blanks, everything but control characters, `"` and `\` as it
//! is. What a record's hash is over.

use serde_json::{Map, Value};

/// Renders `value`.
pub(super) fn render(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

/// Nesting is bounded: values come from this program, or from a parser with a limit on it.
fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => write_object(out, fields),
    }
}

fn write_object(out: &mut String, fields: &Map<String, Value>) {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by_key(|(key, _)| *key);
    out.push('{');
    for (i, (key, value)) in fields.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        write(out, value);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::render;

    #[test]
    fn one_spelling() {
        let value = json!({"b": [1, {"d": null, "c": true}, []], "a\"": "é\n\u{1}/", "B": {}, "": -1.5, "ключ": "𝄞"});
        let expected = r#"{"":-1.5,"B":{},"a\"":"é\n\u0001/","b":[1,{"c":true,"d":null},[]],"ключ":"𝄞"}"#;
        assert_eq!(render(&value), expected);
        assert_eq!(serde_json::from_str::<serde_json::Value>(expected).unwrap(), value);
    }

    #[test]
    fn the_order_of_insertion_does_not_matter() {
        let (a, b) = (r#"{"x":1,"y":{"p":2,"q":3}}"#, r#"{"y":{"q":3,"p":2},"x":1}"#);
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(render(&parse(b)), a);
        assert_eq!(render(&parse(a)), a);
    }
}
