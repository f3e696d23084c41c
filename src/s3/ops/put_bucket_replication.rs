//! PutBucketReplication.

use http::StatusCode;

use crate::audit::{Event, Recorded};
use crate::auth::Resource;
use crate::names::{AccountId, hex};
use crate::objects::{Bucket, ObjectsError, Versioning, bucket_of_arn};
use crate::policy::{Context, Key, Target, Value};
use crate::rules::replication::{ReplicationConfiguration, Rule, Target as Destination};
use crate::s3::code::Code;
use crate::s3::cx::Cx;
use crate::s3::error::Error;
use crate::s3::object_answer::Answer;
use crate::s3::replication_xml;
use crate::wire::Response;

pub(crate) async fn run(cx: Cx, event: Event) -> Result<(Response, Recorded), Error> {
    if cx.whole().is_empty() {
        return Err(Error::new(Code::MissingRequestBodyError));
    }
    let sources = &cx.app.sources;
    let configuration = replication_xml::parse(cx.whole(), || hex(&sources.random::<16>()))?;
    check_versioned(cx.bucket()).map_err(|_| not_versioned())?;
    check_role(&cx, &configuration.role)?;
    check_destinations(&cx, &configuration).await?;
    let (grant, name) = (cx.grant(), &cx.bucket().name);
    let set = cx.app.objects.set_configuration(grant, name, Some(configuration), check_versioned, &event).await;
    let recorded =
        set.map_err(|error| if error == ObjectsError::ReplicaNotVersioned { not_versioned() } else { error.into() })?;
    Ok((Answer::new().empty(StatusCode::OK), recorded))
}

fn check_versioned(bucket: &Bucket) -> Result<(), ObjectsError> {
    if bucket.versioning == Versioning::Enabled { Ok(()) } else { Err(ObjectsError::ReplicaNotVersioned) }
}

fn not_versioned() -> Error {
    Error::invalid_request("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
}

/// Who has a role act has to be allowed to hand it over. The text for what is no role's ARN is not recorded.
fn check_role(cx: &Cx, role: &str) -> Result<(), Error> {
    let account = role.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    let account = account.filter(|(_, name)| !name.is_empty()).and_then(|(id, _)| AccountId::parse(id).ok());
    let account = account.ok_or_else(|| Error::invalid_argument("Invalid Role ARN", "Role", role))?;
    let resource = Resource { arn: role.to_owned(), owner: account };
    let keys = cx.known.keys(&cx.head, &cx.query);
    cx.access.authorize("iam:PassRole", resource, &Target::Account, &Passing(&keys))?;
    Ok(())
}

/// The condition keys of handing over a role: the request's, and to which service.
struct Passing<'a>(&'a dyn Context);

impl Context for Passing<'_> {
    fn each(&self, key: Key, parameter: &str, each: &mut dyn FnMut(Value<'_>)) {
        match key {
            Key::IamPassedToService => each(Value::Text("s3.amazonaws.com")),
            other => self.0.each(other, parameter, each),
        }
    }
}

/// The text is that of AWS's list of errors.
fn check_account(target: &Destination, bucket: &Bucket) -> Result<(), Error> {
    match &target.account {
        Some(account) if account != bucket.owner.as_str() => {
            let text = "The AWS account specified in the Account element must match the destination bucket owner.";
            Err(Error::invalid_argument(text, "Account", account))
        }
        Some(_) | None => Ok(()),
    }
}

/// AWS has no such case.
fn no_modifications_elsewhere() -> Error {
    Error::invalid_request("ReplicaModifications can only be enabled for a destination bucket of this server.")
}

/// Those of this gateway have to be there, to have versioning on, and object lock if this one has it, and to be another
/// bucket than this one. Those elsewhere have to be open to its owner.
async fn check_destinations(cx: &Cx, configuration: &ReplicationConfiguration) -> Result<(), Error> {
    for Rule { target, replica_modifications, .. } in &configuration.rules {
        let missing = || Error::invalid_request("Destination bucket must exist.");
        match cx.app.replicator.elsewhere(&target.bucket, &cx.bucket().owner) {
            // What this gateway sends elsewhere is no replica there by its version id: nothing could come back.
            Some(true) if *replica_modifications == Some(true) => return Err(no_modifications_elsewhere()),
            Some(true) => continue,
            // Of what others replicate to nobody learns.
            Some(false) => return Err(missing()),
            None => {}
        }
        let name = bucket_of_arn(&target.bucket).ok_or_else(missing)?;
        if name == cx.bucket().name {
            // Not recorded.
            return Err(Error::invalid_request("Destination bucket cannot be the same as the source bucket."));
        }
        match cx.app.objects.bucket(&name).await {
            Ok(bucket) => {
                check_account(target, &bucket)?;
                check_versioned(&bucket)?;
                if cx.bucket().has_object_lock() && !bucket.has_object_lock() {
                    return Err(ObjectsError::ReplicaNotLockable.into());
                }
            }
            Err(ObjectsError::NoSuchBucket) => return Err(missing()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
