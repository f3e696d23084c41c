//! GetBucketPolicy: the document as it was put.

use super::put_bucket_policy::check_own;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    check_own(&cx)?;
    let policy = cx.before.policy().ok_or_else(|| Error::new(Code::NoSuchBucketPolicy))?;
    Ok(Answer::new().json(policy.policy.text()))
}
