//! What ACLs make a decision depend on beside the bucket: whose an object is, and who began an upload. Looked up only
//! where a bucket has ACLs on, or where it can help a caller of another account.

use super::query::Query;
use super::uploads;
use super::version_id;
use crate::app::App;
use crate::app::before::View;
use crate::auth::Access;
use crate::names::ObjectKey;
use crate::objects::{Bucket, ObjectOwner, ObjectsError, Standing, VersionId};

/// What was looked up for the action of a request, or of one of its parts.
#[derive(Debug, Clone)]
pub(crate) enum Looked {
    /// See [`View::Write`].
    Write { free: bool },
    /// See [`View::Upload`].
    Upload { own: bool },
    /// See [`View::Object`].
    Object(Standing),
}

impl Default for Looked {
    fn default() -> Self {
        Self::Object(Standing::Object(None))
    }
}

impl Looked {
    /// For an action on the object that a request names.
    pub(crate) async fn up(
        app: &App,
        access: &Access,
        action: &str,
        (bucket, key): (&Bucket, &ObjectKey),
        query: &Query,
    ) -> Result<Self, ObjectsError> {
        match action {
            "s3:PutObject" | "s3:DeleteObject" | "s3:DeleteObjectVersion" => {
                Ok(Self::Write { free: is_free(app, access, (bucket, key)).await? })
            }
            "s3:AbortMultipartUpload" | "s3:ListMultipartUploadParts" => {
                Ok(Self::Upload { own: is_own_upload(app, access, (bucket, key), query).await? })
            }
            _ => {
                // What is no version id is refused by the operation.
                let version = version_id::of_query(query).ok().flatten();
                Ok(Self::Object(standing(app, (bucket, key), version).await?))
            }
        }
    }

    /// As it is asked for.
    pub(crate) fn view(&self) -> View<'_> {
        match self {
            Self::Write { free } => View::Write { free: *free },
            Self::Upload { own } => View::Upload { own: *own },
            Self::Object(standing) => View::Object(standing),
        }
    }
}

/// Whose an object is, and its ACL.
pub(crate) async fn standing(
    app: &App,
    (bucket, key): (&Bucket, &ObjectKey),
    version: Option<VersionId>,
) -> Result<Standing, ObjectsError> {
    if bucket.acls_on() { app.objects.standing(bucket, key, version).await } else { Ok(Standing::Object(None)) }
}

/// Whether a grant to write would let the caller write or delete the object: none is there, or its own, or all are, as
/// for the bucket's account. Reads nothing where no grant can help.
pub(crate) async fn is_free(
    app: &App,
    access: &Access,
    (bucket, key): (&Bucket, &ObjectKey),
) -> Result<bool, ObjectsError> {
    let caller = access.caller().account();
    if !bucket.acls_on() || bucket.acl.is_none() || caller == Some(&bucket.owner) {
        return Ok(caller == Some(&bucket.owner));
    }
    Ok(match app.objects.standing(bucket, key, None).await? {
        Standing::Absent => true,
        Standing::Object(held) => match (held.and_then(|held| held.owner), caller) {
            (Some(owner), Some(account)) => owner == ObjectOwner::account(account),
            (Some(owner), None) => owner == ObjectOwner::Anonymous,
            (None, _) => false,
        },
    })
}

/// Whether a caller of another account goes on with an upload that its account began. One that is not there is
/// nobody's.
async fn is_own_upload(
    app: &App,
    access: &Access,
    (bucket, key): (&Bucket, &ObjectKey),
    query: &Query,
) -> Result<bool, ObjectsError> {
    let Some(account) = access.caller().account().filter(|account| **account != bucket.owner) else {
        return Ok(false);
    };
    let Ok(id) = uploads::id(query) else { return Ok(false) };
    match app.objects.upload(bucket, key, id).await {
        Ok(upload) => Ok(upload.initiator.is_some_and(|arn| arn.split(':').nth(4) == Some(account.as_str()))),
        Err(ObjectsError::NoSuchUpload) => Ok(false),
        Err(error) => Err(error),
    }
}
