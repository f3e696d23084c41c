//! Server access logs of a bucket (S3 User Guide, "Logging requests with server access logging").

pub mod line;

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// Whom the target bucket lets deliver.
pub const LOG_SERVICE: &str = "logging.s3.amazonaws.com";
/// Grants of one configuration at most, as of an ACL.
pub const LOG_GRANTS_MAX: usize = 100;

/// Where the log of a bucket goes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BucketLogging {
    /// A bucket of the same account and Region.
    #[n(0)]
    pub target_bucket: String,
    /// What names of log objects begin with; may be empty.
    #[n(1)]
    pub target_prefix: String,
    /// Who else may reach the log objects, where the target has ACLs on.
    #[n(2)]
    pub grants: Vec<LogGrant>,
    /// None: as if `Simple`, and not shown.
    #[n(3)]
    pub key_format: Option<LogKeyFormat>,
}

/// `<Grant>` of `<TargetGrants>`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LogGrant {
    /// Whom it is for.
    #[n(0)]
    pub grantee: LogGrantee,
    /// What it gives.
    #[n(1)]
    pub permission: LogPermission,
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum LogGrantee {
    /// The account of a canonical id.
    #[n(0)]
    Account(#[n(0)] String),
    /// The group of a URI.
    #[n(1)]
    Group(#[n(0)] String),
}

/// What a grant gives on log objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum LogPermission {
    /// To read them, and to read and write their ACLs.
    #[n(0)]
    FullControl,
    /// To read them.
    #[n(1)]
    Read,
    /// Nothing: an object that is there is not written.
    #[n(2)]
    Write,
}

/// How log objects are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum LogKeyFormat {
    /// Prefix, time, random part.
    #[n(0)]
    Simple,
    /// By account, Region, bucket and the day of the requests.
    #[n(1)]
    PartitionedByEvent,
    /// The same, by the day of the delivery.
    #[n(2)]
    PartitionedByDelivery,
}

impl LogPermission {
    /// All of them, with AWS's names.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::FullControl, "FULL_CONTROL"), (Self::Read, "READ"), (Self::Write, "WRITE")];

    /// AWS's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(permission, _)| *permission == self).map_or("", |(_, name)| name)
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(permission, _)| *permission)
    }
}

impl BucketConfiguration for BucketLogging {
    const KIND: ConfigurationKind = ConfigurationKind::Logging;
    const ACTIONS: &'static [&'static str] = &["s3:PutBucketLogging"];
}
