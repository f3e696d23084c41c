//! PutBucketOwnershipControls.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::objects::ObjectOwnership;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::{Response, xml};

/// ACLs are not switched off while the bucket's own grants something to others.
pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    let ownership = parse(cx.whole())?;
    let (bucket, owner) = (cx.bucket(), cx.owner(&cx.bucket().owner).id);
    let recorded = cx.app.objects.set_ownership(cx.grant(), &bucket.name, Some(ownership), owner, &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}

/// Reads the one rule.
pub(super) fn parse(body: &[u8]) -> Result<ObjectOwnership, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let malformed = || Error::new(Code::MalformedXML);
    let root = xml::parse_s3(body)?;
    root.expect_only(&["Rule"])?;
    let rule = root.at_most_one("Rule")?.filter(|_| root.name == "OwnershipControls").ok_or_else(malformed)?;
    rule.expect_only(&["ObjectOwnership"])?;
    let ownership = rule.at_most_one("ObjectOwnership")?.and_then(|name| ObjectOwnership::parse(name.text.trim()));
    ownership.ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::{ObjectOwnership, parse};

    #[test]
    fn one_rule_of_a_known_name() {
        let rules = |inner: &str| {
            let body = format!("<OwnershipControls>{inner}</OwnershipControls>");
            parse(body.as_bytes()).map_err(|e| e.code().name())
        };
        let rule = |name: &str| format!("<Rule><ObjectOwnership>{name}</ObjectOwnership></Rule>");
        assert_eq!(rules(&rule("\n ObjectWriter ")), Ok(ObjectOwnership::ObjectWriter));
        let twice = rule("ObjectWriter").repeat(2);
        for bad in ["", "<Rule/>", &twice, &rule(""), &rule("objectwriter"), "<Rule><X/></Rule>", "<X/>"] {
            assert_eq!(rules(bad), Err("MalformedXML"), "{bad}");
        }
        assert_eq!(parse(b"<X><Rule/></X>").map_err(|e| e.code().name()), Err("MalformedXML"));
        assert_eq!(parse(b"").map_err(|e| e.code().name()), Err("MissingRequestBodyError"));
    }
}
