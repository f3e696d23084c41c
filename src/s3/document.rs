//! What the XML documents of configurations have in common when they are read. Pure.

use super::code::Code;
use super::error::Error;
use crate::wire::xml::{self, Element};

/// The document is not one that the service's schema has.
pub(crate) fn malformed() -> Error {
    Error::new(Code::MalformedXML)
}

/// The root of a body that has to be there and be `root`, with children of these names alone.
pub(crate) fn read(body: &[u8], root: &str, children: &[&str]) -> Result<Element, Error> {
    if body.is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let element = xml::parse_s3(body)?;
    if element.name != root {
        return Err(malformed());
    }
    element.expect_only(children)?;
    Ok(element)
}

/// The one child of this name.
pub(crate) fn required<'a>(element: &'a Element, name: &str) -> Result<&'a Element, Error> {
    element.at_most_one(name)?.ok_or_else(malformed)
}

/// The text of the one child of this name, blanks around it taken off; it holds no elements.
pub(crate) fn word<'a>(element: &'a Element, name: &str) -> Result<&'a str, Error> {
    optional_word(element, name)?.ok_or_else(malformed)
}

/// As [`word`]; none if there is no such child.
pub(crate) fn optional_word<'a>(element: &'a Element, name: &str) -> Result<Option<&'a str>, Error> {
    let Some(child) = element.at_most_one(name)? else { return Ok(None) };
    child.expect_only(&[])?;
    Ok(Some(child.text.trim()))
}

/// The text of the one child of this name as it is, which a prefix is; none if there is no such child.
pub(crate) fn optional_text<'a>(element: &'a Element, name: &str) -> Result<Option<&'a str>, Error> {
    Ok(element.at_most_one(name)?.map(Element::leaf).transpose()?)
}

/// As [`optional_text`]; the child has to be there.
pub(crate) fn text<'a>(element: &'a Element, name: &str) -> Result<&'a str, Error> {
    optional_text(element, name)?.ok_or_else(malformed)
}

/// The texts of all children of this name, blanks around them taken off.
pub(crate) fn words<'a>(element: &'a Element, name: &'a str) -> Result<Vec<&'a str>, Error> {
    Ok(element.all(name).map(|child| child.leaf().map(str::trim)).collect::<Result<_, _>>()?)
}

/// Whether the one child of this name is there, which says something by that alone and holds nothing.
pub(crate) fn marker(element: &Element, name: &str) -> Result<bool, Error> {
    match element.at_most_one(name)? {
        None => Ok(false),
        Some(child) if child.leaf()?.trim().is_empty() => Ok(true),
        Some(_) => Err(malformed()),
    }
}

/// One of two words, the first of which is `true`.
pub(crate) fn switch(element: &Element, name: &str, [on, off]: [&str; 2]) -> Result<bool, Error> {
    match word(element, name)? {
        text if text == on => Ok(true),
        text if text == off => Ok(false),
        _ => Err(malformed()),
    }
}
