//! Which protocol a request speaks. All of them share one port.

use std::sync::Arc;

use http::request::Parts;

use super::Gateway;
use super::answer::{Refusal, refuse};
use crate::app::Door;
use crate::{kms, s3};

/// A protocol of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// REST and XML.
    S3,
    /// JSON 1.1, `X-Amz-Target: TrentService.…`.
    Kms,
    /// JSON of a service that is not served here.
    UnknownTarget,
}

impl Protocol {
    pub(super) fn of(head: &Parts) -> Self {
        match head.headers.get("x-amz-target").map(|target| target.as_bytes()) {
            None => Self::S3,
            Some(target) if target.starts_with(b"TrentService.") => Self::Kms,
            Some(_) => Self::UnknownTarget,
        }
    }

    /// As logs name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Kms => "kms",
            Self::UnknownTarget => "unknown",
        }
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
}
