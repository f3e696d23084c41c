//! Requester pays: where a bucket has it on, callers of other accounts have to say that they know. Pure.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::code::Code;
use super::error::Error;
use super::table::Row;
use crate::auth::Access;
use crate::objects::Bucket;
use crate::wire::Response;

/// Says that the requester pays, in the request and in the answer.
pub(crate) const REQUESTER: &str = "requester";
const PAYER: &str = "x-amz-request-payer";
pub(crate) const CHARGED: &str = "x-amz-request-charged";

/// Operations that cost: those on data, which are the ones that the model has the header for. HeadBucket has it not.
pub(crate) fn is_charged(row: &Row) -> bool {
    !row.is_management() && row.name != "HeadBucket"
}

/// The caller pays for its requests to the bucket.
pub(crate) fn is_requester(bucket: &Bucket, access: &Access) -> bool {
    bucket.requester_pays && access.caller().account() != Some(&bucket.owner)
}

/// Refuses who would have to pay and does not say so, and who cannot (S3 user guide, "Using Requester Pays buckets":
/// 403, of unsigned requests always).
pub(crate) fn check(bucket: &Bucket, access: &Access, headers: &HeaderMap) -> Result<(), Error> {
    if !is_requester(bucket, access) || (access.caller().account().is_some() && says_so(headers)) {
        return Ok(());
    }
    Err(Error::new(Code::AccessDenied))
}

fn says_so(headers: &HeaderMap) -> bool {
    headers.get(PAYER).is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(REQUESTER.as_bytes()))
}

/// Says in the answer who was charged.
pub(crate) fn tell(charged: bool, mut answer: Response) -> Response {
    if charged {
        answer.headers_mut().insert(HeaderName::from_static(CHARGED), HeaderValue::from_static(REQUESTER));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;
    use crate::s3::table::TABLE;

    #[test]
    fn who_says_so() {
        for (value, said) in [("requester", true), (" Requester ", true), ("owner", false), ("", false)] {
            assert_eq!(says_so(&sample(&[(PAYER, value)])), said, "{value}");
        }
        assert!(!says_so(&sample(&[])));
    }

    #[test]
    fn data_costs_and_configuration_does_not() {
        let charged = |name| is_charged(TABLE.iter().find(|row| row.name == name).unwrap());
        for name in
            ["GetObject", "HeadObject", "PutObject", "ListObjectsV2", "DeleteObjects", "UploadPart", "GetObjectAcl"]
        {
            assert!(charged(name), "{name}");
        }
        for name in ["HeadBucket", "GetBucketRequestPayment", "PutBucketPolicy", "ListBuckets", "DeleteBucket"] {
            assert!(!charged(name), "{name}");
        }
    }
}
