//! GetObjectTagging.

use crate::objects::ObjectsError;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::map::delete_marker_not_allowed;
use crate::s3::object_answer::Answer;
use crate::s3::object_read::absent;
use crate::s3::tags;
use crate::s3::version_id;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    let info =
        cx.app.objects.head(cx.grant(), cx.bucket(), cx.key(), version).await.map_err(|error| refused(&cx, error))?;
    cx.confirm(&info)?;
    let mut answer = Answer::new();
    answer.set_version(cx.bucket(), info.version);
    Ok(answer.xml(tags::render(&info.meta.tags)))
}

/// A delete marker has no tags: also where it is the current version AWS answers 405, not 404 as elsewhere.
pub(super) fn refused(cx: &Cx, error: ObjectsError) -> Error {
    match error {
        ObjectsError::NoSuchKey { delete_marker: Some(_) } => delete_marker_not_allowed(),
        other => absent(cx, other, (cx.bucket(), &cx.before)),
    }
}
