//! UploadPart.

use http::StatusCode;

use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::sse_headers::CustomerUse;
use crate::s3::{checksum_headers, object_lock, sse_headers, uploads};
use crate::sse::CustomerKey;
use crate::wire::Response;

/// As in PutObject, all that can refuse the part comes before the first read of its body.
pub(crate) async fn run(mut cx: Cx) -> Result<Response, Error> {
    let payload = cx.take_payload();
    if !payload.is_len_declared() {
        return Err(Error::new(Code::MissingContentLength));
    }
    uploads::check_body_len(payload.plain_len())?;
    let part_number = uploads::part_number(cx.query.value("partNumber").unwrap_or_default())?;
    let headers = &cx.head.headers;
    let customer = sse_headers::own_customer_key(headers, CustomerUse::Write, cx.access.facts().confidential)?;
    let upload = uploads::named(&cx).await?;
    object_lock::check_digest(&cx, payload.is_digest_named(), upload.attributes.lock, "Part").await?;
    let keys = uploads::part_keys(&cx, &upload, customer.as_ref()).await?;
    let part = cx.app.objects.put_part(cx.grant(), &upload, keys, part_number, payload).await?;
    cx.note_object_size(part.plain_len);
    let mut answer = Answer::new();
    answer.set_etag(&part.etag);
    checksum_headers::write_part(&mut answer, part.checksum.as_ref());
    sse_headers::write(&mut answer, &upload.envelope.shown(), customer.as_ref().map(CustomerKey::md5_base64));
    Ok(answer.empty(StatusCode::OK))
}
