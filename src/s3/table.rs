//! The operation table: every operation and sub-resource of the newest S3 model has a row, served or refused.
//!
//! Adding an operation: a file in `ops/`, its `mod` line, and a `served` row here instead of the `refused` one.

use futures_util::future::BoxFuture;

use super::cx::Cx;
use super::error::Error;
use super::ops;
use crate::audit::{Event, Recorded};
use crate::wire::Response;

use Target::{Bucket, Object, Service};

const GET: &str = "GET";
const HEAD: &str = "HEAD";
const PUT: &str = "PUT";
const POST: &str = "POST";
const DELETE: &str = "DELETE";
const OPTIONS: &str = "OPTIONS";

/// Longest XML body of configuration calls, in bytes.
const BODY_SMALL: usize = 64 * 1024;
/// Longest body of CreateBucket in bytes.
const BODY_CREATE_BUCKET: usize = 64 * 1024;
/// Longest body of PutBucketNotificationConfiguration in bytes: 100 destinations with prefixes and suffixes.
const BODY_NOTIFICATION: usize = 1 << 20;
/// Longest body of PutBucketReplication in bytes: 1,000 rules with prefixes and tags.
const BODY_REPLICATION: usize = 2 << 20;
/// Longest body of configurations that are many rules, in bytes: 1,000 rules of a lifecycle with an id and a prefix of
/// the longest, escaped.
const BODY_RULES: usize = 4 << 20;
/// Longest body of DeleteObjects in bytes: 1,000 keys of 1,024 bytes, each escaped up to six-fold.
const BODY_DELETE_OBJECTS: usize = 8 << 20;
/// Longest body of CompleteMultipartUpload in bytes: 10,000 parts with ETag and checksums.
const BODY_COMPLETE: usize = 8 << 20;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/`
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

/// When a row applies, besides method and target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition {
    /// Query keys that must be present; `name=value` demands the value.
    pub(crate) query: &'static [&'static str],
    /// A header that must be present.
    pub(crate) header: Option<&'static str>,
}

impl Condition {
    /// How specific the row is.
    pub(crate) fn weight(&self) -> usize {
        self.query.len() + usize::from(self.header.is_some())
    }
}

/// The IAM action; where a version is named some have another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    pub(crate) plain: &'static str,
    pub(crate) versioned: &'static str,
    pub(crate) on: On,
}

impl Action {
    /// The action on one version, or on none in particular.
    pub(crate) fn of(&self, names_version: bool) -> &'static str {
        if names_version { self.versioned } else { self.plain }
    }
}

/// What the action has to be allowed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// The row's target, before the handler runs.
    Target,
    /// Each object that the body names, which the handler asks for one by one: there is no grant before it does.
    EachObject,
}

/// What happens to the request's body before the handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Read, verified and dropped: at most a few KiB.
    None,
    /// Read whole and verified: at most so many bytes.
    Small(usize),
    /// As `Small`, and refused unless the client sent Content-MD5 or a checksum of it: what the list says must not be
    /// damaged.
    Checked(usize),
    /// Left to the handler.
    Stream,
}

/// What comes of a handler.
pub(super) type Handled<T> = BoxFuture<'static, Result<T, Error>>;

/// A handler.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Handler {
    /// Tells something, or changes data. Of a management call the record is written after it, before the answer leaves.
    Answer(fn(Cx) -> Handled<Response>),
    /// As `Answer`, of one that may take longer than clients wait: its answer then begins before the outcome is known
    /// ([`super::keep_alive`]).
    Long(fn(Cx) -> Handled<Response>),
    /// A management call that changes something: commits the event with its change, and shows the proof.
    Change(fn(Cx, Event) -> Handled<(Response, Recorded)>),
    /// What a browser asks before it sends a request to another origin: answered before anybody is asked for, since
    /// nobody signs it ([`super::cors::preflight`]).
    Preflight,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Row {
    /// AWS's name.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: Target,
    pub(crate) condition: Condition,
    pub(crate) action: Action,
    pub(crate) body: Body,
    /// `None`: known and refused with `NotImplemented`.
    pub(crate) handler: Option<Handler>,
}

macro_rules! run {
    ($operation:ident) => {
        Handler::Answer(|cx| Box::pin(ops::$operation::run(cx)))
    };
}

macro_rules! long {
    ($operation:ident) => {
        Handler::Long(|cx| Box::pin(ops::$operation::run(cx)))
    };
}

macro_rules! change {
    ($operation:ident) => {
        Handler::Change(|cx, event| Box::pin(ops::$operation::run(cx, event)))
    };
}

const fn on(query: &'static [&'static str]) -> Condition {
    Condition { query, header: None }
}

const fn on_header(query: &'static [&'static str], header: &'static str) -> Condition {
    Condition { query, header: Some(header) }
}

const fn act(action: &'static str) -> Action {
    Action { plain: action, versioned: action, on: On::Target }
}

const fn act2(plain: &'static str, versioned: &'static str) -> Action {
    Action { plain, versioned, on: On::Target }
}

const fn act_each(plain: &'static str, versioned: &'static str) -> Action {
    Action { plain, versioned, on: On::EachObject }
}

const fn served(
    name: &'static str,
    method: &'static str,
    target: Target,
    condition: Condition,
    action: Action,
    body: Body,
    handler: Handler,
) -> Row {
    Row { name, method, target, condition, action, body, handler: Some(handler) }
}

const fn refused(
    name: &'static str,
    method: &'static str,
    target: Target,
    condition: Condition,
    action: Action,
) -> Row {
    Row { name, method, target, condition, action, body: Body::None, handler: None }
}

/// Operations that seal what they store and so take `x-amz-server-side-encryption`.
pub(crate) const SEALING_OPERATIONS: [&str; 4] = ["PutObject", "PostObject", "CopyObject", "CreateMultipartUpload"];

/// Operations on a version, if one is named, that have the same action on all.
const VERSIONED_BY_ONE_ACTION: [&str; 6] = [
    "UpdateObjectEncryption",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "RestoreObject",
];

/// Operations on buckets that CloudTrail counts as data events; all others on buckets and the service are management
/// events, which the trail holds.
const DATA_EVENTS: [&str; 9] = [
    "HeadBucket",
    "ListObjects",
    "ListObjectsV2",
    "ListObjectVersions",
    "ListMultipartUploads",
    "DeleteObjects",
    "PostObject",
    "CreateSession",
    "OptionsBucket",
];

impl Row {
    /// The call gets a record in the trail.
    pub(crate) fn is_management(&self) -> bool {
        self.target != Object && !DATA_EVENTS.contains(&self.name)
    }

    /// It may be about a version that `versionId` names: those that then have another action, and a few more. What asks
    /// for each object finds the versions in its body.
    pub(crate) fn takes_version(&self) -> bool {
        let versioned = self.action.on == On::Target && self.action.plain != self.action.versioned;
        versioned || VERSIONED_BY_ONE_ACTION.contains(&self.name)
    }

    /// It changes nothing.
    pub(crate) fn is_read_only(&self) -> bool {
        self.method == GET || self.method == HEAD
    }
}

/// Older names of operations that share a row with their successor.
#[cfg(test)]
pub(crate) const SUPERSEDED: [(&str, &str); 4] = [
    ("GetBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ("PutBucketLifecycle", "PutBucketLifecycleConfiguration"),
    ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ("PutBucketNotification", "PutBucketNotificationConfiguration"),
];

#[rustfmt::skip]
pub(crate) static TABLE: &[Row] = &[
    served("ListBuckets", GET, Service, on(&[]), act("s3:ListAllMyBuckets"), Body::None, run!(list_buckets)),
    refused("WriteGetObjectResponse", POST, Service, on_header(&[], "x-amz-request-route"), act("s3-object-lambda:WriteGetObjectResponse")),
    refused("ListDirectoryBuckets", GET, Service, on(&["x-id=ListDirectoryBuckets"]), act("s3express:ListAllMyDirectoryBuckets")),
    served("CreateBucket", PUT, Bucket, on(&[]), act("s3:CreateBucket"), Body::Small(BODY_CREATE_BUCKET), change!(create_bucket)),
    served("DeleteBucket", DELETE, Bucket, on(&[]), act("s3:DeleteBucket"), Body::None, change!(delete_bucket)),
    served("DeleteBucketEncryption", DELETE, Bucket, on(&["encryption"]), act("s3:PutEncryptionConfiguration"), Body::None, change!(delete_bucket_encryption)),
    served("DeleteBucketOwnershipControls", DELETE, Bucket, on(&["ownershipControls"]), act("s3:PutBucketOwnershipControls"), Body::None, change!(delete_bucket_ownership_controls)),
    served("DeleteBucketPolicy", DELETE, Bucket, on(&["policy"]), act("s3:DeleteBucketPolicy"), Body::None, change!(delete_bucket_policy)),
    served("DeleteObjects", POST, Bucket, on(&["delete"]), act_each("s3:DeleteObject", "s3:DeleteObjectVersion"), Body::Checked(BODY_DELETE_OBJECTS), run!(delete_objects)),
    served("DeletePublicAccessBlock", DELETE, Bucket, on(&["publicAccessBlock"]), act("s3:PutBucketPublicAccessBlock"), Body::None, change!(delete_public_access_block)),
    served("GetBucketAcl", GET, Bucket, on(&["acl"]), act("s3:GetBucketAcl"), Body::None, run!(get_bucket_acl)),
    served("GetBucketEncryption", GET, Bucket, on(&["encryption"]), act("s3:GetEncryptionConfiguration"), Body::None, run!(get_bucket_encryption)),
    served("GetBucketLocation", GET, Bucket, on(&["location"]), act("s3:GetBucketLocation"), Body::None, run!(get_bucket_location)),
    served("GetBucketOwnershipControls", GET, Bucket, on(&["ownershipControls"]), act("s3:GetBucketOwnershipControls"), Body::None, run!(get_bucket_ownership_controls)),
    served("GetBucketPolicy", GET, Bucket, on(&["policy"]), act("s3:GetBucketPolicy"), Body::None, run!(get_bucket_policy)),
    served("GetBucketPolicyStatus", GET, Bucket, on(&["policyStatus"]), act("s3:GetBucketPolicyStatus"), Body::None, run!(get_bucket_policy_status)),
    served("GetBucketRequestPayment", GET, Bucket, on(&["requestPayment"]), act("s3:GetBucketRequestPayment"), Body::None, run!(get_bucket_request_payment)),
    served("GetBucketVersioning", GET, Bucket, on(&["versioning"]), act("s3:GetBucketVersioning"), Body::None, run!(get_bucket_versioning)),
    served("GetPublicAccessBlock", GET, Bucket, on(&["publicAccessBlock"]), act("s3:GetBucketPublicAccessBlock"), Body::None, run!(get_public_access_block)),
    served("HeadBucket", HEAD, Bucket, on(&[]), act("s3:ListBucket"), Body::None, run!(head_bucket)),
    served("ListMultipartUploads", GET, Bucket, on(&["uploads"]), act("s3:ListBucketMultipartUploads"), Body::None, run!(list_multipart_uploads)),
    served("ListObjectVersions", GET, Bucket, on(&["versions"]), act("s3:ListBucketVersions"), Body::None, run!(list_object_versions)),
    served("ListObjects", GET, Bucket, on(&[]), act("s3:ListBucket"), Body::None, run!(list_objects)),
    served("ListObjectsV2", GET, Bucket, on(&["list-type=2"]), act("s3:ListBucket"), Body::None, run!(list_objects_v2)),
    served("PutBucketAcl", PUT, Bucket, on(&["acl"]), act("s3:PutBucketAcl"), Body::Small(BODY_SMALL), change!(put_bucket_acl)),
    served("PutBucketEncryption", PUT, Bucket, on(&["encryption"]), act("s3:PutEncryptionConfiguration"), Body::Checked(BODY_SMALL), change!(put_bucket_encryption)),
    served("PutBucketOwnershipControls", PUT, Bucket, on(&["ownershipControls"]), act("s3:PutBucketOwnershipControls"), Body::Small(BODY_SMALL), change!(put_bucket_ownership_controls)),
    served("PutBucketPolicy", PUT, Bucket, on(&["policy"]), act("s3:PutBucketPolicy"), Body::Small(BODY_SMALL), change!(put_bucket_policy)),
    served("PutBucketRequestPayment", PUT, Bucket, on(&["requestPayment"]), act("s3:PutBucketRequestPayment"), Body::Small(BODY_SMALL), change!(put_bucket_request_payment)),
    served("PutBucketVersioning", PUT, Bucket, on(&["versioning"]), act("s3:PutBucketVersioning"), Body::Small(BODY_SMALL), change!(put_bucket_versioning)),
    served("PutPublicAccessBlock", PUT, Bucket, on(&["publicAccessBlock"]), act("s3:PutBucketPublicAccessBlock"), Body::Checked(BODY_SMALL), change!(put_public_access_block)),
    refused("CreateBucketMetadataConfiguration", POST, Bucket, on(&["metadataConfiguration"]), act("s3:CreateBucketMetadataTableConfiguration")),
    refused("CreateBucketMetadataTableConfiguration", POST, Bucket, on(&["metadataTable"]), act("s3:CreateBucketMetadataTableConfiguration")),
    refused("CreateSession", GET, Bucket, on(&["session"]), act("s3express:CreateSession")),
    served("DeleteBucketAnalyticsConfiguration", DELETE, Bucket, on(&["analytics", "id"]), act("s3:PutAnalyticsConfiguration"), Body::None, change!(delete_bucket_analytics_configuration)),
    served("DeleteBucketCors", DELETE, Bucket, on(&["cors"]), act("s3:PutBucketCORS"), Body::None, change!(delete_bucket_cors)),
    served("DeleteBucketIntelligentTieringConfiguration", DELETE, Bucket, on(&["intelligent-tiering", "id"]), act("s3:PutIntelligentTieringConfiguration"), Body::None, change!(delete_bucket_intelligent_tiering_configuration)),
    served("DeleteBucketInventoryConfiguration", DELETE, Bucket, on(&["inventory", "id"]), act("s3:PutInventoryConfiguration"), Body::None, change!(delete_bucket_inventory_configuration)),
    served("DeleteBucketLifecycle", DELETE, Bucket, on(&["lifecycle"]), act("s3:PutLifecycleConfiguration"), Body::None, change!(delete_bucket_lifecycle)),
    refused("DeleteBucketMetadataConfiguration", DELETE, Bucket, on(&["metadataConfiguration"]), act("s3:DeleteBucketMetadataTableConfiguration")),
    refused("DeleteBucketMetadataTableConfiguration", DELETE, Bucket, on(&["metadataTable"]), act("s3:DeleteBucketMetadataTableConfiguration")),
    served("DeleteBucketMetricsConfiguration", DELETE, Bucket, on(&["metrics", "id"]), act("s3:PutMetricsConfiguration"), Body::None, change!(delete_bucket_metrics_configuration)),
    served("DeleteBucketReplication", DELETE, Bucket, on(&["replication"]), act("s3:PutReplicationConfiguration"), Body::None, change!(delete_bucket_replication)),
    served("DeleteBucketTagging", DELETE, Bucket, on(&["tagging"]), act("s3:PutBucketTagging"), Body::None, change!(delete_bucket_tagging)),
    served("DeleteBucketWebsite", DELETE, Bucket, on(&["website"]), act("s3:DeleteBucketWebsite"), Body::None, change!(delete_bucket_website)),
    served("GetBucketAbac", GET, Bucket, on(&["abac"]), act("s3:GetBucketAbac"), Body::None, run!(get_bucket_abac)),
    served("GetBucketAccelerateConfiguration", GET, Bucket, on(&["accelerate"]), act("s3:GetAccelerateConfiguration"), Body::None, run!(get_bucket_accelerate_configuration)),
    served("GetBucketAnalyticsConfiguration", GET, Bucket, on(&["analytics", "id"]), act("s3:GetAnalyticsConfiguration"), Body::None, run!(get_bucket_analytics_configuration)),
    served("GetBucketCors", GET, Bucket, on(&["cors"]), act("s3:GetBucketCORS"), Body::None, run!(get_bucket_cors)),
    served("GetBucketIntelligentTieringConfiguration", GET, Bucket, on(&["intelligent-tiering", "id"]), act("s3:GetIntelligentTieringConfiguration"), Body::None, run!(get_bucket_intelligent_tiering_configuration)),
    served("GetBucketInventoryConfiguration", GET, Bucket, on(&["inventory", "id"]), act("s3:GetInventoryConfiguration"), Body::None, run!(get_bucket_inventory_configuration)),
    served("GetBucketLifecycleConfiguration", GET, Bucket, on(&["lifecycle"]), act("s3:GetLifecycleConfiguration"), Body::None, run!(get_bucket_lifecycle_configuration)),
    served("GetBucketLogging", GET, Bucket, on(&["logging"]), act("s3:GetBucketLogging"), Body::None, run!(get_bucket_logging)),
    refused("GetBucketMetadataConfiguration", GET, Bucket, on(&["metadataConfiguration"]), act("s3:GetBucketMetadataTableConfiguration")),
    refused("GetBucketMetadataTableConfiguration", GET, Bucket, on(&["metadataTable"]), act("s3:GetBucketMetadataTableConfiguration")),
    served("GetBucketMetricsConfiguration", GET, Bucket, on(&["metrics", "id"]), act("s3:GetMetricsConfiguration"), Body::None, run!(get_bucket_metrics_configuration)),
    served("GetBucketNotificationConfiguration", GET, Bucket, on(&["notification"]), act("s3:GetBucketNotification"), Body::None, run!(get_bucket_notification_configuration)),
    served("GetBucketReplication", GET, Bucket, on(&["replication"]), act("s3:GetReplicationConfiguration"), Body::None, run!(get_bucket_replication)),
    served("GetBucketTagging", GET, Bucket, on(&["tagging"]), act("s3:GetBucketTagging"), Body::None, run!(get_bucket_tagging)),
    served("GetBucketWebsite", GET, Bucket, on(&["website"]), act("s3:GetBucketWebsite"), Body::None, run!(get_bucket_website)),
    served("GetObjectLockConfiguration", GET, Bucket, on(&["object-lock"]), act("s3:GetBucketObjectLockConfiguration"), Body::None, run!(get_object_lock_configuration)),
    served("ListBucketAnalyticsConfigurations", GET, Bucket, on(&["analytics"]), act("s3:GetAnalyticsConfiguration"), Body::None, run!(list_bucket_analytics_configurations)),
    served("ListBucketIntelligentTieringConfigurations", GET, Bucket, on(&["intelligent-tiering"]), act("s3:GetIntelligentTieringConfiguration"), Body::None, run!(list_bucket_intelligent_tiering_configurations)),
    served("ListBucketInventoryConfigurations", GET, Bucket, on(&["inventory"]), act("s3:GetInventoryConfiguration"), Body::None, run!(list_bucket_inventory_configurations)),
    served("ListBucketMetricsConfigurations", GET, Bucket, on(&["metrics"]), act("s3:GetMetricsConfiguration"), Body::None, run!(list_bucket_metrics_configurations)),
    served("PutBucketAbac", PUT, Bucket, on(&["abac"]), act("s3:PutBucketAbac"), Body::Small(BODY_SMALL), change!(put_bucket_abac)),
    served("PutBucketAccelerateConfiguration", PUT, Bucket, on(&["accelerate"]), act("s3:PutAccelerateConfiguration"), Body::Small(BODY_SMALL), change!(put_bucket_accelerate_configuration)),
    served("PutBucketAnalyticsConfiguration", PUT, Bucket, on(&["analytics", "id"]), act("s3:PutAnalyticsConfiguration"), Body::Small(BODY_SMALL), change!(put_bucket_analytics_configuration)),
    served("PutBucketCors", PUT, Bucket, on(&["cors"]), act("s3:PutBucketCORS"), Body::Checked(BODY_SMALL), change!(put_bucket_cors)),
    served("PutBucketIntelligentTieringConfiguration", PUT, Bucket, on(&["intelligent-tiering", "id"]), act("s3:PutIntelligentTieringConfiguration"), Body::Small(BODY_SMALL), change!(put_bucket_intelligent_tiering_configuration)),
    served("PutBucketInventoryConfiguration", PUT, Bucket, on(&["inventory", "id"]), act("s3:PutInventoryConfiguration"), Body::Small(BODY_SMALL), change!(put_bucket_inventory_configuration)),
    served("PutBucketLifecycleConfiguration", PUT, Bucket, on(&["lifecycle"]), act("s3:PutLifecycleConfiguration"), Body::Checked(BODY_RULES), change!(put_bucket_lifecycle_configuration)),
    served("PutBucketLogging", PUT, Bucket, on(&["logging"]), act("s3:PutBucketLogging"), Body::Small(BODY_SMALL), change!(put_bucket_logging)),
    served("PutBucketMetricsConfiguration", PUT, Bucket, on(&["metrics", "id"]), act("s3:PutMetricsConfiguration"), Body::Small(BODY_SMALL), change!(put_bucket_metrics_configuration)),
    served("PutBucketNotificationConfiguration", PUT, Bucket, on(&["notification"]), act("s3:PutBucketNotification"), Body::Small(BODY_NOTIFICATION), change!(put_bucket_notification_configuration)),
    served("PutBucketReplication", PUT, Bucket, on(&["replication"]), act("s3:PutReplicationConfiguration"), Body::Checked(BODY_REPLICATION), change!(put_bucket_replication)),
    served("PutBucketTagging", PUT, Bucket, on(&["tagging"]), act("s3:PutBucketTagging"), Body::Checked(BODY_SMALL), change!(put_bucket_tagging)),
    served("PutBucketWebsite", PUT, Bucket, on(&["website"]), act("s3:PutBucketWebsite"), Body::Small(BODY_SMALL), change!(put_bucket_website)),
    served("PutObjectLockConfiguration", PUT, Bucket, on(&["object-lock"]), act("s3:PutBucketObjectLockConfiguration"), Body::Checked(BODY_SMALL), change!(put_object_lock_configuration)),
    refused("UpdateBucketMetadataAnnotationTableConfiguration", PUT, Bucket, on(&["metadataAnnotationTable"]), act("s3:UpdateBucketMetadataAnnotationTableConfiguration")),
    refused("UpdateBucketMetadataInventoryTableConfiguration", PUT, Bucket, on(&["metadataInventoryTable"]), act("s3:UpdateBucketMetadataInventoryTableConfiguration")),
    refused("UpdateBucketMetadataJournalTableConfiguration", PUT, Bucket, on(&["metadataJournalTable"]), act("s3:UpdateBucketMetadataJournalTableConfiguration")),
    served("PostObject", POST, Bucket, on(&[]), act("s3:PutObject"), Body::Stream, run!(post_object)),
    served("OptionsBucket", OPTIONS, Bucket, on(&[]), act("s3:GetBucketCORS"), Body::None, Handler::Preflight),
    served("AbortMultipartUpload", DELETE, Object, on(&["uploadId"]), act("s3:AbortMultipartUpload"), Body::None, run!(abort_multipart_upload)),
    served("CompleteMultipartUpload", POST, Object, on(&["uploadId"]), act("s3:PutObject"), Body::Small(BODY_COMPLETE), long!(complete_multipart_upload)),
    served("CopyObject", PUT, Object, on_header(&[], "x-amz-copy-source"), act("s3:PutObject"), Body::None, long!(copy_object)),
    served("CreateMultipartUpload", POST, Object, on(&["uploads"]), act("s3:PutObject"), Body::None, run!(create_multipart_upload)),
    served("DeleteObject", DELETE, Object, on(&[]), act2("s3:DeleteObject", "s3:DeleteObjectVersion"), Body::None, run!(delete_object)),
    served("DeleteObjectTagging", DELETE, Object, on(&["tagging"]), act2("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"), Body::None, run!(delete_object_tagging)),
    served("GetObject", GET, Object, on(&[]), act2("s3:GetObject", "s3:GetObjectVersion"), Body::None, run!(get_object)),
    served("GetObjectAcl", GET, Object, on(&["acl"]), act2("s3:GetObjectAcl", "s3:GetObjectVersionAcl"), Body::None, run!(get_object_acl)),
    served("GetObjectAttributes", GET, Object, on(&["attributes"]), act2("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"), Body::None, run!(get_object_attributes)),
    served("GetObjectTagging", GET, Object, on(&["tagging"]), act2("s3:GetObjectTagging", "s3:GetObjectVersionTagging"), Body::None, run!(get_object_tagging)),
    served("HeadObject", HEAD, Object, on(&[]), act2("s3:GetObject", "s3:GetObjectVersion"), Body::None, run!(head_object)),
    served("ListParts", GET, Object, on(&["uploadId"]), act("s3:ListMultipartUploadParts"), Body::None, run!(list_parts)),
    served("PutObject", PUT, Object, on(&[]), act("s3:PutObject"), Body::Stream, run!(put_object)),
    served("PutObjectAcl", PUT, Object, on(&["acl"]), act2("s3:PutObjectAcl", "s3:PutObjectVersionAcl"), Body::Small(BODY_SMALL), run!(put_object_acl)),
    served("PutObjectTagging", PUT, Object, on(&["tagging"]), act2("s3:PutObjectTagging", "s3:PutObjectVersionTagging"), Body::Small(BODY_SMALL), run!(put_object_tagging)),
    served("UpdateObjectEncryption", PUT, Object, on(&["encryption"]), act("s3:UpdateObjectEncryption"), Body::Checked(BODY_SMALL), run!(update_object_encryption)),
    served("UploadPart", PUT, Object, on(&["partNumber", "uploadId"]), act("s3:PutObject"), Body::Stream, run!(upload_part)),
    served("UploadPartCopy", PUT, Object, on_header(&["partNumber", "uploadId"], "x-amz-copy-source"), act("s3:PutObject"), Body::None, long!(upload_part_copy)),
    refused("DeleteObjectAnnotation", DELETE, Object, on(&["annotation", "annotationName"]), act("s3:DeleteObjectAnnotation")),
    refused("GetObjectAnnotation", GET, Object, on(&["annotation", "annotationName"]), act("s3:GetObjectAnnotation")),
    served("GetObjectLegalHold", GET, Object, on(&["legal-hold"]), act("s3:GetObjectLegalHold"), Body::None, run!(get_object_legal_hold)),
    served("GetObjectRetention", GET, Object, on(&["retention"]), act("s3:GetObjectRetention"), Body::None, run!(get_object_retention)),
    refused("GetObjectTorrent", GET, Object, on(&["torrent"]), act2("s3:GetObjectTorrent", "s3:GetObjectVersionTorrent")),
    refused("ListObjectAnnotations", GET, Object, on(&["annotation"]), act("s3:ListObjectAnnotations")),
    refused("PutObjectAnnotation", PUT, Object, on(&["annotation", "annotationName"]), act("s3:PutObjectAnnotation")),
    served("PutObjectLegalHold", PUT, Object, on(&["legal-hold"]), act("s3:PutObjectLegalHold"), Body::Checked(BODY_SMALL), run!(put_object_legal_hold)),
    served("PutObjectRetention", PUT, Object, on(&["retention"]), act("s3:PutObjectRetention"), Body::Checked(BODY_SMALL), run!(put_object_retention)),
    refused("RenameObject", PUT, Object, on(&["renameObject"]), act("s3:PutObject")),
    served("RestoreObject", POST, Object, on(&["restore"]), act("s3:RestoreObject"), Body::Small(BODY_SMALL), run!(restore_object)),
    refused("SelectObjectContent", POST, Object, on(&["select", "select-type=2"]), act("s3:GetObject")),
    served("OptionsObject", OPTIONS, Object, on(&[]), act("s3:GetBucketCORS"), Body::None, Handler::Preflight),
];

#[cfg(test)]
mod tests;
