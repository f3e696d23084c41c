//! Successful answers.
//!
//! XML alone: AWS's STS answers JSON to `Accept: application/json`, which no SDK asks for.

use bytes::Bytes;
use serde_json::Value;

use super::shapes::Page;
use super::table::Row;
use crate::crypto::SecretBytes;
use crate::sources::Timestamp;
use crate::wire::{RequestId, encode_uri, iso8601_seconds};

pub(super) use crate::wire::xml::Writer;

/// Room for a result in bytes. Credentials with a session token fit: a buffer that grows leaves copies of them behind.
const RESULT_BYTES: usize = 32 * 1024;

/// What an operation answers.
pub(super) struct Reply {
    /// What stands in `<…Result>`; none: the operation has no output.
    result: Option<SecretBytes>,
    /// `responseElements` of the record.
    pub(super) response: Value,
}

impl Reply {
    /// Of an operation without output in the model.
    pub(super) fn empty() -> Self {
        Self { result: None, response: Value::Null }
    }

    /// Of an operation with output in the model: `write` writes what stands in `<…Result>`.
    pub(super) fn result(write: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer::bare(RESULT_BYTES);
        write(&mut writer);
        Self { result: Some(SecretBytes::new(writer.finish().into_bytes())), response: Value::Null }
    }

    /// What the record shows of the answer, in CloudTrail's lower camel case: `{"user": {"userName": …}}`. Calls that
    /// only tell something show nothing. Never a secret, a password or a token.
    pub(super) fn recording(self, response: Value) -> Self {
        Self { response, ..self }
    }

    /// The body. It is wiped when it has been sent.
    pub(super) fn render(self, row: &Row, id: &RequestId) -> Bytes {
        let (name, namespace) = (row.name, row.service.namespace());
        let (before, after) = match &self.result {
            Some(_) => (format!("<{name}Result>"), format!("</{name}Result>")),
            None => (String::new(), String::new()),
        };
        let head = format!("<{name}Response xmlns=\"{namespace}\">{before}");
        let tail =
            format!("{after}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{name}Response>\n");
        let result = self.result.as_ref().map(SecretBytes::expose).unwrap_or_default();
        let mut body = SecretBytes::with_capacity(head.len() + result.len() + tail.len());
        for part in [head.as_bytes(), result, tail.as_bytes()] {
            body.extend(part);
        }
        Bytes::from_owner(Wiped(body))
    }
}

struct Wiped(SecretBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// `<name><member>…</member>…</name>`, each item by `write`; `<name></name>` of none.
pub(super) fn members<T>(
    w: &mut Writer,
    name: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Writer, T),
) {
    w.node(name, |w| {
        for item in items {
            w.node("member", |w| write(w, item));
        }
    });
}

/// A list of texts.
pub(super) fn text_members<T: AsRef<str>>(w: &mut Writer, name: &str, items: impl IntoIterator<Item = T>) {
    members(w, name, items, |w, item| w.text(item.as_ref()));
}

/// `Tags`: key, value.
pub(super) fn tags<K: AsRef<str>, V: AsRef<str>>(w: &mut Writer, tags: impl IntoIterator<Item = (K, V)>) {
    members(w, "Tags", tags, |w, (key, value)| {
        w.leaf("Key", key.as_ref()).leaf("Value", value.as_ref());
    });
}

/// An element that is left out where there is nothing.
pub(super) fn optional(w: &mut Writer, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        w.leaf(name, text);
    }
}

/// `2026-11-26T01:02:03Z`
pub(super) fn time(w: &mut Writer, name: &str, at: Timestamp) {
    w.leaf(name, &iso8601_seconds(at));
}

/// A policy document as IAM answers it: percent-encoded (RFC 3986), in every operation that tells of one.
pub(super) fn document(w: &mut Writer, name: &str, text: &str) {
    w.leaf(name, &encode_uri(text));
}

/// The items of a page under `name`, then `IsTruncated` and `Marker`.
pub(super) fn page<T>(w: &mut Writer, name: &str, page: Page<T>, write: impl FnMut(&mut Writer, T)) {
    let marker = page.marker;
    members(w, name, page.items, write);
    w.flag("IsTruncated", marker.is_some());
    optional(w, "Marker", marker.as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::table::{Service, find};
    use crate::sources::Sources;

    #[test]
    fn what_aws_answers() {
        let id = RequestId::generate(&Sources::seeded(1, Timestamp(0)));
        let row = find(Service::Iam, "ListUsers").unwrap();
        let body = |reply: Reply| String::from_utf8(reply.render(row, &id).to_vec()).unwrap();
        let begin = "<ListUsersResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">";
        let end = format!("<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></ListUsersResponse>\n");
        assert_eq!(body(Reply::empty()), format!("{begin}{end}"));
        let reply = Reply::result(|w| {
            let users = Page { items: vec!["a&b"], marker: Some("m".to_owned()) };
            page(w, "Users", users, |w, name| {
                w.leaf("UserName", name);
                time(w, "CreateDate", Timestamp(1_795_608_000_123));
                document(w, "Document", "{\"a\": \"*~\"}");
                tags(w, [("k", "v")]);
                optional(w, "Description", None);
            });
            text_members(w, "Names", ["x"]);
            text_members(w, "None", [""; 0]);
        });
        let result = "<ListUsersResult><Users><member><UserName>a&amp;b</UserName>\
            <CreateDate>2026-11-25T12:00:00Z</CreateDate>\
            <Document>%7B%22a%22%3A%20%22%2A~%22%7D</Document>\
            <Tags><member><Key>k</Key><Value>v</Value></member></Tags></member></Users>\
            <IsTruncated>true</IsTruncated><Marker>m</Marker>\
            <Names><member>x</member></Names><None></None></ListUsersResult>";
        assert_eq!(body(reply), format!("{begin}{result}{end}"));
        assert!(body(Reply::result(|_| ())).contains("<ListUsersResult></ListUsersResult>"));
    }
}
