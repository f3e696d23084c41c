//! PutBucketTagging.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::rules::tagging::{BUCKET_TAGS_MAX, BucketTags};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::tags;
use crate::wire::Response;

/// An empty set leaves none, as with AWS.
pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let tags = tags::parse_set(cx.whole(), BUCKET_TAGS_MAX)?;
    let tags = Some(BucketTags(tags)).filter(|tags| !tags.0.is_empty());
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_configuration(grant, name, tags, |_| Ok(()), &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}
