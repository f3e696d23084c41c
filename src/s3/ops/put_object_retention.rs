//! PutObjectRetention.

use http::StatusCode;

use super::get_object_tagging::refused;
use crate::objects::ObjectsError;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lock_xml;
use crate::s3::object_answer::Answer;
use crate::s3::object_lock::{asks_bypass, not_configured};
use crate::s3::version_id;
use crate::wire::Response;

/// An empty retention removes what is set, if it may go.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    let (objects, bucket, key) = (&cx.app.objects, cx.bucket(), cx.key());
    if !bucket.has_object_lock() {
        return Err(not_configured());
    }
    let bypass = asks_bypass(bucket, &cx.head.headers)?;
    let retention = lock_xml::parse_retention(cx.whole(), cx.app.sources.now())?;
    let set = match objects.set_retention(cx.grant(), (bucket, key), version, retention, None).await {
        // Leave to bypass is asked for where it matters.
        Err(ObjectsError::Locked { bypass_helps: true }) if bypass => {
            let leave = cx.grant_object("s3:BypassGovernanceRetention", bucket, key)?;
            objects.set_retention(cx.grant(), (bucket, key), version, retention, Some(&leave)).await
        }
        other => other,
    };
    set.map_err(|error| refused(&cx, error))?;
    Ok(Answer::new().empty(StatusCode::OK))
}
