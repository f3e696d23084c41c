//! IAM and STS: the AWS Query protocol (form-encoded parameters, XML answers).
//!
//! One folder an area in `ops`, one file an operation; `table` names them all. A call goes: caller, parameters, row,
//! input, grant, identities. Every call of an authenticated caller leaves exactly one record in the trail, refused ones
//! too.

mod cx;
mod error;
mod input;
mod ops;
mod reply;
mod session_limits;
mod shapes;
mod table;
mod tags;
mod trail;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method};

use crate::app::App;
use crate::auth::{Access, AuthSettings, Collected, authenticate_collected};
use crate::names::Region;
use crate::wire::{ErrorCode, Request, RequestId, Response, ResponseBody};

use cx::{Cx, missing_token};
use error::{IamError, code};
use input::{Fields, Params};
use reply::Reply;
use table::{Callers, Handler, Row};

pub(crate) use error::render_error;
pub(crate) use table::Service;

/// Largest request body in bytes: two policy documents of 131,072 characters (the models' maximum), each percent-encoded
/// to three times its length, and the rest of the parameters.
const BODY_MAX_BYTES: usize = 1 << 20;
/// How often a change is run that loses against others, the first time included.
const RUNS_MAX: usize = 10;
/// IAM's only Region, and that of STS's global endpoint.
const GLOBAL_REGION: &str = "us-east-1";

/// Answers one request to IAM or STS.
pub(crate) async fn serve(app: &Arc<App>, service: Service, request: Request) -> Response {
    let id = request.edge.request_id.clone();
    let (status, body, code) = match call(app, service, request).await {
        Ok(body) => (200, body, None),
        Err(error) => {
            if let Some(cause) = &error.cause {
                tracing::error!(request_id = id.as_str(), code = error.code.name, cause, "an identity call failed");
            }
            let body = render_error(service, error.code.status, error.code.name, &error.message, &id);
            (error.code.status, body.into(), Some(error.code.name))
        }
    };
    let mut answer = render(&id, status, body);
    if let Some(code) = code {
        answer.extensions_mut().insert(ErrorCode(code));
    }
    answer
}

async fn call(app: &Arc<App>, service: Service, request: Request) -> Result<Bytes, IamError> {
    let (findings, id) = (request.edge.findings.clone(), request.edge.request_id.clone());
    if !request.edge.confidential {
        return Err(IamError::new(
            code::ACCESS_DENIED,
            "IAM and STS take requests over TLS only (https), except from this machine: credentials would cross the \
             network in clear.",
        ));
    }
    let settings = settings(&app.auth);
    let collected = authenticate_collected(request, service.name(), BODY_MAX_BYTES, &app.directory, &settings).await?;
    let Collected { access, body, head } = collected;
    findings.access_key_id(access.caller().access_key_id());
    let params = Params::parse(head.uri.query().unwrap_or_default(), body.expose())?;
    let row = route(service, &head.method, &params, access.caller().account().is_some())?;
    findings.operation(row.name);
    if row.callers == Callers::Signed && access.caller().account().is_none() {
        return Err(missing_token());
    }
    // A task of its own: a call that has begun comes to its end and to its record even if its caller hangs up and this
    // future is dropped.
    let performed = tokio::spawn(perform(Arc::clone(app), access, row, params));
    let reply = performed.await.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => Err(IamError::internal(format!("{} was cut off: {cancelled}", row.name))),
    })?;
    Ok(reply.render(row, &id))
}

/// Clients sign for the Region that they are set to, or for that of the global endpoints, whichever is served here.
fn settings(auth: &AuthSettings) -> AuthSettings {
    let mut settings = auth.clone();
    if let Ok(global) = Region::parse(GLOBAL_REGION)
        && !settings.regions.contains(&global)
    {
        settings.regions.push(global);
    }
    settings
}

/// The row of a request. `signed` ones are for the service of their signature; others for that of their version.
fn route(service: Service, method: &Method, params: &Params, signed: bool) -> Result<&'static Row, IamError> {
    // AWS's text is not recorded.
    let action = params.text("Action").filter(|action| !action.is_empty());
    let action = action.ok_or_else(|| IamError::new(code::MISSING_ACTION, "Missing Action"))?;
    let version = params.text("Version");
    let service = match version {
        Some(version) if !signed && version == Service::Iam.version() => Service::Iam,
        _ => service,
    };
    let named = matches!(*method, Method::GET | Method::POST) && version == Some(service.version());
    let row = table::find(service, action).filter(|_| named);
    row.ok_or_else(|| {
        let version = version.unwrap_or("NO_VERSION_SPECIFIED");
        IamError::new(code::INVALID_ACTION, format!("Could not find operation {action} for version {version}"))
    })
}

/// When this returns the call's one record is durable.
async fn perform(app: Arc<App>, access: Access, row: &'static Row, params: Params) -> Result<Reply, IamError> {
    let cx = Cx::new(&app, &access, row, trail::shown_parameters(&params));
    let outcome = match row.handler {
        _ if let Err(error) = session_limits::check(&access, row) => Err(error),
        Some(Handler::Tells(run)) => match run(&cx, Fields::new(&params)).await {
            // What can't be recorded is not told.
            Ok(reply) => return cx.record_told(&reply).await.map(|()| reply),
            Err(error) => Err(error),
        },
        Some(Handler::Changes(_)) => change(&cx, &params).await,
        None => Err(IamError::not_implemented(format!("{} is not implemented by this server.", row.name))),
    };
    if let Err(error) = &outcome {
        cx.record_refusal(error).await?;
    }
    outcome
}

/// Runs a change until it does not lose against another one; those of one account one after the other.
async fn change(cx: &Cx<'_>, params: &Params) -> Result<Reply, IamError> {
    let Some(Handler::Changes(run)) = cx.row.handler else {
        return Err(IamError::internal(format!("{} changes nothing", cx.row.name)));
    };
    let _turn = cx.identities().turn(cx.account()?).await;
    for attempt in 1..=RUNS_MAX {
        match run(cx, Fields::new(params)).await {
            Ok(changed) => return Ok(changed.reply),
            Err(error) if error.lost_race => {
                let request_id = &cx.access.facts().request_id;
                tracing::debug!(request_id, operation = cx.row.name, attempt, "a change lost against another one");
                cx.forget();
            }
            Err(error) => return Err(error),
        }
    }
    Err(IamError::lost_race())
}

fn render(id: &RequestId, status: u16, body: Bytes) -> Response {
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate, private"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

#[cfg(test)]
mod tests;

/// All operations of a service, and whether each is served.
#[cfg(test)]
pub(crate) fn operations(service: Service) -> Vec<(&'static str, bool)> {
    table::rows().filter(|row| row.service == service).map(|row| (row.name, row.handler.is_some())).collect()
}
