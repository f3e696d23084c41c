//! GetBucketAccelerateConfiguration.

use crate::rules::accelerate::Accelerate;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

/// Where it was never set there is no status.
pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let found = cx.app.objects.configuration::<Accelerate>(cx.bucket()).await?;
    Ok(Answer::new().xml(render(found.as_deref())))
}

pub(crate) fn render(accelerate: Option<&Accelerate>) -> Writer {
    let mut w = Writer::document();
    w.root("AccelerateConfiguration", |w| {
        if let Some(accelerate) = accelerate {
            w.leaf("Status", if accelerate.enabled { "Enabled" } else { "Suspended" });
        }
    });
    w
}
