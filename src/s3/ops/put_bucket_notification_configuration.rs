//! PutBucketNotificationConfiguration.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::app::Refused;
use crate::audit::{Event, Recorded};
use crate::names::hex;
use crate::objects::event_bus;
use crate::rules::notification::{DestinationKind, NotificationConfiguration};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::fields::single;
use crate::s3::notification_xml;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

/// An empty configuration leaves none, as with AWS.
pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let sources = &cx.app.sources;
    let mut configuration = notification_xml::parse(cx.whole(), || hex(&sources.random::<16>()))?;
    check_regions(&cx, &configuration)?;
    if skips_validation(&cx)? {
        configuration.unvalidated = Some(unknown_targets(&cx, &configuration)).filter(|unknown| !unknown.is_empty());
    } else {
        check_targets(&cx, &configuration).await?;
    }
    let configuration = Some(configuration).filter(|configuration| !configuration.is_empty());
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_configuration(grant, name, configuration, |_| Ok(()), &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}

/// As AWS, targets are in the bucket's Region. ARNs of the operator's own making need not name one.
fn check_regions(cx: &Cx, configuration: &NotificationConfiguration) -> Result<(), Error> {
    let region = cx.bucket().region.as_str();
    let named = |arn: &str| arn.split(':').nth(3).is_none_or(|named| named.is_empty() || named == region);
    if configuration.destinations.iter().all(|destination| named(&destination.arn)) {
        return Ok(());
    }
    // The text as other servers' tests have it of AWS; its elements are not recorded.
    let message = "The notification destination service region is not valid for the bucket location constraint";
    Err(Error::with_message(Code::InvalidArgument, message))
}

fn skips_validation(cx: &Cx) -> Result<bool, Error> {
    let name = "x-amz-skip-destination-validation";
    match single(&cx.head.headers, name)? {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        // Not recorded.
        Some(text) => Err(Error::invalid_argument("Invalid value for boolean header", name, text)),
    }
}

/// The targets that the settings do not have for the bucket's owner. AWS takes them where validation is skipped, and loses
/// their events; here they are lost too, until the settings have the target, since they would only pile up.
fn unknown_targets(cx: &Cx, configuration: &NotificationConfiguration) -> Vec<String> {
    let (notifier, bucket) = (&cx.app.notifier, cx.bucket());
    let mut named: BTreeSet<String> = configuration.destinations.iter().map(|d| d.arn.clone()).collect();
    named.extend(configuration.event_bridge.then(|| event_bus(bucket)));
    named.retain(|arn| !notifier.knows(arn, &bucket.owner));
    for arn in &named {
        let request_id = cx.request_id.as_str();
        tracing::warn!(
            request_id,
            bucket = bucket.name.as_str(),
            arn,
            "events for this target are dropped: there is none"
        );
    }
    named.into_iter().collect()
}

/// Each target once: it has to be one of the settings that is open to the bucket's owner, and to take a test event.
async fn check_targets(cx: &Cx, configuration: &NotificationConfiguration) -> Result<(), Error> {
    let targets: BTreeSet<_> = configuration.destinations.iter().map(|d| (d.arn.as_str(), d.kind as u8)).collect();
    let (notifier, bucket) = (&cx.app.notifier, cx.bucket());
    let mut refused = Vec::new();
    let bus = event_bus(bucket);
    if configuration.event_bridge && !notifier.knows(&bus, &bucket.owner) {
        refused.push((bus.as_str(), "The settings of this gateway have no target for the event bus"));
    }
    for (arn, kind) in targets {
        match notifier.check(arn, bucket, cx.app.sources.now(), cx.request_id.as_str()).await {
            Ok(()) => {}
            Err(Refused::Unknown) => refused.push((arn, unknown(kind))),
            Err(Refused::Unreachable(reason)) => {
                tracing::warn!(request_id = cx.request_id.as_str(), arn, reason, "a test event was not taken");
                // Not recorded.
                refused.push((arn, "Unable to publish a test event to the destination"));
            }
        }
    }
    let message = "Unable to validate the following destination configurations";
    match &refused[..] {
        [] => Ok(()),
        [(arn, reason)] => Err(Error::invalid_argument(message, *arn, *reason)),
        several => {
            // As recorded, the elements of several are numbered; more than those that AWS was seen to name are not named.
            let names = [("ArgumentName1", "ArgumentValue1"), ("ArgumentName2", "ArgumentValue2")];
            let error = Error::with_message(Code::InvalidArgument, message);
            let pairs = names.into_iter().zip(several);
            Err(pairs.fold(error, |error, ((name, value), (arn, reason))| error.and(name, *arn).and(value, *reason)))
        }
    }
}

/// Not recorded.
fn unknown(kind: u8) -> &'static str {
    const TOPIC: u8 = DestinationKind::Topic as u8;
    const QUEUE: u8 = DestinationKind::Queue as u8;
    match kind {
        TOPIC => "The destination topic does not exist",
        QUEUE => "The destination queue does not exist",
        _ => "The destination Lambda does not exist",
    }
}
