//! DeleteBucketOwnershipControls: as `ObjectWriter` from then on, and nothing to get.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let (bucket, owner) = (cx.bucket(), cx.owner(&cx.bucket().owner).id);
    let recorded = cx.app.objects.set_ownership(cx.grant(), &bucket.name, None, owner, &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}
