//! What every request tells policies of itself and of its sender, whatever it asks for.

use super::{CallerKind, Principal, RequestFacts, SignatureKind};
use crate::policy::{Context, Key, Value};

/// The condition keys that follow from how a request came and with which credentials, over those that its operation
/// adds.
pub(super) struct RequestContext<'a> {
    principal: &'a Principal,
    facts: &'a RequestFacts,
    /// Keys of S3 have no value in calls of other services.
    s3: bool,
    adds: &'a dyn Context,
}

impl<'a> RequestContext<'a> {
    pub(super) fn new(principal: &'a Principal, facts: &'a RequestFacts, action: &str, adds: &'a dyn Context) -> Self {
        Self { principal, facts, s3: action.starts_with("s3"), adds }
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

impl RequestContext<'_> {
    /// Keys that temporary credentials have. What a call tells of a session that it is to make (AssumeRole) goes before
    /// the session that it was signed with.
    fn session(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        let mut told = false;
        self.adds.each(key, parameter, &mut |value| {
            told = true;
            each(value);
        });
        let Some(session) = self.principal.session().filter(|_| !told) else { return };
        match key {
            Key::AwsTokenIssueTime => each(Value::Time(session.issued)),
            // No session here was made with a second factor; credentials of users and roots have no such key at all.
            Key::AwsMultiFactorAuthPresent => each(Value::Bool(false)),
            Key::AwsSourceIdentity => session.source_identity.iter().for_each(|name| each(Value::Text(name))),
            Key::AwsFederatedProvider => session.federated_provider.iter().for_each(|arn| each(Value::Text(arn))),
            _ => {}
        }
    }
}

impl RequestContext<'_> {
    /// Keys that a call of S3 itself has: on whose behalf it is. Others' calls may tell of them what the operation knows.
    fn service(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        let CallerKind::Service { name, source_arn, source_account } = self.principal.kind() else {
            return self.adds.each(key, parameter, each);
        };
        match key {
            Key::AwsSourceArn => each(Value::Text(source_arn)),
            Key::AwsSourceAccount => each(Value::Text(source_account.as_str())),
            Key::AwsPrincipalServiceNamesList => each(Value::Text(name)),
            _ => {}
        }
    }
}

