//! GetBucketLifecycleConfiguration, and GetBucketLifecycle.

use crate::rules::lifecycle::Lifecycle;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lifecycle_headers::write_minimum_size;
use crate::s3::lifecycle_xml;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<Lifecycle>(cx.bucket()).await?;
    let found = found.ok_or_else(|| Error::new(Code::NoSuchLifecycleConfiguration))?;
    let mut answer = Answer::new();
    write_minimum_size(&mut answer, found.minimum_size);
    Ok(answer.xml(lifecycle_xml::render(&found)))
}
