//! Replication: versions and delete markers, taken to the buckets that rules name, as the role that they name.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Work;
use super::elsewhere::Elsewhere;
use crate::app::before::{Before, View};
use crate::app::{App, StartError};
use crate::auth::{Access, Grant, Resource, assumed, service, system};
use crate::config::ReplicationTarget;
use crate::identity::IdentityError;
use crate::keyring::KeyringError;
use crate::names::{AccountId, ObjectKey, bucket_arn, object_arn};
use crate::objects::{
    Bucket, ObjectInfo, ObjectsError, Queue, Queued, Replica, ReplicationTask, Standing, VersionId, bucket_of_arn,
};
use crate::policy::{NoContext, Target};
use crate::rules::replication::{ReplicationConfiguration, Rule};
use crate::sse::{Mode, ObjectRef, Requested, SseError};

/// How often a version is tried again that could not be replicated for a reason that lies in what is configured; then
/// it is `FAILED`.
const TRIES: u32 = 5;
/// The name of the session in which a role replicates, as it stands in records and policies.
const SESSION: &str = "s3-replication";

/// Replicates. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Replicator(Arc<HashMap<String, Elsewhere>>);

/// Why a version is not where it is to be.
pub(super) enum Failure {
    /// What is configured does not let it: after some tries it is given up.
    Configured(String),
    /// Something is not there or does not answer: it is tried until it does.
    Passing(String),
}

impl From<ObjectsError> for Failure {
    fn from(error: ObjectsError) -> Self {
        let text = format!("{error:?}");
        match error {
            ObjectsError::NoSuchBucket | ObjectsError::ReplicaNotVersioned | ObjectsError::ReplicaNotLockable => {
                Self::Configured(text)
            }
            ObjectsError::Sse(error) => error.into(),
            _ => Self::Passing(text),
        }
    }
}

impl From<SseError> for Failure {
    fn from(error: SseError) -> Self {
        let text = format!("{error:?}");
        match error {
            // A key's store that does not answer for an hour is no reason to give its objects up.
            SseError::Kms(
                KeyringError::KeyStore { .. }
                | KeyringError::DependencyTimeout
                | KeyringError::Contention
                | KeyringError::Full(_)
                | KeyringError::Internal(_),
            ) => Self::Passing(text),
            SseError::Kms(_)
            | SseError::Denied(_)
            | SseError::CustomerKeyRequired
            | SseError::WrongCustomerKey
            | SseError::NotApplicable
            | SseError::SseCBlocked
            | SseError::NotConfidential(_)
            | SseError::NeedsSignatureV4
            | SseError::Corrupt(_) => Self::Configured(text),
        }
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Self::Passing(error.to_string())
    }
}

/// A version on its way.
pub(super) struct Errand<'a> {
    pub(super) app: &'a App,
    /// The role's.
    pub(super) access: Access,
    pub(super) bucket: &'a Bucket,
    pub(super) key: ObjectKey,
    pub(super) rule: &'a Rule,
}

impl Replicator {
    /// With the buckets elsewhere that the settings name.
    pub(crate) fn open(targets: &[ReplicationTarget]) -> Result<Self, StartError> {
        let open = |target: &ReplicationTarget| match Elsewhere::open(target) {
            Ok(open) => Ok((target.bucket.clone(), open)),
            Err(error) => Err(StartError(format!("replication_targets {:?}: {error}", target.bucket))),
        };
        Ok(Self(Arc::new(targets.iter().map(open).collect::<Result<_, _>>()?)))
    }

    /// Whether the settings have a bucket of this ARN elsewhere, and then whether buckets of `owner` may replicate
    /// there.
    pub fn elsewhere(&self, arn: &str, owner: &AccountId) -> Option<bool> {
        self.0.get(arn).map(|elsewhere| elsewhere.is_open_to(owner))
    }

    async fn replicate(&self, app: &App, entry: &mut Queued<ReplicationTask>) -> Result<(), String> {
        let task = entry.task.clone();
        let Ok(name) = crate::names::BucketName::parse(&task.bucket) else { return Ok(()) };
        let bucket = match app.objects.bucket(&name).await {
            Ok(bucket) if task.is_of(&bucket) => bucket,
            // With the bucket its versions went.
            Ok(_) | Err(ObjectsError::NoSuchBucket) => return Ok(()),
            Err(error) => return Err(format!("{error:?}")),
        };
        let what = || format!("{}/{} to {}", task.bucket, task.key, task.destination);
        let done = match self.try_to(app, &bucket, entry).await {
            Ok(()) => true,
            Err(Failure::Passing(reason)) => return Err(format!("{}: {reason}", what())),
            Err(Failure::Configured(reason)) if entry.failures < TRIES => return Err(format!("{}: {reason}", what())),
            Err(Failure::Configured(reason)) => {
                tracing::error!(reason, "{} is not replicated: given up", what());
                false
            }
        };
        let access = system("replication", bucket.region.clone(), app.sources.now());
        let noted = app.objects.conclude_replication(&access, &bucket, &task, done).await;
        noted.map_err(|error| format!("{}: its status could not be noted: {error:?}", what()))
    }

