//! PutObjectLockConfiguration.

use http::StatusCode;
use serde_json::json;

use crate::audit::{Event, Recorded};
use crate::objects::{ObjectsError, Versioning};
use crate::rules::lock::{LockConfiguration, Period};
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::lock_xml;
use crate::s3::object_answer::Answer;
use crate::wire::Response;

/// Turns object lock on, for good, and sets the default of new versions or takes it away. The token that AWS's support
/// once gave out for buckets that had versions already (`x-amz-bucket-object-lock-token`) is not needed any more.
pub(crate) async fn run(cx: Cx, mut event: Event) -> Result<(Response, Recorded), Error> {
    let configuration = lock_xml::parse_configuration(cx.whole())?;
    event.request["ObjectLockConfiguration"] = described(&configuration);
    let versioned = |bucket: &crate::objects::Bucket| match bucket.versioning {
        Versioning::Enabled => Ok(()),
        Versioning::Never | Versioning::Suspended => Err(ObjectsError::LockNotVersioned),
    };
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let set = cx.app.objects.set_configuration(grant, name, Some(configuration), versioned, &event);
    Ok((Answer::new().empty(StatusCode::OK), set.await?))
}

fn described(configuration: &LockConfiguration) -> serde_json::Value {
    let Some(default) = configuration.default else { return json!({"ObjectLockEnabled": "Enabled"}) };
    let (unit, number) = match default.period {
        Period::Days(days) => ("Days", days),
        Period::Years(years) => ("Years", years),
    };
    let retention = json!({"Mode": default.mode.name(), unit: number});
    json!({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}})
}
