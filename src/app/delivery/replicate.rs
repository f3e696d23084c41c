//! Replication: versions and delete markers, taken to the buckets that rules name, as the role that they name.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use prometheus_client::metrics::counter::Counter;

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
    Arrived, Aspect, Bucket, Changes, ObjectInfo, ObjectsError, Queue, Queued, Replica, ReplicaChange, ReplicaPlace,
    ReplicationState, ReplicationTask, Standing, VersionId, bucket_of_arn,
};
use crate::policy::{Acl, NoContext, Target};
use crate::rules::replication::{Candidate, ReplicationConfiguration, Rule};
use crate::sources::Timestamp;
use crate::sse::{Mode, ObjectRef, Requested, SseError};

/// How often a version is tried again that could not be replicated for a reason that lies in what is configured; then
/// it is `FAILED`.
const TRIES: u32 = 5;
/// The name of the session in which a role replicates, as it stands in records and policies.
const SESSION: &str = "s3-replication";

/// Replicates. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Replicator(Arc<Inner>);

struct Inner {
    /// By ARN.
    elsewhere: HashMap<String, Elsewhere>,
    replicated: Counter,
    failed: Counter,
    given_up: Counter,
}

/// How often a version that changes while it is taken is taken again at once.
const ROUNDS_MAX: usize = 16;
/// Leave to bypass governance mode.
pub(super) const BYPASS: &str = "s3:BypassGovernanceRetention";

/// Why a version is not where it is to be.
pub(super) enum Failure {
    /// It can't be done whatever anybody does: it is given up at once.
    Never(String),
    /// What is configured does not let it: after some tries it is given up.
    Configured(String),
    /// Something is not there or does not answer: it is tried until it does.
    Passing(String),
}

impl From<ObjectsError> for Failure {
    fn from(error: ObjectsError) -> Self {
        let text = format!("{error:?}");
        match error {
            ObjectsError::NoSuchBucket
            | ObjectsError::ReplicaNotVersioned
            | ObjectsError::ReplicaNotLockable
            | ObjectsError::Locked { .. } => Self::Configured(text),
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
    /// How it stands; none of a delete marker. Read before the version is: what has changed in between is noticed when
    /// it is noted that the version is there.
    pub(super) state: Option<ReplicationState>,
}

impl Replicator {
    /// With the buckets elsewhere that the settings name.
    pub(crate) fn open(targets: &[ReplicationTarget]) -> Result<Self, StartError> {
        let open = |target: &ReplicationTarget| match Elsewhere::open(target) {
            Ok(open) => Ok((target.bucket.clone(), open)),
            Err(error) => Err(StartError(format!("replication_targets {:?}: {error}", target.bucket))),
        };
        let elsewhere = targets.iter().map(open).collect::<Result<_, _>>()?;
        let (replicated, failed, given_up) = Default::default();
        Ok(Self(Arc::new(Inner { elsewhere, replicated, failed, given_up })))
    }

    /// What metrics show of it.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        let text = "Versions and changes of versions that were taken to a destination";
        registry.register("replication_done", text, self.0.replicated.clone());
        let text = "Attempts to replicate that failed and are tried again";
        registry.register("replication_failed", text, self.0.failed.clone());
        let text = "Versions and changes of versions that were given up: their status is FAILED";
        registry.register("replication_given_up", text, self.0.given_up.clone());
    }

    /// Whether the settings have a bucket of this ARN elsewhere, and then whether buckets of `owner` may replicate
    /// there.
    pub fn elsewhere(&self, arn: &str, owner: &AccountId) -> Option<bool> {
        self.0.elsewhere.get(arn).map(|elsewhere| elsewhere.is_open_to(owner))
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
        let Ok(key) = ObjectKey::parse(task.key.as_str()) else { return Ok(()) };
        let access = system("replication", bucket.region.clone(), app.sources.now());
        for _ in 0..ROUNDS_MAX {
            let state = app.objects.replication_state(&bucket, &key, &task.position).await;
            let state = state.map_err(|error| format!("{}: {error:?}", what()))?;
            // It is gone, or another entry has brought it all.
            if !task.marker && !state.as_ref().is_some_and(|state| state.waits_for(&task.destination)) {
                return Ok(());
            }
            let arrived = match self.try_to(app, &bucket, (&key, state), entry).await {
                Ok(arrived) => Some(arrived),
                Err(Failure::Passing(reason)) => return Err(format!("{}: {reason}", what())),
                Err(Failure::Configured(reason)) if entry.failures < TRIES => {
                    return Err(format!("{}: {reason}", what()));
                }
                Err(Failure::Configured(reason) | Failure::Never(reason)) => {
                    tracing::error!(reason, "{} is not replicated: given up", what());
                    None
                }
            };
            let noted = app.objects.conclude_replication(&access, &bucket, &task, arrived.as_ref()).await;
            if noted.map_err(|error| format!("{}: its status could not be noted: {error:?}", what()))? {
                if arrived.is_some() { &self.0.replicated } else { &self.0.given_up }.inc();
                return Ok(());
            }
        }
        Err(format!("{}: it changes all the time", what()))
    }

    async fn try_to(
        &self,
        app: &App,
        bucket: &Bucket,
        (key, state): (&ObjectKey, Option<ReplicationState>),
        entry: &mut Queued<ReplicationTask>,
    ) -> Result<Arrived, Failure> {
        let configuration = app.objects.configuration::<ReplicationConfiguration>(bucket).await?;
        let gone = || Failure::Never("its rule is gone".to_owned());
        let configuration = configuration.ok_or_else(gone)?;
        let rule = rule_of(&configuration, &entry.task).ok_or_else(gone)?;
        let access = assume(app, bucket, &configuration.role).await?;
        let errand = Errand { app, access, bucket, key: key.clone(), rule, state };
        match self.0.elsewhere.get(&entry.task.destination) {
            Some(elsewhere) => elsewhere.take(&errand, entry).await,
            None => errand.take_here(&entry.task).await,
        }
    }
}

/// The rule that asked for it, or if that is gone, as when a configuration is put again whose rules bring no names, the
/// one that would now.
fn rule_of<'a>(configuration: &'a ReplicationConfiguration, task: &ReplicationTask) -> Option<&'a Rule> {
    let own = |rule: &&Rule| rule.enabled && rule.id == task.rule && rule.target.bucket == task.destination;
    let candidate = Candidate { key: &task.key, tags: &[], marker: task.marker, kms: false };
    configuration.rules.iter().find(own).or_else(|| configuration.follows(&candidate, &task.destination))
}

