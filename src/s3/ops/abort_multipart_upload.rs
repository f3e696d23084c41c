//! AbortMultipartUpload.

use http::StatusCode;

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::uploads;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let id = uploads::id(&cx.query)?;
    cx.app.objects.abort_upload(cx.grant(), cx.bucket(), cx.key(), id).await?;
    Ok(Answer::new().empty(StatusCode::NO_CONTENT))
}
