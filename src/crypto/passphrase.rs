//! From a passphrase to a key: Argon2id, version 1.3 (RFC 9106), by RustCrypto's `argon2`.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::{SecretBytes, SecretKey};

/// What a guess costs. Stored with what it protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes. They are computed one after the other here: a start has no haste.
    pub lanes: u32,
}

/// Least memory that is taken for a new passphrase, in KiB: the smallest that OWASP's cheat sheet names, 19 MiB.
pub const ARGON2_MEMORY_MIN_KIB: u32 = 19 * 1024;
/// Most memory that a stored record may ask for, in KiB: a damaged one must not take the machine down.
pub const ARGON2_MEMORY_MAX_KIB: u32 = 4 * 1024 * 1024;
/// Most passes and lanes that a stored record may ask for.
const ROUNDS_MAX: u32 = 64;

impl Default for Argon2Cost {
    /// RFC 9106's second recommendation (64 MiB, 3 passes, 4 lanes) with four times its memory: about a second, paid
    /// once a start.
    fn default() -> Self {
        Self { memory_kib: 256 * 1024, passes: 3, lanes: 4 }
    }
}

/// The key that belongs to a passphrase; `None` if the cost is outside of what Argon2 or the limits here allow, or the
/// machine has not that much memory.
pub fn passphrase_key(passphrase: &SecretBytes, salt: &[u8; 16], cost: Argon2Cost) -> Option<SecretKey> {
    if cost.memory_kib > ARGON2_MEMORY_MAX_KIB || cost.passes > ROUNDS_MAX || cost.lanes > ROUNDS_MAX {
        return None;
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    // Wiped afterwards: from the last blocks the key follows.
    let mut memory = Zeroizing::new(Vec::new());
    memory.try_reserve_exact(params.block_count()).ok()?;
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into_with_memory(passphrase.expose(), salt, &mut key[..], &mut memory[..]).ok()?;
    SecretKey::from_slice(&key[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(passphrase: &[u8], salt: [u8; 16], cost: Argon2Cost) -> Option<String> {
        let key = passphrase_key(&SecretBytes::new(passphrase.to_vec()), &salt, cost)?;
        Some(key.expose().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// As OpenSSL makes it, through `Argon2id` of Python's `cryptography`.
    #[test]
    fn agrees_with_openssl() {
        let cost = Argon2Cost { memory_kib: 64, passes: 3, lanes: 4 };
        let expected = "27aacea74b913d8674c0d6d8603b1ecc1d3aabf762d749bfd1dc36e0e654842d";
        assert_eq!(key(b"correct horse", *b"saltsaltsaltsalt", cost).as_deref(), Some(expected));
        assert_ne!(key(b"correct horsf", *b"saltsaltsaltsalt", cost).as_deref(), Some(expected));
        assert_ne!(key(b"correct horse", *b"saltsaltsaltsalu", cost).as_deref(), Some(expected));
    }

    #[test]
    fn costs_beyond_the_limits_are_refused_before_memory_is_taken() {
        let fits = Argon2Cost { memory_kib: 64, passes: 1, lanes: 1 };
        assert!(key(b"p", [0; 16], fits).is_some());
        for cost in [
            Argon2Cost { memory_kib: ARGON2_MEMORY_MAX_KIB + 1, ..fits },
            Argon2Cost { memory_kib: 0, ..fits },
            Argon2Cost { passes: 0, ..fits },
            Argon2Cost { passes: ROUNDS_MAX + 1, ..fits },
            Argon2Cost { lanes: 0, ..fits },
            Argon2Cost { lanes: ROUNDS_MAX + 1, ..fits },
        ] {
            assert_eq!(key(b"p", [0; 16], cost), None, "{cost:?}");
        }
    }
}
