//! Secret bytes: zeroised on drop, without Debug, Clone or Serialize, so that they cannot leak by accident.

use zeroize::Zeroizing;

use crate::sources::Sources;

/// A 256-bit key.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct SecretKey(Box<Zeroizing<[u8; 32]>>);

impl SecretKey {
    /// A new key from the random generator.
    pub fn generate(sources: &Sources) -> Self {
        let mut key = Self(Box::new(Zeroizing::new([0; 32])));
        sources.fill(&mut key.0[..]);
        key
    }

    /// Takes a copy of `bytes`; `None` unless they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Self(Box::new(Zeroizing::new([0; 32])));
        if bytes.len() != 32 {
            return None;
        }
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// The bytes, for a cipher or a wrapping; the caller makes no copy that outlives the call.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A second holder of the same key, where two layers need it at once. Spelled out: there is no Clone.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let mut key = Self(Box::new(Zeroizing::new([0; 32])));
        key.0.copy_from_slice(self.expose());
        key
    }
}

/// Secret bytes of any length.
#[expect(missing_debug_implementations, reason = "a secret is never printed")]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over `bytes`; they are wiped when this is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Bytes that come piece by piece: none yet, room for `capacity`.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::new(Vec::with_capacity(capacity))
    }

    /// Appends a copy of `more`. Where there is no room the bytes move, and are wiped where they were.
    pub fn extend(&mut self, more: &[u8]) {
        let needed = self.0.len() + more.len();
        if needed > self.0.capacity() {
            let mut moved = Self::with_capacity(needed.max(2 * self.0.capacity()));
            moved.0.extend_from_slice(&self.0);
            *self = moved;
        }
        self.0.extend_from_slice(more);
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, for a cipher to write to.
    pub(super) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;
    use crate::sources::Timestamp;

    /// What holds the bytes wipes them: the types say so, and this does not compile otherwise.
    #[test]
    fn secrets_are_wiped() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        wiped(&*SecretKey::from_slice(&[1; 32]).unwrap().0);
        wiped(&SecretBytes::new(vec![1]).0);
    }

    #[test]
    fn bytes_that_come_in_pieces() {
        let mut bytes = SecretBytes::with_capacity(3);
        let kept = bytes.0.as_ptr();
        bytes.extend(b"abc");
        assert_eq!((bytes.expose(), bytes.0.as_ptr()), (&b"abc"[..], kept), "what has room does not move");
        for _ in 0..100 {
            bytes.extend(b"de");
        }
        assert_eq!(bytes.expose(), [&b"abc"[..], &b"de".repeat(100)].concat());
    }

    #[test]
    fn keys_have_32_bytes() {
        for (length, fits) in [(0, false), (31, false), (32, true), (33, false)] {
            assert_eq!(SecretKey::from_slice(&vec![1; length]).is_some(), fits, "{length}");
        }
    }

    #[test]
    fn generated_keys_differ_and_duplicates_do_not() {
        let sources = Sources::seeded(1, Timestamp(0));
        let (a, b) = (SecretKey::generate(&sources), SecretKey::generate(&sources));
        assert_ne!(a.expose(), b.expose());
        assert_eq!(a.expose(), a.duplicate().expose());
    }
}
