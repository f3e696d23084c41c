//! ListObjectVersions.

use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let _ = cx;
    unimplemented!()
}
