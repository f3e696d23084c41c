//! One object: what it is under, and what brings it to what is wanted.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};

use super::listing::Listed;
use super::target::{Found, Mode, Target};
use super::{Api, patiently};
use crate::cli::admin::api::{CallError, S3Call};
use crate::wire::xml::Writer;
use crate::wire::{encode_uri, xml};

/// Pause before a call is tried for the second time; each further one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause: all of them together are half a minute, in which a server can be started anew.
pub(super) const LAST_PAUSE: Duration = Duration::from_secs(16);

/// What came of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its keys were wrapped anew, or would be.
    Rewrapped,
    /// It was copied onto itself, or would be.
    Copied,
    /// It is as wanted.
    AsWanted,
    /// It is under none of the encryptions that are to be changed.
    NotMeant,
    /// It has been deleted or replaced since it was listed: what took its place has the bucket's default.
    Gone,
    /// It could not be changed.
    Failed(String),
    /// The server can't be asked any more.
    Broken(String),
}

/// Why a call did not succeed.
pub(super) enum CallFault {
    /// For this call alone.
    Refused(CallError),
    /// The server is away.
    Broken(String),
}

impl CallFault {
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Refused(error) => error.to_string(),
            Self::Broken(text) => text.clone(),
        }
    }
}

/// The server is away for a moment, or asks for patience.
pub(super) fn is_passing(error: &CallError) -> bool {
    match error {
        CallError::NoAnswer(_) => true,
        CallError::Refused(refused) => {
            refused.status >= 500 || matches!(refused.code.as_str(), "ConditionalRequestConflict" | "OperationAborted")
        }
    }
}

pub(super) struct Changer<'a> {
    pub(super) api: &'a Api,
    pub(super) bucket: &'a str,
    pub(super) target: &'a Target,
    /// Empty: all.
    pub(super) from: &'a [Mode],
    pub(super) copy: bool,
    pub(super) dry_run: bool,
}

