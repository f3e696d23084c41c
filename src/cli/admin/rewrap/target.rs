//! The encryption that is wanted, and that an object has.

use std::fmt;

use clap::ValueEnum;
use http::HeaderMap;
use serde_json::json;

use super::Api;
use crate::cli::Failure;

/// A mode, by the word of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// SSE-S3
    #[value(name = "AES256")]
    S3,
    /// SSE-KMS
    #[value(name = "aws:kms")]
    Kms,
    /// DSSE-KMS
    #[value(name = "aws:kms:dsse")]
    Dsse,
}

/// What objects should be under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) mode: Mode,
    /// ARN of the KMS key; none for SSE-S3.
    pub(super) key_arn: Option<String>,
    pub(super) bucket_key: bool,
}

/// What an object is under, by the headers of HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) mode: Mode,
    key_arn: Option<String>,
    bucket_key: bool,
}

impl Target {
    /// With the key's ARN, which UpdateObjectEncryption wants. The aws/s3 key is made by its first use, and is looked
    /// for by its alias.
    pub(super) async fn find(api: &Api, mode: Mode, key: Option<&str>, bucket_key: bool) -> Result<Self, Failure> {
        if mode == Mode::S3 {
            return match key {
                None => Ok(Self { mode, key_arn: None, bucket_key: false }),
                Some(_) => Err(Failure::Usage("--sse-kms-key-id does not go with --sse AES256".to_owned())),
            };
        }
        let named = key.unwrap_or("alias/aws/s3");
        if named.starts_with("arn:") && named.contains(":key/") {
            return Ok(Self { mode, key_arn: Some(named.to_owned()), bucket_key });
        }
        let told = api.kms("DescribeKey", &json!({ "KeyId": named })).await?;
        let arn = told.pointer("/KeyMetadata/Arn").and_then(serde_json::Value::as_str);
        let arn = arn.ok_or_else(|| Failure::Failed(format!("the answer to DescribeKey of {named} names no ARN")))?;
        Ok(Self { mode, key_arn: Some(arn.to_owned()), bucket_key })
    }

    /// Nothing has to be done. A Bucket Key is no difference where it does not matter (DSSE-KMS has none).
    pub(super) fn is_met_by(&self, found: &Found) -> bool {
        let same_bucket_key = self.mode != Mode::Kms || self.bucket_key == found.bucket_key;
        self.mode == found.mode && self.key_arn == found.key_arn && same_bucket_key
    }

    /// No byte has to move: both are sealed the same way, under other keys, and the API goes there.
    pub(super) fn is_reached_in_place(&self, found: &Found) -> bool {
        self.mode == Mode::Kms && matches!(found.mode, Mode::S3 | Mode::Kms)
    }
}

impl Found {
    /// From the headers of HEAD or GET.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mode = Mode::from_str(text("x-amz-server-side-encryption")?, false).ok()?;
        let key_arn = text("x-amz-server-side-encryption-aws-kms-key-id").map(str::to_owned);
        let bucket_key = text("x-amz-server-side-encryption-bucket-key-enabled") == Some("true");
        Some(Self { mode, key_arn, bucket_key })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 => "AES256",
            Self::Kms => "aws:kms",
            Self::Dsse => "aws:kms:dsse",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mode)?;
        if let Some(arn) = &self.key_arn {
            write!(f, " {arn}")?;
        }
        if self.bucket_key { f.write_str(" with a Bucket Key") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mode: &str, key: Option<&str>, bucket_key: bool) -> Found {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-server-side-encryption", mode.parse().unwrap());
        if let Some(key) = key {
            headers.insert("x-amz-server-side-encryption-aws-kms-key-id", key.parse().unwrap());
        }
        if bucket_key {
            headers.insert("x-amz-server-side-encryption-bucket-key-enabled", "true".parse().unwrap());
        }
        Found::of(&headers).unwrap()
    }

    #[test]
    fn what_is_so_already_and_what_can_be_reached_in_place() {
        let target = |mode, key: Option<&str>, bucket_key| Target { mode, key_arn: key.map(str::to_owned), bucket_key };
        let (kms, s3, dsse) =
            (target(Mode::Kms, Some("k"), true), target(Mode::S3, None, false), target(Mode::Dsse, Some("k"), false));
        for (target, found, met, in_place) in [
            (&kms, found("aws:kms", Some("k"), true), true, true),
            (&kms, found("aws:kms", Some("k"), false), false, true),
            (&kms, found("aws:kms", Some("other"), true), false, true),
            (&kms, found("AES256", None, false), false, true),
            (&kms, found("aws:kms:dsse", Some("k"), false), false, false),
            (&s3, found("AES256", None, false), true, false),
            (&s3, found("aws:kms", Some("k"), true), false, false),
            (&dsse, found("aws:kms:dsse", Some("k"), false), true, false),
            (&dsse, found("aws:kms:dsse", Some("other"), false), false, false),
        ] {
            assert_eq!((target.is_met_by(&found), target.is_reached_in_place(&found)), (met, in_place), "{found:?}");
        }
        assert_eq!(Found::of(&HeaderMap::new()), None);
    }

    #[test]
    fn words() {
        for mode in [Mode::S3, Mode::Kms, Mode::Dsse] {
            assert_eq!(Mode::from_str(&mode.to_string(), false), Ok(mode));
        }
        let target = Target { mode: Mode::Kms, key_arn: Some("arn".to_owned()), bucket_key: true };
        assert_eq!(target.to_string(), "aws:kms arn with a Bucket Key");
    }
}
