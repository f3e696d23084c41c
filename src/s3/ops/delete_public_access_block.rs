//! DeletePublicAccessBlock: nothing is blocked from then on but what the account blocks.

use http::StatusCode;
use serde_json::Value;

use crate::audit::{Event, Recorded};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    event.request["publicAccessBlock"] = Value::String(String::new());
    let recorded = cx.app.objects.set_public_access_block(cx.grant(), &cx.bucket().name, None, &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}