impl Context for RequestContext<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        let facts = self.facts;
        match key {
            Key::AwsSourceArn | Key::AwsSourceAccount | Key::AwsPrincipalServiceNamesList => {
                self.service(key, parameter, each);
            }
            // No network address is known of a call that came over none.
            Key::AwsSourceIp if matches!(self.principal.kind(), CallerKind::Service { .. }) => {}
            Key::AwsCurrentTime => each(Value::Time(facts.received)),
            Key::AwsEpochTime => each(Value::Number(facts.received.seconds())),
            Key::AwsSecureTransport => each(Value::Bool(facts.secure)),
            Key::AwsSourceIp => each(Value::Ip(facts.source_ip)),
            Key::AwsUserAgent if !facts.user_agent.is_empty() => each(Value::Text(&facts.user_agent)),
            Key::AwsReferer => facts.referer.iter().for_each(|referer| each(Value::Text(referer))),
            Key::AwsRequestedRegion => each(Value::Text(facts.region.as_str())),
            Key::AwsPrincipalTag => {
                let tags = self.principal.tags().iter().filter(|(key, _)| key.eq_ignore_ascii_case(parameter));
                tags.for_each(|(_, value)| each(Value::Text(value)));
            }
            Key::AwsTokenIssueTime
            | Key::AwsMultiFactorAuthPresent
            | Key::AwsSourceIdentity
            | Key::AwsFederatedProvider => self.session(key, parameter, each),
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
            // The content of what is presigned is never signed, and SDKs send no header that says so.
            Key::S3XAmzContentSha256 if self.s3 && facts.signature == SignatureKind::V4Query => {
                each(Value::Text("UNSIGNED-PAYLOAD"));
            }
            Key::S3TlsVersion if self.s3 => {
                let number = facts.tls.as_ref().and_then(|tls| tls.version.strip_prefix("TLSv"));
                number.into_iter().for_each(|number| each(Value::Text(number)));
            }
            key => self.adds.each(key, parameter, each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Region;
    use crate::policy::NoContext;
    use crate::sources::Timestamp;
    use crate::wire::TlsInfo;

    fn facts(signature: SignatureKind) -> RequestFacts {
        RequestFacts {
            request_id: String::new(),
            received: Timestamp(1_795_608_000_000),
            source_ip: [203, 0, 113, 7].into(),
            user_agent: "aws-cli/2".to_owned(),
            referer: Some("https://example.com/".to_owned()),
            secure: true,
            confidential: true,
            tls: Some(TlsInfo { version: "TLSv1.3", cipher_suite: String::new() }),
            host: String::new(),
            region: Region::parse("us-east-1").unwrap(),
            signature,
            signed: Some(Timestamp(1_795_607_940_000)),
        }
    }

    /// What is answered to `key` for `action`, and nothing twice.
    fn asked(signature: SignatureKind, action: &str, key: Key) -> String {
        let (facts, mut found) = (facts(signature), Vec::new());
        let principal = Principal::anonymous();
        let context = RequestContext::new(&principal, &facts, action, &NoContext);
        context.each(key, "", &mut |value| found.push(format!("{value:?}")));
        found.join(" and ")
    }

    #[test]
    fn what_every_request_tells() {
        let header = |key| asked(SignatureKind::V4Header, "s3:GetObject", key);
        for (key, value) in [
            (Key::AwsCurrentTime, "Time(Timestamp(1795608000000))"),
            (Key::AwsEpochTime, "Number(1795608000)"),
            (Key::AwsSecureTransport, "Bool(true)"),
            (Key::AwsSourceIp, "Ip(203.0.113.7)"),
            (Key::AwsUserAgent, "Text(\"aws-cli/2\")"),
            (Key::AwsReferer, "Text(\"https://example.com/\")"),
            (Key::AwsRequestedRegion, "Text(\"us-east-1\")"),
            (Key::AwsViaAwsService, "Bool(false)"),
            (Key::S3AuthType, "Text(\"REST-HEADER\")"),
            (Key::S3SignatureVersion, "Text(\"AWS4-HMAC-SHA256\")"),
            (Key::S3SignatureAge, ""),
            (Key::S3TlsVersion, "Text(\"1.3\")"),
            (Key::KmsViaService, ""),
        ] {
            assert_eq!(header(key), value, "{}", key.name());
        }
    }

    #[test]
    fn a_call_of_s3_itself_says_on_whose_behalf_it_is() {
        let account = crate::names::AccountId::parse("111122223333").unwrap();
        let principal = Principal::service("logging.s3.amazonaws.com", "arn:aws:s3:::source".to_owned(), account);
        let facts = facts(SignatureKind::Anonymous);
        let context = RequestContext::new(&principal, &facts, "s3:PutObject", &NoContext);
        for (key, value) in [
            (Key::AwsSourceArn, vec!["Text(\"arn:aws:s3:::source\")"]),
            (Key::AwsSourceAccount, vec!["Text(\"111122223333\")"]),
            (Key::AwsPrincipalServiceNamesList, vec!["Text(\"logging.s3.amazonaws.com\")"]),
            (Key::AwsSourceIp, vec![]),
            (Key::AwsViaAwsService, vec!["Bool(false)"]),
        ] {
            let mut found = Vec::new();
            context.each(key, "", &mut |value| found.push(format!("{value:?}")));
            assert_eq!(found, value, "{}", key.name());
            assert!(
                key == Key::AwsViaAwsService
                    || key == Key::AwsSourceIp
                    || asked(SignatureKind::V4Header, "s3:PutObject", key).is_empty()
            );
        }
    }

    #[test]
    fn signatures_differ_and_are_no_matter_of_other_services() {
        for (signature, kind, version, age) in [
            (SignatureKind::V4Query, "Text(\"REST-QUERY-STRING\")", "Text(\"AWS4-HMAC-SHA256\")", "Number(60000)"),
            (SignatureKind::V2Query, "Text(\"REST-QUERY-STRING\")", "Text(\"AWS\")", ""),
            (SignatureKind::Anonymous, "", "", ""),
        ] {
            assert_eq!(asked(signature, "s3:GetObject", Key::S3AuthType), kind);
            assert_eq!(asked(signature, "s3:GetObject", Key::S3SignatureVersion), version);
            assert_eq!(asked(signature, "s3:GetObject", Key::S3SignatureAge), age);
            assert_eq!(asked(signature, "kms:Decrypt", Key::S3AuthType), "");
            let unsigned = if signature == SignatureKind::V4Query { "Text(\"UNSIGNED-PAYLOAD\")" } else { "" };
            assert_eq!(asked(signature, "s3:PutObject", Key::S3XAmzContentSha256), unsigned);
        }
    }
}
