//! BER to DER, for private keys that come from outside: AWS takes RSA and curve keys in either, AWS-LC DER alone.
//!
//! Lengths are made definite and as short as can be, at every level that is not inside an OCTET STRING. That is what
//! encoders differ in; strings in parts and other liberties of BER are left as they are, and AWS-LC refuses them.

use zeroize::Zeroizing;

use crate::crypto::BadKey;

/// Longest key that is read, in bytes: ImportKeyMaterial takes no more (6,144).
const INPUT_MAX_BYTES: usize = 6144;
/// Most levels; a private key has three.
const DEPTH_MAX: usize = 8;

const CONSTRUCTED: u8 = 0x20;
const TAG_NUMBER: u8 = 0x1f;
const END_OF_CONTENTS: [u8; 2] = [0, 0];

/// One element and nothing behind it, as DER.
pub(super) fn to_der(ber: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadKey> {
    if ber.len() > INPUT_MAX_BYTES {
        return Err(BadKey);
    }
    // DER is never longer than the BER below 64 KiB, so that no buffer grows and leaves a copy of the key behind.
    let mut out = Zeroizing::new(Vec::with_capacity(ber.len()));
    let behind = copy_element(ber, DEPTH_MAX, &mut out)?;
    if behind.is_empty() { Ok(out) } else { Err(BadKey) }
}

/// Appends the first element of `input`; answers what is behind it.
fn copy_element<'a>(input: &'a [u8], depth: usize, out: &mut Vec<u8>) -> Result<&'a [u8], BadKey> {
    let (tag, length, rest) = parse_header(input)?;
    let constructed = tag & CONSTRUCTED != 0;
    let (content, behind) = match length {
        Some(length) => rest.split_at_checked(length).ok_or(BadKey)?,
        None if constructed => (rest, rest),
        None => return Err(BadKey),
    };
    if !constructed {
        append(out, tag, content);
        return Ok(behind);
    }
    let depth = depth.checked_sub(1).ok_or(BadKey)?;
    let mut inner = Zeroizing::new(Vec::with_capacity(content.len()));
    let mut left = content;
    let behind = loop {
        match (left.strip_prefix(&END_OF_CONTENTS), length) {
            (Some(behind), None) => break behind,
            (_, Some(_)) if left.is_empty() => break behind,
            _ => left = copy_element(left, depth, &mut inner)?,
        }
    };
    append(out, tag, &inner);
    Ok(behind)
}

/// Tag, length (`None`: up to the end-of-contents octets) and what follows them.
fn parse_header(input: &[u8]) -> Result<(u8, Option<usize>, &[u8]), BadKey> {
    let [tag, first, rest @ ..] = input else { return Err(BadKey) };
    if *tag == 0 || tag & TAG_NUMBER == TAG_NUMBER {
        return Err(BadKey);
    }
    match *first {
        short @ 0..=0x7f => Ok((*tag, Some(usize::from(short)), rest)),
        0x80 => Ok((*tag, None, rest)),
        long @ 0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f)).ok_or(BadKey)?;
            Ok((*tag, Some(length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte))), rest))
        }
        _ => Err(BadKey),
    }
}

fn append(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    let [.., high, low] = content.len().to_be_bytes();
    match content.len() {
        0..=0x7f => out.extend_from_slice(&[tag, low]),
        0x80..=0xff => out.extend_from_slice(&[tag, 0x81, low]),
        _ => out.extend_from_slice(&[tag, 0x82, high, low]),
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_become_definite_and_short() {
        let der: &[u8] = &[0x30, 0x07, 0x02, 0x01, 0x00, 0x30, 0x02, 0x05, 0x00];
        for ber in [
            der,
            &[0x30, 0x80, 0x02, 0x01, 0x00, 0x30, 0x02, 0x05, 0x00, 0x00, 0x00],
            &[0x30, 0x80, 0x02, 0x01, 0x00, 0x30, 0x80, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00],
            &[0x30, 0x81, 0x08, 0x02, 0x81, 0x01, 0x00, 0x30, 0x02, 0x05, 0x00],
            &[0x30, 0x84, 0, 0, 0, 0x07, 0x02, 0x01, 0x00, 0x30, 0x02, 0x05, 0x00],
        ] {
            assert_eq!(to_der(ber).as_deref().map(Vec::as_slice), Ok(der), "{ber:x?}");
        }
    }

    #[test]
    fn what_is_no_element_is_refused() {
        for ber in [
            &[][..],
            &[0x30],
            &[0x30, 0x01],
            &[0x30, 0x00, 0x00],
            &[0x30, 0x80],
            &[0x30, 0x80, 0x00],
            &[0x30, 0x02, 0x00, 0x00],
            &[0x04, 0x80, 0x00, 0x00],
            &[0x1f, 0x01, 0x00],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(to_der(ber).is_err(), "{ber:x?}");
        }
        let nested = |levels: usize| [[0x30, 0x80].repeat(levels), [0, 0].repeat(levels)].concat();
        assert!(to_der(&nested(DEPTH_MAX)).is_ok());
        assert!(to_der(&nested(DEPTH_MAX + 1)).is_err());
        assert!(to_der(&nested(3000)).is_err());
        let long = |bytes: usize| [&[0x04, 0x82], &bytes.to_be_bytes()[6..], &vec![1; bytes]].concat();
        assert!(to_der(&long(INPUT_MAX_BYTES - 4)).is_ok());
        assert!(to_der(&long(INPUT_MAX_BYTES - 3)).is_err());
    }

    proptest! {
        /// DER stays as it is, no output is longer than its input, and reading ends for any bytes.
        #[test]
        fn der_is_a_fixed_point(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let wrapped = [&[0x30, 0x80][..], &bytes, &[0, 0]].concat();
            for input in [bytes, wrapped] {
                if let Ok(der) = to_der(&input) {
                    prop_assert!(der.len() <= input.len());
                    let again = to_der(&der);
                    prop_assert_eq!(again.as_deref(), Ok(&*der));
                }
            }
        }
    }
}
