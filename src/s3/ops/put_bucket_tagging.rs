//! PutBucketTagging.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::rules::ConfigurationKind;
use crate::rules::tagging::BucketTags;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::tags::{self, Tagged};
use crate::wire::Response;

/// An empty set leaves none, as with AWS.
pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let tags = tags::parse_of(cx.whole(), Tagged::Bucket)?;
    check_tag_grant(&cx, "s3:TagResource")?;
    let tags = Some(BucketTags(tags)).filter(|tags| !tags.0.is_empty());
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_configuration(grant, name, tags, |_| Ok(()), &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}

/// Where a bucket's tags decide on access, who changes them changes that. AWS then refuses this operation in favour of
/// S3 Control's TagResource, which is not served here: so its permission is asked for besides.
pub(super) fn check_tag_grant(cx: &Cx, action: &'static str) -> Result<(), Error> {
    if cx.bucket().has(ConfigurationKind::Abac) {
        cx.grant_bucket(action, (cx.bucket(), &cx.before))?;
    }
    Ok(())
}
