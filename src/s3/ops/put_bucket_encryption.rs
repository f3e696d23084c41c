//! PutBucketEncryption.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::sse::{Mode, NewDefault, alias_without_prefix};
use crate::wire::xml::Element;
use crate::wire::{Response, xml};

/// Longest key id, ARN or alias, in bytes (KMS: `KeyIdType`).
const KMS_KEY_MAX_BYTES: usize = 2048;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let new = parse(cx.whole())?;
    let recorded = cx.app.objects.set_encryption(cx.grant(), &cx.bucket().name, &new, &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}

/// Reads the one rule. Without `BlockedEncryptionTypes` what is blocked stays blocked, as with AWS: tools that do not
/// know the element must not open a bucket.
pub(super) fn parse(body: &[u8]) -> Result<NewDefault, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let root = xml::parse_s3(body)?;
    root.expect_only(&["Rule"])?;
    let rule = root.at_most_one("Rule")?.filter(|_| root.name == "ServerSideEncryptionConfiguration");
    let rule = rule.filter(|rule| !rule.children.is_empty()).ok_or_else(malformed)?;
    rule.expect_only(&["ApplyServerSideEncryptionByDefault", "BucketKeyEnabled", "BlockedEncryptionTypes"])?;
    let (mode, kms_key) = match rule.at_most_one("ApplyServerSideEncryptionByDefault")? {
        Some(default) => parse_default(default)?,
        None => (Mode::SseS3, None),
    };
    let bucket_key = match rule.at_most_one("BucketKeyEnabled")?.map(|flag| flag.text.trim()) {
        Some("true") => true,
        None | Some("false") => false,
        Some(_) => return Err(malformed()),
    };
    let blocks_sse_c = rule.at_most_one("BlockedEncryptionTypes")?.map(parse_blocked).transpose()?;
    Ok(NewDefault { mode, kms_key, bucket_key, blocks_sse_c })
}

fn malformed() -> Error {
    Error::new(Code::MalformedXML)
}

fn parse_default(default: &Element) -> Result<(Mode, Option<String>), Error> {
    default.expect_only(&["SSEAlgorithm", "KMSMasterKeyID"])?;
    let mode = match default.at_most_one("SSEAlgorithm")?.map(|algorithm| algorithm.text.trim()) {
        Some("AES256") => Mode::SseS3,
        Some("aws:kms") => Mode::SseKms,
        Some("aws:kms:dsse") => Mode::DsseKms,
        _ => return Err(malformed()),
    };
    let key = default.at_most_one("KMSMasterKeyID")?.map(Element::leaf).transpose()?;
    match key.map(str::trim).filter(|key| !key.is_empty()) {
        None => Ok((mode, None)),
        Some(_) if mode == Mode::SseS3 => Err(Error::with_message(
            Code::InvalidArgument,
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )
        .and("ArgumentName", "ApplyServerSideEncryptionByDefault")),
        Some(key) if key.len() > KMS_KEY_MAX_BYTES => Err(malformed()),
        // Accepted here, every later write would fail.
        Some(key) => match alias_without_prefix(key) {
            Some(message) => Err(Error::with_message(Code::Kms("KMS.NotFoundException"), message)),
            None => Ok((mode, Some(key.to_owned()))),
        },
    }
}

