//! Replication in the simulation, as the gateway's worker does it.

use strongroom::objects::{
    Arrived, Bucket, ObjectsError, Queue, Queued, ReplicaChange, ReplicationTask, VersionId, replication_lane,
};

use super::{HERE, THERE};
use crate::replicas::replicate;
use crate::stack::{Stack, key};

/// As the gateway's worker does it; what fails is tried again with the next look.
pub(super) async fn replicate_some(stack: &Stack) -> Result<(), ObjectsError> {
    const SOME: usize = 8;
    let (from, to) = (stack.bucket(HERE).await, stack.bucket(THERE).await);
    let lane = replication_lane(&from.id, &format!("arn:aws:s3:::{THERE}"));
    let entries: Vec<Queued<ReplicationTask>> = stack.objects.due(Queue::Replication, &lane, SOME).await?;
    for entry in entries {
        while !replicate_once(stack, &from, &to, &entry.task).await? {}
        stack.objects.done(&[entry], |_| ()).await?;
    }
    Ok(())
}

/// `false`: it has changed meanwhile.
async fn replicate_once(
    stack: &Stack,
    from: &Bucket,
    to: &Bucket,
    task: &ReplicationTask,
) -> Result<bool, ObjectsError> {
    let (objects, name) = (&stack.objects, key(&task.key));
    let state = objects.replication_state(from, &name, &task.position).await?;
    let mut arrived = Arrived::default();
    if task.marker {
        let grant = stack.object_grant("s3:ReplicateDelete", to, &name);
        objects.replicate_marker(&grant, to, &name, task).await?;
    } else {
        let Some(state) = state.filter(|state| state.waits_for(&task.destination)) else { return Ok(true) };
        let followed = match state.is_to_be_made(&task.destination) {
            true => replicate_version(stack, from, to, task).await,
            false => Ok(()),
        };
        let followed = match followed {
            Ok(()) => replicate_changes(stack, from, to, task).await,
            Err(error) => Err(error),
        };
        match followed {
            Ok(seen) => arrived.seen = seen,
            Err(ObjectsError::NoSuchVersion) => {}
            Err(error) => return Err(error),
        }
    }
    objects.conclude_replication(&stack.access(), from, task, Some(&arrived)).await
}

async fn replicate_version(
    stack: &Stack,
    from: &Bucket,
    to: &Bucket,
    task: &ReplicationTask,
) -> Result<(), ObjectsError> {
    let name = key(&task.key);
    let look = stack.object_grant("s3:GetObject", from, &name);
    let info = stack.objects.head(&look, from, &name, Some(VersionId::Named(task.position))).await?;
    replicate(stack, from, &info, to).await
}

async fn replicate_changes(
    stack: &Stack,
    from: &Bucket,
    to: &Bucket,
    task: &ReplicationTask,
) -> Result<u64, ObjectsError> {
    let name = key(&task.key);
    let read = stack.object_grant("s3:GetObjectVersionForReplication", from, &name);
    let write = stack.object_grant("s3:ReplicateObject", to, &name);
    let bypass = stack.object_grant("s3:BypassGovernanceRetention", to, &name);
    let change = ReplicaChange {
        source_bucket: from,
        bucket: to,
        key: &name,
        position: task.position,
        acl: true,
        public_acls: true,
        tags: true,
        bypass: Some(&bypass),
    };
    stack.objects.replicate_changes(&read, &write, &change).await
}
