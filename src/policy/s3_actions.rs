//! Every action of S3 with the resource it acts on and the condition keys it has (Service Authorization Reference,
//! "Actions, resources, and condition keys for Amazon S3"). By it a bucket policy is checked when it is written; no
//! decision looks here.

use super::key::Key;

/// What an action acts on, as far as a bucket policy can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Bucket,
    Object,
    /// An access point, a job, the account: nothing that lies in a bucket.
    Other,
}

/// One action.
#[derive(Debug)]
pub(super) struct S3Action {
    /// Without `s3:`.
    pub(super) name: &'static str,
    pub(super) on: On,
    /// Beside those of every action.
    keys: &'static [&'static [Key]],
}

impl S3Action {
    /// Whether a request for this action can have the key.
    pub(super) fn has(&self, key: Key) -> bool {
        is_of_every_action(key) || self.keys.iter().any(|group| group.contains(&key))
    }
}

/// Keys of the request itself, of the bucket, and those that are not S3's.
fn is_of_every_action(key: Key) -> bool {
    match key {
        Key::S3AccessPointNetworkOrigin
        | Key::S3AuthType
        | Key::S3BucketTag
        | Key::S3DataAccessPointAccount
        | Key::S3DataAccessPointArn
        | Key::S3ResourceAccount
        | Key::S3SignatureAge
        | Key::S3SignatureVersion
        | Key::S3TlsVersion
        | Key::S3XAmzContentSha256 => true,
        key => !key.name().starts_with("s3:"),
    }
}

const fn bucket(name: &'static str) -> S3Action {
    S3Action { name, on: On::Bucket, keys: &[] }
}

const fn object(name: &'static str) -> S3Action {
    S3Action { name, on: On::Object, keys: &[] }
}

const fn other(name: &'static str) -> S3Action {
    S3Action { name, on: On::Other, keys: &[] }
}

impl S3Action {
    const fn with(self, keys: &'static [&'static [Key]]) -> Self {
        Self { keys, ..self }
    }
}

const LIST: &[Key] = &[Key::S3Delimiter, Key::S3MaxKeys, Key::S3Prefix];
const ACCESS_GRANTS: &[Key] = &[Key::S3AccessGrantsInstanceArn];
const EXISTING_TAG: &[Key] = &[Key::S3ExistingObjectTag];
const REQUEST_TAGS: &[Key] = &[Key::S3RequestObjectTag, Key::S3RequestObjectTagKeys];
const VERSION: &[Key] = &[Key::S3VersionId];
const STORAGE_CLASS: &[Key] = &[Key::S3XAmzStorageClass];
const LEGAL_HOLD: &[Key] = &[Key::S3ObjectLockLegalHold];
const ACL: &[Key] = &[
    Key::S3XAmzAcl,
    Key::S3XAmzGrantFullControl,
    Key::S3XAmzGrantRead,
    Key::S3XAmzGrantReadAcp,
    Key::S3XAmzGrantWrite,
    Key::S3XAmzGrantWriteAcp,
];
const ENCRYPTION: &[Key] = &[
    Key::S3XAmzServerSideEncryption,
    Key::S3XAmzServerSideEncryptionAwsKmsKeyId,
    Key::S3XAmzServerSideEncryptionCustomerAlgorithm,
];
const WRITE: &[Key] = &[Key::S3CopySource, Key::S3XAmzMetadataDirective, Key::S3XAmzWebsiteRedirectLocation];
const RETENTION: &[Key] =
    &[Key::S3ObjectLockMode, Key::S3ObjectLockRetainUntilDate, Key::S3ObjectLockRemainingRetentionDays];
const PRECONDITION: &[Key] = &[Key::S3IfMatch, Key::S3IfNoneMatch, Key::S3ObjectCreationOperation];

