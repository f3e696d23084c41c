//! GetBucketVersioning.

use crate::objects::Versioning;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    Ok(Answer::new().xml(render(cx.bucket().versioning)))
}

fn render(versioning: Versioning) -> Writer {
    let mut w = Writer::document();
    w.root("VersioningConfiguration", |w| match versioning {
        Versioning::Never => {}
        Versioning::Enabled => {
            w.leaf("Status", "Enabled");
        }
        Versioning::Suspended => {
            w.leaf("Status", "Suspended");
        }
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{Versioning, render};

    #[test]
    fn states() {
        let cases = [
            (Versioning::Never, ""),
            (Versioning::Enabled, "<Status>Enabled</Status>"),
            (Versioning::Suspended, "<Status>Suspended</Status>"),
        ];
        for (versioning, status) in cases {
            let end = format!("2006-03-01/\">{status}</VersioningConfiguration>");
            assert!(render(versioning).finish().ends_with(&end), "{versioning:?}");
        }
    }
}
