//! Page markers: opaque to clients, and good for nothing but the listing they were given out for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::KeyringError;
use crate::crypto::{SecretKey, constant_time_eq, hmac_sha256};
use crate::index::Tuple;

/// Bytes of the authenticator in front of a marker.
const TAG_BYTES: usize = 16;

/// Makes and checks markers under a key that stays over restarts and rotations of the store key, so that no listing
/// breaks off there.
pub(crate) struct Markers(SecretKey);

impl Markers {
    pub(crate) fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// The marker behind `last` in the listing that `scope` names.
    pub(crate) fn render(&self, scope: &[&str], last: &str) -> String {
        let mut bytes = self.tag(scope, last.as_bytes()).to_vec();
        bytes.extend_from_slice(last.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The name behind which the listing goes on.
    pub(crate) fn parse(&self, scope: &[&str], marker: &str) -> Result<String, KeyringError> {
        let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_| KeyringError::InvalidMarker)?;
        let (tag, last) = bytes.split_first_chunk::<TAG_BYTES>().ok_or(KeyringError::InvalidMarker)?;
        if !constant_time_eq(tag, &self.tag(scope, last)) {
            return Err(KeyringError::InvalidMarker);
        }
        String::from_utf8(last.to_vec()).map_err(|_| KeyringError::InvalidMarker)
    }

    fn tag(&self, scope: &[&str], last: &[u8]) -> [u8; TAG_BYTES] {
        let fields = scope.iter().fold(Tuple::new(), |tuple, field| tuple.bytes(field.as_bytes()));
        let mac = hmac_sha256(self.0.expose(), &fields.bytes(last).build());
        *mac.first_chunk().expect("an HMAC-SHA256 is longer than a tag")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Sources, Timestamp};

    #[test]
    fn only_the_listing_it_was_made_for_takes_it() {
        let sources = Sources::seeded(1, Timestamp(0));
        let markers = Markers::new(SecretKey::generate(&sources));
        let marker = markers.render(&["ListKeys", "111122223333"], "last");
        assert_eq!(markers.parse(&["ListKeys", "111122223333"], &marker), Ok("last".to_owned()));
        for scope in [&["ListKeys", "444455556666"][..], &["ListAliases", "111122223333"], &["ListKeys"], &[]] {
            assert_eq!(markers.parse(scope, &marker), Err(KeyringError::InvalidMarker), "{scope:?}");
        }
        for bad in ["", "x", "last", "!!", &marker[1..], &format!("{marker}AA")] {
            assert_eq!(markers.parse(&["ListKeys", "111122223333"], bad), Err(KeyringError::InvalidMarker), "{bad}");
        }
        let other = Markers::new(SecretKey::generate(&sources));
        assert!(other.parse(&["ListKeys", "111122223333"], &marker).is_err());
    }
}
