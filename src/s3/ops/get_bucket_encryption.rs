//! GetBucketEncryption: always an answer, for every bucket has a default.

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::sse::BucketDefault;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    Ok(Answer::new().xml(render(&cx.bucket().encryption)))
}

fn render(default: &BucketDefault) -> Writer {
    let mut w = Writer::document();
    w.root("ServerSideEncryptionConfiguration", |w| {
        w.node("Rule", |w| {
            w.node("ApplyServerSideEncryptionByDefault", |w| {
                // SSE-C is never a bucket's default.
                w.leaf("SSEAlgorithm", default.mode.header().unwrap_or("AES256"));
                if let Some(key) = &default.kms_key {
                    w.leaf("KMSMasterKeyID", key);
                }
            });
            w.flag("BucketKeyEnabled", default.bucket_key);
            if default.blocks_sse_c {
                w.node("BlockedEncryptionTypes", |w| {
                    w.leaf("EncryptionType", "SSE-C");
                });
            }
        });
    });
    w
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::s3::ops::put_bucket_encryption::parse;
    use crate::sse::{BucketDefault, Mode};

    #[test]
    fn of_a_new_bucket() {
        let expected = "2006-03-01/\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
                        </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>\
                        </ServerSideEncryptionConfiguration>";
        assert!(render(&BucketDefault::default()).finish().ends_with(expected));
    }

    #[test]
    fn what_was_put_is_got() {
        let key = Some("alias/a&b".to_owned());
        let defaults = [
            BucketDefault { mode: Mode::SseS3, kms_key: None, bucket_key: true, blocks_sse_c: true },
            BucketDefault { mode: Mode::SseKms, kms_key: None, bucket_key: true, blocks_sse_c: false },
            BucketDefault { mode: Mode::SseKms, kms_key: key.clone(), bucket_key: false, blocks_sse_c: true },
            BucketDefault { mode: Mode::DsseKms, kms_key: key, bucket_key: false, blocks_sse_c: false },
        ];
        for default in defaults {
            // What is not blocked is not said, and what is not said stays as it is.
            let unblocked = BucketDefault { blocks_sse_c: false, ..default.clone() };
            assert_eq!(parse(render(&default).finish().as_bytes()).unwrap().over(&unblocked), default);
        }
    }
}
