//! What an S3 request tells policies of itself: condition keys that are headers and parameters.

use http::HeaderMap;

use super::object_tags::parse_header;
use super::query::Query;
use super::tags::Tags;
use crate::policy::{Context, Key, Value};

/// The condition keys of one request. What stands in its body (`s3:LocationConstraint`) or on stored objects
/// (`s3:ExistingObjectTag/…`) is not known when leave is asked for and has no value.
pub(crate) struct RequestKeys<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a Query,
}

impl RequestKeys<'_> {
    fn header(&self, name: &str, each: &mut dyn FnMut(Value<'_>)) {
        let values = self.headers.get_all(name).iter();
        values.for_each(|value| each(Value::Text(&String::from_utf8_lossy(value.as_bytes()))));
    }

    fn parameter(&self, name: &str, each: &mut dyn FnMut(Value<'_>)) {
        self.query.value(name).into_iter().for_each(|value| each(Value::Text(value)));
    }

    /// Tags of `x-amz-tagging`. A header that is malformed is refused by the operation.
    fn tags(&self) -> Tags {
        let header = self.headers.get("x-amz-tagging").and_then(|value| value.to_str().ok());
        header.and_then(|header| parse_header(header).ok()).unwrap_or_default()
    }
}

impl Context for RequestKeys<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        match key {
            Key::S3Prefix => self.parameter("prefix", each),
            Key::S3Delimiter => self.parameter("delimiter", each),
            Key::S3MaxKeys => self.parameter("max-keys", each),
            Key::S3VersionId => self.parameter("versionId", each),
            Key::S3IfMatch => self.header("if-match", each),
            Key::S3IfNoneMatch => self.header("if-none-match", each),
            Key::S3ObjectLockLegalHold => self.header("x-amz-object-lock-legal-hold", each),
            Key::S3ObjectLockMode => self.header("x-amz-object-lock-mode", each),
            Key::S3ObjectLockRetainUntilDate => self.header("x-amz-object-lock-retain-until-date", each),
            Key::S3RequestObjectTag => {
                let tags = self.tags();
                let named = tags.iter().filter(|(name, _)| name.eq_ignore_ascii_case(parameter));
                named.for_each(|(_, value)| each(Value::Text(value)));
            }
            Key::S3RequestObjectTagKeys => self.tags().iter().for_each(|(name, _)| each(Value::Text(name))),
            // The others of S3 that a request can have are called as the header that they are.
            key => {
                if let Some(header) = key.name().strip_prefix("s3:").filter(|name| name.starts_with("x-amz-")) {
                    self.header(header, each);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_parameters_are_keys() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-copy-source", "/b/k"),
            ("x-amz-tagging", "Team=a%20b&cost=1"),
            ("if-none-match", "*"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let query = Query::parse("prefix=home%2Falice&max-keys=10&versionId=null").unwrap();
        let keys = RequestKeys { headers: &headers, query: &query };
        let asked = |key, parameter: &str| {
            let mut found = Vec::new();
            keys.each(key, parameter, &mut |value| match value {
                Value::Text(text) => found.push(text.to_owned()),
                other => found.push(format!("{other:?}")),
            });
            found.join(",")
        };
        assert_eq!(asked(Key::S3XAmzServerSideEncryption, ""), "aws:kms");
        assert_eq!(asked(Key::S3CopySource, ""), "/b/k");
        assert_eq!(asked(Key::S3IfNoneMatch, ""), "*");
        assert_eq!(asked(Key::S3Prefix, ""), "home/alice");
        assert_eq!(asked(Key::S3MaxKeys, ""), "10");
        assert_eq!(asked(Key::S3VersionId, ""), "null");
        assert_eq!(asked(Key::S3RequestObjectTag, "team"), "a b");
        assert_eq!(asked(Key::S3RequestObjectTagKeys, ""), "Team,cost");
        assert_eq!(asked(Key::S3Delimiter, "") + &asked(Key::S3XAmzAcl, "") + &asked(Key::KmsViaService, ""), "");
    }
}
