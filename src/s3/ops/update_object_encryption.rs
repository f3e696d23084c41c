//! UpdateObjectEncryption: an object's keys are wrapped anew, its data, ETag, time and version stay.

use std::collections::BTreeMap;

use http::StatusCode;

use crate::auth::RequestFacts;
use crate::names::AccountId;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::object_read::absent;
use crate::s3::version_id;
use crate::sse::{Mode, ObjectRef, Requested};
use crate::wire::Response;
use crate::wire::xml::{self, Element};

/// The encryption that is to be: AWS takes SSE-KMS alone here, so there is no way back to SSE-S3 but a copy.
#[derive(Debug, PartialEq, Eq)]
struct Input {
    kms_key_arn: String,
    bucket_key: bool,
}

impl Input {
    /// `<ObjectEncryption><SSE-KMS><KMSKeyArn/><BucketKeyEnabled/></SSE-KMS></ObjectEncryption>`, as the API's model
    /// has it; some of AWS's pages spell the element `SSEKMS`.
    fn parse(body: &[u8]) -> Result<Self, Error> {
        let root = xml::parse_s3(body)?;
        if root.name != "ObjectEncryption" {
            return Err(Error::new(Code::MalformedXML));
        }
        let kms = match root.children.as_slice() {
            [kms] if kms.name == "SSE-KMS" || kms.name == "SSEKMS" => kms,
            [other] if is_unsupported_target(&other.name) => {
                return Err(Error::invalid_request(
                    "The UpdateObjectEncryption operation doesn't support updating the encryption type to DSSE-KMS or \
                     SSE-C. Modify the request to specify SSE-KMS for the updated encryption type, and then try \
                     again.",
                ));
            }
            _ => {
                return Err(Error::invalid_request(
                    "Requests that modify an object encryption configuration require a valid new encryption type. \
                     Valid values are SSEKMS. Modify the request to specify SSE-KMS for the updated encryption type, \
                     and then try again.",
                ));
            }
        };
        kms.expect_only(&["KMSKeyArn", "BucketKeyEnabled"])?;
        Ok(Self { kms_key_arn: kms_key_arn(kms)?, bucket_key: bucket_key(kms)? })
    }
}

fn is_unsupported_target(name: &str) -> bool {
    matches!(name, "DSSE-KMS" | "DSSEKMS" | "SSE-C" | "SSEC")
}

fn kms_key_arn(kms: &Element) -> Result<String, Error> {
    let arn = kms.at_most_one("KMSKeyArn")?.map(Element::leaf).transpose()?.map(str::trim);
    let arn = arn.filter(|arn| !arn.is_empty()).ok_or_else(|| {
        Error::invalid_request(
            "Requests that modify an object's encryption type to SSE-KMS require an AWS KMS key Amazon Resource Name \
             (ARN). Modify the request to specify a KMS key ARN, and then try again.",
        )
    })?;
    if arn_account(arn).is_some() {
        return Ok(arn.to_owned());
    }
    Err(Error::invalid_request(
        "Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key Amazon Resource Name \
         (ARN). Confirm that you have a correctly formatted KMS key ARN in your request, and then try again.",
    ))
}

/// The account in `arn:aws:kms:REGION:ACCOUNT:key/ID`; `None` if it is no ARN of a key (an alias is none).
fn arn_account(arn: &str) -> Option<AccountId> {
    let mut fields = arn.strip_prefix("arn:aws:kms:")?.splitn(3, ':');
    let (region, account, resource) = (fields.next()?, fields.next()?, fields.next()?);
    let id = resource.strip_prefix("key/")?;
    let account = AccountId::parse(account).ok()?;
    (!region.is_empty() && !id.is_empty()).then_some(account)
}

/// Off where it is not named: neither the object's setting nor the bucket's counts.
fn bucket_key(kms: &Element) -> Result<bool, Error> {
    match kms.at_most_one("BucketKeyEnabled")?.map(Element::leaf).transpose()?.map(str::trim) {
        None => Ok(false),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(Error::invalid_request(
            "The BucketKeyEnabled value isn't valid. Valid values are true or false. Modify the request to specify a \
             valid value, and then try again.",
        )),
    }
}

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    check_signature(cx.access.facts())?;
    let Input { kms_key_arn, bucket_key } = Input::parse(cx.whole())?;
    check_owner(&kms_key_arn, &cx.bucket().owner)?;
    let version = version_id::of_query(&cx.query)?;
    let objects = &cx.app.objects;
    let found = objects.head(cx.grant(), cx.bucket(), cx.key(), version).await;
    let info = found.map_err(|error| absent(&cx, error, (cx.bucket(), &cx.before)))?;
    cx.confirm(&info)?;
    check_source(info.envelope.mode)?;
    let context: BTreeMap<String, String> = info.envelope.kms_context.iter().cloned().collect();
    let requested = Requested::Kms { double: false, key: Some(kms_key_arn), context, bucket_key: Some(bucket_key) };
    let (sse, bucket) = (objects.sse(), cx.bucket());
    let plan = sse.plan(&cx.access, (&bucket.name, &info.key), &bucket.owner, &bucket.encryption, requested).await?;
    let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
    sse.authorize_update(&cx.access, object, &info.envelope, &plan).await?;
    let keys = sse.open(&cx.access, object, &info.envelope, None).await?;
    objects.update_encryption(cx.grant(), bucket, &info, &plan, &keys).await?;
    Ok(Answer::new().empty(StatusCode::OK))
}

