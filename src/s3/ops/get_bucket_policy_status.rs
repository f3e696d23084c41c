//! GetBucketPolicyStatus: whether the policy is public.

use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::Response;
use crate::wire::xml::Writer;

pub(crate) async fn run(cx: Cx) -> Result<Response, Error> {
    let policy = cx.bucket().policy.ok_or_else(|| Error::new(Code::NoSuchBucketPolicy))?;
    Ok(Answer::new().xml(render(policy.public)))
}

fn render(public: bool) -> Writer {
    let mut w = Writer::document();
    w.root("PolicyStatus", |w| {
        w.flag("IsPublic", public);
    });
    w
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn a_status() {
        assert_eq!(
            render(true).finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PolicyStatus \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsPublic>true</IsPublic></PolicyStatus>"
        );
    }
}
