//! HeadObject.

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_read::{Found, ReadInput};
use crate::sse::Mode;
use crate::wire::Response;

/// Uses no KMS key, except to show a checksum, which AWS lets only those see who may decrypt the object.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let input = ReadInput::parse(&cx.head.headers, &cx.query, cx.access.facts())?;
    let found = Found::locate(&cx, &input).await?;
    if input.wants_checksum() && matches!(found.info.envelope.mode, Mode::SseKms | Mode::DsseKms) {
        drop(found.open(&cx, &input).await?);
    }
    let answer = found.describe(&cx, &input).await;
    Ok(answer.head(found.selection.status(), found.selection.plain_len()))
}
