//! GetBucketRequestPayment.

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    Ok(Answer::new().xml(render(cx.bucket().requester_pays)))
}

fn render(requester_pays: bool) -> Writer {
    let mut w = Writer::document();
    w.root("RequestPaymentConfiguration", |w| {
        w.leaf("Payer", if requester_pays { "Requester" } else { "BucketOwner" });
    });
    w
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::s3::ops::put_bucket_request_payment::parse;

    #[test]
    fn what_was_put_is_got() {
        for requester_pays in [true, false] {
            assert_eq!(parse(render(requester_pays).finish().as_bytes()).unwrap(), requester_pays);
        }
    }
}
