//! What an S3 request tells policies of itself: condition keys that are headers and parameters.

use http::HeaderMap;

use super::fields::joined;
use super::known::Known;
use super::query::Query;
use super::tags::Tags;
use crate::policy::{Context, Key, Value};

/// The condition keys of one request: its head, and what had to be found out.
///
/// The keys of encryption are the request's headers alone: a bucket's default satisfies no policy that demands one (S3
/// user guide, "Setting default server-side encryption": policies are evaluated before the default is applied). The
/// parts of an upload and its completion, which take no such header, have what the upload was begun with; but of a
/// customer's key only what they themselves send (both seen of AWS).
pub(crate) struct RequestKeys<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a Query,
    pub(crate) known: &'a Known,
}

impl RequestKeys<'_> {
    /// An empty header counts as none: operations take it for none, so that it must not pass for one here.
    fn header(&self, name: &str, each: &mut dyn FnMut(Value<'_>)) {
        // One value, as the operation reads it: on several lines one of them could please a policy.
        let value = joined(self.headers, name).filter(|value| !value.is_empty());
        text(value.as_deref(), each);
    }

    fn parameter(&self, name: &str, each: &mut dyn FnMut(Value<'_>)) {
        text(self.query.value(name), each);
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
            Key::S3ObjectLockLegalHold => text(self.known.lock.hold.as_deref(), each),
            Key::S3ObjectLockMode => text(self.known.lock.mode.as_deref(), each),
            Key::S3ObjectLockRetainUntilDate => text(self.known.lock.until.as_deref(), each),
            Key::S3ObjectLockRemainingRetentionDays => {
                self.known.lock.remaining_days.into_iter().for_each(|days| each(Value::Number(days)));
            }
            Key::S3LocationConstraint => text(self.known.location.as_deref(), each),
            Key::S3CopySource => text(self.known.copy_source.as_deref(), each),
            Key::S3ObjectCreationOperation => self.known.creates.into_iter().for_each(|yes| each(Value::Bool(yes))),
            Key::S3ExistingObjectTag => tag(&self.known.existing_tags, parameter, each),
            Key::S3RequestObjectTag => tag(&self.known.request_tags(self.headers), parameter, each),
            Key::AwsRequestTag => tag(&self.known.bucket_tags, parameter, each),
            Key::AwsTagKeys => self.known.bucket_tags.iter().for_each(|(name, _)| each(Value::Text(name))),
            Key::S3RequestObjectTagKeys => {
                self.known.request_tags(self.headers).iter().for_each(|(name, _)| each(Value::Text(name)));
            }
            Key::S3XAmzServerSideEncryption if self.known.upload.is_some() => {
                text(self.known.upload.as_ref().and_then(|upload| upload.mode.header()), each);
            }
            Key::S3XAmzServerSideEncryptionAwsKmsKeyId if self.known.upload.is_some() => {
                text(self.known.upload.as_ref().and_then(|upload| upload.kms_key_arn.as_deref()), each);
            }
            Key::S3XAmzServerSideEncryptionAwsKmsKeyId if self.known.kms_key_arn.is_some() => {
                text(self.known.kms_key_arn.as_deref(), each);
            }
            // The others of S3 that a request can have are called as the header that they are.
            key => {
                if let Some(header) = key.name().strip_prefix("s3:").filter(|name| name.starts_with("x-amz-")) {
                    self.header(header, each);
                }
            }
        }
    }
}

/// The condition keys of an action on an object that the request's head does not speak of: the source of a copy, an
/// object in the list of DeleteObjects, the object that a condition is about.
#[derive(Debug, Default)]
pub(crate) struct OtherKeys {
    pub(crate) version: Option<String>,
    pub(crate) if_match: Option<String>,
    pub(crate) existing_tags: Tags,
}

impl Context for OtherKeys {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        match key {
            Key::S3VersionId => text(self.version.as_deref(), each),
            Key::S3IfMatch => text(self.if_match.as_deref(), each),
            Key::S3ExistingObjectTag => tag(&self.existing_tags, parameter, each),
            _ => {}
        }
    }
}

