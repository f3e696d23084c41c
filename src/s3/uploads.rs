//! What the calls of a multipart upload have in common.

use super::code::Code;
use super::cx::Cx;
use super::error::Error;
use super::owner::Owner;
use super::query::Query;
use crate::crypto::ObjectKeys;
use crate::objects::{ObjectsError, PART_NUMBER_MAX, PUT_MAX_BYTES, Upload, UploadId};
use crate::sse::{CustomerKey, Mode, SseError};
use crate::wire::xml::Writer;

/// Reads a part number: 1 to 10,000.
pub(crate) fn part_number(text: &str) -> Result<u32, Error> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && (1..=PART_NUMBER_MAX).contains(&number) => Ok(number),
        _ => Err(Error::invalid_argument(
            format!("Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive"),
            "partNumber",
            text,
        )),
    }
}

/// `uploadId`. What is no upload id names no upload.
pub(crate) fn id(query: &Query) -> Result<UploadId, Error> {
    query.value("uploadId").and_then(UploadId::parse).ok_or_else(|| Error::new(Code::NoSuchUpload))
}

/// The upload that the request names.
pub(crate) async fn named(cx: &Cx) -> Result<Upload, Error> {
    Ok(cx.app.objects.upload(cx.bucket(), cx.key(), id(&cx.query)?).await?)
}

/// Who is shown with an upload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct People<'a> {
    /// Who began it.
    pub(crate) initiator: Owner<'a>,
    /// Whose the object will be.
    pub(crate) owner: Owner<'a>,
}

impl<'a> People<'a> {
    /// Of an upload to the bucket.
    pub(crate) fn of(cx: &'a Cx, upload: &'a Upload) -> Self {
        let bucket_owner = cx.owner(&cx.bucket().owner);
        let owner = cx.owner_of(upload.attributes.access.as_ref()).unwrap_or(bucket_owner);
        let initiator = upload.initiator.as_deref().map(|arn| Owner::of_principal(&cx.app.directory, arn));
        Self { initiator: initiator.unwrap_or(bucket_owner), owner }
    }

    /// `<Initiator>` and `<Owner>`
    pub(crate) fn write(&self, w: &mut Writer) {
        self.initiator.write(w, "Initiator");
        self.owner.write(w, "Owner");
    }
}

/// The keys for a part. A customer's key comes with each part of an upload that was started with one, and with no
/// other.
pub(crate) async fn part_keys(cx: &Cx, upload: &Upload, customer: Option<&CustomerKey>) -> Result<ObjectKeys, Error> {
    check_part_encryption(upload.envelope.mode, customer.is_some())?;
    cx.app.objects.upload_keys(cx.grant(), upload, customer).await.map_err(|error| match error {
        ObjectsError::Sse(SseError::WrongCustomerKey) => {
            Error::invalid_request("The provided encryption parameters did not match the ones used originally.")
        }
        other => other.into(),
    })
}

fn check_part_encryption(mode: Mode, has_key: bool) -> Result<(), Error> {
    if (mode == Mode::SseC) == has_key {
        return Ok(());
    }
    Err(Error::invalid_request(
        "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate \
         encryption parameters.",
    ))
}

/// The limit of one PUT or part, checked before anything is read.
pub(crate) fn check_body_len(plain_len: u64) -> Result<(), Error> {
    if plain_len <= PUT_MAX_BYTES {
        return Ok(());
    }
    Err(ObjectsError::TooLarge { proposed: plain_len, limit: PUT_MAX_BYTES }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers() {
        assert_eq!(part_number("1").unwrap(), 1);
        assert_eq!(part_number("10000").unwrap(), 10_000);
        for bad in ["", "0", "10001", "-1", "+1", "1.0", "x", "99999999999"] {
            let error = part_number(bad).unwrap_err();
            assert_eq!(error.message(), "Part number must be an integer between 1 and 10000, inclusive", "{bad}");
        }
    }

    #[test]
    fn a_part_needs_a_customers_key_as_its_upload_does() {
        assert!(check_part_encryption(Mode::SseC, true).is_ok());
        assert!(check_part_encryption(Mode::SseC, false).is_err());
        for mode in [Mode::SseS3, Mode::SseKms, Mode::DsseKms] {
            assert!(check_part_encryption(mode, false).is_ok());
            assert!(check_part_encryption(mode, true).is_err());
        }
    }

    #[test]
    fn five_gibibytes_is_the_most() {
        assert!(check_body_len(5 << 30).is_ok());
        assert_eq!(check_body_len((5 << 30) + 1).unwrap_err().code(), Code::EntityTooLarge);
    }
}