/// Whether SSE-C is blocked. `NONE` stands alone.
fn parse_blocked(types: &Element) -> Result<bool, Error> {
    types.expect_only(&["EncryptionType"])?;
    let types: Vec<&str> = types.children.iter().map(|t| t.text.trim()).collect();
    match types.as_slice() {
        ["SSE-C"] => Ok(true),
        ["NONE"] => Ok(false),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::sse::{Mode, NewDefault};

    fn rules(inner: &str) -> Result<NewDefault, (&'static str, String)> {
        let body = format!("<ServerSideEncryptionConfiguration>{inner}</ServerSideEncryptionConfiguration>");
        parse(body.as_bytes()).map_err(|e| (e.code().name(), e.message().to_owned()))
    }

    fn rule(default: &str, rest: &str) -> Result<NewDefault, (&'static str, String)> {
        rules(&format!(
            "<Rule><ApplyServerSideEncryptionByDefault>{default}</ApplyServerSideEncryptionByDefault>{rest}</Rule>"
        ))
    }

    #[test]
    fn one_rule_of_known_elements() {
        let aes = "<SSEAlgorithm>AES256</SSEAlgorithm>";
        let one =
            format!("<Rule><ApplyServerSideEncryptionByDefault>{aes}</ApplyServerSideEncryptionByDefault></Rule>");
        assert_eq!(rules(&one), Ok(NewDefault::default()));
        let malformed = |got: Result<NewDefault, (&'static str, String)>| got.map_err(|(code, _)| code);
        for bad in ["", "<Rule/>", "<X/>", &format!("{one}{one}"), &format!("{one}<X/>")] {
            assert_eq!(malformed(rules(bad)), Err("MalformedXML"), "{bad}");
        }
        for algorithm in ["", "aes256", "aws:fsx", "aes:kms", "aws:kms:x"] {
            let default = format!("<SSEAlgorithm>{algorithm}</SSEAlgorithm>");
            assert_eq!(malformed(rule(&default, "")), Err("MalformedXML"), "{algorithm}");
        }
        assert_eq!(malformed(rule("", "")), Err("MalformedXML"));
        assert_eq!(malformed(rule(&format!("{aes}{aes}"), "")), Err("MalformedXML"));
        assert_eq!(malformed(rule(aes, "<BucketKeyEnabled>yes</BucketKeyEnabled>")), Err("MalformedXML"));
        assert_eq!(malformed(rule(aes, "<X/>")), Err("MalformedXML"));
        assert_eq!(parse(b"").unwrap_err().code().name(), "MissingRequestBodyError");
    }

    #[test]
    fn keys_go_with_kms_only() {
        let with_key = |algorithm: &str, key: &str| {
            rule(&format!("<SSEAlgorithm>{algorithm}</SSEAlgorithm><KMSMasterKeyID>{key}</KMSMasterKeyID>"), "")
        };
        for (algorithm, mode) in [("aws:kms", Mode::SseKms), ("aws:kms:dsse", Mode::DsseKms)] {
            let expected = NewDefault { mode, kms_key: Some("alias/aws/s3".to_owned()), ..NewDefault::default() };
            assert_eq!(with_key(algorithm, "alias/aws/s3"), Ok(expected));
        }
        let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
        assert_eq!(with_key("AES256", "k"), Err(("InvalidArgument", message.to_owned())));
        let message = "Invalid keyId 'aws/s3'. An alias is named with its prefix: 'alias/aws/s3'";
        assert_eq!(with_key("aws:kms", "aws/s3"), Err(("KMS.NotFoundException", message.to_owned())));
        assert!(with_key("aws:kms", &"k".repeat(2048)).is_ok());
        assert!(with_key("aws:kms", &"k".repeat(2049)).is_err());
    }

    #[test]
    fn what_is_not_said_of_blocking_is_not_changed() {
        let blocks = |inner: &str| {
            rules(&format!("<Rule>{inner}<BucketKeyEnabled>false</BucketKeyEnabled></Rule>"))
                .map(|new| new.blocks_sse_c)
                .map_err(|(code, _)| code)
        };
        let types = |names: &[&str]| {
            let names: String = names.iter().map(|n| format!("<EncryptionType>{n}</EncryptionType>")).collect();
            format!("<BlockedEncryptionTypes>{names}</BlockedEncryptionTypes>")
        };
        assert_eq!(blocks(""), Ok(None));
        assert_eq!(blocks(&types(&["SSE-C"])), Ok(Some(true)));
        assert_eq!(blocks(&types(&["NONE"])), Ok(Some(false)));
        for bad in [&[][..], &["SSE-KMS"], &["SSE-C", "NONE"]] {
            assert_eq!(blocks(&types(bad)), Err("MalformedXML"), "{bad:?}");
        }
    }
}
