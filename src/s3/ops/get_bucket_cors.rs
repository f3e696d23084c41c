//! GetBucketCors.

use crate::rules::cors::Cors;
use crate::s3::code::Code;
use crate::s3::cors_xml;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<Cors>(cx.bucket()).await?;
    let found = found.ok_or_else(|| Error::new(Code::NoSuchCORSConfiguration))?;
    Ok(Answer::new().xml(cors_xml::render(&found)))
}
