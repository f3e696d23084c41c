//! HeadBucket.

use http::StatusCode;

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let mut answer = Answer::new();
    answer.set("x-amz-bucket-region", cx.bucket().region.as_str());
    answer.set("x-amz-access-point-alias", "false");
    answer.set("content-type", "application/xml");
    Ok(answer.empty(StatusCode::OK))
}
