//! PutBucketWebsite.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::website_xml;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let value = Some(website_xml::parse(cx.whole())?);
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_configuration(grant, name, value, |_| Ok(()), &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}
