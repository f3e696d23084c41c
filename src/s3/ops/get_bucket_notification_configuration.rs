//! GetBucketNotificationConfiguration.

use crate::rules::notification::NotificationConfiguration;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::notification_xml;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

/// A bucket without one shows an empty one.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<NotificationConfiguration>(cx.bucket()).await?;
    Ok(Answer::new().xml(notification_xml::render(&found.unwrap_or_default())))
}
