//! RestoreObject: refused as AWS refuses it for what is not archived, which nothing here is.

use super::get_object_tagging::refused;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::document::{malformed, optional_word, read, word};
use crate::s3::error::Error;
use crate::s3::version_id;
use crate::wire::Response;

/// What a request may hold.
const CHILDREN: [&str; 7] =
    ["Days", "Description", "GlacierJobParameters", "OutputLocation", "SelectParameters", "Tier", "Type"];
/// How fast it may be asked for.
const TIERS: [&str; 3] = ["Standard", "Bulk", "Expedited"];

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    check(cx.whole())?;
    let found = cx.app.objects.head(cx.grant(), cx.bucket(), cx.key(), version).await;
    let info = found.map_err(|error| refused(&cx, error))?;
    cx.confirm(&info)?;
    let message = "Restore is not allowed for the object's current storage class";
    let class = info.meta.storage_class.as_deref().unwrap_or("STANDARD");
    Err(Error::with_message(Code::InvalidObjectState, message).and("StorageClass", class))
}

/// The document has to be one, though nothing comes of it. What belongs to selecting from archives is not looked into.
fn check(body: &[u8]) -> Result<(), Error> {
    let root = read(body, "RestoreRequest", &CHILDREN)?;
    let days = optional_word(&root, "Days")?.map(str::parse::<i32>);
    days.transpose().map_err(|_| malformed())?;
    optional_word(&root, "Description")?;
    let mut tiers = vec![optional_word(&root, "Tier")?];
    if let Some(parameters) = root.at_most_one("GlacierJobParameters")? {
        parameters.expect_only(&["Tier"])?;
        tiers.push(Some(word(parameters, "Tier")?));
    }
    let is_select = optional_word(&root, "Type")?.is_none_or(|kind| kind == "SELECT");
    for name in ["OutputLocation", "SelectParameters"] {
        root.at_most_one(name)?;
    }
    let known = tiers.into_iter().flatten().all(|tier| TIERS.contains(&tier));
    if known && is_select { Ok(()) } else { Err(malformed()) }
}
