//! What the operations on a bucket's configurations by id have in common.

use http::StatusCode;
use serde_json::json;

use super::code::Code;
use super::cx::Cx;
use super::document::{read, word};
use super::error::Error;
use super::named_xml::Document;
use super::object_answer::Answer;
use super::token;
use crate::audit::{Event, Recorded};
use crate::objects::Bucket;
use crate::wire::Response;
use crate::wire::xml::Writer;

/// Characters of an id.
const ID_MAX_CHARS: usize = 64;
/// Configurations of one page, as AWS.
const PAGE: usize = 100;

/// `id` of the query: letters, digits, dots, dashes and underscores.
pub(crate) fn id(cx: &Cx) -> Result<&str, Error> {
    let id = cx.query.value("id").unwrap_or_default();
    let legal = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if id.is_empty() || id.len() > ID_MAX_CHARS || !legal {
        // The text is not recorded.
        return Err(Error::invalid_argument("The specified configuration id is invalid.", "id", id));
    }
    Ok(id)
}

/// Reads a document whose id has to be the one of the query.
pub(crate) fn parse<T: Document>(body: &[u8], id: &str) -> Result<T, Error> {
    let children: Vec<&str> = [&["Id"], T::CHILDREN].concat();
    let root = read(body, T::ROOT, &children)?;
    let value = T::parse(&root)?;
    if word(&root, "Id")? == id { Ok(value) } else { Err(Error::new(Code::IdMismatch)) }
}

/// Put…Configuration.
pub(crate) async fn put<T: Document>(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let id = id(&cx)?;
    let value = parse::<T>(cx.whole(), id)?;
    event.request["id"] = json!(id);
    let set = cx.app.objects.set_named_configuration(cx.grant(), &cx.bucket().name, id, Some(value), &event);
    Ok((Answer::new().empty(StatusCode::OK), set.await?))
}

/// Delete…Configuration.
pub(crate) async fn delete<T: Document>(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let id = id(&cx)?;
    event.request["id"] = json!(id);
    let removed = cx.app.objects.set_named_configuration::<T>(cx.grant(), &cx.bucket().name, id, None, &event);
    Ok((Answer::new().empty(StatusCode::NO_CONTENT), removed.await?))
}

/// Get…Configuration.
pub(crate) async fn get<T: Document>(cx: Cx) -> Result<Response, Error> {
    let id = id(&cx)?;
    let found = cx.app.objects.named_configuration::<T>(cx.bucket(), id).await?;
    let found = found.ok_or_else(|| Error::new(Code::NoSuchConfiguration))?;
    Ok(Answer::new().xml(render(id, &found)))
}

/// One configuration as a document.
pub(crate) fn render<T: Document>(id: &str, value: &T) -> Writer {
    let mut w = Writer::document();
    w.root(T::ROOT, |w| {
        w.leaf("Id", id);
        value.write(w);
    });
    w
}

/// List…Configurations.
pub(crate) async fn list<T: Document>(cx: Cx) -> Result<Response, Error> {
    let scope = scope::<T>(cx.bucket());
    let sent = cx.query.value("continuation-token");
    let after = sent.map(|sent| token::open(&scope, sent).ok_or_else(|| wrong_token(sent))).transpose()?;
    let mut found = cx.app.objects.named_configurations::<T>(cx.bucket(), after.as_deref(), PAGE + 1).await?;
    let truncated = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| truncated).map(|(last, _)| token::seal(&scope, last));
    let mut w = Writer::document();
    w.root(T::LIST_ROOT, |w| {
        w.flag("IsTruncated", truncated);
        if let Some(sent) = sent {
            w.leaf("ContinuationToken", sent);
        }
        if let Some(next) = &next {
            w.leaf("NextContinuationToken", next);
        }
        for (id, value) in &found {
            w.node(T::ROOT, |w| {
                w.leaf("Id", id);
                value.write(w);
            });
        }
    });
    Ok(Answer::new().xml(w))
}

/// A token is good for the pages of one kind in one bucket.
fn scope<T: Document>(bucket: &Bucket) -> Vec<u8> {
    [&bucket.id[..], &[T::KIND.number()]].concat()
}

fn wrong_token(sent: &str) -> Error {
    Error::invalid_argument("The continuation token provided is incorrect", "continuation-token", sent)
}
