//! GetBucketAcl.

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::{acl_xml, acls};
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let (bucket, owner) = (cx.bucket(), cx.owner(&cx.bucket().owner));
    let acl = acls::shown_of_bucket(bucket, owner.id);
    Ok(Answer::new().xml(acl_xml::render(owner, &acl, &cx.app.directory)))
}
