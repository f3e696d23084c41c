//! GetObjectLegalHold.

use super::get_object_tagging::refused;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lock_xml;
use crate::s3::object_answer::Answer;
use crate::s3::object_lock::not_configured;
use crate::s3::version_id;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    if !cx.bucket().has_object_lock() {
        return Err(not_configured());
    }
    let found = cx.app.objects.head(cx.grant(), cx.bucket(), cx.key(), version).await;
    let info = found.map_err(|error| refused(&cx, error))?;
    cx.confirm(&info)?;
    let hold = info.lock.and_then(|lock| lock.legal_hold);
    let hold = hold.ok_or_else(|| Error::new(Code::NoSuchObjectLockConfiguration))?;
    Ok(Answer::new().xml(lock_xml::render_legal_hold(hold)))
}