/// All of them, in order of their names. `TagResource` and its like also act on access points.
pub(super) static S3_ACTIONS: &[S3Action] = &[
    object("AbortMultipartUpload").with(&[ACCESS_GRANTS]),
    other("AssociateAccessGrantsIdentityCenter"),
    object("BypassGovernanceRetention").with(&[REQUEST_TAGS, ACL, ENCRYPTION, WRITE, STORAGE_CLASS]),
    other("CreateAccessGrant"),
    other("CreateAccessGrantsInstance"),
    other("CreateAccessGrantsLocation"),
    other("CreateAccessPoint"),
    other("CreateAccessPointForObjectLambda"),
    bucket("CreateBucket").with(&[ACL, &[Key::S3LocationConstraint, Key::S3XAmzObjectOwnership]]),
    bucket("CreateBucketMetadataTableConfiguration"),
    other("CreateJob"),
    other("CreateMultiRegionAccessPoint"),
    other("CreateStorageLensGroup"),
    other("DeleteAccessGrant"),
    other("DeleteAccessGrantsInstance"),
    other("DeleteAccessGrantsInstanceResourcePolicy"),
    other("DeleteAccessGrantsLocation"),
    other("DeleteAccessPoint"),
    other("DeleteAccessPointForObjectLambda"),
    other("DeleteAccessPointPolicy"),
    other("DeleteAccessPointPolicyForObjectLambda"),
    bucket("DeleteBucket"),
    bucket("DeleteBucketMetadataTableConfiguration"),
    bucket("DeleteBucketPolicy"),
    bucket("DeleteBucketWebsite"),
    other("DeleteJobTagging"),
    other("DeleteMultiRegionAccessPoint"),
    object("DeleteObject").with(&[ACCESS_GRANTS, &[Key::S3IfMatch]]),
    object("DeleteObjectAnnotation"),
    object("DeleteObjectTagging").with(&[EXISTING_TAG]),
    object("DeleteObjectVersion").with(&[ACCESS_GRANTS, VERSION]),
    object("DeleteObjectVersionTagging").with(&[EXISTING_TAG, VERSION]),
    other("DeleteStorageLensConfiguration"),
    other("DeleteStorageLensConfigurationTagging"),
    other("DeleteStorageLensGroup"),
    other("DescribeJob"),
    other("DescribeMultiRegionAccessPointOperation"),
    other("DissociateAccessGrantsIdentityCenter"),
    bucket("GetAccelerateConfiguration"),
    other("GetAccessGrant"),
    other("GetAccessGrantsInstance"),
    other("GetAccessGrantsInstanceForPrefix"),
    other("GetAccessGrantsInstanceResourcePolicy"),
    other("GetAccessGrantsLocation"),
    other("GetAccessPoint"),
    other("GetAccessPointConfigurationForObjectLambda"),
    other("GetAccessPointForObjectLambda"),
    other("GetAccessPointPolicy"),
    other("GetAccessPointPolicyForObjectLambda"),
    other("GetAccessPointPolicyStatus"),
    other("GetAccessPointPolicyStatusForObjectLambda"),
    other("GetAccountPublicAccessBlock"),
    bucket("GetAnalyticsConfiguration"),
    bucket("GetBucketAbac"),
    bucket("GetBucketAcl"),
    bucket("GetBucketCORS"),
    bucket("GetBucketLocation"),
    bucket("GetBucketLogging"),
    bucket("GetBucketMetadataTableConfiguration"),
    bucket("GetBucketNotification"),
    bucket("GetBucketObjectLockConfiguration"),
    bucket("GetBucketOwnershipControls"),
    bucket("GetBucketPolicy"),
    bucket("GetBucketPolicyStatus"),
    bucket("GetBucketPublicAccessBlock"),
    bucket("GetBucketRequestPayment"),
    bucket("GetBucketTagging"),
    bucket("GetBucketVersioning"),
    bucket("GetBucketWebsite"),
    other("GetDataAccess"),
    bucket("GetEncryptionConfiguration"),
    bucket("GetIntelligentTieringConfiguration"),
    bucket("GetInventoryConfiguration"),
    other("GetJobTagging"),
    bucket("GetLifecycleConfiguration"),
    bucket("GetMetricsConfiguration"),
    other("GetMultiRegionAccessPoint"),
    other("GetMultiRegionAccessPointPolicy"),
    other("GetMultiRegionAccessPointPolicyStatus"),
    other("GetMultiRegionAccessPointRoutes"),
    object("GetObject").with(&[ACCESS_GRANTS, EXISTING_TAG]),
    object("GetObjectAcl").with(&[ACCESS_GRANTS, EXISTING_TAG]),
    object("GetObjectAnnotation"),
    object("GetObjectAttributes").with(&[EXISTING_TAG]),
    object("GetObjectLegalHold"),
    object("GetObjectRetention"),
    object("GetObjectTagging").with(&[EXISTING_TAG]),
    object("GetObjectTorrent"),
    object("GetObjectVersion").with(&[ACCESS_GRANTS, EXISTING_TAG, VERSION]),
    object("GetObjectVersionAcl").with(&[ACCESS_GRANTS, EXISTING_TAG, VERSION]),
    object("GetObjectVersionAttributes").with(&[EXISTING_TAG, VERSION]),
    object("GetObjectVersionForReplication"),
    object("GetObjectVersionTagging").with(&[EXISTING_TAG, VERSION]),
    object("GetObjectVersionTorrent").with(&[VERSION]),
    bucket("GetReplicationConfiguration"),
    other("GetStorageLensConfiguration"),
    other("GetStorageLensConfigurationTagging"),
    other("GetStorageLensDashboard"),
    other("GetStorageLensGroup"),
    object("InitiateReplication"),
    other("ListAccessGrants"),
    other("ListAccessGrantsInstances"),
    other("ListAccessGrantsLocations"),
    other("ListAccessPoints"),
    other("ListAccessPointsForObjectLambda"),
    other("ListAllMyBuckets"),
    bucket("ListBucket").with(&[ACCESS_GRANTS, LIST]),
    bucket("ListBucketMultipartUploads").with(&[ACCESS_GRANTS]),
    bucket("ListBucketVersions").with(&[ACCESS_GRANTS, LIST]),
    other("ListCallerAccessGrants"),
    other("ListJobs"),
    object("ListMultipartUploadParts").with(&[ACCESS_GRANTS]),
    other("ListMultiRegionAccessPoints"),
    object("ListObjectAnnotations"),
    other("ListStorageLensConfigurations"),
    other("ListStorageLensGroups"),
    bucket("ListTagsForResource"),
    object("ObjectOwnerOverrideToBucketOwner"),
    bucket("PauseReplication"),
    bucket("PutAccelerateConfiguration"),
    other("PutAccessGrantsInstanceResourcePolicy"),
    other("PutAccessPointConfigurationForObjectLambda"),
    other("PutAccessPointPolicy"),
    other("PutAccessPointPolicyForObjectLambda"),
    other("PutAccessPointPublicAccessBlock"),
    other("PutAccountPublicAccessBlock"),
    bucket("PutAnalyticsConfiguration"),
    bucket("PutBucketAbac"),
    bucket("PutBucketAcl").with(&[ACL]),
    bucket("PutBucketCORS"),
    bucket("PutBucketLogging"),
    bucket("PutBucketNotification"),
    bucket("PutBucketObjectLockConfiguration"),
    bucket("PutBucketOwnershipControls"),
    bucket("PutBucketPolicy"),
    bucket("PutBucketPublicAccessBlock"),
    bucket("PutBucketRequestPayment"),
    bucket("PutBucketTagging"),
    bucket("PutBucketVersioning"),
    bucket("PutBucketWebsite"),
    bucket("PutEncryptionConfiguration"),
    bucket("PutIntelligentTieringConfiguration"),
    bucket("PutInventoryConfiguration").with(&[&[Key::S3InventoryAccessibleOptionalFields]]),
    other("PutJobTagging"),
    bucket("PutLifecycleConfiguration"),
    bucket("PutMetricsConfiguration"),
    other("PutMultiRegionAccessPointPolicy"),
    object("PutObject").with(&[
        ACCESS_GRANTS,
        REQUEST_TAGS,
        ACL,
        ENCRYPTION,
        WRITE,
        STORAGE_CLASS,
        RETENTION,
        LEGAL_HOLD,
        PRECONDITION,
    ]),
    object("PutObjectAcl").with(&[ACCESS_GRANTS, EXISTING_TAG, ACL, STORAGE_CLASS]),
    object("PutObjectAnnotation"),
    object("PutObjectLegalHold").with(&[LEGAL_HOLD]),
    object("PutObjectRetention").with(&[RETENTION]),
    object("PutObjectTagging").with(&[EXISTING_TAG, REQUEST_TAGS]),
    object("PutObjectVersionAcl").with(&[ACCESS_GRANTS, EXISTING_TAG, VERSION, ACL, STORAGE_CLASS]),
    object("PutObjectVersionTagging").with(&[EXISTING_TAG, REQUEST_TAGS, VERSION]),
    bucket("PutReplicationConfiguration"),
    other("PutStorageLensConfiguration"),
    other("PutStorageLensConfigurationTagging"),
    object("ReplicateDelete"),
    object("ReplicateObject").with(&[ENCRYPTION]),
    object("ReplicateTags"),
    object("RestoreObject"),
    other("SubmitMultiRegionAccessPointRoutes"),
    bucket("TagResource"),
    bucket("UntagResource"),
    other("UpdateAccessGrantsLocation"),
    bucket("UpdateBucketMetadataAnnotationTableConfiguration"),
    bucket("UpdateBucketMetadataInventoryTableConfiguration"),
    bucket("UpdateBucketMetadataJournalTableConfiguration"),
    other("UpdateJobPriority"),
    other("UpdateJobStatus"),
    object("UpdateObjectEncryption"),
    other("UpdateStorageLensGroup"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The operations of the S3 model with the actions that the server asks for.
    const TABLE: &str = include_str!("../../fixtures/s3/table.txt");

    #[test]
    fn in_order_and_none_twice() {
        assert!(S3_ACTIONS.len() > 170, "{}", S3_ACTIONS.len());
        for pair in S3_ACTIONS.windows(2) {
            let (a, b) = (pair[0].name.to_ascii_lowercase(), pair[1].name.to_ascii_lowercase());
            assert!(a < b, "{a} {b}");
        }
    }

    #[test]
    fn every_action_that_is_asked_for_acts_on_what_the_table_says() {
        let mut checked = 0;
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split(' ').collect();
            for action in [columns[4].trim_start_matches("each:"), columns[5]] {
                let Some(name) = action.strip_prefix("s3:") else { continue };
                let found = S3_ACTIONS.iter().find(|action| action.name == name);
                let found = found.unwrap_or_else(|| panic!("{name} is not listed"));
                let expected = match columns[2] {
                    // CORS is the bucket's, whatever the preflight is about; DeleteObjects asks for each object.
                    "Object" if name != "GetBucketCORS" => On::Object,
                    _ if name.starts_with("DeleteObject") || name == "PutObject" => On::Object,
                    "Service" => On::Other,
                    _ => On::Bucket,
                };
                assert_eq!(found.on, expected, "{name}");
                checked += 1;
            }
        }
        assert!(checked > 100, "{checked}");
    }

    #[test]
    fn keys_as_the_reference_has_them() {
        let has = |name: &str, key| S3_ACTIONS.iter().find(|action| action.name == name).unwrap().has(key);
        for (name, key, expected) in [
            ("ListBucket", Key::S3Prefix, true),
            ("GetObject", Key::S3Prefix, false),
            ("GetObject", Key::S3ExistingObjectTag, true),
            ("PutObject", Key::S3ExistingObjectTag, false),
            ("DeleteObject", Key::S3ExistingObjectTag, false),
            ("GetObjectRetention", Key::S3ExistingObjectTag, false),
            ("PutObjectTagging", Key::S3RequestObjectTag, true),
            ("PutObjectAcl", Key::S3RequestObjectTag, false),
            ("GetObjectVersion", Key::S3VersionId, true),
            ("GetObject", Key::S3VersionId, false),
            ("PutObject", Key::S3XAmzServerSideEncryption, true),
            ("DeleteBucket", Key::S3SignatureAge, true),
            ("DeleteBucket", Key::AwsSourceIp, true),
        ] {
            assert_eq!(has(name, key), expected, "{name} {}", key.name());
        }
    }
}
