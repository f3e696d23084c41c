//! The ACLs that requests bring: what they may be where they are to stand, and what becomes of them.

use super::acl_headers::{Asked, CANNED};
use super::acl_xml;
use super::code::Code;
use super::cx::Cx;
use super::error::Error;
use super::owner::Owner;
use crate::auth::{Access, Directory};
use crate::names::object_arn;
use crate::objects::{Bucket, ObjectAccess, ObjectOwner, ObjectOwnership};
use crate::policy::{ANONYMOUS_ID, Acl, CannedAcl, Grantee, Prevented, PublicAccessBlock};

/// Owner and ACL of the object that the request makes, as they are kept. `action` is the request's own, for a refusal.
pub(crate) fn of_new_object(cx: &Cx, action: &str) -> Result<Option<ObjectAccess>, Error> {
    let (bucket, directory) = (cx.bucket(), &cx.app.directory);
    let asked = Asked::parse(&cx.head.headers, directory)?;
    if asked != Asked::Nothing {
        cx.grant_object("s3:PutObjectAcl", bucket, cx.key())?;
    }
    let caller = cx.access.caller().account();
    let owner = match caller {
        Some(account) if *account == bucket.owner => None,
        Some(account) => Some(ObjectOwner::account(account)),
        None => Some(ObjectOwner::Anonymous),
    };
    let bucket_owner = cx.owner(&bucket.owner).id;
    if !bucket.acls_on() {
        let own = owner.is_none();
        return if says_nothing(&asked, own, bucket_owner) { Ok(None) } else { Err(off()) };
    }
    let handed_over = bucket.ownership == Some(ObjectOwnership::BucketOwnerPreferred)
        && asked == Asked::Canned(CannedAcl::BucketOwnerFullControl);
    let owner = owner.filter(|_| !handed_over);
    let owner_id = owner.as_ref().map_or(bucket_owner, |owner| Owner::of_object(directory, owner).id);
    let acl = asked.acl(owner_id, bucket_owner);
    check_public(&cx.access, cx.before.block, &acl, (action, &object_arn(&bucket.name, cx.key())))?;
    let acl = kept(acl, owner_id);
    Ok(ObjectAccess { owner, acl }.kept())
}

/// Who begins an upload, as it is kept with it.
pub(crate) fn initiator(cx: &Cx) -> Option<String> {
    let (caller, owner) = (cx.access.caller(), &cx.bucket().owner);
    let owners_root = caller.account() == Some(owner) && *caller.kind() == crate::auth::CallerKind::Root;
    (!owners_root).then(|| caller.arn().to_owned())
}

/// The ACL of a bucket to be made, as it is kept. `bucket-owner-…` says nothing of a bucket.
pub(crate) fn of_new_bucket(
    asked: Asked,
    ownership: ObjectOwnership,
    block: PublicAccessBlock,
    owner: &str,
) -> Result<Option<Acl>, Error> {
    let acl = asked.acl(owner, owner);
    if ownership == ObjectOwnership::BucketOwnerEnforced && !acl.is_of_alone(owner) {
        return Err(Error::new(Code::InvalidBucketAclWithObjectOwnership));
    }
    if block.block_public_acls && acl.is_public() {
        return Err(Error::new(Code::InvalidBucketAclWithBlockPublicAccessError));
    }
    Ok(kept(acl, owner))
}

/// The ACL that PutBucketAcl and PutObjectAcl bring, in headers or in the body, for what the account with the canonical
/// id `owner` owns.
pub(crate) fn of_put(cx: &Cx, owner: &str) -> Result<Asked, Error> {
    parse_put(Asked::parse(&cx.head.headers, &cx.app.directory)?, cx.whole(), owner, &cx.app.directory)
}

fn parse_put(of_headers: Asked, body: &[u8], owner: &str, directory: &Directory) -> Result<Asked, Error> {
    match (of_headers, body.is_empty()) {
        (Asked::Nothing, true) => Err(Error::new(Code::MissingSecurityHeader).and("MissingHeaderName", CANNED)),
        (Asked::Nothing, false) => Ok(Asked::Grants(acl_xml::parse(body, owner, directory)?)),
        (asked, true) => Ok(asked),
        (_, false) => Err(Error::new(Code::UnexpectedContent)),
    }
}