    async fn try_to(&self, app: &App, bucket: &Bucket, entry: &mut Queued<ReplicationTask>) -> Result<(), Failure> {
        let configuration = app.objects.configuration::<ReplicationConfiguration>(bucket).await?;
        let gone = || Failure::Configured("its rule is gone".to_owned());
        let configuration = configuration.ok_or_else(gone)?;
        let rule = configuration
            .rules
            .iter()
            .find(|rule| rule.enabled && rule.id == entry.task.rule && rule.target.bucket == entry.task.destination);
        let key = ObjectKey::parse(entry.task.key.as_str())
            .map_err(|_| Failure::Configured("its key is malformed".to_owned()))?;
        let access = assume(app, bucket, &configuration.role).await?;
        let errand = Errand { app, access, bucket, key, rule: rule.ok_or_else(gone)? };
        match self.0.get(&entry.task.destination) {
            Some(elsewhere) => elsewhere.take(&errand, entry).await,
            None => errand.take_here(&entry.task).await,
        }
    }
}

impl Work for Replicator {
    type Task = ReplicationTask;
    const QUEUE: Queue = Queue::Replication;
    const JOB: &'static str = "replication";

    fn work<'a>(&'a self, app: &'a App, entry: &'a mut Queued<ReplicationTask>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.replicate(app, entry))
    }
}

/// The role of a configuration, as S3 assumes it on behalf of the bucket.
async fn assume(app: &App, bucket: &Bucket, role: &str) -> Result<Access, Failure> {
    let now = app.sources.now();
    let found = app.identities.role_in_session(role, SESSION, now).await?;
    let (principal, trust) = found.ok_or_else(|| Failure::Configured(format!("there is no role {role}")))?;
    let owner = principal.account().cloned().unwrap_or_else(|| bucket.owner.clone());
    let on_behalf = (bucket_arn(&bucket.name), bucket.owner.clone());
    let s3 = service("s3.amazonaws.com", on_behalf, bucket.region.clone(), now);
    let resource = Resource { arn: role.to_owned(), owner };
    s3.authorize("sts:AssumeRole", resource, &Target::Role { trust: &trust }, &NoContext)
        .map_err(|denied| Failure::Configured(denied.message))?;
    Ok(assumed(principal, bucket.region.clone(), now))
}

/// A role's leave for an action on an object of a bucket of this gateway: decided as a request of the role would be.
async fn leave(
    app: &App,
    access: &Access,
    action: &'static str,
    (bucket, key): (&Bucket, &ObjectKey),
    info: Option<&ObjectInfo>,
) -> Result<Grant, Failure> {
    let before = Before::of(app, bucket).await?;
    let standing = info.map(|info| Standing::Object(info.access.clone()));
    let target = match &standing {
        Some(standing) => before.target(access, bucket, View::Object(standing)),
        // No ACL lets anybody write replicas.
        None => before.policy_target(access, bucket),
    };
    let resource = Resource { arn: object_arn(&bucket.name, key), owner: bucket.owner.clone() };
    let allowed = access.authorize(action, resource, &target, &before.keys(&NoContext));
    allowed.map_err(|denied| Failure::Configured(denied.message))
}

