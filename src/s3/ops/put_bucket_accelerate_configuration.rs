//! PutBucketAccelerateConfiguration.

use http::StatusCode;
use serde_json::json;

use crate::audit::{Event, Recorded};
use crate::rules::accelerate::Accelerate;
use crate::s3::cx::Cx;
use crate::s3::document::{read, switch};
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let name = &cx.bucket().name;
    if name.as_str().contains('.') {
        return Err(Error::invalid_request(
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
        ));
    }
    let accelerate = parse(cx.whole())?;
    event.request["AccelerateConfiguration"] =
        json!({"Status": if accelerate.enabled { "Enabled" } else { "Suspended" }});
    let set = cx.app.objects.set_configuration(cx.grant(), name, Some(accelerate), |_| Ok(()), &event);
    Ok((Answer::new().empty(StatusCode::OK), set.await?))
}

pub(crate) fn parse(body: &[u8]) -> Result<Accelerate, Error> {
    let root = read(body, "AccelerateConfiguration", &["Status"])?;
    Ok(Accelerate { enabled: switch(&root, "Status", ["Enabled", "Suspended"])? })
}
