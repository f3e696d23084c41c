//! DeleteBucketMetricsConfiguration.

use crate::audit::{Event, Recorded};
use crate::rules::metrics::Metrics;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::named;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    named::delete::<Metrics>(cx, event).await
}
