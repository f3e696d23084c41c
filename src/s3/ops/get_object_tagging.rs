//! GetObjectTagging.

use crate::objects::ObjectsError;
use crate::s3::answer;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::map::delete_marker_not_allowed;
use crate::s3::tags;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = cx.query.version()?;
    let info = cx.app.objects.head(&cx.grant, cx.bucket(), cx.key(), version).await.map_err(refused)?;
    let mut answer = answer::xml(tags::render(&info.meta.tags));
    answer::set(&mut answer, "x-amz-version-id", cx.shown_version(info.version).as_deref());
    Ok(answer)
}

/// A delete marker has no tags: also where it is the current version AWS answers 405, not 404 as elsewhere.
pub(super) fn refused(error: ObjectsError) -> Error {
    match error {
        ObjectsError::NoSuchKey { delete_marker: Some(_) } => delete_marker_not_allowed(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ObjectsError, refused};
    use crate::objects::VersionId;
    use crate::s3::code::Code;

    #[test]
    fn a_delete_marker_is_not_taken_for_nothing() {
        let marker = Some(VersionId::Null);
        assert_eq!(refused(ObjectsError::NoSuchKey { delete_marker: marker }).code(), Code::MethodNotAllowed);
        assert_eq!(refused(ObjectsError::NoSuchKey { delete_marker: None }).code(), Code::NoSuchKey);
        assert_eq!(refused(ObjectsError::NoSuchVersion).code(), Code::NoSuchVersion);
    }
}