impl Errand<'_> {
    /// The role's leave for an action on the source.
    pub(super) async fn leave_at_source(
        &self,
        action: &'static str,
        info: Option<&ObjectInfo>,
    ) -> Result<Grant, Failure> {
        leave(self.app, &self.access, action, (self.bucket, &self.key), info).await
    }

    /// The role's leave, by its own policies, for an action on the object at an endpoint elsewhere: what stands before the
    /// bucket there is asked there.
    pub(super) fn leave_elsewhere(&self, action: &'static str, destination: &str) -> Result<(), Failure> {
        let arn = format!("{destination}/{}", self.key.as_str());
        let resource = Resource { arn, owner: self.bucket.owner.clone() };
        let allowed = self.access.authorize(action, resource, &Target::Account, &NoContext);
        allowed.map(drop).map_err(|denied| Failure::Configured(denied.message))
    }

    /// The version, with the leave to read it; none if it is gone.
    pub(super) async fn source(&self, task: &ReplicationTask) -> Result<Option<(Grant, ObjectInfo)>, Failure> {
        let look = system("replication", self.bucket.region.clone(), self.app.sources.now());
        let look = leave(self.app, &look, "s3:GetObjectVersion", (self.bucket, &self.key), None).await?;
        let version = Some(VersionId::Named(task.position));
        let info = match self.app.objects.head(&look, self.bucket, &self.key, version).await {
            Ok(info) => info,
            Err(ObjectsError::NoSuchVersion | ObjectsError::IsDeleteMarker { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let read = self.leave_at_source("s3:GetObjectVersionForReplication", Some(&info)).await?;
        Ok(Some((read, info)))
    }

    /// To a bucket of this gateway.
    async fn take_here(&self, task: &ReplicationTask) -> Result<(), Failure> {
        let name = bucket_of_arn(&task.destination);
        let name = name.ok_or_else(|| Failure::Configured("its destination is no bucket's ARN".to_owned()))?;
        let to = self.app.objects.bucket(&name).await?;
        let target = &self.rule.target;
        if target.account.as_ref().is_some_and(|account| *account != to.owner.as_str()) {
            return Err(Failure::Configured(format!("{name} is not of the account that the rule names")));
        }
        let leave_there = |action| leave(self.app, &self.access, action, (&to, &self.key), None);
        if task.marker {
            let grant = leave_there("s3:ReplicateDelete").await?;
            return Ok(self.app.objects.replicate_marker(&grant, &to, &self.key, task).await?);
        }
        let Some((read, info)) = self.source(task).await? else { return Ok(()) };
        let write = leave_there("s3:ReplicateObject").await?;
        if target.owner_override {
            leave_there("s3:ObjectOwnerOverrideToBucketOwner").await?;
        }
        // As AWS does it: without leave for the tags the object comes without them.
        let tags = info.meta.tags.is_empty()
            || (self.leave_at_source("s3:GetObjectVersionTagging", Some(&info)).await.is_ok()
                && leave_there("s3:ReplicateTags").await.is_ok());
        let replica = Replica {
            source_bucket: self.bucket,
            source: &info,
            bucket: &to,
            envelope: self.wrapped(&info, &to).await?,
            storage_class: target.storage_class.clone(),
            owner_override: target.owner_override,
            tags,
        };
        match self.app.objects.replicate(&read, &write, replica).await {
            // It was deleted meanwhile.
            Err(ObjectsError::NoSuchVersion | ObjectsError::NoSuchKey { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The source's keys, wrapped for its replica: under the same mode, with KMS under the rule's key. None for SSE-C.
    async fn wrapped(
        &self,
        info: &ObjectInfo,
        to: &Bucket,
    ) -> Result<Option<(crate::sse::Envelope, [u8; 16])>, Failure> {
        let requested = match info.envelope.mode {
            Mode::SseC => return Ok(None),
            Mode::SseS3 => Requested::SseS3,
            mode @ (Mode::SseKms | Mode::DsseKms) => Requested::Kms {
                double: mode == Mode::DsseKms,
                key: self.rule.target.kms_key.clone(),
                context: info.envelope.kms_context.iter().cloned().collect(),
                bucket_key: None,
            },
        };
        let (sse, access) = (self.app.objects.sse(), &self.access);
        let object = ObjectRef { bucket: &info.bucket, key: &info.key, id: info.holder_id };
        let keys = sse.open(access, object, &info.envelope, None).await?;
        let plan = sse.plan(access, (&to.name, &self.key), &to.owner, &to.encryption, requested).await?;
        let id = self.app.sources.random();
        let object = ObjectRef { bucket: &to.name, key: &self.key, id };
        Ok(Some((sse.seal_keys(access, &plan, object, &keys).await?, id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_not_given_up() {
        let passing = |error| matches!(Failure::from(SseError::Kms(error)), Failure::Passing(_));
        assert!(passing(KeyringError::DependencyTimeout));
        assert!(passing(KeyringError::Contention));
        assert!(passing(KeyringError::Full(String::new())));
        assert!(passing(KeyringError::Internal(String::new())));
        assert!(!passing(KeyringError::Disabled(String::new())));
        assert!(!passing(KeyringError::NotFound(String::new())));
    }
}
