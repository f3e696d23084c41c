//! Shamir's secret sharing over GF(2^8), byte by byte: `threshold` of the shares give the secret, fewer tell nothing.
//!
//! Written here: of the crates, `sharks` draws its highest coefficient from 1 to 255 (RUSTSEC-2024-0398, which gives
//! the secret away over many sharings), its forks and `vsss-rs` bring a field library for what are forty lines. The
//! field is AES's, x^8 + x^4 + x^3 + x + 1; neither branches nor table lookups depend on secrets. A share does not
//! prove that it is whole: callers put a checksum beside it and compare an id that follows from the secret.

use super::{SecretBytes, SecretKey};
use crate::sources::Sources;

/// Most shares of one secret: x is a byte and 0 is the secret's own place. Kept low, since people hold them.
pub const SHARES_MAX: u8 = 64;

/// A point of each byte's polynomial.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct Share {
    /// From 1.
    pub x: u8,
    /// 32 bytes.
    pub y: SecretBytes,
}

/// Splits `secret`. `None` unless 2 <= threshold <= count <= [`SHARES_MAX`]: a threshold of one is a copy each.
pub fn split_secret(secret: &SecretKey, threshold: u8, count: u8, sources: &Sources) -> Option<Vec<Share>> {
    if threshold < 2 || threshold > count || count > SHARES_MAX {
        return None;
    }
    // Uniform, zero included: anything else would tell something of the secret.
    let coefficients: Vec<SecretKey> = (1..threshold).map(|_| SecretKey::generate(sources)).collect();
    let share = |x| {
        let mut y = SecretBytes::new(vec![0; 32]);
        for coefficient in coefficients.iter().rev().chain([secret]) {
            let bytes = y.expose_mut().iter_mut().zip(coefficient.expose());
            bytes.for_each(|(y, c)| *y = multiply(*y, x) ^ c);
        }
        Share { x, y }
    };
    Some((1..=count).map(share).collect())
}

/// The secret that these shares give: the right one if they are at least as many as the threshold and of one secret.
/// `None` if there is none, or if two stand at one place or one at none.
pub fn combine_shares(shares: &[Share]) -> Option<SecretKey> {
    let distinct = shares.iter().enumerate().all(|(at, share)| shares[..at].iter().all(|other| other.x != share.x));
    let whole = shares.iter().all(|share| share.x != 0 && share.y.expose().len() == 32);
    if shares.is_empty() || !distinct || !whole {
        return None;
    }
    let mut secret = SecretBytes::new(vec![0; 32]);
    for (at, share) in shares.iter().enumerate() {
        // Lagrange's basis polynomial at 0: the product of x_j / (x_j - x_i), subtraction being exclusive or.
        let others = shares.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, share)| share.x);
        let basis = others.fold(1, |basis, x| multiply(basis, multiply(x, invert(x ^ share.x))));
        let bytes = secret.expose_mut().iter_mut().zip(share.y.expose());
        bytes.for_each(|(secret, y)| *secret ^= multiply(*y, basis));
    }
    SecretKey::from_slice(secret.expose())
}

/// The product in the field, in the same steps for all values.
fn multiply(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & 0_u8.wrapping_sub((b >> bit) & 1);
        let carry = 0_u8.wrapping_sub(a >> 7);
        a = (a << 1) ^ (0x1b & carry);
    }
    product
}

/// The inverse: a^254, since a^255 = 1.
fn invert(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..6 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sources::Timestamp;

    fn copy(share: &Share) -> Share {
        Share { x: share.x, y: SecretBytes::new(share.y.expose().to_vec()) }
    }

    fn combined(shares: &[Share], chosen: &[usize]) -> Option<[u8; 32]> {
        combine_shares(&chosen.iter().map(|at| copy(&shares[*at])).collect::<Vec<_>>()).map(|key| *key.expose())
    }

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, section 4.2 and its example of an inverse.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        assert_eq!(invert(0x53), 0xca);
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
            assert_eq!((multiply(a, 1), multiply(a, 0)), (a, 0));
        }
    }

    /// A polynomial worked out by hand: 0x42 + 0x07 x + 0x11 x^2 at 1, 2 and 3.
    #[test]
    fn a_known_polynomial() {
        let share = |x: u8, y: u8| Share { x, y: SecretBytes::new(vec![y; 32]) };
        let shares = [share(1, 0x42 ^ 0x07 ^ 0x11), share(2, 0x42 ^ 0x0e ^ 0x44), share(3, 0x42 ^ 0x09 ^ 0x55)];
        assert_eq!(combined(&shares, &[0, 1, 2]), Some([0x42; 32]));
        assert_eq!(combined(&shares, &[2, 0, 1]), Some([0x42; 32]));
    }

    proptest! {
        #[test]
        fn any_threshold_of_shares_gives_the_secret_and_fewer_do_not(
            seed: u64,
            (threshold, count) in (2_u8..=7).prop_flat_map(|k| (Just(k), k..=9)),
            order in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let sources = Sources::seeded(seed, Timestamp(0));
            let secret = SecretKey::generate(&sources);
            let shares = split_secret(&secret, threshold, count, &sources).unwrap();
            let order: Vec<usize> = order.into_iter().filter(|at| *at < usize::from(count)).collect();
            for taken in 1..=order.len() {
                let same = combined(&shares, &order[..taken]) == Some(*secret.expose());
                prop_assert_eq!(same, taken >= usize::from(threshold), "{} of {}", taken, threshold);
            }
        }
    }

    #[test]
    fn senseless_numbers_and_shares_are_refused() {
        let sources = Sources::seeded(1, Timestamp(0));
        let secret = SecretKey::generate(&sources);
        for (threshold, count) in [(0, 3), (1, 3), (4, 3), (2, SHARES_MAX + 1)] {
            assert!(split_secret(&secret, threshold, count, &sources).is_none(), "{threshold} of {count}");
        }
        let shares = split_secret(&secret, 2, SHARES_MAX, &sources).unwrap();
        assert_eq!(combined(&shares, &[0, 63]), Some(*secret.expose()));
        assert_eq!(combined(&shares, &[]), None);
        assert_eq!(combined(&shares, &[1, 1]), None, "one share twice");
        assert!(combine_shares(&[Share { x: 0, y: SecretBytes::new(vec![0; 32]) }]).is_none());
        assert!(combine_shares(&[Share { x: 1, y: SecretBytes::new(vec![0; 31]) }]).is_none());
    }

    /// With one share held back, every value of the secret's first byte is possible: none is more than the others.
    #[test]
    fn one_share_short_tells_nothing() {
        let share = |x: u8, y: u8| Share { x, y: SecretBytes::new(vec![y; 32]) };
        let mut seen = [false; 256];
        for y in 0..=255 {
            let secret = combine_shares(&[share(1, 0x5a), share(2, y)]).unwrap();
            seen[usize::from(secret.expose()[0])] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
