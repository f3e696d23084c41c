//! RestoreObject: refused as AWS refuses it for what is not archived, which nothing here is.

use super::get_object_tagging::refused;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::document::read;
use crate::s3::error::Error;
use crate::s3::version_id;
use crate::wire::Response;

/// What a request may hold.
const CHILDREN: [&str; 7] =
    ["Days", "Description", "GlacierJobParameters", "OutputLocation", "SelectParameters", "Tier", "Type"];

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    read(cx.whole(), "RestoreRequest", &CHILDREN)?;
    let found = cx.app.objects.head(cx.grant(), cx.bucket(), cx.key(), version).await;
    let info = found.map_err(|error| refused(&cx, error))?;
    cx.confirm(&info)?;
    let message = "Restore is not allowed for the object's current storage class";
    let class = info.meta.storage_class.as_deref().unwrap_or("STANDARD");
    Err(Error::with_message(Code::InvalidObjectState, message).and("StorageClass", class))
}
