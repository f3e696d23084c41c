//! ListBucketInventoryConfigurations: a hundred at a time.

use super::list_buckets::token_incorrect;
use crate::rules::inventory::Inventory;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::inventory_xml;
use crate::s3::object_answer::Answer;
use crate::s3::token;
use crate::wire::Response;

/// Configurations of a page.
const PAGE: usize = 100;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let bucket = cx.bucket();
    let sent = cx.query.value("continuation-token");
    let after = sent.map(|token| token::open(&bucket.id, token).ok_or_else(token_incorrect)).transpose()?;
    let objects = &cx.app.objects;
    let mut page = objects.named_configurations::<Inventory>(bucket, after.as_deref(), PAGE + 1).await?;
    let more = page.len() > PAGE;
    page.truncate(PAGE);
    let next = page.last().filter(|_| more).map(|(id, _)| token::seal(&bucket.id, id));
    Ok(Answer::new().xml(inventory_xml::render_list(&page, sent, next.as_deref())))
}
