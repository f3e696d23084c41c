//! What is changed of a version after it was sent elsewhere, and locks: sent as S3's clients set them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::super::replicate::{BYPASS, Errand, Failure};
use super::{Call, Elsewhere, insert, refused};
use crate::client::Answer;
use crate::crypto::md5;
use crate::objects::{Aspect, ObjectInfo, ReplicaPlace};
use crate::rules::lock::Retention;
use crate::sources::Timestamp;
use crate::wire::xml::Writer;
use crate::wire::{REPLICA_HEADER, encode_uri, iso8601_ms};

/// A change as it is sent.
struct Change {
    /// The sub-resource.
    name: &'static str,
    body: String,
    /// Leave to bypass governance mode is asked for.
    bypass: bool,
}

impl Elsewhere {
    /// Sends what was changed since the last time, each as it is now. A version that is gone there needs nothing.
    pub(super) async fn change(
        &self,
        errand: &Errand<'_>,
        info: &ObjectInfo,
        place: &ReplicaPlace,
    ) -> Result<(), Failure> {
        let sent = place.sent.unwrap_or(0);
        for aspect in Aspect::ALL.into_iter().filter(|aspect| errand.changes().of(*aspect) > sent) {
            let Some(change) = self.what_to_send(errand, info, aspect).await else { continue };
            let unknown = || Failure::Never("the version id that it has elsewhere is not known".to_owned());
            self.send_change(errand, place.version.as_deref().ok_or_else(unknown)?, change).await?;
        }
        Ok(())
    }

    async fn what_to_send(&self, errand: &Errand<'_>, info: &ObjectInfo, aspect: Aspect) -> Option<Change> {
        let lock = info.lock.unwrap_or_default();
        match aspect {
            // As with a new version: without leave for the tags they stay as they are there.
            Aspect::Tags => {
                self.may_tag(errand, info).await.then(|| Change { name: "tagging", body: tags(info), bypass: false })
            }
            // Canonical ids of this gateway say nothing elsewhere.
            Aspect::Acl => None,
            Aspect::Retention => {
                // One that is over can't be set, and need not be.
                let over = lock.retention.is_some_and(|retention| retention.until() <= errand.now());
                let bypass = errand.leave_elsewhere(BYPASS, &self.arn()).is_ok();
                (!over).then(|| Change { name: "retention", body: retention(lock.retention), bypass })
            }
            Aspect::LegalHold => {
                Some(Change { name: "legal-hold", body: hold(lock.legal_hold == Some(true)), bypass: false })
            }
        }
    }

    async fn send_change(&self, errand: &Errand<'_>, version: &str, change: Change) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        insert(&mut headers, "content-md5", &BASE64.encode(md5(change.body.as_bytes())));
        if change.bypass {
            insert(&mut headers, "x-amz-bypass-governance-retention", "true");
        }
        let query = format!("{}=&versionId={}", change.name, encode_uri(version));
        let call = Call { method: Method::PUT, key: errand.key.as_str(), query, headers };
        let answer = self.exchange(call, Bytes::from(change.body), errand.now()).await?;
        match answer.status {
            // Of S3 the first for a version that is gone; a delete marker in its place is none that has tags.
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(refused(change.name, &answer)),
        }
    }
}

/// The headers of what is sent as a replica: a gateway like this one takes it for one, and sends it nowhere.
pub(super) fn as_replica() -> HeaderMap {
    HeaderMap::from_iter([(REPLICA_HEADER, HeaderValue::from_static("true"))])
}

/// Says in the headers of a new version how it is locked; whether it is.
pub(super) fn lock(headers: &mut HeaderMap, info: &ObjectInfo, now: Timestamp) -> bool {
    let lock = info.lock.unwrap_or_default();
    // One that is over can't be asked for.
    let retention = lock.retention.filter(|retention| retention.until() > now);
    if let Some(retention) = retention {
        insert(headers, "x-amz-object-lock-mode", retention.mode.name());
        insert(headers, "x-amz-object-lock-retain-until-date", &iso8601_ms(retention.until()));
    }
    let held = lock.legal_hold == Some(true);
    if held {
        insert(headers, "x-amz-object-lock-legal-hold", "ON");
    }
    retention.is_some() || held
}

/// The id of the version that an answer tells of.
pub(super) fn version_of(answer: &Answer) -> Option<String> {
    let version = answer.headers.get("x-amz-version-id")?.to_str().ok()?;
    (!version.is_empty()).then(|| version.to_owned())
}

fn tags(info: &ObjectInfo) -> String {
    let mut w = Writer::document();
    w.root("Tagging", |w| {
        w.node("TagSet", |w| {
            for (key, value) in &info.meta.tags {
                w.node("Tag", |w| {
                    w.leaf("Key", key).leaf("Value", value);
                });
            }
        });
    });
    w.finish()
}

fn retention(retention: Option<Retention>) -> String {
    let mut w = Writer::document();
    w.root("Retention", |w| {
        if let Some(retention) = retention {
            w.leaf("Mode", retention.mode.name()).leaf("RetainUntilDate", &iso8601_ms(retention.until()));
        }
    });
    w.finish()
}

fn hold(on: bool) -> String {
    let mut w = Writer::document();
    w.root("LegalHold", |w| {
        w.leaf("Status", if on { "ON" } else { "OFF" });
    });
    w.finish()
}
