//! The environment, read here and (by clap, for the variables that a flag names) in `settings`.

use crate::crypto::SecretBytes;

/// All variables whose name and value are UTF-8.
pub(super) fn all() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// `STRONGROOM_ACCOUNTS`: a JSON array of accounts. No flag has this value, since a process list shows flags.
#[expect(clippy::disallowed_methods, reason = "the environment is read in config/")]
pub(super) fn accounts() -> Option<SecretBytes> {
    let value = std::env::var_os("STRONGROOM_ACCOUNTS")?;
    Some(SecretBytes::new(value.into_encoded_bytes()))
}
