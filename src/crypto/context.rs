//! The encryption context: pairs that are authenticated with a message and not stored in it.

use std::collections::BTreeMap;

/// Key-value pairs in one unambiguous encoding (design, section 3, "Box").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<Vec<u8>, Vec<u8>>);

impl Context {
    /// No pairs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a pair.
    #[must_use]
    pub fn with(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.0.insert(key.as_ref().to_vec(), value.as_ref().to_vec());
        self
    }

    /// The pairs in the order of their keys' bytes.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))
    }

    /// `u32 count`, then for each pair in key order `u32 len | key | u32 len | value`, big endian.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.0.iter().map(|(k, v)| 8 + k.len() + v.len()).sum::<usize>());
        let length = |n: usize| u32::try_from(n).expect("contexts are limited to a few KiB").to_be_bytes();
        out.extend_from_slice(&length(self.0.len()));
        for (key, value) in &self.0 {
            for field in [key, value] {
                out.extend_from_slice(&length(field.len()));
                out.extend_from_slice(field);
            }
        }
        out
    }
}
