//! PutBucketLifecycleConfiguration, and PutBucketLifecycle, which differs in the body's form alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lifecycle_headers::{minimum_size, write_minimum_size};
use crate::s3::lifecycle_xml;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let minimum_size = minimum_size(&cx.head.headers)?;
    // 48 letters and digits, as AWS's look.
    let mut new_id = || STANDARD.encode(cx.app.sources.random::<36>()).replace(['+', '/'], "0");
    let lifecycle = lifecycle_xml::parse(cx.whole(), minimum_size, &mut new_id)?;
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_configuration(grant, name, Some(lifecycle), |_| Ok(()), &event).await?;
    let mut answer = Answer::new();
    write_minimum_size(&mut answer, minimum_size);
    Ok((answer.empty(StatusCode::OK), recorded))
}
