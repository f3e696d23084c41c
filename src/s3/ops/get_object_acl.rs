//! GetObjectAcl.

use super::get_object_tagging::refused;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::{acl_xml, acls, version_id};
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    let found = cx.app.objects.head(cx.grant(), cx.bucket(), cx.key(), version).await;
    let info = found.map_err(|error| refused(&cx, error))?;
    cx.confirm(&info)?;
    let mut answer = Answer::new();
    answer.set_version(cx.bucket(), info.version);
    let (owner, acl) = acls::shown(&cx.app.directory, cx.bucket(), info.access.as_ref());
    Ok(answer.xml(acl_xml::render(owner, &acl, &cx.app.directory)))
}
