//! Request metrics (S3 User Guide, "CloudWatch metrics configurations"): configurations are kept and given back. The
//! gateway's own metrics do not depend on them.

use minicbor::{Decode, Encode};

use super::filter::ObjectFilter;
use super::{BucketConfiguration, ConfigurationKind};

/// One configuration.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Metrics {
    /// None: the whole bucket.
    #[n(0)]
    pub filter: Option<ObjectFilter>,
}

impl BucketConfiguration for Metrics {
    const KIND: ConfigurationKind = ConfigurationKind::Metrics;
    const ACTIONS: &'static [&'static str] = &["s3:PutMetricsConfiguration"];
}
