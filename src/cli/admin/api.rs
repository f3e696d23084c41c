//! Calls to a running server: signed as the AWS CLI signs them.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use crate::cli::Failure;
use crate::client::{Answer, Endpoint, ExchangeError};
use crate::config::AwsCredentials;
use crate::crypto::{SecretBytes, sha256};
use crate::names::hex;
use crate::sigv4::{SignedParts, Signer, sign_headers};
use crate::sources::Sources;
use crate::wire::{encode_uri, xml};

pub(super) use crate::wire::xml::Element;

/// Time for one call, the connection included.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// IAM's only Region.
const IAM_REGION: &str = "us-east-1";
/// Items asked for at once: IAM's maximum of most lists.
const PAGE_ITEMS: &str = "1000";

/// Parameters of a call to IAM or STS.
pub(super) type Params<'a> = &'a [(&'a str, &'a str)];

/// A server and who signs the calls to it.
pub(super) struct Api {
    pub(super) endpoint: Endpoint,
    /// As it was given.
    pub(super) url: String,
    pub(super) credentials: AwsCredentials,
    pub(super) region: String,
    pub(super) sources: Sources,
}

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// The server refused it.
    Refused(Refused),
    /// There was no answer, or none that can be read. The text says what to do.
    NoAnswer(String),
}

/// A refusal of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// The operation.
    pub(super) call: String,
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: String,
    /// What may help.
    pub(super) hint: String,
}

impl CallError {
    /// Whether the server refused it with this code.
    pub(super) fn is(&self, code: &str) -> bool {
        matches!(self, Self::Refused(refused) if refused.code == code)
    }
}

/// A request to S3.
pub(super) struct S3Call<'a> {
    /// The operation, for messages.
    pub(super) call: &'a str,
    pub(super) method: Method,
    /// As it is sent, encoded.
    pub(super) path: &'a str,
    /// The same; a name without a value has an equals sign.
    pub(super) query: &'a str,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// One request.