impl Work for Replicator {
    type Task = ReplicationTask;
    const QUEUE: Queue = Queue::Replication;
    const JOB: &'static str = "replication";

    fn work<'a>(&'a self, app: &'a App, entry: &'a mut Queued<ReplicationTask>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let done = self.replicate(app, entry).await;
            if done.is_err() {
                self.0.failed.inc();
            }
            done
        })
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
        // The rule may be another one than when it was written.
        if matches!(info.envelope.mode, Mode::SseKms | Mode::DsseKms) && self.rule.kms_objects != Some(true) {
            return Err(Failure::Configured("its rule takes nothing that is under SSE-KMS".to_owned()));
        }
        Ok(Some((read, info)))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.app.sources.now()
    }

    /// The numbers of its changes.
    pub(super) fn changes(&self) -> Changes {
        self.state.as_ref().map(ReplicationState::changes).unwrap_or_default()
    }

    /// What is known of it at a destination.
    pub(super) fn place(&self, destination: &str) -> Option<&ReplicaPlace> {
        self.state.as_ref().and_then(|state| state.place(destination))
    }

    /// Whether it is to be made if it is not there.
    pub(super) fn is_to_be_made(&self, destination: &str) -> bool {
        self.state.as_ref().is_some_and(|state| state.is_to_be_made(destination))
    }

    /// To a bucket of this gateway.
    async fn take_here(&self, task: &ReplicationTask) -> Result<Arrived, Failure> {
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
            self.app.objects.replicate_marker(&grant, &to, &self.key, task).await?;
            return Ok(Arrived::default());
        }
        let Some((read, info)) = self.source(task).await? else { return Ok(Arrived::default()) };
        let write = leave_there("s3:ReplicateObject").await?;
        if target.owner_override {
            leave_there("s3:ObjectOwnerOverrideToBucketOwner").await?;
        }
        // As a request with such an ACL would be refused there.
        let public_acls = !Before::of(self.app, &to).await?.block.block_public_acls;
        let acl_follows = !target.owner_override && to.acls_on();
        let acl = info.access.as_ref().and_then(|access| access.acl.as_ref()).filter(|_| acl_follows);
        if !public_acls && acl.is_some_and(Acl::is_public) {
            return Err(Failure::Configured(format!("its ACL is public, which {name} blocks")));
        }
        // As AWS does it: without leave for the tags the object comes without them.
        let tags = info.meta.tags.is_empty()
            || (self.leave_at_source("s3:GetObjectVersionTagging", Some(&info)).await.is_ok()
                && leave_there("s3:ReplicateTags").await.is_ok());
        if self.is_to_be_made(&task.destination) {
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
                Err(ObjectsError::NoSuchVersion | ObjectsError::NoSuchKey { .. }) => return Ok(Arrived::default()),
                made => made?,
            }
        }
        // What was changed since it was made, also before it was made here by an entry that comes again.
        let bypass = match self.changes().of(Aspect::Retention) {
            0 => None,
            _ => leave_there(BYPASS).await.ok(),
        };
        let change = ReplicaChange {
            source_bucket: self.bucket,
            bucket: &to,
            key: &self.key,
            position: task.position,
            acl: acl_follows,
            public_acls,
            tags,
            bypass: bypass.as_ref(),
        };
        match self.app.objects.replicate_changes(&read, &write, &change).await {
            Err(ObjectsError::NoSuchVersion) => Ok(Arrived::default()),
            Ok(seen) => Ok(Arrived { seen, version: None }),
            Err(error) => Err(error.into()),
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
