//! The environment, read here and (by clap, for the variables that a flag names) in `settings`.

use clap::Args as _;

use super::SettingsArgs;
use crate::crypto::SecretBytes;

const PREFIX: &str = "STRONGROOM_";
/// Letters wrong, missing, too many or exchanged, up to which a name is taken for a slip.
const SLIPS_MAX: usize = 1;

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

/// `STRONGROOM_ROOT_PASSPHRASE`, for the reason that [`accounts`] has no flag. An empty one is none.
#[expect(clippy::disallowed_methods, reason = "the environment is read in config/")]
pub(super) fn root_passphrase() -> Option<SecretBytes> {
    let value = std::env::var_os("STRONGROOM_ROOT_PASSPHRASE").filter(|value| !value.is_empty())?;
    Some(SecretBytes::new(value.into_encoded_bytes()))
}

/// Variables that look like a setting and are none, each with the right name. They are no errors: orchestrators add
/// variables of their own that begin with a service's name (`STRONGROOM_SERVICE_HOST`, `STRONGROOM_PORT`).
pub fn misspelt_variables() -> Vec<(String, String)> {
    let command = SettingsArgs::augment_args(clap::Command::new("settings"));
    let known = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()?.strip_prefix(PREFIX));
    let known: Vec<&str> = known.chain(["ACCOUNTS", "ROOT_PASSPHRASE"]).collect();
    all().iter().filter_map(|(name, _)| Some((name.clone(), misspelt(name, &known)?))).collect()
}

fn misspelt(name: &str, known: &[&str]) -> Option<String> {
    let name = name.strip_prefix(PREFIX)?;
    if known.contains(&name) {
        return None;
    }
    let near = known.iter().copied().min_by_key(|right| strsim::damerau_levenshtein(name, right))?;
    (strsim::damerau_levenshtein(name, near) <= SLIPS_MAX).then(|| format!("{PREFIX}{near}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_variables() {
        let known = ["LISTEN", "STORE", "TLS", "METRICS_LISTEN", "DATA_DIR"];
        for (name, right) in [
            ("STRONGROOM_LISTEM", Some("STRONGROOM_LISTEN")),
            ("STRONGROOM_DATADIR", Some("STRONGROOM_DATA_DIR")),
            ("STRONGROOM_METRIC_LISTEN", Some("STRONGROOM_METRICS_LISTEN")),
            ("STRONGROOM_LISTEN", None),
            ("STRONGROOM_PORT", None),
            ("STRONGROOM_SERVICE_HOST", None),
            ("STRONGROOM_BIN", None),
            ("LISTEM", None),
        ] {
            assert_eq!(misspelt(name, &known).as_deref(), right, "{name}");
        }
    }
}