struct Sent<'a> {
    service: &'a str,
    /// The operation, for messages.
    call: &'a str,
    method: Method,
    path: &'a str,
    query: &'a str,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Api {
    /// Calls IAM; gives what stands in `<…Result>`.
    pub(super) async fn iam(&self, action: &str, params: Params<'_>) -> Result<Element, CallError> {
        self.query("iam", "2010-05-08", action, params).await
    }

    /// Calls STS.
    pub(super) async fn sts(&self, action: &str, params: Params<'_>) -> Result<Element, CallError> {
        self.query("sts", "2011-06-15", action, params).await
    }

    /// All items of a list of IAM, page by page.
    pub(super) async fn all(&self, action: &str, params: Params<'_>, list: &str) -> Result<Vec<Element>, CallError> {
        self.all_of(action, params, &[list]).await.map(|mut lists| lists.pop().unwrap_or_default())
    }

    /// All items of several lists that one operation of IAM answers, in their order.
    pub(super) async fn all_of(
        &self,
        action: &str,
        params: Params<'_>,
        lists: &[&str],
    ) -> Result<Vec<Vec<Element>>, CallError> {
        let mut found = vec![Vec::new(); lists.len()];
        let mut marker: Option<String> = None;
        loop {
            let mut params = params.to_vec();
            params.push(("MaxItems", PAGE_ITEMS));
            params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let mut page = self.iam(action, &params).await?;
            marker =
                page.child_text("Marker").filter(|_| page.child_text("IsTruncated") == Some("true")).map(str::to_owned);
            for (list, found) in lists.iter().zip(&mut found) {
                let items = page.children.iter_mut().filter(|child| child.name == *list);
                items.for_each(|list| found.append(&mut list.children));
            }
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// Asks S3 for something about a bucket: `query` names the sub-resource.
    pub(super) async fn bucket(&self, call: &str, bucket: &str, query: &str) -> Result<Vec<u8>, CallError> {
        let path = format!("/{}", encode_uri(bucket));
        // As it is signed: a name without a value has an equals sign.
        let query = format!("{query}=");
        let sent = Sent {
            service: "s3",
            call,
            method: Method::GET,
            path: &path,
            query: &query,
            headers: HeaderMap::new(),
            body: Vec::new(),
        };
        self.send(sent).await.map(|body| body.expose().to_vec())
    }

    /// Calls S3; gives headers and body of the answer.
    pub(super) async fn s3(&self, sent: S3Call<'_>) -> Result<(HeaderMap, Vec<u8>), CallError> {
        let S3Call { call, method, path, query, mut headers, body } = sent;
        if !body.is_empty() {
            // What changes an object's encryption must not be damaged on the way.
            let digest = HeaderValue::from_str(&STANDARD.encode(sha256(&body)));
            headers.insert("x-amz-checksum-sha256", digest.map_err(|_| unreadable(call))?);
        }
        let answer = self.exchange(Sent { service: "s3", call, method, path, query, headers, body }).await?;
        Ok((answer.headers, answer.body.expose().to_vec()))
    }

    /// The same, of an answer in XML.
    pub(super) async fn bucket_xml(&self, call: &str, bucket: &str, query: &str) -> Result<Element, CallError> {
        let body = self.bucket(call, bucket, query).await?;
        xml::parse(&body).map_err(|_| unreadable(call))
    }

    /// Calls KMS.
    pub(super) async fn kms(&self, call: &str, input: &serde_json::Value) -> Result<serde_json::Value, CallError> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
        let target = HeaderValue::from_str(&format!("TrentService.{call}")).map_err(|_| unreadable(call))?;
        headers.insert("x-amz-target", target);
        let body = input.to_string().into_bytes();
        let sent = Sent { service: "kms", call, method: Method::POST, path: "/", query: "", headers, body };
        let answer = self.send(sent).await?;
        serde_json::from_slice(answer.expose()).map_err(|_| unreadable(call))
    }

    async fn query(
        &self,
        service: &str,
        version: &str,
        action: &str,
        params: Params<'_>,
    ) -> Result<Element, CallError> {
        let mut body = format!("Action={action}&Version={version}");
        for (name, value) in params {
            body.push_str(&format!("&{name}={}", encode_uri(value)));
        }
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        let body = body.into_bytes();
        let sent = Sent { service, call: action, method: Method::POST, path: "/", query: "", headers, body };
        let answer = self.send(sent).await?;
        let mut root = xml::parse(answer.expose()).map_err(|_| unreadable(action))?;
        let result = root.children.iter().position(|child| child.name == format!("{action}Result"));
        Ok(result.map(|at| root.children.swap_remove(at)).unwrap_or_default())
    }

    async fn send(&self, sent: Sent<'_>) -> Result<SecretBytes, CallError> {
        self.exchange(sent).await.map(|answer| answer.body)
    }

    async fn exchange(&self, sent: Sent<'_>) -> Result<Answer, CallError> {
        let mut headers = sent.headers;
        let no_text = |_| CallError::NoAnswer("the session token is no text for a header".to_owned());
        if let Some(token) = &self.credentials.session_token {
            headers.insert("x-amz-security-token", HeaderValue::from_bytes(token.expose()).map_err(no_text)?);
        }
        let signer = Signer {
            access_key_id: &self.credentials.access_key_id,
            secret: &self.credentials.secret,
            region: if sent.service == "iam" { IAM_REGION } else { &self.region },
            service: sent.service,
            now: self.sources.now(),
        };
        if HeaderValue::from_str(signer.access_key_id).is_err() {
            return Err(CallError::NoAnswer("the access key id is no text for a header".to_owned()));
        }
        let parts = SignedParts {
            method: sent.method.as_str(),
            path: sent.path,
            query: sent.query,
            headers: &headers,
            host: self.endpoint.host_header(),
        };
        let (headers, _) = sign_headers(&signer, &parts, &hex(&sha256(&sent.body)));
        let target = match sent.query {
            "" => sent.path.to_owned(),
            query => format!("{}?{query}", sent.path),
        };
        let answer = self.endpoint.send(sent.method, &target, headers, Bytes::from(sent.body), CALL_TIMEOUT).await;
        let answer = answer.map_err(|error| self.no_answer(&error))?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(CallError::Refused(self.refused(sent.call, answer.status.as_u16(), answer.body.expose())))
    }

    fn no_answer(&self, error: &ExchangeError) -> CallError {
        let url = &self.url;
        CallError::NoAnswer(match error {
            ExchangeError::Unreachable(cause) => format!(
                "no server answers at {url}: {cause}\nStart it (strongroom serve), or name another with --endpoint-url or \
                 AWS_ENDPOINT_URL"
            ),
            ExchangeError::Tls(cause) => format!(
                "no TLS session with {url}: {cause}\nName the file of the certificate that signed the server's with \
                 --ca-file or AWS_CA_BUNDLE"
            ),
            ExchangeError::TimedOut(_) | ExchangeError::Broken(_) => format!("{url}: {error}"),
        })
    }

    fn refused(&self, call: &str, status: u16, body: &[u8]) -> Refused {
        let (code, message, request_id) = parse_error(body);
        let (id, source) = (&self.credentials.access_key_id, &self.credentials.source);
        let hint = match code.as_str() {
            "AccessDenied" | "AccessDeniedException" if !request_id.is_empty() => {
                format!("Who runs the server can have it explained: strongroom policy explain {request_id}")
            }
            "InvalidClientTokenId" | "InvalidAccessKeyId" | "UnrecognizedClientException" => format!(
                "The server does not know the access key {id} of {source}, or it is disabled: name other credentials \
                 with --profile or AWS_ACCESS_KEY_ID"
            ),
            "SignatureDoesNotMatch" | "InvalidSignatureException" => {
                format!("The secret access key of {source} is not that of {id}, or the clocks differ")
            }
            "ExpiredToken" | "ExpiredTokenException" => format!("The session of {source} is over: get a new one"),
            _ => String::new(),
        };
        Refused { call: call.to_owned(), status, code, message, request_id, hint }
    }
}

