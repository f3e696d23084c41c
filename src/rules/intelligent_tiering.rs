//! Archive tiers of the class INTELLIGENT_TIERING (S3 User Guide, "Using S3 Intelligent-Tiering"): configurations are
//! kept and given back. Nothing is archived here, so that every object can be read at once.

use minicbor::{Decode, Encode};

use super::filter::ObjectFilter;
use super::{BucketConfiguration, ConfigurationKind};

/// Days without access after which an object may be archived, at most.
pub const TIER_MAX_DAYS: u32 = 730;

/// One configuration.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct IntelligentTiering {
    /// None: the whole bucket.
    #[n(0)]
    pub filter: Option<ObjectFilter>,
    /// Its status.
    #[n(1)]
    pub enabled: bool,
    /// One or two, each tier once.
    #[n(2)]
    pub tierings: Vec<Tiering>,
}

/// When objects go to a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Tiering {
    /// Where to.
    #[n(0)]
    pub tier: ArchiveTier,
    /// After how many days without access: [`ArchiveTier::min_days`] to [`TIER_MAX_DAYS`].
    #[n(1)]
    pub days: u32,
}

/// A tier that objects have to be restored from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum ArchiveTier {
    /// `ARCHIVE_ACCESS`
    #[n(0)]
    Archive,
    /// `DEEP_ARCHIVE_ACCESS`
    #[n(1)]
    DeepArchive,
}

impl ArchiveTier {
    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Archive => "ARCHIVE_ACCESS",
            Self::DeepArchive => "DEEP_ARCHIVE_ACCESS",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Archive, Self::DeepArchive].into_iter().find(|tier| tier.name() == name)
    }

    /// Days without access, at least.
    pub fn min_days(self) -> u32 {
        match self {
            Self::Archive => 90,
            Self::DeepArchive => 180,
        }
    }
}

impl BucketConfiguration for IntelligentTiering {
    const KIND: ConfigurationKind = ConfigurationKind::IntelligentTiering;
    const ACTIONS: &'static [&'static str] = &["s3:PutIntelligentTieringConfiguration"];
}
