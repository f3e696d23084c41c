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
    let configuration = notification_xml::parse(cx.whole(), || hex(&sources.random::<16>()))?;
    let skips = skips_validation(&cx)?;
    check_targets(&cx, &configuration, skips).await?;
    let configuration = Some(configuration).filter(|configuration| !configuration.is_empty());
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let recorded = cx.app.objects.set_configuration(grant, name, configuration, |_| Ok(()), &event).await?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
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

/// Each target once: it has to be one of the settings that is open to the bucket's owner, whatever is skipped, since
/// events for no target would only pile up; and to take a test event, unless that is skipped.
async fn check_targets(cx: &Cx, configuration: &NotificationConfiguration, skips: bool) -> Result<(), Error> {
    let targets: BTreeSet<_> = configuration.destinations.iter().map(|d| (d.arn.as_str(), d.kind as u8)).collect();
    let (notifier, bucket) = (&cx.app.notifier, cx.bucket());
    let mut refused = Vec::new();
    let bus = event_bus(bucket);
    if configuration.event_bridge && !notifier.knows(&bus, &bucket.owner) {
        refused.push((bus.as_str(), "The settings of this gateway have no target for the event bus"));
    }
    for (arn, kind) in targets {
        if skips && notifier.knows(arn, &bucket.owner) {
            continue;
        }
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
