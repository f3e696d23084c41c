//! PutObjectLegalHold.

use http::StatusCode;

use super::get_object_tagging::refused;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lock_xml;
use crate::s3::object_answer::Answer;
use crate::s3::object_lock::not_configured;
use crate::s3::version_id;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    let (bucket, key) = (cx.bucket(), cx.key());
    if !bucket.has_object_lock() {
        return Err(not_configured());
    }
    let on = lock_xml::parse_legal_hold(cx.whole())?;
    let set = cx.app.objects.set_legal_hold(cx.grant(), (bucket, key), version, on).await;
    set.map_err(|error| refused(&cx, error))?;
    Ok(Answer::new().empty(StatusCode::OK))
}
