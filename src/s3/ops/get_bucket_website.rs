//! GetBucketWebsite.

use crate::rules::website::Website;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::website_xml;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<Website>(cx.bucket()).await?;
    let found = found.ok_or_else(|| Error::new(Code::NoSuchWebsiteConfiguration))?;
    Ok(Answer::new().xml(website_xml::render(&found)))
}
