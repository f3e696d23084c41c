//! AbortMultipartUpload.

use http::StatusCode;

use super::delete_object::{parse_time, value_of};
use crate::objects::ObjectsError;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::uploads;
use crate::wire::Response;

/// AWS has this condition for directory buckets alone. Whoever sends it must not have another upload aborted.
const INITIATED: &str = "x-amz-if-match-initiated-time";

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let id = uploads::id(&cx.query)?;
    if let Some(initiated) = value_of(&cx.head.headers, INITIATED, parse_time)? {
        match cx.app.objects.upload(cx.bucket(), cx.key(), id).await {
            // Whole seconds, which is all that the header's form has.
            Ok(upload) if upload.initiated.seconds() != initiated.seconds() => {
                return Err(Error::new(Code::PreconditionFailed).and("Condition", INITIATED));
            }
            // What is completed already is for the abort to say.
            Ok(_) | Err(ObjectsError::NoSuchUpload) => {}
            Err(error) => return Err(error.into()),
        }
    }
    cx.app.objects.abort_upload(cx.grant(), cx.bucket(), cx.key(), id).await?;
    Ok(Answer::new().empty(StatusCode::NO_CONTENT))
}
