//! What a bucket can be configured to do with its objects and requests: pure models, their limits and what follows from
//! them. How S3 writes them in XML is the business of `s3`, when they are acted on that of `objects` and `app`.
//!
//! Models are stored (`minicbor`): fields may be added, never renumbered.

pub mod abac;
pub mod accelerate;
pub mod analytics;
pub mod cors;
pub mod filter;
pub mod intelligent_tiering;
pub mod inventory;
pub mod lifecycle;
pub mod lock;
pub mod logging;
pub mod metrics;
pub mod notification;
pub mod replication;
pub mod tagging;
pub mod website;

/// The kinds of configuration that lie in rows of their own. The number is part of the stored format: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ConfigurationKind {
    /// CORS rules.
    Cors = 2,
    /// Lifecycle rules.
    Lifecycle = 3,
    /// Static website.
    Website = 4,
    /// Server access logs.
    Logging = 5,
    /// Event notifications.
    Notification = 6,
    /// Replication rules.
    Replication = 7,
    /// The bucket's own tags.
    Tagging = 8,
    /// Object lock.
    ObjectLock = 9,
    /// Transfer acceleration.
    Accelerate = 10,
    /// Whether the bucket's tags decide on access.
    Abac = 11,
    /// Analytics, by id.
    Analytics = 12,
    /// Request metrics, by id.
    Metrics = 13,
    /// Intelligent tiering, by id.
    IntelligentTiering = 14,
    /// Inventories, by id.
    Inventory = 15,
}

impl ConfigurationKind {
    /// The number that stands for it in rows.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// A configuration of a bucket as it is stored.
pub trait BucketConfiguration: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + Send + Sync + 'static {
    /// Which one.
    const KIND: ConfigurationKind;
    /// The S3 actions of which one must have been granted to whom sets or removes it.
    const ACTIONS: &'static [&'static str];
}
