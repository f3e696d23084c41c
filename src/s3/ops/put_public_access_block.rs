//! PutPublicAccessBlock.

use http::StatusCode;
use serde_json::Value;

use crate::audit::{Event, Recorded};
use crate::policy::PublicAccessBlock;
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::wire::xml::Element;
use crate::wire::{Response, xml};

const NAMES: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let block = parse(cx.whole())?;
    event.request["publicAccessBlock"] = Value::String(String::new());
    event.request["PublicAccessBlockConfiguration"] =
        Value::Object(named(block).map(|(name, on)| (name.to_owned(), Value::Bool(on))).collect());
    let set = cx.app.objects.set_public_access_block(cx.grant(), &cx.bucket().name, Some(block), &event);
    Ok((Answer::new().empty(StatusCode::OK), set.await?))
}

/// Names and values, in AWS's order.
pub(super) fn named(block: PublicAccessBlock) -> impl Iterator<Item = (&'static str, bool)> {
    NAMES.into_iter().zip(switches(block))
}

fn switches(block: PublicAccessBlock) -> [bool; 4] {
    [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets]
}

/// A switch that is not named is off; one at least has to be.
pub(super) fn parse(body: &[u8]) -> Result<PublicAccessBlock, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let root = xml::parse_s3(body)?;
    if root.name != "PublicAccessBlockConfiguration" {
        return Err(Error::new(Code::MalformedXML));
    }
    root.expect_only(&NAMES)?;
    if root.children.is_empty() {
        // Not among the recorded texts; other servers that follow AWS have it.
        return Err(Error::invalid_request("Must specify at least one configuration."));
    }
    let [block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets] =
        NAMES.map(|name| switch(&root, name));
    Ok(PublicAccessBlock {
        block_public_acls: block_public_acls?,
        ignore_public_acls: ignore_public_acls?,
        block_public_policy: block_public_policy?,
        restrict_public_buckets: restrict_public_buckets?,
    })
}

/// The API reference writes `TRUE`, SDKs `true`.
fn switch(root: &Element, name: &str) -> Result<bool, Error> {
    match root.at_most_one(name)?.map(|element| element.text.trim()) {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(Error::new(Code::MalformedXML)),
    }
}

#[cfg(test)]
mod tests {
    use super::{PublicAccessBlock, parse};

    #[test]
    fn four_switches() {
        let read = |inner: &str| {
            let body = format!("<PublicAccessBlockConfiguration>{inner}</PublicAccessBlockConfiguration>");
            parse(body.as_bytes()).map_err(|error| error.code().name())
        };
        let all = "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>TRUE</IgnorePublicAcls>\
                   <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>True</RestrictPublicBuckets>";
        assert_eq!(read(all), Ok(PublicAccessBlock::ALL));
        assert_eq!(
            read("<BlockPublicPolicy> true </BlockPublicPolicy><BlockPublicAcls>FALSE</BlockPublicAcls>"),
            Ok(PublicAccessBlock { block_public_policy: true, ..PublicAccessBlock::default() })
        );
        assert_eq!(read(""), Err("InvalidRequest"));
        for bad in [
            "<BlockPublicAcls>1</BlockPublicAcls>",
            "<BlockPublicAcls/>",
            "<BlockPublicAcls>true</BlockPublicAcls><BlockPublicAcls>true</BlockPublicAcls>",
            "<BlockPublicACLs>true</BlockPublicACLs>",
        ] {
            assert_eq!(read(bad), Err("MalformedXML"), "{bad}");
        }
        let other = parse(b"<X><BlockPublicAcls>true</BlockPublicAcls></X>");
        assert_eq!(other.map_err(|error| error.code().name()), Err("MalformedXML"));
    }
}
