//! Which objects a configuration by id is about.

use minicbor::{Decode, Encode};

/// One condition, or several that all have to hold; as it was written, so that it is given back the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct ObjectFilter {
    /// Keys that begin so.
    #[n(0)]
    pub prefix: Option<String>,
    /// Objects with these tags.
    #[n(1)]
    pub tags: Vec<(String, String)>,
    /// Requests through this access point (metrics).
    #[n(2)]
    pub access_point: Option<String>,
    /// Written as a conjunction.
    #[n(3)]
    pub and: bool,
}

impl ObjectFilter {
    /// Number of conditions.
    pub fn conditions(&self) -> usize {
        usize::from(self.prefix.is_some()) + self.tags.len() + usize::from(self.access_point.is_some())
    }
}
