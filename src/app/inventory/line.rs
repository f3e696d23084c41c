//! A line of a list: CSV with every value in quotes, keys percent-encoded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::app::App;
use crate::names::AccountId;
use crate::objects::{Bucket, ListedVersion, ObjectInfo, ObjectOwner, VersionId, Versioning};
use crate::policy::{ANONYMOUS_ID, Acl, Grantee, Permission};
use crate::rules::inventory::{Field, Inventory};
use crate::rules::lifecycle::Lifecycle;
use crate::rules::lock::RetentionMode;
use crate::sse::Mode;
use crate::wire::{encode_key_into, iso8601_ms};

/// What lines are made of besides the version.
pub(super) struct Line<'a> {
    pub(super) app: &'a App,
    pub(super) bucket: &'a Bucket,
    pub(super) inventory: &'a Inventory,
    pub(super) rules: Option<&'a Lifecycle>,
}

impl Line<'_> {
    /// The line of one version or delete marker.
    pub(super) fn of(&self, version: &ListedVersion) -> String {
        let (key, id, latest, info, modified) = match version {
            ListedVersion::Object { info, latest } => (&info.key, info.version, *latest, Some(&**info), info.modified),
            ListedVersion::DeleteMarker { key, version, modified, latest } => (key, *version, *latest, None, *modified),
        };
        let mut line = String::with_capacity(256);
        push(&mut line, self.bucket.name.as_str());
        let mut encoded = String::new();
        encode_key_into(&mut encoded, key.as_str());
        push(&mut line, &encoded);
        if self.inventory.all_versions {
            let id = match id {
                VersionId::Null if self.bucket.versioning == Versioning::Never => String::new(),
                id => id.to_string(),
            };
            push(&mut line, &id);
            push(&mut line, truth(latest));
            push(&mut line, truth(info.is_none()));
        }
        for field in self.inventory.listed() {
            let value = match (info, field) {
                (Some(info), field) => self.value(info, latest, field),
                (None, Field::LastModifiedDate) => iso8601_ms(modified),
                // What a delete marker has not is left empty.
                (None, _) => String::new(),
            };
            push(&mut line, &value);
        }
        line.push('\n');
        line
    }

    fn value(&self, info: &ObjectInfo, latest: bool, field: Field) -> String {
        let class = info.meta.storage_class.as_deref().unwrap_or("STANDARD");
        let lock = info.lock.unwrap_or_default();
        match field {
            Field::Size => info.plain_len.to_string(),
            Field::LastModifiedDate => iso8601_ms(info.modified),
            Field::ETag => info.etag.clone(),
            Field::StorageClass => class.to_owned(),
            Field::IsMultipartUploaded => truth(info.parts.is_some()).to_owned(),
            Field::ReplicationStatus => info.replication.map(|status| status.name().to_owned()).unwrap_or_default(),
            Field::EncryptionStatus => encryption(info.envelope.mode).to_owned(),
            Field::ObjectLockRetainUntilDate => {
                lock.retention.map(|retention| iso8601_ms(retention.until())).unwrap_or_default()
            }
            Field::ObjectLockMode => match lock.retention.map(|retention| retention.mode) {
                Some(RetentionMode::Governance) => "GOVERNANCE".to_owned(),
                Some(RetentionMode::Compliance) => "COMPLIANCE".to_owned(),
                None => String::new(),
            },
            Field::ObjectLockLegalHoldStatus => match lock.legal_hold {
                Some(true) => "ON".to_owned(),
                Some(false) => "OFF".to_owned(),
                None => String::new(),
            },
            // All is read as fast as it is in that tier.
            Field::IntelligentTieringAccessTier if class == "INTELLIGENT_TIERING" => "FREQUENT".to_owned(),
            Field::IntelligentTieringAccessTier => String::new(),
            Field::BucketKeyStatus => if info.envelope.bucket_key { "ENABLED" } else { "DISABLED" }.to_owned(),
            Field::ChecksumAlgorithm => {
                info.checksum.as_ref().map(|c| c.checksum.algorithm.name().to_owned()).unwrap_or_default()
            }
            Field::ObjectAccessControlList => self.acl(info),
            Field::ObjectOwner => self.owner(info),
            Field::LifecycleExpirationDate => {
                let due = self.rules.filter(|_| latest).and_then(|rules| rules.expiration(&info.as_subject()));
                due.map(|due| iso8601_ms(due.at)).unwrap_or_default()
            }
        }
    }

    /// The canonical id of the account that owns an object.
    fn owner(&self, info: &ObjectInfo) -> String {
        let canonical = |account: &AccountId| {
            let known = self.app.directory.account(account);
            known.map_or_else(|| account.to_string(), |account| account.canonical_id.to_string())
        };
        match self.bucket.in_force(info.access.as_ref()).and_then(|access| access.owner.as_ref()) {
            None => canonical(&self.bucket.owner),
            Some(ObjectOwner::Anonymous) => ANONYMOUS_ID.to_owned(),
            Some(ObjectOwner::Account(id)) => AccountId::parse(id).map_or_else(|_| id.clone(), |id| canonical(&id)),
        }
    }

    /// S3 User Guide, "Enable and query the Object ACL field": JSON in base64.
    fn acl(&self, info: &ObjectInfo) -> String {
        let acl = self.bucket.in_force(info.access.as_ref()).and_then(|access| access.acl.clone());
        let acl = acl.unwrap_or_else(|| Acl::private(&self.owner(info)));
        let grants: Vec<_> = acl
            .grants
            .iter()
            .map(|grant| match &grant.grantee {
                Grantee::Account(id) => {
                    json!({"canonicalId": id, "type": "CanonicalUser", "permission": permission(grant.permission)})
                }
                Grantee::Group(group) => {
                    json!({"uri": group.uri(), "type": "Group", "permission": permission(grant.permission)})
                }
            })
            .collect();
        let acl = json!({"version": "2022-11-10", "status": "AVAILABLE", "grants": grants});
        STANDARD.encode(acl.to_string())
    }
}

fn push(line: &mut String, value: &str) {
    if !line.is_empty() {
        line.push(',');
    }
    line.push('"');
    line.push_str(&value.replace('"', "\"\""));
    line.push('"');
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn encryption(mode: Mode) -> &'static str {
    match mode {
        Mode::SseS3 => "SSE-S3",
        Mode::SseKms => "SSE-KMS",
        Mode::DsseKms => "DSSE-KMS",
        Mode::SseC => "SSE-C",
    }
}

fn permission(permission: Permission) -> &'static str {
    match permission {
        Permission::FullControl => "FULL_CONTROL",
        Permission::Read => "READ",
        Permission::Write => "WRITE",
        Permission::ReadAcp => "READ_ACP",
        Permission::WriteAcp => "WRITE_ACP",
    }
}