/// Whether an object's ACL says what holds anyway where ACLs are off: AWS takes `bucket-owner-full-control` and its
/// equivalents of everyone; of the owner's own account (`own`) also `private`, which then says the same.
pub(crate) fn says_nothing(asked: &Asked, own: bool, bucket_owner: &str) -> bool {
    match asked {
        Asked::Nothing | Asked::Canned(CannedAcl::BucketOwnerFullControl) => true,
        Asked::Canned(CannedAcl::Private) => own,
        Asked::Canned(_) => false,
        Asked::Grants(acl) => acl.is_of_alone(bucket_owner),
    }
}

/// ACLs are off.
pub(crate) fn off() -> Error {
    Error::new(Code::AccessControlListNotSupported)
}

/// Refuses a public ACL where a public access block prevents it.
pub(crate) fn check_public(
    access: &Access,
    block: PublicAccessBlock,
    acl: &Acl,
    (action, arn): (&str, &str),
) -> Result<(), Error> {
    if !block.block_public_acls || !acl.is_public() {
        return Ok(());
    }
    let denial = match access.caller().account() {
        Some(_) => Prevented::Acl.denial(access.caller().arn(), action, arn),
        None => Code::AccessDenied.message().to_owned(),
    };
    Err(Error::with_message(Code::AccessDenied, denial))
}

/// An ACL as it is kept: not at all if it is private. What nobody signed belongs to all who do not sign, and has to say
/// so: no policies of theirs let them in.
pub(crate) fn kept(acl: Acl, owner: &str) -> Option<Acl> {
    Some(acl).filter(|acl| *acl != Acl::private(owner) || owner == ANONYMOUS_ID)
}

/// Who owns an object, and its ACL: as they are shown. With ACLs off both are the bucket's owner's.
pub(crate) fn shown<'a>(
    directory: &'a Directory,
    bucket: &'a Bucket,
    access: Option<&'a ObjectAccess>,
) -> (Owner<'a>, Acl) {
    let access = bucket.in_force(access);
    let owner = access.and_then(|access| access.owner.as_ref());
    let owner = owner.map_or_else(|| Owner::of(directory, &bucket.owner), |owner| Owner::of_object(directory, owner));
    let acl = access.and_then(|access| access.acl.clone());
    (owner, acl.unwrap_or_else(|| Acl::private(owner.id)))
}

/// The ACL of a bucket as it is shown.
pub(crate) fn shown_of_bucket(bucket: &Bucket, owner: &str) -> Acl {
    let acl = bucket.acl.as_ref().filter(|_| bucket.acls_on());
    acl.cloned().unwrap_or_else(|| Acl::private(owner))
}

