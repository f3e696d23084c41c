//! DeleteObjectTagging.

use http::StatusCode;

use super::get_object_tagging::refused;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::version_id;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    let none = Vec::new();
    let written = cx.app.objects.set_tags(cx.grant(), cx.bucket(), cx.key(), version, none).await;
    let written = written.map_err(|error| refused(&cx, error))?;
    let mut answer = Answer::new();
    answer.set_version(cx.bucket(), written);
    Ok(answer.empty(StatusCode::NO_CONTENT))
}
