//! Tags of objects (S3 User Guide, "Categorizing your objects using tags") and of buckets.

use std::collections::HashSet;

use super::code::Code;
use super::error::Error;
use crate::rules::tagging::BUCKET_TAGS_MAX;
use crate::wire::xml::{self, Element, Writer};

/// Tags of one object.
pub(crate) const TAGS_MAX: usize = 10;
/// Characters of a tag's key, none of them missing.
pub(crate) const KEY_MAX_CHARS: usize = 128;
/// Characters of a tag's value.
pub(crate) const VALUE_MAX_CHARS: usize = 256;

/// Tags in the order sent.
pub(crate) type Tags = Vec<(String, String)>;

/// What tags are put on: limit and texts differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    /// An object.
    Object,
    /// A bucket.
    Bucket,
    /// A bucket as it is made.
    NewBucket,
}

impl Tagged {
    fn limit(self) -> usize {
        match self {
            Self::Object => TAGS_MAX,
            Self::Bucket | Self::NewBucket => BUCKET_TAGS_MAX,
        }
    }

    fn too_many(self) -> Error {
        let of = if self == Self::Object { "Object" } else { "Bucket" };
        Error::with_message(Code::BadRequest, format!("{of} tags cannot be greater than {}", self.limit()))
    }

    /// Of keys that begin with `aws:`.
    fn reserved(self) -> &'static str {
        match self {
            Self::Object => "Your TagKey cannot be prefixed with aws:",
            Self::Bucket => "System tags cannot be added/updated by requester",
            Self::NewBucket => {
                "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \
                 \"aws:\" from your tag keys and try again."
            }
        }
    }
}

/// Reads a `Tagging` body of an object and checks the tags.
pub(crate) fn parse(body: &[u8]) -> Result<Tags, Error> {
    parse_of(body, Tagged::Object)
}

/// Reads a `Tagging` body and checks the tags.
pub(crate) fn parse_of(body: &[u8], tagged: Tagged) -> Result<Tags, Error> {
    let root = xml::parse_s3(body)?;
    root.expect_only(&["TagSet"])?;
    let set = root.at_most_one("TagSet")?.filter(|_| root.name == "Tagging");
    parse_set(set.ok_or_else(|| Error::new(Code::MalformedXML))?, tagged)
}

/// Reads an element that holds tags, and checks them.
pub(crate) fn parse_set(set: &Element, tagged: Tagged) -> Result<Tags, Error> {
    let malformed = || Error::new(Code::MalformedXML);
    set.expect_only(&["Tag"])?;
    let tags = set.children.iter().map(|tag| {
        tag.expect_only(&["Key", "Value"])?;
        let (key, value) = (tag.at_most_one("Key")?, tag.at_most_one("Value")?);
        let (key, value) = (key.ok_or_else(malformed)?, value.ok_or_else(malformed)?);
        Ok((key.leaf()?.to_owned(), value.leaf()?.to_owned()))
    });
    let tags = tags.collect::<Result<Tags, Error>>()?;
    check_set(&tags, tagged)?;
    Ok(tags)
}

/// Checks number, lengths, characters and that no key comes twice: also for tags that came in a header.
pub(crate) fn check(tags: &[(String, String)]) -> Result<(), Error> {
    check_set(tags, Tagged::Object)
}

fn check_set(tags: &[(String, String)], tagged: Tagged) -> Result<(), Error> {
    if tags.len() > tagged.limit() {
        return Err(tagged.too_many());
    }
    let mut seen = HashSet::new();
    for (key, value) in tags {
        let invalid = |message| Error::with_message(Code::InvalidTag, message).and("TagKey", key);
        check_key(key)?;
        if key.starts_with("aws:") {
            return Err(invalid(tagged.reserved()));
        }
        check_value(key, value)?;
        if !seen.insert(key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

/// Checks lengths and characters of tags that are compared with others, which the system may have made.
pub(crate) fn check_pairs(tags: &[(String, String)]) -> Result<(), Error> {
    tags.iter().try_for_each(|(key, value)| check_key(key).and_then(|()| check_value(key, value)))
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.chars().count() > KEY_MAX_CHARS || !legal(key) {
        let message = "The TagKey you have provided is invalid";
        return Err(Error::with_message(Code::InvalidTag, message).and("TagKey", key));
    }
    Ok(())
}

fn check_value(key: &str, value: &str) -> Result<(), Error> {
    if value.chars().count() > VALUE_MAX_CHARS || !legal(value) {
        let message = "The TagValue you have provided is invalid";
        return Err(Error::with_message(Code::InvalidTag, message).and("TagKey", key).and("TagValue", value));
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
    use super::{Tagged, Tags, parse, parse_of, render};

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
        assert_eq!(parsed("<Tagging xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><TagSet/></Tagging>"), Ok(vec![]));
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
    fn of_buckets_more_are_taken_and_the_words_are_others() {
        let tags = |number| (0..number).map(|i| (format!("k{i}"), String::new())).collect::<Tags>();
        let parse = |tags: &Tags, tagged| {
            parse_of(render(tags).finish().as_bytes(), tagged).map_err(|error| error.message().to_owned())
        };
        let system = vec![("aws:x".to_owned(), String::new())];
        let made = "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \
                    \"aws:\" from your tag keys and try again.";
        for (tagged, limit, too_many, reserved) in [
            (Tagged::Object, 10, "Object tags cannot be greater than 10", "Your TagKey cannot be prefixed with aws:"),
            (
                Tagged::Bucket,
                50,
                "Bucket tags cannot be greater than 50",
                "System tags cannot be added/updated by requester",
            ),
            (Tagged::NewBucket, 50, "Bucket tags cannot be greater than 50", made),
        ] {
            assert_eq!(parse(&tags(limit), tagged), Ok(tags(limit)));
            assert_eq!(parse(&tags(limit + 1), tagged), Err(too_many.to_owned()));
            assert_eq!(parse(&system, tagged), Err(reserved.to_owned()));
        }
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
