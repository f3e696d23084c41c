//! PutBucketRequestPayment.

use http::StatusCode;
use serde_json::json;

use crate::audit::{Event, Recorded};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::{Response, xml};

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let requester_pays = parse(cx.whole())?;
    event.request["requestPayment"] = json!("");
    let payer = if requester_pays { "Requester" } else { "BucketOwner" };
    event.request["RequestPaymentConfiguration"] = json!({"Payer": payer});
    let set = cx.app.objects.set_requester_pays(cx.grant(), &cx.bucket().name, requester_pays, &event);
    Ok((Answer::new().empty(StatusCode::OK), set.await?))
}

/// Whether the requester is to pay.
pub(super) fn parse(body: &[u8]) -> Result<bool, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let malformed = || Error::new(Code::MalformedXML);
    let root = xml::parse_s3(body)?;
    root.expect_only(&["Payer"])?;
    let payer = root.at_most_one("Payer")?.filter(|_| root.name == "RequestPaymentConfiguration");
    match payer.ok_or_else(malformed)?.text.trim() {
        "Requester" => Ok(true),
        "BucketOwner" => Ok(false),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn one_of_two() {
        let read = |inner: &str| {
            let body = format!("<RequestPaymentConfiguration>{inner}</RequestPaymentConfiguration>");
            parse(body.as_bytes()).map_err(|error| error.code().name())
        };
        assert_eq!(read("<Payer> Requester </Payer>"), Ok(true));
        assert_eq!(read("<Payer>BucketOwner</Payer>"), Ok(false));
        for bad in ["", "<Payer/>", "<Payer>requester</Payer>", "<Payer>Requester</Payer><Payer/>", "<X/>"] {
            assert_eq!(read(bad), Err("MalformedXML"), "{bad}");
        }
        assert_eq!(parse(b"<X><Payer>Requester</Payer></X>").map_err(|e| e.code().name()), Err("MalformedXML"));
        assert_eq!(parse(b"").map_err(|e| e.code().name()), Err("MissingRequestBodyError"));
    }
}
