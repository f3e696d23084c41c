//! Storage class analysis (S3 User Guide, "Amazon S3 analytics – Storage Class Analysis"): configurations are kept and
//! given back. All classes are stored alike here, so that there is nothing to analyse and no report is made.

use minicbor::{Decode, Encode};

use super::filter::ObjectFilter;
use super::{BucketConfiguration, ConfigurationKind};

/// One configuration.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Analytics {
    /// None: the whole bucket.
    #[n(0)]
    pub filter: Option<ObjectFilter>,
    /// Where reports are to go.
    #[n(1)]
    pub export: Option<AnalyticsExport>,
}

/// Where reports are to go; their format and its version are the only ones that there are.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AnalyticsExport {
    /// The bucket's ARN.
    #[n(0)]
    pub bucket: String,
    /// Whose it is to be.
    #[n(1)]
    pub account: Option<String>,
    /// What the keys of reports begin with.
    #[n(2)]
    pub prefix: Option<String>,
}

impl BucketConfiguration for Analytics {
    const KIND: ConfigurationKind = ConfigurationKind::Analytics;
    const ACTIONS: &'static [&'static str] = &["s3:PutAnalyticsConfiguration"];
}