fn text(value: Option<&str>, each: &mut dyn FnMut(Value<'_>)) {
    value.into_iter().for_each(|value| each(Value::Text(value)));
}

fn tag(tags: &Tags, named: &str, each: &mut dyn FnMut(Value<'_>)) {
    let found = tags.iter().filter(|(name, _)| name.eq_ignore_ascii_case(named));
    found.for_each(|(_, value)| each(Value::Text(value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;
    use crate::s3::known::RequestTags;
    use crate::sse::{Envelope, Mode};

    fn asked(context: &dyn Context, key: Key, parameter: &str) -> String {
        let mut found = Vec::new();
        context.each(key, parameter, &mut |value| match value {
            Value::Text(text) => found.push(text.to_owned()),
            other => found.push(format!("{other:?}")),
        });
        found.join(",")
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn headers_and_parameters_are_keys() {
        let headers = sample(&[
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-copy-source", "/b/k"),
            ("x-amz-tagging", "Team=a%20b&cost=1"),
            ("if-none-match", "*"),
            ("if-match", ""),
            ("x-amz-storage-class", ""),
        ]);
        let query = Query::parse("prefix=home%2Falice&max-keys=10&versionId=null&delimiter=").unwrap();
        let known =
            Known { copy_source: Some("b/k".to_owned()), request_tags: RequestTags::Header, ..Known::default() };
        let keys = RequestKeys { headers: &headers, query: &query, known: &known };
        for (key, parameter, expected) in [
            (Key::S3XAmzServerSideEncryption, "", "aws:kms"),
            (Key::S3CopySource, "", "b/k"),
            (Key::S3IfNoneMatch, "", "*"),
            (Key::S3IfMatch, "", ""),
            (Key::S3XAmzStorageClass, "", ""),
            (Key::S3Prefix, "", "home/alice"),
            (Key::S3MaxKeys, "", "10"),
            (Key::S3VersionId, "", "null"),
            (Key::S3RequestObjectTag, "team", "a b"),
            (Key::S3RequestObjectTagKeys, "", "Team,cost"),
            (Key::S3XAmzAcl, "", ""),
            (Key::S3ObjectCreationOperation, "", ""),
            (Key::KmsViaService, "", ""),
        ] {
            assert_eq!(asked(&keys, key, parameter), expected, "{}", key.name());
        }
    }

    #[test]
    fn what_was_found_out_is_told() {
        let (headers, query) = (sample(&[]), Query::parse("").unwrap());
        let known = Known {
            existing_tags: tags(&[("Secret", "yes"), ("secret", "no"), ("other", "x")]),
            request_tags: RequestTags::Body(tags(&[("Team", "a")])),
            location: Some("eu-west-1".to_owned()),
            creates: Some(false),
            ..Known::default()
        };
        let keys = RequestKeys { headers: &headers, query: &query, known: &known };
        for (key, parameter, expected) in [
            // Two tags that differ in case are one key of a policy: both values count.
            (Key::S3ExistingObjectTag, "secret", "yes,no"),
            (Key::S3ExistingObjectTag, "absent", ""),
            (Key::S3RequestObjectTag, "team", "a"),
            (Key::S3RequestObjectTagKeys, "", "Team"),
            (Key::S3LocationConstraint, "", "eu-west-1"),
            (Key::S3ObjectCreationOperation, "", "Bool(false)"),
            (Key::S3CopySource, "", ""),
        ] {
            assert_eq!(asked(&keys, key, parameter), expected, "{}", key.name());
        }
        let other = OtherKeys {
            version: Some("null".to_owned()),
            if_match: Some("*".to_owned()),
            existing_tags: tags(&[("a", "1")]),
        };
        assert_eq!(asked(&other, Key::S3VersionId, ""), "null");
        assert_eq!(asked(&other, Key::S3IfMatch, ""), "*");
        assert_eq!(asked(&other, Key::S3ExistingObjectTag, "a"), "1");
        assert_eq!(asked(&other, Key::S3XAmzAcl, ""), "");
    }

    #[test]
    fn parts_have_the_encryption_of_their_upload_but_not_a_customers_key() {
        let headers = sample(&[("x-amz-server-side-encryption-aws-kms-key-id", "alias/x")]);
        let query = Query::parse("").unwrap();
        let told = |known: &Known| {
            let keys = RequestKeys { headers: &headers, query: &query, known };
            [
                Key::S3XAmzServerSideEncryption,
                Key::S3XAmzServerSideEncryptionAwsKmsKeyId,
                Key::S3XAmzServerSideEncryptionCustomerAlgorithm,
            ]
            .map(|key| asked(&keys, key, ""))
        };
        let upload = |mode, arn: Option<&str>| Known {
            upload: Some(Envelope {
                mode,
                wrapped: Vec::new(),
                kms_key_arn: arn.map(str::to_owned),
                kms_ciphertext: Vec::new(),
                kms_context: Vec::new(),
                bucket_key: false,
                customer_check: Vec::new(),
                wrapped_for: None,
            }),
            ..Known::default()
        };
        assert_eq!(told(&Known::default()), ["", "alias/x", ""]);
        let resolved = Known { kms_key_arn: Some("arn:x".to_owned()), ..Known::default() };
        assert_eq!(told(&resolved), ["", "arn:x", ""]);
        assert_eq!(told(&upload(Mode::SseS3, None)), ["AES256", "", ""]);
        assert_eq!(told(&upload(Mode::SseKms, Some("arn:k"))), ["aws:kms", "arn:k", ""]);
        assert_eq!(told(&upload(Mode::DsseKms, Some("arn:k"))), ["aws:kms:dsse", "arn:k", ""]);
        assert_eq!(told(&upload(Mode::SseC, None)), ["", "", ""]);
    }
}
