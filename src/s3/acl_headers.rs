//! ACL headers: `x-amz-acl`, `x-amz-grant-…`. Pure.
//!
//! ACLs themselves are not kept. What an ACL would say of a private bucket or object anyway is taken; what it would
//! grant beyond that is refused: as AWS does where the bucket has ACLs off, else as not implemented.

use http::HeaderMap;

use super::code::Code;
use super::error::Error;
use super::fields::filled;
use crate::auth::Access;
use crate::objects::{Bucket, ObjectOwnership};

const CANNED: &str = "x-amz-acl";
const GRANT_PREFIX: &str = "x-amz-grant-";

/// What the headers ask for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// The owner has full control, nobody else anything.
    Private,
    /// The bucket's owner has full control too.
    BucketOwner,
    /// Anything else, in the header of this name.
    More(String),
}

impl Asked {
    fn parse(headers: &HeaderMap) -> Result<Self, Error> {
        let canned = filled(headers, CANNED)?;
        let grant = headers.keys().find(|name| name.as_str().starts_with(GRANT_PREFIX));
        match (canned, grant) {
            (None, None) => Ok(Self::Nothing),
            (Some(_), Some(_)) => {
                Err(Error::invalid_request("Specifying both Canned ACLs and Header Grants is not allowed"))
            }
            (None, Some(name)) => Ok(Self::More(name.to_string())),
            (Some("private"), None) => Ok(Self::Private),
            (Some("bucket-owner-full-control"), None) => Ok(Self::BucketOwner),
            (
                Some(
                    "public-read" | "public-read-write" | "authenticated-read" | "aws-exec-read" | "bucket-owner-read"
                    | "log-delivery-write",
                ),
                None,
            ) => Ok(Self::More(CANNED.to_owned())),
            (Some(unknown), None) => Err(Error::invalid_argument("", CANNED, unknown)),
        }
    }
}

/// Checks the ACL headers of a new object or upload.
pub(crate) fn check_object(headers: &HeaderMap, bucket: &Bucket, access: &Access) -> Result<(), Error> {
    check(headers, bucket.ownership, access.caller().account() == Some(&bucket.owner))
}

/// With ACLs off AWS takes `bucket-owner-full-control` of everyone; of the owner's own account also `private`, which
/// then says the same.
fn check(headers: &HeaderMap, ownership: Option<ObjectOwnership>, by_owner: bool) -> Result<(), Error> {
    let off = ownership == Some(ObjectOwnership::BucketOwnerEnforced);
    match Asked::parse(headers)? {
        Asked::More(header) if !off => Err(Error::header_not_implemented(header)),
        Asked::Private if off && !by_owner => Err(Error::new(Code::AccessControlListNotSupported)),
        Asked::More(_) => Err(Error::new(Code::AccessControlListNotSupported)),
        Asked::Nothing | Asked::BucketOwner | Asked::Private => Ok(()),
    }
}

/// Checks the ACL headers of a new bucket. `bucket-owner-full-control` says nothing of a bucket.
pub(crate) fn check_new_bucket(headers: &HeaderMap, ownership: ObjectOwnership) -> Result<(), Error> {
    match Asked::parse(headers)? {
        Asked::Nothing | Asked::Private | Asked::BucketOwner => Ok(()),
        Asked::More(_) if ownership == ObjectOwnership::BucketOwnerEnforced => {
            Err(Error::new(Code::InvalidBucketAclWithObjectOwnership))
        }
        Asked::More(header) => Err(Error::header_not_implemented(header)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;

    const ENFORCED: Option<ObjectOwnership> = Some(ObjectOwnership::BucketOwnerEnforced);

    fn code<T>(result: Result<T, Error>) -> &'static str {
        result.err().map_or("-", |error| error.code().name())
    }

    #[test]
    fn what_a_bucket_takes_follows_its_ownership() {
        // Header, value; ACLs off for the owner's account, for another; ACLs on; a new bucket with ACLs off, on.
        let (unsupported, nowhere) = ("AccessControlListNotSupported", "NotImplemented");
        let bucket_acl = "InvalidBucketAclWithObjectOwnership";
        let cases = [
            ("x-other", "x", ["-", "-", "-", "-", "-"]),
            (CANNED, "", ["-", "-", "-", "-", "-"]),
            (CANNED, "private", ["-", unsupported, "-", "-", "-"]),
            (CANNED, "bucket-owner-full-control", ["-", "-", "-", "-", "-"]),
            (CANNED, "public-read", [unsupported, unsupported, nowhere, bucket_acl, nowhere]),
            (CANNED, "bucket-owner-read", [unsupported, unsupported, nowhere, bucket_acl, nowhere]),
            (CANNED, "nobody", ["InvalidArgument"; 5]),
            ("x-amz-grant-read", "id=a", [unsupported, unsupported, nowhere, bucket_acl, nowhere]),
            ("x-amz-grant-full-control", "id=a", [unsupported, unsupported, nowhere, bucket_acl, nowhere]),
        ];
        for (name, value, [own, foreign, on, new_off, new_on]) in cases {
            let headers = sample(&[(name, value)]);
            assert_eq!(code(check(&headers, ENFORCED, true)), own, "{name}: {value}");
            assert_eq!(code(check(&headers, ENFORCED, false)), foreign, "{name}: {value}");
            for ownership in [None, Some(ObjectOwnership::ObjectWriter), Some(ObjectOwnership::BucketOwnerPreferred)] {
                assert_eq!(code(check(&headers, ownership, false)), on, "{name}: {value}");
            }
            let new = |ownership| code(check_new_bucket(&headers, ownership));
            assert_eq!(new(ObjectOwnership::BucketOwnerEnforced), new_off, "{name}: {value}");
            assert_eq!(new(ObjectOwnership::ObjectWriter), new_on, "{name}: {value}");
        }
    }

    #[test]
    fn a_refusal_names_the_header() {
        let refused = check(&sample(&[("x-amz-grant-read", "id=a")]), None, true).unwrap_err();
        assert_eq!(refused.elements().next(), Some(("Header", "x-amz-grant-read")));
        let both = check(&sample(&[(CANNED, "private"), ("x-amz-grant-read", "id=a")]), None, true).unwrap_err();
        assert_eq!(both.message(), "Specifying both Canned ACLs and Header Grants is not allowed");
    }
}
