//! Buckets as static websites, on hosts of their own: what browsers ask for, without signatures, and HTML where
//! something is wrong (S3 User Guide, "Hosting a static website", "Website endpoints").
//!
//! An object is read as by everybody else who signs nothing: by the bucket's policy, its ACLs and its public access
//! block, with the record of a denial.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use http::header::{
    CONTENT_TYPE, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION,
    RANGE, USER_AGENT,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::address::Address;
use super::code::Code;
use super::error::Error;
use super::object_answer::Answer;
use super::query::Query;
use super::route;
use super::serve::{Asked, Signed, log, perform, perform_on_data};
use super::server_log::About;
use super::table::Target;
use crate::app::App;
use crate::auth::{Access, Payload, anonymous};
use crate::config::Config;
use crate::names::BucketName;
use crate::objects::ObjectsError;
use crate::rules::website::{Redirect, Website};
use crate::wire::xml::Writer;
use crate::wire::{
    Edge, ErrorCode, Request, RequestId, Response, ResponseBody, decode_query, encode_uri, virtual_bucket,
};

/// Headers of the request that a website heeds.
const HEEDED: [HeaderName; 7] =
    [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, USER_AGENT];
const REDIRECT_LOCATION: &str = "x-amz-website-redirect-location";

/// The bucket whose website a host is. Where a website's domain lies in one of virtual-host style, or the other way
/// round, the longer of them decides.
pub(super) fn bucket_of<'a>(host: &'a str, config: &Config) -> Option<&'a str> {
    let website = virtual_bucket(host, &config.website_domains)?;
    let style = virtual_bucket(host, &config.domains);
    style.is_none_or(|style| website.len() <= style.len()).then_some(website)
}

/// A request to a website.
struct Visit<'a> {
    app: &'a Arc<App>,
    asked: &'a Arc<Asked>,
    access: Access,
    head: Parts,
    edge: Edge,
    bucket: String,
    key: String,
}

/// Why an object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is what the visitor asked for.
    Asked,
    /// To know whether it is there.
    Probed,
    /// It is shown instead of an error.
    Instead,
}

/// An error with the status that is told, and the error that met the error document.
struct Fault {
    error: Error,
    on_error_document: Option<Error>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, on_error_document: None }
    }
}

/// Answers one request to the website of `bucket`.
pub(super) async fn serve(app: &Arc<App>, request: Request, asked: &Arc<Asked>, bucket: String) -> Response {
    let Request { head, edge, body: _ } = request;
    let request_id = edge.request_id.clone();
    let is_head = head.method == Method::HEAD;
    asked.findings.bucket(&bucket);
    let access = anonymous(&head, &edge, &app.auth);
    let path = head.uri.path();
    let key = decode_query(path.strip_prefix('/').unwrap_or(path));
    let outcome = match key {
        Some(key) => Visit { app, asked, access, head, edge, bucket, key }.answer().await,
        None => Err(Error::new(Code::InvalidURI).into()),
    };
    outcome.unwrap_or_else(|fault| {
        log(&fault.error, request_id.as_str(), asked.findings.found().operation);
        page(&fault, &request_id, is_head)
    })
}