/// Code, message and request id of an error answer in any of the forms of the four services.
fn parse_error(body: &[u8]) -> (String, String, String) {
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        return (text("__type"), text("message"), String::new());
    }
    let root = xml::parse(body).unwrap_or_default();
    let error = root.child("Error").unwrap_or(&root);
    let text = |element: &Element, name: &str| element.child_text(name).unwrap_or_default().to_owned();
    (text(error, "Code"), text(error, "Message"), text(&root, "RequestId"))
}

fn unreadable(call: &str) -> CallError {
    CallError::NoAnswer(format!("the answer to {call} can't be read: is it a Strongroom that answers there?"))
}

/// The text of a part of an answer; empty if it is not there.
pub(super) fn text<'a>(element: &'a Element, name: &str) -> &'a str {
    element.child_text(name).unwrap_or_default()
}

/// The members of a list in an answer.
pub(super) fn members<'a>(element: &'a Element, list: &str) -> &'a [Element] {
    element.child(list).map(|list| list.children.as_slice()).unwrap_or_default()
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = match self {
            Self::NoAnswer(text) => return f.write_str(text),
            Self::Refused(refused) => refused,
        };
        let Refused { call, status, code, message, request_id, hint } = refused;
        write!(f, "{call} was refused: ")?;
        match (code.as_str(), message.as_str()) {
            ("", _) => write!(f, "HTTP status {status}")?,
            (code, "") => write!(f, "{code}")?,
            (code, message) => write!(f, "{message} ({code})")?,
        }
        if !request_id.is_empty() {
            write!(f, "\nRequest id: {request_id}")?;
        }
        if !hint.is_empty() {
            write!(f, "\n{hint}")?;
        }
        Ok(())
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_all_services() {
        let some = |code: &str, message: &str, id: &str| (code.to_owned(), message.to_owned(), id.to_owned());
        for (body, parsed) in [
            ("", some("", "", "")),
            ("<html>", some("", "", "")),
            (r#"{"__type":"AccessDeniedException","message":"no"}"#, some("AccessDeniedException", "no", "")),
            (
                "<ErrorResponse xmlns=\"u\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>m</Message></Error>\
                 <RequestId>ID</RequestId></ErrorResponse>",
                some("NoSuchEntity", "m", "ID"),
            ),
            (
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>ID</RequestId></Error>",
                some("AccessDenied", "Access Denied", "ID"),
            ),
        ] {
            assert_eq!(parse_error(body.as_bytes()), parsed, "{body}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = Refused {
            call: "GetUser".to_owned(),
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "User: x is not authorized".to_owned(),
            request_id: "ID".to_owned(),
            hint: "Hint".to_owned(),
        };
        let shown = CallError::Refused(refused.clone()).to_string();
        assert_eq!(shown, "GetUser was refused: User: x is not authorized (AccessDenied)\nRequest id: ID\nHint");
        let bare = Refused { code: String::new(), request_id: String::new(), hint: String::new(), ..refused };
        assert_eq!(CallError::Refused(bare).to_string(), "GetUser was refused: HTTP status 403");
    }
}
