//! DeleteObjectTagging.

use http::StatusCode;

use super::get_object_tagging::refused;
use crate::s3::answer;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = cx.query.version()?;
    let none = Vec::new();
    let written = cx.app.objects.set_tags(&cx.grant, cx.bucket(), cx.key(), version, none).await.map_err(refused)?;
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    answer::set(&mut answer, "x-amz-version-id", cx.shown_version(written).as_deref());
    Ok(answer)
}
