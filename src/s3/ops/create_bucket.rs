//! CreateBucket.

use http::{HeaderMap, StatusCode};

use crate::audit::{Event, Recorded};
use crate::names::{AccountId, BucketName, Region};
use crate::objects::{NewBucket, ObjectOwnership, ObjectsError};
use crate::policy::{Acl, PublicAccessBlock};
use crate::rules::tagging::BucketTags;
use crate::s3::acl_headers::Asked;
use crate::s3::acls;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::fields::{filled, flag, single};
use crate::s3::object_answer::Answer;
use crate::s3::tags::{self, Tagged};
use crate::s3::trail;
use crate::wire::Response;
use crate::wire::xml::{self, Element};

/// The Region whose name no `LocationConstraint` says, and in which making one's own bucket again is no error.
pub(super) const US_EAST_1: &str = "us-east-1";
/// The old name of eu-west-1 in a `LocationConstraint`.
const EU: (&str, &str) = ("EU", "eu-west-1");
/// Asks for an object ownership, which is a permission of its own.
const OWNERSHIP: &str = "x-amz-object-ownership";
/// Asks for object lock.
const OBJECT_LOCK: &str = "x-amz-bucket-object-lock-enabled";
/// Asks for a name that is an account's own.
const NAMESPACE: &str = "x-amz-bucket-namespace";

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let (ownership, object_lock) = parse_headers(&cx.head.headers, cx.app.config.object_ownership.into())?;
    let Body { constraint, tags } = parse_body(cx.whole())?;
    let region = place(constraint.as_deref(), &cx.access.facts().region, &cx.app.config.regions)?;
    let owner = cx.access.caller().account().cloned().ok_or_else(|| Error::new(Code::AccessDenied))?;
    if cx.head.headers.contains_key(OWNERSHIP) {
        cx.grant_new_bucket("s3:PutBucketOwnershipControls", owner.clone())?;
    }
    if object_lock {
        // As the API reference has it: what is turned on with the bucket needs the leave that it needs later.
        cx.grant_new_bucket("s3:PutBucketObjectLockConfiguration", owner.clone())?;
        cx.grant_new_bucket("s3:PutBucketVersioning", owner.clone())?;
    }
    if tags.is_some() {
        cx.grant_new_bucket("s3:TagResource", owner.clone())?;
    }
    let public_access_block = cx.app.config.block_public_access.then_some(PublicAccessBlock::ALL);
    let acl = acl(&cx, (&owner, ownership), public_access_block, &mut event)?;
    let of_new = acl.clone();
    let tagged = tags.is_some();
    let (name, region) = (cx.new_bucket(), &region);
    let new = NewBucket {
        name: name.clone(),
        owner,
        region: region.clone(),
        ownership,
        public_access_block,
        acl,
        tags,
        object_lock,
    };
    match cx.app.objects.create_bucket(cx.grant(), new, &event).await {
        Ok(recorded) => Ok((created(name), recorded)),
        // With tags it is an error there too (recorded).
        Err(ObjectsError::BucketAlreadyOwnedByYou) if region.as_str() == US_EAST_1 && !tagged => {
            let recorded = make_again(&cx, (name, region), of_new, &event).await?;
            Ok((created(name), recorded))
        }
        Err(error) => Err(error.into()),
    }
}

/// In us-east-1 a bucket of one's own stays as it is, but for its ACL, which is set anew (API reference, CreateBucket).
async fn make_again(
    cx: &Cx,
    (name, region): (&BucketName, &Region),
    acl: Option<Acl>,
    event: &Event,
) -> Result<Recorded, Error> {
    let existing = cx.app.objects.bucket(name).await?;
    if existing.region != *region {
        return Err(ObjectsError::BucketAlreadyOwnedByYou.into());
    }
    if !existing.acls_on() || existing.acl == acl {
        // Nothing is changed, so there is no commit to put the record into.
        return trail::append(&cx.app, event).await;
    }
    let block = existing.public_access_block.unwrap_or_default();
    if block.block_public_acls && acl.as_ref().is_some_and(Acl::is_public) {
        return Err(Error::new(Code::InvalidBucketAclWithBlockPublicAccessError));
    }
    Ok(cx.app.objects.reset_bucket_acl(cx.grant(), &existing, acl, event).await?)
}

