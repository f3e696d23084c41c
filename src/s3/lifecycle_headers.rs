//! What answers tell of lifecycle rules in headers.

use std::sync::Arc;

use http::HeaderMap;

use super::cx::Cx;
use super::error::Error;
use super::fields::filled;
use super::object_answer::Answer;
use crate::objects::{ObjectInfo, Upload};
use crate::rules::lifecycle::{Lifecycle, MinimumSize};
use crate::sources::Timestamp;
use crate::wire::{encode_uri, http_date};

const MINIMUM_SIZE: &str = "x-amz-transition-default-minimum-object-size";

fn name(minimum_size: MinimumSize) -> &'static str {
    match minimum_size {
        MinimumSize::All128K => "all_storage_classes_128K",
        MinimumSize::VariesByClass => "varies_by_storage_class",
    }
}

/// `x-amz-transition-default-minimum-object-size` of a request.
pub(crate) fn minimum_size(headers: &HeaderMap) -> Result<MinimumSize, Error> {
    let Some(sent) = filled(headers, MINIMUM_SIZE)? else { return Ok(MinimumSize::default()) };
    let known = [MinimumSize::All128K, MinimumSize::VariesByClass].into_iter().find(|size| name(*size) == sent);
    known.ok_or_else(|| Error::invalid_request(format!("Invalid TransitionDefaultMinimumObjectSize found: {sent}")))
}

/// The same of an answer.
pub(crate) fn write_minimum_size(answer: &mut Answer, minimum_size: MinimumSize) {
    answer.set(MINIMUM_SIZE, name(minimum_size));
}

/// `x-amz-expiration`: when a current object expires, if a rule says so. Costs nothing in a bucket without rules.
pub(crate) async fn write_expiration(cx: &Cx, answer: &mut Answer, info: &ObjectInfo) {
    let Some(rules) = rules(cx).await else { return };
    if let Some(due) = rules.expiration(&info.as_subject()) {
        answer.set("x-amz-expiration", &expiration(due.at, due.rule));
    }
}

fn expiration(at: Timestamp, rule: &str) -> String {
    format!("expiry-date=\"{}\", rule-id=\"{}\"", http_date(at), encode_uri(rule))
}

/// `x-amz-abort-date` and `x-amz-abort-rule-id`: when an upload is given up, if a rule says so.
pub(crate) async fn write_abortion(cx: &Cx, answer: &mut Answer, upload: &Upload) {
    let Some(rules) = rules(cx).await else { return };
    if let Some(due) = rules.abortion(upload.key.as_str(), upload.initiated) {
        answer.set("x-amz-abort-date", &http_date(due.at));
        answer.set("x-amz-abort-rule-id", &encode_uri(due.rule));
    }
}

/// The bucket's rules. That they cannot be read is no reason to tell a client that its write failed, which is done.
async fn rules(cx: &Cx) -> Option<Arc<Lifecycle>> {
    let read = cx.app.objects.configuration::<Lifecycle>(cx.bucket()).await;
    read.unwrap_or_else(|error| {
        tracing::error!(bucket = cx.bucket().name.as_str(), ?error, "the lifecycle rules cannot be read");
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::sample;

    #[test]
    fn the_least_size_of_transitions() {
        let read = |value: &str| minimum_size(&sample(&[(MINIMUM_SIZE, value)])).map_err(|e| e.message().to_owned());
        assert_eq!(minimum_size(&sample(&[])).ok(), Some(MinimumSize::All128K));
        assert_eq!(read("varies_by_storage_class"), Ok(MinimumSize::VariesByClass));
        assert_eq!(read("all_storage_classes_128K"), Ok(MinimumSize::All128K));
        assert_eq!(read("value"), Err("Invalid TransitionDefaultMinimumObjectSize found: value".to_owned()));
    }

    #[test]
    fn an_expiration_names_its_rule_encoded() {
        // S3 API Reference, GetObject.
        assert_eq!(
            expiration(Timestamp(1_356_220_800_000), "picture deletion/rule"),
            "expiry-date=\"Sun, 23 Dec 2012 00:00:00 GMT\", rule-id=\"picture%20deletion%2Frule\""
        );
    }
}
