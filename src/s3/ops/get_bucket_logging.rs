//! GetBucketLogging.

use crate::rules::logging::BucketLogging;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::logging_xml;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

/// A bucket without logging has an empty status, as with AWS.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<BucketLogging>(cx.bucket()).await?;
    Ok(Answer::new().xml(logging_xml::render(found.as_deref())))
}
