//! DeleteBucketPolicy: no error where there is none.

use http::StatusCode;
use serde_json::Value;

use super::put_bucket_policy::check_own;
use crate::audit::{Event, Recorded};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    check_own(&cx)?;
    event.request["policy"] = Value::String(String::new());
    let recorded = cx.app.objects.delete_bucket_policy(cx.grant(), &cx.bucket().name, &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}
