//! AbortMultipartUpload.

use http::StatusCode;

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::{sse_headers, uploads};
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    sse_headers::refuse_choice(&cx.head.headers)?;
    let upload = uploads::named(&cx).await?;
    let aborted = cx.app.objects.abort_upload(&cx.grant, &upload).await;
    aborted.map_err(|error| uploads::with_upload(error, &upload))?;
    Ok(Answer::new().empty(StatusCode::NO_CONTENT))
}
