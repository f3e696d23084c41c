//! DeleteBucketEncryption: back to SSE-S3. What is blocked stays blocked: that is no part of the default.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::sse::{BucketDefault, Mode};
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let reset = reset(&cx.bucket().encryption);
    let recorded = cx.app.objects.set_encryption(cx.grant(), &cx.bucket().name, reset, &event).await?;
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), recorded))
}

fn reset(current: &BucketDefault) -> BucketDefault {
    BucketDefault { mode: Mode::SseS3, kms_key: None, bucket_key: false, blocks_sse_c: current.blocks_sse_c }
}

#[cfg(test)]
mod tests {
    use super::{BucketDefault, Mode, reset};

    #[test]
    fn the_default_goes_and_the_block_stays() {
        for blocks_sse_c in [true, false] {
            let kms_key = Some("k".to_owned());
            let current = BucketDefault { mode: Mode::SseKms, kms_key, bucket_key: true, blocks_sse_c };
            assert_eq!(reset(&current), BucketDefault { blocks_sse_c, ..BucketDefault::default() });
        }
    }
}