fn check_signature(facts: &RequestFacts) -> Result<(), Error> {
    if facts.signature.is_v4() {
        return Ok(());
    }
    Err(Error::invalid_request(
        "Requests that modify an object encryption configuration require AWS Signature Version 4. Modify the request \
         to use AWS Signature Version 4, and then try again.",
    ))
}

fn check_owner(kms_key_arn: &str, owner: &AccountId) -> Result<(), Error> {
    if arn_account(kms_key_arn).as_ref() == Some(owner) {
        return Ok(());
    }
    Err(Error::with_message(
        Code::AccessDenied,
        "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to \
         specify a KMS key from the same account, and then try again.",
    ))
}

fn check_source(mode: Mode) -> Result<(), Error> {
    match mode {
        Mode::SseS3 | Mode::SseKms => Ok(()),
        Mode::DsseKms | Mode::SseC => Err(Error::invalid_request(
            "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or \
             SSE-C. Only source objects encrypted with SSE-S3 or SSE-KMS are supported.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn parse(inner: &str) -> Result<Input, Error> {
        Input::parse(format!("<ObjectEncryption>{inner}</ObjectEncryption>").as_bytes())
    }

    #[test]
    fn what_the_sdks_send() {
        let plain = parse(&format!("<SSE-KMS><KMSKeyArn>{ARN}</KMSKeyArn></SSE-KMS>")).unwrap();
        assert_eq!(plain, Input { kms_key_arn: ARN.to_owned(), bucket_key: false });
        for (text, value) in [("true", true), ("false", false)] {
            let xml =
                format!("<SSEKMS><BucketKeyEnabled>{text}</BucketKeyEnabled><KMSKeyArn>{ARN}</KMSKeyArn></SSEKMS>");
            assert_eq!(parse(&xml).unwrap().bucket_key, value);
        }
    }

    #[test]
    fn what_is_refused() {
        let key = |arn: &str| format!("<SSE-KMS><KMSKeyArn>{arn}</KMSKeyArn></SSE-KMS>");
        let cases = [
            (String::new(), "Valid values are SSEKMS"),
            ("<SSE-S3/>".to_owned(), "Valid values are SSEKMS"),
            (key(ARN).repeat(2), "Valid values are SSEKMS"),
            ("<SSE-C/>".to_owned(), "doesn't support updating the encryption type"),
            ("<SSE-KMS/>".to_owned(), "require an AWS KMS key"),
            (key("1234abcd-12ab-34cd-56ef-1234567890ab"), "require a valid AWS KMS key"),
            (key("arn:aws:kms:us-east-1:111122223333:alias/x"), "require a valid AWS KMS key"),
            (key("arn:aws:kms:us-east-1:1:key/x"), "require a valid AWS KMS key"),
            (key("arn:aws:kms::111122223333:key/x"), "require a valid AWS KMS key"),
            (
                format!("<SSE-KMS><KMSKeyArn>{ARN}</KMSKeyArn><BucketKeyEnabled>yes</BucketKeyEnabled></SSE-KMS>"),
                "The BucketKeyEnabled value isn't valid",
            ),
        ];
        for (xml, message) in cases {
            let error = parse(&xml).unwrap_err();
            assert!(error.message().contains(message), "{xml}: {}", error.message());
        }
        for malformed in ["", "<ObjectEncryption>", "<Other/>"] {
            assert_eq!(Input::parse(malformed.as_bytes()).unwrap_err().code(), Code::MalformedXML);
        }
    }

    #[test]
    fn the_key_is_of_the_buckets_account() {
        let account = |id: &str| AccountId::parse(id).unwrap();
        assert!(check_owner(ARN, &account("111122223333")).is_ok());
        assert_eq!(check_owner(ARN, &account("444455556666")).unwrap_err().code(), Code::AccessDenied);
    }

    #[test]
    fn only_two_modes_can_be_left() {
        assert!(check_source(Mode::SseS3).is_ok() && check_source(Mode::SseKms).is_ok());
        assert!(check_source(Mode::SseC).is_err() && check_source(Mode::DsseKms).is_err());
    }
}
