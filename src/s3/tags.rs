//! Object tags (S3 User Guide, "Categorizing your objects using tags").

use std::collections::HashSet;

use super::code::Code;
use super::error::Error;
use crate::wire::xml::{self, Writer};

/// Tags of one object.
pub(crate) const TAGS_MAX: usize = 10;
/// Characters of a tag's key, none of them missing.
pub(crate) const KEY_MAX_CHARS: usize = 128;
/// Characters of a tag's value.
pub(crate) const VALUE_MAX_CHARS: usize = 256;

/// Tags in the order sent.
pub(crate) type Tags = Vec<(String, String)>;

/// Reads a `Tagging` body of an object and checks the tags.
pub(crate) fn parse(body: &[u8]) -> Result<Tags, Error> {
    parse_set(body, TAGS_MAX)
}

/// Reads a `Tagging` body of at most `limit` tags and checks them.
pub(crate) fn parse_set(body: &[u8], limit: usize) -> Result<Tags, Error> {
    let malformed = || Error::new(Code::MalformedXML);
    let root = xml::parse(body)?;
    root.expect_only(&["TagSet"])?;
    let set = root.at_most_one("TagSet")?.filter(|_| root.name == "Tagging").ok_or_else(malformed)?;
    set.expect_only(&["Tag"])?;
    let tags = set.children.iter().map(|tag| {
        tag.expect_only(&["Key", "Value"])?;
        let (key, value) = (tag.at_most_one("Key")?, tag.at_most_one("Value")?);
        let (key, value) = (key.ok_or_else(malformed)?, value.ok_or_else(malformed)?);
        Ok((key.leaf()?.to_owned(), value.leaf()?.to_owned()))
    });
    let tags = tags.collect::<Result<Tags, Error>>()?;
    check_set(&tags, limit)?;
    Ok(tags)
}

/// Checks number, lengths, characters and that no key comes twice: also for tags that came in a header.
pub(crate) fn check(tags: &[(String, String)]) -> Result<(), Error> {
    check_set(tags, TAGS_MAX)
}

fn check_set(tags: &[(String, String)], limit: usize) -> Result<(), Error> {
    if tags.len() > limit {
        let of = if limit == TAGS_MAX { "Object" } else { "Bucket" };
        return Err(Error::with_message(Code::BadRequest, format!("{of} tags cannot be greater than {limit}")));
    }
    let mut seen = HashSet::new();
    for (key, value) in tags {
        let invalid = |message| Error::with_message(Code::InvalidTag, message).and("TagKey", key);
        if key.is_empty() || key.chars().count() > KEY_MAX_CHARS || !legal(key) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if key.starts_with("aws:") {
            return Err(invalid("Your TagKey cannot be prefixed with aws:"));
        }
        if value.chars().count() > VALUE_MAX_CHARS || !legal(value) {
            return Err(invalid("The TagValue you have provided is invalid").and("TagValue", value));
        }
        if !seen.insert(key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

/// Letters, digits and blanks of any script, and `+ - = . _ : / @`.
pub(crate) fn legal(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "+-=._:/@".contains(c))
}

/// A `Tagging` document.
pub(crate) fn render(tags: &[(String, String)]) -> Writer {
    let mut w = Writer::document();
    w.root("Tagging", |w| {
        w.node("TagSet", |w| {
            for (key, value) in tags {
                w.node("Tag", |w| {
                    w.leaf("Key", key).leaf("Value", value);
                });
            }
        });
    });
    w
}

#[cfg(test)]
mod tests {
    use super::{Tags, parse, render};

    fn body(tags: &[(&str, &str)]) -> String {
        let tags: Vec<_> = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        render(&tags).finish()
    }

    fn parsed(body: &str) -> Result<Tags, (String, String, Vec<String>)> {
        parse(body.as_bytes()).map_err(|e| {
            let elements = e.elements().map(|(name, value)| format!("{name}={value}")).collect();
            (e.code().name().to_owned(), e.message().to_owned(), elements)
        })
    }

    #[test]
    fn what_is_rendered_parses_to_the_same() {
        let ten: Vec<(String, String)> = (0..10).map(|i| (format!("k{i}"), String::new())).collect();
        let long = ("k".repeat(128), "é".repeat(256));
        for tags in [vec![], vec![("a b".to_owned(), " +-=._:/@ß1".to_owned())], ten, vec![long]] {
            assert_eq!(parsed(&render(&tags).finish()), Ok(tags));
        }
        assert_eq!(parsed("<Tagging xmlns='x'><TagSet/></Tagging>"), Ok(vec![]));
    }

    #[test]
    fn bad_tags_and_aws_words_for_them() {
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        let key = "The TagKey you have provided is invalid";
        let value = "The TagValue you have provided is invalid";
        let cases: &[(&[_], _, &[&str])] = &[
            (&[("Key1,Key2", "v")], key, &["TagKey=Key1,Key2"]),
            (&[("", "v")], key, &["TagKey="]),
            (&[("a\tb", "v")], key, &["TagKey=a\tb"]),
            (&[(&long_key, "v")], key, &[&format!("TagKey={long_key}")]),
            (&[("Key1", "Val1,Val2")], value, &["TagKey=Key1", "TagValue=Val1,Val2"]),
            (&[("Key1", &long_value)], value, &["TagKey=Key1", &format!("TagValue={long_value}")]),
            (&[("aws:prefixed", "v")], "Your TagKey cannot be prefixed with aws:", &["TagKey=aws:prefixed"]),
            (
                &[("Key1", "a"), ("k", ""), ("Key1", "b")],
                "Cannot provide multiple Tags with the same key",
                &["TagKey=Key1"],
            ),
        ];
        for (tags, message, elements) in cases {
            let elements = elements.iter().map(|e| (*e).to_owned()).collect();
            assert_eq!(parsed(&body(tags)), Err(("InvalidTag".to_owned(), (*message).to_owned(), elements)));
        }
        let eleven: Vec<(String, String)> = (0..11).map(|i| (format!("k{i}"), String::new())).collect();
        let expected = ("BadRequest".to_owned(), "Object tags cannot be greater than 10".to_owned(), vec![]);
        assert_eq!(parsed(&render(&eleven).finish()), Err(expected));
    }

    #[test]
    fn bodies_that_are_no_tagging() {
        let bodies = [
            "",
            "<Tagging/>",
            "<X><TagSet/></X>",
            "<Tagging><TagSet/><TagSet/></Tagging>",
            "<Tagging><TagSet/><X/></Tagging>",
            "<Tagging><TagSet><X/></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>a</Key><Key>a</Key><Value/></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>a</Key><Value/><X/></Tag></TagSet></Tagging>",
        ];
        for body in bodies {
            assert_eq!(parsed(body).map_err(|e| e.0), Err("MalformedXML".to_owned()), "{body}");
        }
    }
}