/// The ACL that the headers ask for. One that grants something needs leave of its own.
fn acl(
    cx: &Cx,
    (owner, ownership): (&AccountId, ObjectOwnership),
    block: Option<PublicAccessBlock>,
    event: &mut Event,
) -> Result<Option<Acl>, Error> {
    let asked = Asked::parse(&cx.head.headers, &cx.app.directory)?;
    if asked == Asked::Nothing {
        return Ok(None);
    }
    let id = cx.owner(owner).id;
    acls::record(&mut event.request, &asked, &cx.head.headers, &asked.clone().acl(id, id), id);
    let block = block.unwrap_or_default().or(cx.app.directory.public_access_block(owner));
    let acl = acls::of_new_bucket(asked, ownership, block, id)?;
    if acl.is_some() {
        cx.grant_new_bucket("s3:PutBucketAcl", owner.clone())?;
    }
    Ok(acl)
}

/// `Location` is relative, as in AWS's us-east-1; its other Regions name a host of AWS's there.
fn created(name: &BucketName) -> Response {
    let mut answer = Answer::new();
    answer.set("location", &format!("/{name}"));
    answer.empty(StatusCode::OK)
}

/// The object ownership that the headers ask for, else `default`; and whether object lock is to be on. Refuses what
/// would otherwise be ignored: other namespaces.
fn parse_headers(headers: &HeaderMap, default: ObjectOwnership) -> Result<(ObjectOwnership, bool), Error> {
    let ownership = match single(headers, OWNERSHIP)? {
        None => default,
        Some(name) => ObjectOwnership::parse(name).ok_or_else(|| {
            let message = format!("Invalid x-amz-object-ownership header: {name}");
            Error::with_message(Code::InvalidArgument, message).and("ArgumentName", OWNERSHIP)
        })?,
    };
    let object_lock = flag(headers, OBJECT_LOCK)?.unwrap_or(false);
    match filled(headers, NAMESPACE)? {
        None | Some("global") => Ok((ownership, object_lock)),
        Some("account-regional") => Err(Error::header_not_implemented(NAMESPACE)),
        // Not recorded.
        Some(other) => Err(Error::invalid_argument("Invalid Argument", NAMESPACE, other)),
    }
}

/// What a body says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// `LocationConstraint`; an empty one counts as none.
    pub(crate) constraint: Option<String>,
    /// Its tags, of which an empty list counts as none.
    pub(crate) tags: Option<BucketTags>,
}

/// Reads a `CreateBucketConfiguration`.
pub(crate) fn parse_body(body: &[u8]) -> Result<Body, Error> {
    if body.is_empty() {
        return Ok(Body::default());
    }
    let root = xml::parse_s3(body)?;
    if root.name != "CreateBucketConfiguration" {
        return Err(Error::new(Code::MalformedXML));
    }
    root.expect_only(&["LocationConstraint", "Location", "Bucket", "Tags"])?;
    if root.child("Location").is_some() || root.child("Bucket").is_some() {
        return Err(Error::not_implemented("Directory buckets are not implemented by this server."));
    }
    let constraint = root.at_most_one("LocationConstraint")?.map(Element::leaf).transpose()?;
    let tags = root.at_most_one("Tags")?.map(|set| tags::parse_set(set, Tagged::NewBucket)).transpose()?;
    Ok(Body {
        constraint: constraint.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
        tags: tags.filter(|tags| !tags.is_empty()).map(BucketTags),
    })
}

/// Where the bucket goes. The endpoint of us-east-1 makes buckets in every Region but names its own by naming none;
/// that of another Region makes them there only, and wants to hear it said.
fn place(constraint: Option<&str>, endpoint: &Region, served: &[Region]) -> Result<Region, Error> {
    let wanted = constraint.map(|name| if name == EU.0 { EU.1 } else { name });
    if endpoint.as_str() != US_EAST_1 {
        return if wanted == Some(endpoint.as_str()) { Ok(endpoint.clone()) } else { Err(incompatible(constraint)) };
    }
    match wanted {
        None => Ok(endpoint.clone()),
        Some(wanted) => served
            .iter()
            .find(|region| region.as_str() == wanted && region.as_str() != US_EAST_1)
            .cloned()
            .ok_or_else(|| Error::new(Code::InvalidLocationConstraint).and("LocationConstraint", wanted)),
    }
}

