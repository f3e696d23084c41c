//! What only old protocols need.

use aws_lc_rs::hmac;

/// HMAC-SHA1, for presigned URLs of Signature Version 2 alone.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    hmac::sign(&key, message).as_ref().try_into().expect("an HMAC-SHA1 is 20 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, test cases 1 and 2.
    #[test]
    fn rfc_2202() {
        let cases: [(&[u8], &[u8], &str); 2] = [
            (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ];
        for (key, message, expected) in cases {
            let hex: String = hmac_sha1(key, message).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected);
        }
    }
}