/// An ACL request as CloudTrail shows it.
pub(crate) fn record(
    request: &mut serde_json::Value,
    asked: &Asked,
    headers: &http::HeaderMap,
    acl: &Acl,
    owner: &str,
) {
    use serde_json::json;
    request["acl"] = json!("");
    let named = headers.get(CANNED).and_then(|name| name.to_str().ok());
    if let (Asked::Canned(_), Some(name)) = (asked, named) {
        request[CANNED] = json!(name);
        return;
    }
    let grants = acl.grants.iter().map(|grant| {
        let grantee = match &grant.grantee {
            Grantee::Account(id) => json!({"xsi:type": "CanonicalUser", "ID": id}),
            Grantee::Group(group) => json!({"xsi:type": "Group", "URI": group.uri()}),
        };
        json!({"Grantee": grantee, "Permission": grant.permission.name()})
    });
    let grants: Vec<_> = grants.collect();
    request["AccessControlPolicy"] = json!({"AccessControlList": {"Grant": grants}, "Owner": {"ID": owner}});
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::acl_headers::sample_directory;
    use crate::s3::fields::sample;

    const ALL_OFF: PublicAccessBlock = PublicAccessBlock {
        block_public_acls: false,
        ignore_public_acls: false,
        block_public_policy: false,
        restrict_public_buckets: false,
    };

    fn id(byte: &str) -> String {
        byte.repeat(32)
    }

    fn asked(name: &str, value: &str) -> Asked {
        Asked::parse(&sample(&[(name, value)]), &sample_directory()).expect("an ACL")
    }

    fn code<T>(result: Result<T, Error>) -> &'static str {
        result.err().map_or("-", |error| error.code().name())
    }

    #[test]
    fn what_is_taken_where_acls_are_off() {
        let (owner, other) = (id("a1"), id("b2"));
        let full = |id: &str| format!("id={id}");
        for (name, value, own, foreign) in [
            ("x-other", "x", true, true),
            (CANNED, "", true, true),
            (CANNED, "private", true, false),
            (CANNED, "bucket-owner-full-control", true, true),
            (CANNED, "public-read", false, false),
            (CANNED, "bucket-owner-read", false, false),
            (CANNED, "authenticated-read", false, false),
            ("x-amz-grant-read", &full(&owner), false, false),
            ("x-amz-grant-full-control", &full(&owner), true, true),
            ("x-amz-grant-full-control", &full(&other), false, false),
            ("x-amz-grant-full-control", &format!("{},{}", full(&owner), full(&other)), false, false),
        ] {
            let asked = asked(name, value);
            assert_eq!(says_nothing(&asked, true, &owner), own, "{name}: {value}");
            assert_eq!(says_nothing(&asked, false, &owner), foreign, "{name}: {value}");
        }
    }

    #[test]
    fn acls_of_new_buckets() {
        let owner = id("a1");
        let (by_ownership, by_block) =
            ("InvalidBucketAclWithObjectOwnership", "InvalidBucketAclWithBlockPublicAccessError");
        // With ACLs off; on, with public ones blocked; on.
        for (name, value, expected) in [
            ("x-other", "x", ["-", "-", "-"]),
            (CANNED, "private", ["-", "-", "-"]),
            (CANNED, "bucket-owner-full-control", ["-", "-", "-"]),
            (CANNED, "public-read", [by_ownership, by_block, "-"]),
            (CANNED, "authenticated-read", [by_ownership, by_block, "-"]),
            (CANNED, "log-delivery-write", [by_ownership, "-", "-"]),
            ("x-amz-grant-read", &format!("id={}", id("b2")), [by_ownership, "-", "-"]),
            ("x-amz-grant-full-control", &format!("id={owner}"), ["-", "-", "-"]),
        ] {
            let found = [
                (ObjectOwnership::BucketOwnerEnforced, PublicAccessBlock::ALL),
                (ObjectOwnership::ObjectWriter, PublicAccessBlock::ALL),
                (ObjectOwnership::BucketOwnerPreferred, ALL_OFF),
            ]
            .map(|(ownership, block)| code(of_new_bucket(asked(name, value), ownership, block, &owner)));
            assert_eq!(found, expected, "{name}: {value}");
        }
    }

    #[test]
    fn one_form_at_a_time() {
        let (owner, directory) = (id("a1"), sample_directory());
        let body =
            format!("<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList/></AccessControlPolicy>");
        let put = |asked, body: &str| code(parse_put(asked, body.as_bytes(), &owner, &directory));
        assert_eq!(put(Asked::Nothing, ""), "MissingSecurityHeader");
        assert_eq!(put(Asked::Nothing, &body), "-");
        assert_eq!(put(Asked::Nothing, "x"), "MalformedACLError");
        assert_eq!(put(asked(CANNED, "private"), ""), "-");
        assert_eq!(put(asked(CANNED, "private"), &body), "UnexpectedContent");
        assert_eq!(put(asked("x-amz-grant-read", &format!("id={owner}")), &body), "UnexpectedContent");
    }

    #[test]
    fn what_says_nothing_is_not_kept() {
        let owner = id("a1");
        assert_eq!(kept(asked(CANNED, "private").acl(&owner, &owner), &owner), None);
        assert_eq!(kept(asked(CANNED, "bucket-owner-read").acl(&owner, &owner), &owner), None);
        assert_eq!(kept(asked(CANNED, "bucket-owner-full-control").acl(&owner, &owner), &owner), None);
        assert!(kept(Acl::default(), &owner).is_some());
        assert!(kept(asked(CANNED, "public-read").acl(&owner, &owner), &owner).is_some());
        let anonymous = asked(CANNED, "bucket-owner-full-control").acl(ANONYMOUS_ID, &owner);
        assert_eq!(anonymous.grants.len(), 2);
        assert!(kept(Acl::private(ANONYMOUS_ID), ANONYMOUS_ID).is_some());
    }
}
