//! GetBucketInventoryConfiguration.

use crate::rules::inventory::Inventory;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::inventory_xml;
use crate::s3::named;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let id = named::id(&cx)?;
    let found = cx.app.objects.named_configuration::<Inventory>(cx.bucket(), id).await?;
    let found = found.ok_or_else(|| Error::new(Code::NoSuchConfiguration))?;
    Ok(Answer::new().xml(inventory_xml::render(id, &found)))
}
