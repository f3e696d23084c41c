//! PutObjectTagging.

use http::StatusCode;

use super::get_object_tagging::refused;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::tags;
use crate::s3::version_id;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let tags = tags::parse(cx.whole())?;
    let written = cx.app.objects.set_tags(cx.grant(), cx.bucket(), cx.key(), version, tags).await;
    let written = written.map_err(|error| refused(&cx, error))?;
    let mut answer = Answer::new();
    answer.set_version(cx.bucket(), written);
    Ok(answer.empty(StatusCode::OK))
}
