//! The AWS KMS protocol (JSON 1.1): `X-Amz-Target: TrentService.…`.
//!
//! One file an operation in `ops`; `table` names them all. A call goes: row, caller, body, input, key, grant,
//! key module. Every call of an authenticated caller leaves exactly one record in the trail, refused ones too.

mod cx;
mod error;
mod input;
mod json;
mod key_policy;
mod key_stores;
mod ops;
mod reply;
mod shapes;
mod table;
mod tags;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::app::App;
use crate::auth::{AuthSettings, Collected, Directory, authenticate_collected};
use crate::keyring::{Call, KeyRing, Refused};
use crate::names::AccountId;
use crate::wire::{ErrorCode, Request, RequestId, Response, ResponseBody};

use cx::{Cx, shown_parameters};
use error::{KmsError, Refusal};
use input::Fields;
use table::{Handler, Row};

/// Largest request body, in bytes: several times the largest legal request.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// Answers one KMS request.
pub async fn serve(app: &Arc<App>, request: Request) -> Response {
    Service { keyring: &app.keyring, directory: &app.directory, auth: &app.auth }.answer(request).await
}

/// The parts of a gateway that this protocol needs.
struct Service<'a> {
    keyring: &'a KeyRing,
    directory: &'a Directory,
    auth: &'a AuthSettings,
}

impl Service<'_> {
    async fn answer(&self, request: Request) -> Response {
        let id = request.edge.request_id.clone();
        match self.call(request).await {
            Ok(body) => render(&id, 200, body),
            Err(error) => {
                if let Some(cause) = &error.cause {
                    tracing::error!(request_id = id.as_str(), code = error.code, cause, "a key service call failed");
                }
                let mut answer = render(&id, error.status, error.render().into());
                answer.extensions_mut().insert(ErrorCode(error.code));
                answer
            }
        }
    }

    async fn call(&self, request: Request) -> Result<Bytes, KmsError> {
        let findings = request.edge.findings.clone();
        let row = route(&request)?;
        findings.operation(row.name);
        if !request.edge.confidential {
            return Err(KmsError::new(
                "AccessDeniedException",
                "The key service takes requests over TLS only (https), except from this machine: keys would cross the \
                 network in clear.",
            ));
        }
        let collected = authenticate_collected(request, "kms", BODY_MAX_BYTES, self.directory, self.auth).await?;
        let Collected { access, body, head: _ } = collected;
        findings.access_key_id(access.caller().access_key_id());
        let Some(account) = access.caller().account().cloned() else {
            return Err(KmsError::new("MissingAuthenticationTokenException", "Missing Authentication Token"));
        };
        let members = json::parse_object(body.expose());
        let request = members.as_ref().map(|members| shown_parameters(row, members)).unwrap_or_default();
        let cx = Cx::new(
            self.keyring,
            &access,
            &account,
            row,
            Call { request, via_s3: false },
            (&self.auth.regions, self.directory),
        );
        let outcome = match members {
            Some(members) => run(&cx, Fields::new(members)).await,
            None => Err(KmsError::bare("SerializationException", 400).into()),
        };
        match outcome {
            Ok(reply) => Ok(reply.render()),
            Err(refusal) => Err(record(&cx, &account, refusal).await),
        }
    }
}

/// The row of a request.
fn route(request: &Request) -> Result<&'static Row, KmsError> {
    let target = request.head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let row = target.and_then(table::find).filter(|_| request.head.method == http::Method::POST);
    row.ok_or_else(|| KmsError::bare("UnknownOperationException", 400))
}

async fn run(cx: &Cx<'_>, fields: Fields) -> Result<reply::Reply, Refusal> {
    let Handler(handle) = cx.row.handler;
    handle(cx, fields).await
}

/// Writes a refusal into the trail unless it is there; what cannot be recorded is answered as an internal error.
async fn record(cx: &Cx<'_>, recipient: &AccountId, refusal: Refusal) -> KmsError {
    let error = refusal.error;
    if refusal.recorded {
        return error;
    }
    let message = error.message.as_deref().unwrap_or_default();
    let (access, name, call, resources) = (cx.access, cx.row.name, &cx.call, cx.found());
    let refused = Refused { access, name, call, resources, recipient, code: error.code, message };
    match cx.keyring.record_refusal(refused).await {
        Ok(()) => error,
        Err(failed) => failed.into(),
    }
}

fn render(id: &RequestId, status: u16, body: Bytes) -> Response {
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate, private"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

#[cfg(test)]
mod tests;

/// All operations, and whether each is served.
#[cfg(test)]
pub(crate) fn operations() -> Vec<(&'static str, bool)> {
    table::TABLE.iter().map(|row| (row.name, true)).collect()
}
