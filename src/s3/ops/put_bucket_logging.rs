//! PutBucketLogging.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::names::BucketName;
use crate::objects::ObjectsError;
use crate::rules::logging::BucketLogging;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::logging_xml::{self, invalid_target};
use crate::s3::object_answer::Answer;
use crate::wire::Response;

/// A status without `LoggingEnabled` switches logging off. Whether the target's policy lets logs in is seen when they are
/// delivered, as with AWS.
pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let logging = logging_xml::parse(cx.whole(), &cx.app.directory)?;
    if let Some(logging) = &logging {
        check_target(&cx, logging).await?;
    }
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_configuration(grant, name, logging, |_| Ok(()), &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}

async fn check_target(cx: &Cx, logging: &BucketLogging) -> Result<(), Error> {
    let absent = || invalid_target(&logging.target_bucket, false);
    let name = BucketName::parse(&logging.target_bucket).map_err(|_| absent())?;
    let target = match cx.app.objects.bucket(&name).await {
        Ok(target) => target,
        Err(ObjectsError::NoSuchBucket) => return Err(absent()),
        Err(error) => return Err(error.into()),
    };
    let source = cx.bucket();
    if target.owner != source.owner {
        return Err(invalid_target(&logging.target_bucket, true));
    }
    if target.region != source.region {
        return Err(Error::new(Code::CrossLocationLoggingProhibitted)
            .and("SourceBucketLocation", source.region.as_str())
            .and("TargetBucketLocation", target.region.as_str()));
    }
    if !logging.grants.is_empty() && !target.acls_on() {
        // Documented as not possible; the code is not recorded.
        return Err(Error::new(Code::AccessControlListNotSupported));
    }
    Ok(())
}
