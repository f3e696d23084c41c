//! DeleteBucketInventoryConfiguration.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::rules::inventory::Inventory;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::named;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let (grant, name, id) = (cx.grant(), &cx.bucket().name, named::id(&cx)?);
    let recorded = cx.app.objects.set_named_configuration::<Inventory>(grant, name, id, None, &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}
