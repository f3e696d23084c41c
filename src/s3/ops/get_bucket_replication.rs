//! GetBucketReplication.

use crate::rules::replication::ReplicationConfiguration;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::replication_xml;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<ReplicationConfiguration>(cx.bucket()).await?;
    let found = found.ok_or_else(|| Error::new(Code::ReplicationConfigurationNotFoundError))?;
    Ok(Answer::new().xml(replication_xml::render(&found)))
}
