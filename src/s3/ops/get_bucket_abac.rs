//! GetBucketAbac.

use crate::rules::ConfigurationKind;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    Ok(Answer::new().xml(render(cx.bucket().has(ConfigurationKind::Abac))))
}

pub(crate) fn render(enabled: bool) -> Writer {
    let mut w = Writer::document();
    w.root("AbacStatus", |w| {
        w.leaf("Status", if enabled { "Enabled" } else { "Disabled" });
    });
    w
}
