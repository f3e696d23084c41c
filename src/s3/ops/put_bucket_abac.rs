//! PutBucketAbac.

use http::StatusCode;
use serde_json::json;

use crate::audit::{Event, Recorded};
use crate::rules::abac::Abac;
use crate::s3::cx::Cx;
use crate::s3::document::{read, switch};
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let enabled = parse(cx.whole())?;
    event.request["AbacStatus"] = json!({"Status": if enabled { "Enabled" } else { "Disabled" }});
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let set = cx.app.objects.set_configuration(grant, name, enabled.then_some(Abac {}), |_| Ok(()), &event);
    Ok((Answer::new().empty(StatusCode::OK), set.await?))
}

/// Whether the bucket's tags are to decide on access.
pub(crate) fn parse(body: &[u8]) -> Result<bool, Error> {
    switch(&read(body, "AbacStatus", &["Status"])?, "Status", ["Enabled", "Disabled"])
}
