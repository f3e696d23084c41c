//! GetObjectLockConfiguration.

use crate::rules::lock::LockConfiguration;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lock_xml;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<LockConfiguration>(cx.bucket()).await?;
    let found = found.ok_or_else(|| Error::new(Code::ObjectLockConfigurationNotFoundError))?;
    Ok(Answer::new().xml(lock_xml::render_configuration(&found)))
}
