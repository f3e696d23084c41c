//! GetPublicAccessBlock: the bucket's own, not what its account has on beside it.

use super::put_public_access_block::named;
use crate::policy::PublicAccessBlock;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let block = cx.bucket().public_access_block;
    let block = block.ok_or_else(|| Error::new(Code::NoSuchPublicAccessBlockConfiguration))?;
    Ok(Answer::new().xml(render(block)))
}

fn render(block: PublicAccessBlock) -> Writer {
    let mut w = Writer::document();
    w.root("PublicAccessBlockConfiguration", |w| {
        for (name, on) in named(block) {
            w.flag(name, on);
        }
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{PublicAccessBlock, render};
    use crate::s3::ops::put_public_access_block::parse;

    #[test]
    fn what_was_put_is_got() {
        let some = PublicAccessBlock { ignore_public_acls: true, restrict_public_buckets: true, ..Default::default() };
        for block in [PublicAccessBlock::default(), some, PublicAccessBlock::ALL] {
            assert_eq!(parse(render(block).finish().as_bytes()).unwrap(), block);
        }
    }
}
