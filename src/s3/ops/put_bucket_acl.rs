//! PutBucketAcl.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::names::bucket_arn;
use crate::s3::acls;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let (bucket, owner) = (cx.bucket(), cx.owner(&cx.bucket().owner).id);
    let asked = acls::of_put(&cx, owner)?;
    // Also of `private`, as AWS has it.
    if !bucket.acls_on() {
        return Err(acls::off());
    }
    let acl = asked.clone().acl(owner, owner);
    acls::check_public(&cx.access, cx.before.block, &acl, ("s3:PutBucketAcl", &bucket_arn(&bucket.name)))?;
    acls::record(&mut event.request, &asked, &cx.head.headers, &acl, owner);
    let set = cx.app.objects.set_bucket_acl(cx.grant(), bucket, acls::kept(acl, owner), &event);
    Ok((Answer::new().empty(StatusCode::OK), set.await?))
}