impl Changer<'_> {
    pub(super) async fn change(&self, listed: &Listed) -> Outcome {
        match self.try_change(listed).await {
            Ok(outcome) => outcome,
            Err(CallFault::Broken(text)) => Outcome::Broken(text),
            Err(CallFault::Refused(error)) => failed(&error),
        }
    }

    async fn try_change(&self, listed: &Listed) -> Result<Outcome, CallFault> {
        let (headers, _) = match self
            .call("HeadObject", Method::HEAD, listed, "", HeaderMap::new(), String::new())
            .await
        {
            Ok(answer) => answer,
            // HEAD has no body, and so no code.
            Err(CallFault::Refused(CallError::Refused(refused))) if refused.status == 404 => return Ok(Outcome::Gone),
            Err(CallFault::Refused(CallError::Refused(refused))) if refused.status == 400 => {
                return Ok(Outcome::Failed("it is under SSE-C: its owner's key is needed".to_owned()));
            }
            Err(fault) => return Err(fault),
        };
        let Some(found) = Found::of(&headers) else {
            return Ok(Outcome::Failed("the server does not say what it is under".to_owned()));
        };
        if !self.from.is_empty() && !self.from.contains(&found.mode) {
            return Ok(Outcome::NotMeant);
        }
        if self.target.is_met_by(&found) {
            return Ok(Outcome::AsWanted);
        }
        if self.target.is_reached_in_place(&found) {
            return self.rewrap(listed).await;
        }
        let how = format!("from {} to {} only a copy leads", found.mode, self.target.mode);
        match (self.copy, listed.latest) {
            (true, true) => self.copy_onto_itself(listed, &headers).await,
            (true, false) => Ok(Outcome::Failed(format!("{how}, and an older version can't be replaced by one"))),
            (false, _) => Ok(Outcome::Failed(format!("{how}, which --copy allows"))),
        }
    }

    async fn rewrap(&self, listed: &Listed) -> Result<Outcome, CallFault> {
        if self.dry_run {
            return Ok(Outcome::Rewrapped);
        }
        let mut w = Writer::document();
        w.root("ObjectEncryption", |w| {
            w.node("SSE-KMS", |w| {
                w.leaf("KMSKeyArn", self.target.key_arn.as_deref().unwrap_or_default());
                w.flag("BucketKeyEnabled", self.target.bucket_key);
            });
        });
        let done =
            self.call("UpdateObjectEncryption", Method::PUT, listed, "encryption=", HeaderMap::new(), w.finish());
        done.await.map(|_| Outcome::Rewrapped)
    }

    /// Only over what was looked at: whoever writes meanwhile wins.
    async fn copy_onto_itself(&self, listed: &Listed, found: &HeaderMap) -> Result<Outcome, CallFault> {
        if self.dry_run {
            return Ok(Outcome::Copied);
        }
        let mut source = path(self.bucket, &listed.key);
        if let Some(version) = listed.version.as_deref().filter(|version| *version != "null") {
            source.push_str(&format!("?versionId={}", encode_uri(version)));
        }
        let mode = self.target.mode.to_string();
        let etag = found.get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or(&listed.etag);
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-amz-copy-source", &source);
        set("x-amz-copy-source-if-match", etag);
        set("if-match", etag);
        set("x-amz-server-side-encryption", &mode);
        if let Some(arn) = &self.target.key_arn {
            set("x-amz-server-side-encryption-aws-kms-key-id", arn);
        }
        if self.target.mode == Mode::Kms {
            set(
                "x-amz-server-side-encryption-bucket-key-enabled",
                if self.target.bucket_key { "true" } else { "false" },
            );
        }
        // Neither is ever taken over from the source.
        for name in ["x-amz-storage-class", "x-amz-website-redirect-location"] {
            if let Some(value) = found.get(name).and_then(|value| value.to_str().ok()) {
                set(name, value);
            }
        }
        let current = Listed { key: listed.key.clone(), version: None, latest: true, etag: String::new() };
        match self.call("CopyObject", Method::PUT, &current, "", headers, String::new()).await {
            // A long copy answers 200 before its outcome is known.
            Ok((_, body)) => match xml::parse(&body) {
                Ok(root) if root.name == "Error" => {
                    let told = root.child_text("Message").unwrap_or("without a reason");
                    Ok(Outcome::Failed(format!("CopyObject failed: {told}")))
                }
                Ok(_) | Err(_) => Ok(Outcome::Copied),
            },
            Err(CallFault::Refused(error)) if error.is("PreconditionFailed") => Ok(Outcome::Gone),
            Err(fault) => Err(fault),
        }
    }

    /// A call about an object.
    async fn call(
        &self,
        call: &str,
        method: Method,
        listed: &Listed,
        query: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<(HeaderMap, Vec<u8>), CallFault> {
        let path = path(self.bucket, &listed.key);
        let mut query = query.to_owned();
        if let Some(version) = &listed.version {
            let join = if query.is_empty() { "" } else { "&" };
            query.push_str(&format!("{join}versionId={}", encode_uri(version)));
        }
        patiently(|| {
            let (method, headers, body) = (method.clone(), headers.clone(), body.clone().into_bytes());
            self.api.s3(S3Call { call, method, path: &path, query: &query, headers, body })
        })
        .await
    }
}

fn path(bucket: &str, key: &str) -> String {
    let key: Vec<String> = key.split('/').map(encode_uri).collect();
    format!("/{}/{}", encode_uri(bucket), key.join("/"))
}

/// Gone since it was listed is no failure; what else was refused is.
fn failed(error: &CallError) -> Outcome {
    match error {
        CallError::Refused(refused) if matches!(refused.code.as_str(), "NoSuchKey" | "NoSuchVersion") => Outcome::Gone,
        CallError::Refused(refused) => {
            let code = if refused.code.is_empty() { refused.status.to_string() } else { refused.code.clone() };
            Outcome::Failed(format!("{} was refused: {} ({code})", refused.call, refused.message))
        }
        CallError::NoAnswer(text) => Outcome::Failed(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_slashes_and_encode_all_else() {
        assert_eq!(path("b", "a/b c//../%2F\u{1f600}"), "/b/a/b%20c//../%252F%F0%9F%98%80");
    }
}