impl Visit<'_> {
    async fn answer(&self) -> Result<Response, Fault> {
        if ![Method::GET, Method::HEAD].contains(&self.head.method) {
            return Err(route::not_allowed(self.head.method.as_str(), Target::Object).into());
        }
        let website = self.website().await?;
        if let Some(redirect) = website.redirect_before(&self.key) {
            return Ok(self.redirected(&redirect));
        }
        let error = match self.fetch(&website.document(&self.key), Why::Asked).await {
            Ok(answer) => return Ok(told_elsewhere(answer)),
            Err(error) => error,
        };
        // 304 and 412 are about what the browser has already.
        if !is_absence(&error) {
            return self.failed(&website, error).await;
        }
        if self.is_folder(&website).await {
            return Ok(found(&self.key));
        }
        self.failed(&website, error).await
    }

    async fn website(&self) -> Result<Arc<Website>, Error> {
        let unknown = || Error::new(Code::NoSuchBucket).and("BucketName", &self.bucket);
        let name = BucketName::parse(&self.bucket).map_err(|_| unknown())?;
        let bucket = match self.app.objects.bucket(&name).await {
            Ok(bucket) => bucket,
            Err(ObjectsError::NoSuchBucket) => return Err(unknown()),
            Err(error) => return Err(error.into()),
        };
        let about = About { access: Some(&self.access), key: Some(&self.key), website: true, ..About::default() };
        self.asked.begin_line(self.app, &bucket, about);
        let website = self.app.objects.configuration::<Website>(&bucket).await?;
        website.ok_or_else(|| Error::new(Code::NoSuchWebsiteConfiguration).and("BucketName", &self.bucket))
    }

    /// Reads an object as the visitor may. What the visitor did not ask for by itself is no denial if it is refused.
    async fn fetch(&self, key: &str, why: Why) -> Result<Response, Error> {
        let mut head = self.head.clone();
        head.headers = if why == Why::Asked { heeded(&self.head.headers) } else { HeaderMap::new() };
        if why == Why::Probed {
            head.method = Method::HEAD;
        }
        let query = Query::parse("")?;
        let row = route::resolve(head.method.as_str(), Target::Object, &query, &head.headers)?;
        let signed = Signed {
            access: self.access.clone(),
            payload: Payload::internal(stream::empty().boxed(), 0),
            head,
            query,
            address: Address { bucket: Some(self.bucket.clone()), key: Some(key.to_owned()) },
            asked: Arc::clone(self.asked),
        };
        let mut outcome = if why == Why::Asked {
            self.asked.findings.operation(row.name);
            perform_on_data(self.app, row, signed).await
        } else {
            perform(self.app, row, signed).await.map(|(answer, _)| answer)
        };
        if let Err(error) = &mut outcome
            && error.code() == Code::NoSuchKey
        {
            error.supply("Key", || Some(key.to_owned()));
        }
        outcome
    }

    /// Whether the key has an index document below it, which the visitor may read.
    async fn is_folder(&self, website: &Website) -> bool {
        if self.key.is_empty() || self.key.ends_with('/') {
            return false;
        }
        let index = website.document(&format!("{}/", self.key));
        self.fetch(&index, Why::Probed).await.is_ok()
    }

    /// An error: a redirect for it, the website's error document, or a page of ours.
    async fn failed(&self, website: &Website, error: Error) -> Result<Response, Fault> {
        let status = error.status();
        if let Some(redirect) = website.redirect_after(&self.key, status.as_u16()) {
            return Ok(self.redirected(&redirect));
        }
        let Some(document) = website.error.as_ref().filter(|_| status.is_client_error()) else {
            return Err(error.into());
        };
        match self.fetch(document, Why::Instead).await {
            Ok(mut answer) => {
                *answer.status_mut() = status;
                answer.headers_mut().extend(error_headers(&error));
                answer.extensions_mut().insert(ErrorCode(error.code().name()));
                Ok(answer)
            }
            Err(other) => Err(Fault { error, on_error_document: Some(other) }),
        }
    }

    fn redirected(&self, redirect: &Redirect) -> Response {
        let scheme = match redirect.protocol {
            Some(protocol) => protocol.name(),
            None if self.edge.secure => "https",
            None => "http",
        };
        let host = redirect.host.as_deref().unwrap_or(&self.edge.host_header);
        let mut answer = Answer::new();
        answer.insert(LOCATION, format!("{scheme}://{host}/{}", path_of(&redirect.key)).as_bytes());
        answer.empty(StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::MOVED_PERMANENTLY))
    }
}

/// Nothing is there, or the visitor is not told.
fn is_absence(error: &Error) -> bool {
    matches!(error.code(), Code::NoSuchKey | Code::AccessDenied)
}

fn heeded(headers: &HeaderMap) -> HeaderMap {
    let heeded = HEEDED.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    heeded.collect()
}

/// A key in a URL.
fn path_of(key: &str) -> String {
    encode_uri(key).replace("%2F", "/")
}

/// An object that says to look elsewhere sends there.
fn told_elsewhere(answer: Response) -> Response {
    let Some(location) = answer.headers().get(REDIRECT_LOCATION) else { return answer };
    let mut elsewhere = Answer::new();
    elsewhere.insert(LOCATION, location.as_bytes());
    elsewhere.empty(StatusCode::MOVED_PERMANENTLY)
}

/// To the folder that a key without its slash means.
fn found(key: &str) -> Response {
    let mut answer = Answer::new();
    // A second slash at the beginning would make the name of another host of the key.
    let rest = key.trim_start_matches('/');
    let slashes = "%2F".repeat(key.len() - rest.len());
    answer.insert(LOCATION, format!("/{slashes}{}/", path_of(rest)).as_bytes());
    answer.set("x-amz-error-code", "Found");
    answer.set("x-amz-error-message", "Resource Found");
    answer.empty(StatusCode::FOUND)
}

