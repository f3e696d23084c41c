//! GetBucketTagging.

use crate::rules::tagging::BucketTags;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::tags;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<BucketTags>(cx.bucket()).await?;
    let found = found.ok_or_else(|| Error::new(Code::NoSuchTagSet))?;
    Ok(Answer::new().xml(tags::render(&found.0)))
}
