//! GetObject.

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::objects::ByteStream;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Chunks;
use crate::s3::object_read::{Found, ReadInput};
use crate::wire::{RequestId, Response};

/// A damaged segment that is met after the status was sent can only cut the connection: the client then misses bytes
/// of the length that it was promised.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let input = ReadInput::parse(&cx.head.headers, &cx.query, cx.access.facts())?;
    let found = Found::locate(&cx, &input).await?;
    let keys = found.open(&cx, &input).await?;
    let answer = found.describe(&cx, &input).await;
    let selection = &found.selection;
    let bytes = cx.app.objects.read(cx.grant(), &found.info, selection.range, keys).await?;
    Ok(answer.stream(selection.status(), selection.plain_len(), chunks(bytes, cx.request_id.clone())))
}

fn chunks(bytes: ByteStream, request_id: RequestId) -> Chunks {
    bytes
        .map_err(move |error| {
            tracing::error!(request_id = request_id.as_str(), ?error, "the object's data cannot be read to its end");
            "the object's data cannot be read to its end".into()
        })
        .boxed()
}
