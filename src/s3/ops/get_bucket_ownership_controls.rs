//! GetBucketOwnershipControls.

use crate::objects::ObjectOwnership;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let ownership = cx.bucket().ownership.ok_or_else(|| Error::new(Code::OwnershipControlsNotFoundError))?;
    Ok(Answer::new().xml(render(ownership)))
}

fn render(ownership: ObjectOwnership) -> Writer {
    let mut w = Writer::document();
    w.root("OwnershipControls", |w| {
        w.node("Rule", |w| {
            w.leaf("ObjectOwnership", ownership.name());
        });
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{ObjectOwnership, render};
    use crate::s3::ops::put_bucket_ownership_controls::parse;

    #[test]
    fn what_was_put_is_got() {
        for ownership in ObjectOwnership::ALL {
            assert_eq!(parse(render(ownership).finish().as_bytes()).unwrap(), ownership);
        }
    }
}
