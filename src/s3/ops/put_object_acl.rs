//! PutObjectAcl.

use http::StatusCode;

use super::get_object_tagging::refused;
use crate::names::object_arn;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::{acls, version_id};
use crate::wire::Response;

/// No owner changes here, whatever the ACL says.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let version = version_id::of_query(&cx.query)?;
    let (objects, bucket) = (&cx.app.objects, cx.bucket());
    let found = objects.head(cx.grant(), bucket, cx.key(), version).await;
    let info = found.map_err(|error| refused(&cx, error))?;
    cx.confirm(&info)?;
    let (owner, _) = acls::shown(&cx.app.directory, bucket, info.access.as_ref());
    let bucket_owner = cx.owner(&bucket.owner).id;
    let asked = acls::of_put(&cx, owner.id)?;
    let mut answer = Answer::new();
    answer.set_version(bucket, info.version);
    if !bucket.acls_on() {
        let own = cx.access.caller().account() == Some(&bucket.owner);
        return if acls::says_nothing(&asked, own, bucket_owner) {
            Ok(answer.empty(StatusCode::OK))
        } else {
            Err(acls::off())
        };
    }
    let acl = asked.acl(owner.id, bucket_owner);
    let arn = object_arn(&bucket.name, cx.key());
    acls::check_public(&cx.access, cx.before.block, &acl, ("s3:PutObjectAcl", &arn))?;
    objects.set_object_acl(cx.grant(), bucket, &info, acls::kept(acl, owner.id)).await?;
    Ok(answer.empty(StatusCode::OK))
}
