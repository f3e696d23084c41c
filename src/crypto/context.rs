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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Context;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    fn context(pairs: &Pairs) -> Context {
        pairs.iter().fold(Context::new(), |context, (k, v)| context.with(k, v))
    }

    /// Reads a canonical encoding back: that this can be done is what makes it unambiguous.
    fn decode(mut bytes: &[u8]) -> Option<Pairs> {
        let number = |bytes: &mut &[u8]| {
            let (length, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            usize::try_from(u32::from_be_bytes(*length)).ok()
        };
        let count = number(&mut bytes)?;
        let field = |bytes: &mut &[u8]| {
            let length = number(bytes)?;
            let (field, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Some(field.to_vec())
        };
        let pairs = (0..count).map(|_| Some((field(&mut bytes)?, field(&mut bytes)?))).collect();
        bytes.is_empty().then_some(pairs)?
    }

    proptest! {
        #[test]
        fn an_encoding_reads_one_way_only(pairs: Pairs) {
            let context = context(&pairs);
            let expected: Pairs = context.pairs().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
            prop_assert!(expected.is_sorted());
            prop_assert_eq!(decode(&context.canonical()), Some(expected));
        }
    }

    #[test]
    fn layout() {
        let context = Context::new().with("b", "2").with("a", "").with("b", "3");
        assert_eq!(context.canonical(), b"\0\0\0\x02\0\0\0\x01a\0\0\0\0\0\0\0\x01b\0\0\0\x013");
        assert_eq!(Context::new().canonical(), [0; 4]);
    }
}