fn incompatible(constraint: Option<&str>) -> Error {
    let constraint = constraint.unwrap_or("unspecified");
    let message = format!(
        "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent \
         to."
    );
    Error::with_message(Code::IllegalLocationConstraintException, message)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Body, BucketTags, ObjectOwnership, parse_body, parse_headers, place};
    use crate::names::Region;

    #[test]
    fn where_a_bucket_goes() {
        let region = |name: &str| Region::parse(name).unwrap();
        let served = [region("us-east-1"), region("us-west-2"), region("eu-west-1")];
        let illegal = "IllegalLocationConstraintException";
        let invalid = "InvalidLocationConstraint";
        let cases = [
            ("us-east-1", None, Ok("us-east-1")),
            ("us-east-1", Some("us-west-2"), Ok("us-west-2")),
            ("us-east-1", Some("EU"), Ok("eu-west-1")),
            ("us-east-1", Some("us-east-1"), Err(invalid)),
            ("us-east-1", Some("aws-global"), Err(invalid)),
            ("us-east-1", Some("ap-south-1"), Err(invalid)),
            ("us-west-2", Some("us-west-2"), Ok("us-west-2")),
            ("us-west-2", None, Err(illegal)),
            ("us-west-2", Some("us-east-1"), Err(illegal)),
            ("us-west-2", Some("EU"), Err(illegal)),
            ("us-west-2", Some("bar"), Err(illegal)),
            ("eu-west-1", Some("EU"), Ok("eu-west-1")),
        ];
        for (endpoint, constraint, expected) in cases {
            let got = place(constraint, &region(endpoint), &served);
            let got = got.as_ref().map(Region::as_str).map_err(|e| e.code().name());
            assert_eq!(got, expected, "{endpoint} {constraint:?}");
        }
        let message = |constraint| place(constraint, &region("us-west-2"), &served).unwrap_err().message().to_owned();
        let rest = "location constraint is incompatible for the region specific endpoint this request was sent to.";
        assert_eq!(message(None), format!("The unspecified {rest}"));
        assert_eq!(message(Some("EU")), format!("The EU {rest}"));
    }

    #[test]
    fn bodies() {
        let parse = |inner: &str| {
            let body = format!("<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>");
            parse_body(body.as_bytes()).map_err(|e| e.code().name())
        };
        assert_eq!(parse_body(b"").ok(), Some(Body::default()));
        assert_eq!(parse(""), Ok(Body::default()));
        assert_eq!(parse("<LocationConstraint/>"), Ok(Body::default()));
        let somewhere = Body { constraint: Some("eu-west-1".to_owned()), tags: None };
        assert_eq!(parse("<LocationConstraint> eu-west-1\n</LocationConstraint><Tags/>"), Ok(somewhere));
        let tags = Some(BucketTags(vec![("k".to_owned(), "v".to_owned())]));
        let tagged = Body { constraint: None, tags };
        assert_eq!(parse("<Tags><Tag><Key>k</Key><Value>v</Value></Tag></Tags>"), Ok(tagged));
        assert_eq!(parse("<Tags><Tag><Key>aws:k</Key><Value>v</Value></Tag></Tags>"), Err("InvalidTag"));
        assert_eq!(parse("<Tags><Tag><Key>k</Key></Tag></Tags>"), Err("MalformedXML"));
        assert_eq!(parse("<Tags/><Tags/>"), Err("MalformedXML"));
        assert_eq!(parse("<LocationConstraint>a</LocationConstraint><LocationConstraint/>"), Err("MalformedXML"));
        assert_eq!(parse("<X/>"), Err("MalformedXML"));
        assert_eq!(parse("<Location><Type>LocalZone</Type></Location>"), Err("NotImplemented"));
        assert_eq!(parse("<Bucket><Type>Directory</Type></Bucket>"), Err("NotImplemented"));
        assert_eq!(parse_body(b"<X/>").map_err(|e| e.code().name()), Err("MalformedXML"));
        assert_eq!(parse_body(b"nothing").map_err(|e| e.code().name()), Err("MalformedXML"));
    }

    #[test]
    fn headers() {
        let parse = |name: &'static str, value: &'static str, default| {
            let header = (HeaderName::from_static(name), HeaderValue::from_static(value));
            parse_headers(&HeaderMap::from_iter([header]), default).map_err(|e| e.code().name())
        };
        for default in ObjectOwnership::ALL {
            assert_eq!(parse("x-amz-acl", "private", default), Ok((default, false)));
            for asked in ObjectOwnership::ALL {
                assert_eq!(parse("x-amz-object-ownership", asked.name(), default), Ok((asked, false)));
            }
            for unknown in ["RandomValue", "", "objectwriter"] {
                assert_eq!(parse("x-amz-object-ownership", unknown, default), Err("InvalidArgument"));
            }
        }
        let check = |name, value| parse(name, value, ObjectOwnership::BucketOwnerEnforced).map(|(_, lock)| lock);
        for (value, locks) in [("true", Ok(true)), ("True", Ok(true)), ("False", Ok(false)), ("", Ok(false))] {
            assert_eq!(check("x-amz-bucket-object-lock-enabled", value), locks, "{value}");
        }
        assert_eq!(check("x-amz-bucket-object-lock-enabled", "1"), Err("InvalidArgument"));
        assert_eq!(check("x-amz-bucket-namespace", "global"), Ok(false));
        assert_eq!(check("x-amz-bucket-namespace", "account-regional"), Err("NotImplemented"));
    }
}
