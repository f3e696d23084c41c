//! Successful answers.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::crypto::SecretBytes;
use crate::keyring::Page;
use crate::sources::Timestamp;

/// The output of an operation.
pub(super) struct Reply {
    members: Map<String, Value>,
    /// One member more, of secret bytes.
    secret: Option<(&'static str, SecretBytes)>,
    /// Written as `{}` though it has no member.
    bare: bool,
}

impl Reply {
    /// For operations without output: an empty body, as AWS sends it.
    pub(super) fn empty() -> Self {
        Self { members: Map::new(), secret: None, bare: false }
    }

    /// A JSON object with no properties, where the service model has an output without members.
    pub(super) fn no_properties() -> Self {
        Self { bare: true, ..Self::empty() }
    }

    /// An output of these members; `null` members are left out.
    pub(super) fn of<const N: usize>(members: [(&str, Value); N]) -> Self {
        let present = members.into_iter().filter(|(_, value)| !value.is_null());
        Self { members: present.map(|(name, value)| (name.to_owned(), value)).collect(), secret: None, bare: false }
    }

    /// A page of a listing; its items under the name `list`.
    pub(super) fn page<T>(list: &str, page: Page<T>, show: impl Fn(T) -> Value) -> Self {
        let items: Vec<Value> = page.items.into_iter().map(show).collect();
        Self::of([
            (list, items.into()),
            ("Truncated", page.next_marker.is_some().into()),
            ("NextMarker", page.next_marker.into()),
        ])
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Adds the one member whose bytes are secret.
    pub(super) fn with_secret(mut self, name: &'static str, secret: SecretBytes) -> Self {
        self.secret = Some((name, secret));
        self
    }

    /// The body. What holds a secret is wiped when the answer has been sent.
    pub(super) fn render(self) -> Bytes {
        let Some((name, secret)) = self.secret else {
            return if self.members.is_empty() && !self.bare {
                Bytes::new()
            } else {
                Value::Object(self.members).to_string().into_bytes().into()
            };
        };
        let members = Value::Object(self.members).to_string();
        let encoded_len = secret.expose().len().div_ceil(3) * 4;
        // Room for all of it at once: a buffer that grows leaves copies of the secret behind.
        let mut body = Vec::with_capacity(members.len() + encoded_len + name.len() + 16);
        write!(body, "{{\"{name}\":\"").expect("writing to a Vec does not fail");
        let start = body.len();
        body.resize(start + encoded_len, 0);
        let written = STANDARD.encode_slice(secret.expose(), &mut body[start..]).expect("the room was computed");
        body.truncate(start + written);
        let rest = members.strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        write!(body, "\"{comma}{rest}").expect("writing to a Vec does not fail");
        Bytes::from_owner(Wiped(SecretBytes::new(body)))
    }
}

struct Wiped(SecretBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// A blob as JSON 1.1 has it.
pub(super) fn blob(bytes: &[u8]) -> Value {
    STANDARD.encode(bytes).into()
}

/// A time as JSON 1.1 has it: seconds since the epoch, with a fraction.
pub(super) fn epoch_seconds(at: Timestamp) -> Value {
    // A double holds milliseconds exactly for longer than this format will live.
    Value::from(at.0 as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        assert_eq!(Reply::empty().render(), "");
        assert_eq!(Reply::no_properties().render(), "{}");
        assert_eq!(Reply::of([("A", 1.into()), ("B", Value::Null)]).render(), r#"{"A":1}"#);
        for len in 0..10 {
            let plain = vec![0xa5; len];
            let reply = Reply::of([("KeyId", "k".into())]).with_secret("Plaintext", SecretBytes::new(plain.clone()));
            let body: Value = serde_json::from_slice(&reply.render()).unwrap();
            assert_eq!(body, serde_json::json!({ "Plaintext": blob(&plain), "KeyId": "k" }));
        }
        let alone = Reply::empty().with_secret("SharedSecret", SecretBytes::new(vec![1])).render();
        assert_eq!(alone, r#"{"SharedSecret":"AQ=="}"#);
        assert_eq!(epoch_seconds(Timestamp(1_795_608_000_123)).to_string(), "1795608000.123");
    }
}
