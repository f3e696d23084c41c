//! PutBucketInventoryConfiguration.

use http::StatusCode;

use crate::app::before::View;
use crate::audit::{Event, Recorded};
use crate::auth::Resource;
use crate::names::bucket_arn;
use crate::policy::{Context, Key, Value};
use crate::rules::inventory::{Field, Inventory};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::inventory_xml;
use crate::s3::named;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let id = named::id(&cx)?;
    let inventory = inventory_xml::parse(cx.whole(), id)?;
    check_fields(&cx, &inventory)?;
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_named_configuration(grant, name, id, Some(inventory), &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}

/// `s3:InventoryAccessibleOptionalFields`: which fields an inventory may have, where a policy says so. They stand in the
/// body, so leave is asked for once more.
fn check_fields(cx: &Cx, inventory: &Inventory) -> Result<(), Error> {
    struct Fields<'a>(&'a [Field]);
    impl Context for Fields<'_> {
        fn each(&self, key: Key, _: &str, each: &mut dyn FnMut(Value<'_>)) {
            if key == Key::S3InventoryAccessibleOptionalFields {
                self.0.iter().for_each(|field| each(Value::Text(field.name())));
            }
        }
    }
    if cx.before.names_key(&cx.access, Key::S3InventoryAccessibleOptionalFields) {
        let bucket = cx.bucket();
        let resource = Resource { arn: bucket_arn(&bucket.name), owner: bucket.owner.clone() };
        let target = cx.before.target(&cx.access, bucket, View::Bucket);
        cx.access.authorize(cx.grant().action(), resource, &target, &Fields(&inventory.fields))?;
    }
    Ok(())
}
