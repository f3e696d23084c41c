//! Order-preserving keys: tuples of byte strings and integers whose bytes sort as the tuples do.
//!
//! A byte string is written with each `00` as `00 ff` and ends with `00 01`, so that a string sorts before every
//! longer string that begins with it, and no string runs into the field behind it. Integers are big endian.

/// Builds a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tuple(Vec<u8>);

/// Reads a key back, field by field.
#[derive(Debug)]
pub struct TupleReader<'a>(&'a [u8]);

impl Tuple {
    /// An empty tuple.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a byte string.
    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.push_escaped(field);
        self.0.extend_from_slice(&[0, 1]);
        self
    }

    /// Appends a string without its end mark: for the start of a range of strings that begin with `field`.
    #[must_use]
    pub fn open_bytes(mut self, field: &[u8]) -> Self {
        self.push_escaped(field);
        self
    }

    /// Appends an id of fixed length as it is.
    #[must_use]
    pub fn id<const N: usize>(mut self, field: &[u8; N]) -> Self {
        self.0.extend_from_slice(field);
        self
    }

    /// Appends an integer.
    #[must_use]
    pub fn u64(mut self, field: u64) -> Self {
        self.0.extend_from_slice(&field.to_be_bytes());
        self
    }

    /// Appends an integer.
    #[must_use]
    pub fn u32(mut self, field: u32) -> Self {
        self.0.extend_from_slice(&field.to_be_bytes());
        self
    }

    /// The key.
    pub fn build(self) -> Vec<u8> {
        self.0
    }

    fn push_escaped(&mut self, field: &[u8]) {
        for &byte in field {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xff);
            }
        }
    }
}

impl<'a> TupleReader<'a> {
    /// Reads `key` from its start.
    pub fn new(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// The next field as a byte string.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = self.0;
        loop {
            match rest {
                [0, 0xff, tail @ ..] => {
                    out.push(0);
                    rest = tail;
                }
                [0, 1, tail @ ..] => {
                    self.0 = tail;
                    return Some(out);
                }
                [0, ..] | [] => return None,
                [byte, tail @ ..] => {
                    out.push(*byte);
                    rest = tail;
                }
            }
        }
    }

    /// The next field as an id of `N` bytes.
    pub fn id<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*field)
    }

    /// The next field as an integer.
    pub fn u64(&mut self) -> Option<u64> {
        self.id::<8>().map(u64::from_be_bytes)
    }

    /// The next field as an integer.
    pub fn u32(&mut self) -> Option<u32> {
        self.id::<4>().map(u32::from_be_bytes)
    }

    /// Whether all fields are read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Tuple, TupleReader};

    proptest! {
        #[test]
        fn keys_sort_as_their_tuples(a: (Vec<u8>, u32, Vec<u8>), b: (Vec<u8>, u32, Vec<u8>)) {
            let key = |t: &(Vec<u8>, u32, Vec<u8>)| Tuple::new().bytes(&t.0).u32(t.1).bytes(&t.2).build();
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }

        #[test]
        fn what_was_written_is_read(a: Vec<u8>, n: u64, id: [u8; 16]) {
            let key = Tuple::new().bytes(&a).u64(n).id(&id).build();
            let mut reader = TupleReader::new(&key);
            prop_assert_eq!(reader.bytes(), Some(a));
            prop_assert_eq!(reader.u64(), Some(n));
            prop_assert_eq!(reader.id::<16>(), Some(id));
            prop_assert!(reader.is_empty());
        }
    }
}
