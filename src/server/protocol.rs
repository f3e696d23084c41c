//! Which protocol a request speaks. All of them share one port.

use std::sync::Arc;

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;

use super::Gateway;
use super::answer::{Refusal, refuse};
use crate::app::Door;
use crate::iam::Service;
use crate::sigv4::Credential;
use crate::wire::decode_path;
use crate::{iam, kms, s3};

/// A protocol of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// REST and XML.
    S3,
    /// JSON 1.1, `X-Amz-Target: TrentService.…`.
    Kms,
    /// Query protocol: form-encoded parameters and XML.
    Iam(Service),
    /// JSON of a service that is not served here.
    UnknownTarget,
}

impl Protocol {
    pub(super) fn of(head: &Parts) -> Self {
        match head.headers.get("x-amz-target").map(|target| target.as_bytes()) {
            None => query_service(head).map_or(Self::S3, Self::Iam),
            Some(target) if target.starts_with(b"TrentService.") => Self::Kms,
            Some(_) => Self::UnknownTarget,
        }
    }

    /// As logs name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Kms => "kms",
            Self::Iam(service) => service.name(),
            Self::UnknownTarget => "unknown",
        }
    }
}

/// The service of the Query protocol that a request is for: the one that its signature names. What is not signed is for
/// STS, which alone takes such calls, if it has the form of the protocol: a form sent to `/`, or a query with an action
/// and a version. S3 has neither: what browsers upload is `multipart/form-data`.
fn query_service(head: &Parts) -> Option<Service> {
    if let Some(header) = head.headers.get(AUTHORIZATION) {
        let (_, parameters) = header.to_str().ok()?.split_once("Credential=")?;
        return service_of(parameters.split([',', ' ']).next()?);
    }
    let query = head.uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split_once('=').is_some_and(|(n, _)| n == name));
    if let Some(credential) = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential=")) {
        return service_of(&decode_path(credential)?);
    }
    let signed = has("Signature") || has("AWSAccessKeyId") || has("X-Amz-Algorithm");
    if signed || head.uri.path() != "/" {
        return None;
    }
    let acts = has("Action") && has("Version");
    let form = || {
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        query.is_empty() && media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    };
    match head.method {
        Method::GET if acts => Some(Service::Sts),
        Method::POST if acts || form() => Some(Service::Sts),
        _ => None,
    }
}

fn service_of(credential: &str) -> Option<Service> {
    match Credential::parse(credential)?.service.as_str() {
        "iam" => Some(Service::Iam),
        "sts" => Some(Service::Sts),
        _ => None,
    }
}

/// The program behind the edge. While the store is sealed every request is refused.
pub fn gateway(door: &Arc<Door>) -> Gateway {
    let ready = {
        let door = Arc::clone(door);
        move || door.app().ok_or("sealed")?.ready()
    };
    let door = Arc::clone(door);
    let handler = move |request: crate::wire::Request| {
        let app = door.app().cloned();
        let protocol = Protocol::of(&request.head);
        let answer: futures_util::future::BoxFuture<'static, _> = match (protocol, app) {
            (Protocol::S3, Some(app)) => Box::pin(async move { s3::serve(&app, request).await }),
            (Protocol::Kms, Some(app)) => Box::pin(async move { kms::serve(&app, request).await }),
            (Protocol::Iam(service), Some(app)) => Box::pin(async move { iam::serve(&app, service, request).await }),
            (Protocol::UnknownTarget, Some(_)) => {
                Box::pin(async move { refuse(protocol, Refusal::UnknownTarget, &request.edge.request_id) })
            }
            (_, None) => Box::pin(async move { refuse(protocol, Refusal::Sealed, &request.edge.request_id) }),
        };
        answer
    };
    Gateway { handler: Arc::new(handler), ready: Arc::new(ready) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_header_decides() {
        let of = |target: Option<&'static str>| {
            let mut request = http::Request::new(());
            if let Some(target) = target {
                request.headers_mut().insert("x-amz-target", http::HeaderValue::from_static(target));
            }
            Protocol::of(&request.into_parts().0)
        };
        assert_eq!(of(None), Protocol::S3);
        assert_eq!(of(Some("TrentService.Decrypt")), Protocol::Kms);
        assert_eq!(of(Some("TrentService")), Protocol::UnknownTarget);
        assert_eq!(of(Some("DynamoDB_20120810.ListTables")), Protocol::UnknownTarget);
    }

    #[test]
    fn the_scope_or_the_form_decides() {
        let of = |method: &str, uri: &str, headers: &[(&str, &str)]| {
            let mut request = http::Request::builder().method(method).uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            Protocol::of(&request.body(()).unwrap().into_parts().0)
        };
        let (iam, sts) = (Protocol::Iam(Service::Iam), Protocol::Iam(Service::Sts));
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        for (service, protocol) in [("iam", iam), ("sts", sts), ("s3", Protocol::S3), ("execute-api", Protocol::S3)] {
            let scope = format!("AKID/20261126/us-east-1/{service}/aws4_request");
            let header = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
            assert_eq!(of("POST", "/", &[("authorization", &header), form]), protocol, "{service}");
            let packed = format!("AWS4-HMAC-SHA256 SignedHeaders=host,Signature=0,Credential={scope}");
            assert_eq!(of("POST", "/", &[("authorization", &packed)]), protocol, "{service}");
            let query = format!("/?Action=GetCallerIdentity&X-Amz-Credential={}", scope.replace('/', "%2F"));
            assert_eq!(of("GET", &query, &[]), protocol, "{service}");
            assert_eq!(of("GET", &query.replace("%2F", "/"), &[]), protocol, "{service}");
            let target = ("x-amz-target", "TrentService.Decrypt");
            assert_eq!(of("POST", "/", &[("authorization", &header), target]), Protocol::Kms);
        }
        assert_eq!(of("POST", "/", &[form]), sts);
        assert_eq!(of("POST", "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15", &[]), sts);
        assert_eq!(of("GET", "/?Version=2011-06-15&Action=AssumeRoleWithWebIdentity", &[]), sts);
        for (method, uri, header) in [
            ("GET", "/", form),
            ("GET", "/?Action=x", form),
            ("PUT", "/", form),
            ("POST", "/", ("content-type", "multipart/form-data; boundary=x")),
            ("POST", "/bucket", form),
            ("POST", "/?delete", form),
            ("POST", "/?AWSAccessKeyId=x&Signature=x&Expires=1", form),
            ("GET", "/bucket?Action=x&Version=2011-06-15", form),
            ("POST", "/", ("authorization", "AWS AKID:signature")),
            ("POST", "/", ("authorization", "Credential=AKID/iam")),
            ("POST", "/?X-Amz-Credential=%ff/20261126/us-east-1/sts/aws4_request", form),
        ] {
            assert_eq!(of(method, uri, &[header]), Protocol::S3, "{method} {uri} {header:?}");
        }
    }
}
