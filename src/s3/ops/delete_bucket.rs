//! DeleteBucket.

use http::StatusCode;

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    cx.app.objects.delete_bucket(cx.grant(), &cx.bucket().name).await?;
    Ok(Answer::new().empty(StatusCode::NO_CONTENT))
}