/// What tells programs of an error that people read as a page.
fn error_headers(error: &Error) -> HeaderMap {
    let mut headers = Answer::new();
    headers.set("x-amz-error-code", error.code().name());
    headers.set("x-amz-error-message", error.message());
    for (name, value) in error.elements() {
        if let Ok(name) = HeaderName::try_from(format!("x-amz-error-detail-{name}")) {
            headers.insert(name, value.as_bytes());
        }
    }
    headers.empty(StatusCode::OK).into_parts().0.headers
}

/// AWS's page of an error, with the headers that the error has for programs. That nothing has changed is no error to a
/// browser.
fn page(fault: &Fault, request_id: &RequestId, is_head: bool) -> Response {
    let status = fault.error.status();
    let mut response = fault.error.render(request_id, true);
    response.extensions_mut().insert(ErrorCode(fault.error.code().name()));
    if status == StatusCode::NOT_MODIFIED {
        return response;
    }
    response.headers_mut().extend(error_headers(&fault.error));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if !is_head {
        *response.body_mut() = ResponseBody::full(html(fault, request_id));
    }
    response
}

fn html(fault: &Fault, request_id: &RequestId) -> String {
    let status = fault.error.status();
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let mut lines = lines_of(&fault.error);
    lines.push(line("RequestId", request_id.as_str()));
    lines.push(line("HostId", &request_id.extended()));
    let lines = lines.concat();
    let on_error_document = fault.on_error_document.as_ref().map_or_else(String::new, |error| {
        let lines = lines_of(error).concat();
        format!("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n{lines}</ul>\n")
    });
    format!(
        "<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{lines}</ul>\n\
         {on_error_document}<hr/>\n</body>\n</html>\n"
    )
}

fn lines_of(error: &Error) -> Vec<String> {
    let said = [line("Code", error.code().name()), line("Message", error.message())];
    said.into_iter().chain(error.elements().map(|(name, value)| line(name, value))).collect()
}

fn line(name: &str, value: &str) -> String {
    let mut escaped = Writer::bare(value.len());
    escaped.text(value);
    format!("<li>{name}: {}</li>\n", escaped.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(domains: &str, websites: &str) -> Config {
        Config::for_tests(&format!("domains = {domains}\nwebsite_domains = {websites}"))
    }

    #[test]
    fn hosts_of_websites() {
        let apart = config("[\"s3.test\"]", "[\"web.test\"]");
        assert_eq!(bucket_of("shelf.web.test", &apart), Some("shelf"));
        assert_eq!(bucket_of("my.shelf.web.test", &apart), Some("my.shelf"));
        for host in ["web.test", "shelf.s3.test", "s3.test", "xweb.test", "127.0.0.1", ""] {
            assert_eq!(bucket_of(host, &apart), None, "{host}");
        }
        let within = config("[\"test\"]", "[\"web.test\"]");
        assert_eq!(bucket_of("shelf.web.test", &within), Some("shelf"));
        assert_eq!(bucket_of("shelf.test", &within), None);
        let around = config("[\"s3.test\"]", "[\"test\"]");
        assert_eq!(bucket_of("shelf.s3.test", &around), None);
        assert_eq!(bucket_of("shelf.test", &around), Some("shelf"));
    }

    #[test]
    fn a_folder_is_on_the_same_host() {
        for (key, location) in [
            ("docs", "/docs/"),
            ("a b/c", "/a%20b/c/"),
            ("/evil.com", "/%2Fevil.com/"),
            ("//evil.com/a", "/%2F%2Fevil.com/a/"),
            ("\\evil.com", "/%5Cevil.com/"),
        ] {
            assert_eq!(found(key).headers().get(LOCATION).unwrap(), location, "{key}");
            assert_eq!(decode_query(location).unwrap(), format!("/{key}/"));
        }
    }

    #[test]
    fn a_page_says_what_is_wrong_and_no_more_than_text() {
        let error = Error::new(Code::NoSuchKey).and("Key", "<script>&\"");
        let fault = Fault { error, on_error_document: Some(Error::new(Code::AccessDenied)) };
        let sources = crate::sources::Sources::system();
        let id = RequestId::generate(&sources);
        let page = html(&fault, &id);
        let id_lines = format!("<li>RequestId: {id}</li>\n<li>HostId: {}</li>", id.extended());
        assert_eq!(
            page,
            format!(
                "<html>\n<head><title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n<ul>\n\
                 <li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n\
                 <li>Key: &lt;script&gt;&amp;&quot;</li>\n{id_lines}\n</ul>\n\
                 <h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n\
                 <li>Code: AccessDenied</li>\n<li>Message: Access Denied</li>\n</ul>\n<hr/>\n</body>\n</html>\n"
            )
        );
    }
}
