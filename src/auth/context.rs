//! What every request tells policies of itself, whatever it asks for.

use super::{RequestFacts, SignatureKind};
use crate::policy::{Context, Key, Value};

/// The condition keys that follow from how a request came, over those that its operation adds.
pub(super) struct RequestContext<'a> {
    facts: &'a RequestFacts,
    /// Keys of S3 have no value in calls of other services.
    s3: bool,
    adds: &'a dyn Context,
}

impl<'a> RequestContext<'a> {
    pub(super) fn new(facts: &'a RequestFacts, action: &str, adds: &'a dyn Context) -> Self {
        Self { facts, s3: action.starts_with("s3"), adds }
    }

    fn signature(&self, key: Key) -> Option<Value<'_>> {
        let kind = self.facts.signature;
        let text = match (key, kind) {
            (_, SignatureKind::Anonymous) => return None,
            (Key::S3AuthType, SignatureKind::V4Header) => "REST-HEADER",
            (Key::S3AuthType, SignatureKind::V4Query | SignatureKind::V2Query) => "REST-QUERY-STRING",
            (Key::S3SignatureVersion, SignatureKind::V4Header | SignatureKind::V4Query) => "AWS4-HMAC-SHA256",
            (Key::S3SignatureVersion, SignatureKind::V2Query) => "AWS",
            // In milliseconds, of presigned URLs alone.
            (Key::S3SignatureAge, SignatureKind::V4Query) => {
                let signed = self.facts.signed?;
                return Some(Value::Number(self.facts.received.0.saturating_sub(signed.0)));
            }
            _ => return None,
        };
        Some(Value::Text(text))
    }
}

impl Context for RequestContext<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        let facts = self.facts;
        match key {
            Key::AwsCurrentTime => each(Value::Time(facts.received)),
            Key::AwsEpochTime => each(Value::Number(facts.received.seconds())),
            Key::AwsSecureTransport => each(Value::Bool(facts.secure)),
            Key::AwsSourceIp => each(Value::Ip(facts.source_ip)),
            Key::AwsUserAgent if !facts.user_agent.is_empty() => each(Value::Text(&facts.user_agent)),
            Key::AwsReferer => facts.referer.iter().for_each(|referer| each(Value::Text(referer))),
            Key::AwsRequestedRegion => each(Value::Text(facts.region.as_str())),
            Key::AwsViaAwsService => {
                let mut known = false;
                self.adds.each(key, parameter, &mut |value| {
                    known = true;
                    each(value);
                });
                if !known {
                    each(Value::Bool(false));
                }
            }
            Key::S3AuthType | Key::S3SignatureVersion | Key::S3SignatureAge if self.s3 => {
                self.signature(key).into_iter().for_each(each);
            }
            Key::S3TlsVersion if self.s3 => {
                let number = facts.tls.as_ref().and_then(|tls| tls.version.strip_prefix("TLSv"));
                number.into_iter().for_each(|number| each(Value::Text(number)));
            }
            key => self.adds.each(key, parameter, each),
        }
    }
}
