//! PostObject: an upload form of a browser. Its fields are headers by now, and what is done with them is PutObject.

use http::StatusCode;
use http::header::LOCATION;

use crate::objects::{Creation, ObjectInfo};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::quoted;
use crate::s3::ops::put_object;
use crate::s3::post_form::SuccessAction;
use crate::wire::xml::Writer;
use crate::wire::{Response, encode_uri, virtual_bucket};

pub(crate) async fn run(mut cx: Cx) -> Result<Response, Error> {
    let (info, mut answer) = put_object::store(&mut cx, Creation::Post).await?;
    let action = cx.head.extensions.get::<SuccessAction>();
    let status = action.map_or(StatusCode::NO_CONTENT, |action| action.status);
    if let Some(url) = action.and_then(|action| action.redirect.as_deref()) {
        answer.insert(LOCATION, redirected(url, &info).as_bytes());
        return Ok(answer.empty(StatusCode::SEE_OTHER));
    }
    let location = location(&cx);
    answer.insert(LOCATION, location.as_bytes());
    if status != StatusCode::CREATED {
        return Ok(answer.empty(status));
    }
    let mut response = answer.xml(document(&location, &info));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Where the object is, as AWS writes it: all of the key encoded, `/` too.
fn location(cx: &Cx) -> String {
    let facts = cx.access.facts();
    let scheme = if facts.secure { "https" } else { "http" };
    let host = cx.head.extensions.get::<HostHeader>().map_or(facts.host.as_str(), |host| host.0.as_str());
    let key = encode_uri(cx.key().as_str());
    match virtual_bucket(&facts.host, &cx.app.config.domains) {
        Some(_) => format!("{scheme}://{host}/{key}"),
        None => format!("{scheme}://{host}/{}/{key}", cx.bucket().name),
    }
}

/// The host as the client named it, with its port: an extension of the head.
#[derive(Debug, Clone)]
pub(crate) struct HostHeader(pub(crate) String);

/// The page to go on to is told what was stored.
fn redirected(url: &str, info: &ObjectInfo) -> String {
    let (page, fragment) = url.find('#').map_or((url, ""), |at| url.split_at(at));
    let separator = if page.contains('?') { '&' } else { '?' };
    let (key, etag) = (encode_uri(info.key.as_str()), encode_uri(&quoted(&info.etag)));
    format!("{page}{separator}bucket={}&key={key}&etag={etag}{fragment}", info.bucket)
}

/// It has no namespace.
fn document(location: &str, info: &ObjectInfo) -> Writer {
    let mut w = Writer::document();
    w.node("PostResponse", |w| {
        w.leaf("Location", location);
        w.leaf("Bucket", info.bucket.as_str());
        w.leaf("Key", info.key.as_str());
        w.etag("ETag", &info.etag);
    });
    w
}
