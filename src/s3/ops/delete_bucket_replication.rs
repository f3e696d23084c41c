//! DeleteBucketReplication.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::rules::replication::ReplicationConfiguration;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

/// A bucket without one loses none, as with AWS.
pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let none = None::<ReplicationConfiguration>;
    let recorded = cx.app.objects.set_configuration(grant, name, none, |_| Ok(()), &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}
