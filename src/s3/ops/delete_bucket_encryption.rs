//! DeleteBucketEncryption: back to SSE-S3. What is blocked stays blocked: that is no part of the default.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::sse::NewDefault;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let (bucket, reset) = (&cx.bucket().name, NewDefault::default());
    let recorded = cx.app.objects.set_encryption(cx.grant(), bucket, &reset, &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}
