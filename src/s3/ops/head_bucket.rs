//! HeadBucket.

use http::StatusCode;

use crate::s3::answer;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let mut answer = answer::empty(StatusCode::OK);
    answer::set(&mut answer, "x-amz-bucket-region", Some(cx.bucket().region.as_str()));
    answer::set(&mut answer, "x-amz-access-point-alias", Some("false"));
    answer::set(&mut answer, "content-type", Some("application/xml"));
    Ok(answer)
}
