//! `[[pkcs11]]`: tokens that can stand behind custom key stores of type AWS_CLOUDHSM.

use std::collections::HashSet;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::{ConfigError, Pkcs11Config};
use crate::names::is_cluster_id;

/// One token as it is written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawToken {
    cluster_id: String,
    module: PathBuf,
    label: Option<String>,
    trust_anchor: Option<String>,
}

/// All tokens as they are written: `[[pkcs11]]` tables in the file, a JSON array as flag or variable. Nothing in it is
/// secret: a token's PIN comes with the API call that makes a store of it.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct RawTokens(Vec<RawToken>);

impl FromStr for RawTokens {
    type Err = String;

    fn from_str(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("give a JSON array as [[pkcs11]] has it: {error}"))
    }
}

/// Checks tokens: forms, and that no id occurs twice.
pub(super) fn check(raw: RawTokens) -> Result<Vec<Pkcs11Config>, ConfigError> {
    let mut seen = HashSet::new();
    raw.0
        .into_iter()
        .map(|token| {
            let RawToken { cluster_id, module, label, trust_anchor } = token;
            let wrong = |what: &str| Err(ConfigError(format!("pkcs11 {cluster_id:?}: {what}")));
            if !is_cluster_id(&cluster_id) {
                return wrong("cluster_id is cluster- and 11 to 16 letters or digits 2 to 7");
            }
            if !seen.insert(cluster_id.clone()) {
                return wrong("is listed twice");
            }
            if trust_anchor.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
                return wrong("trust_anchor is the text of a certificate, PEM");
            }
            Ok(Pkcs11Config { cluster_id, module, label, trust_anchor })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str, anchor: Option<&str>) -> RawToken {
        let trust_anchor = anchor.map(str::to_owned);
        RawToken { cluster_id: id.to_owned(), module: PathBuf::from("m.so"), label: None, trust_anchor }
    }

    #[test]
    fn what_could_never_be_named_is_refused() {
        let refusal = |raw: Vec<RawToken>| check(RawTokens(raw)).map_or_else(|error| error.0, |_| String::new());
        assert_eq!(refusal(vec![token("cluster-abcdefghijk", None), token("cluster-abcdefghijkl", None)]), "");
        assert!(refusal(vec![token("cluster-abcdefghij", None)]).contains("cluster_id is cluster- and"));
        assert!(refusal(vec![token("hsm", None)]).contains("cluster_id is cluster- and"));
        let twice = vec![token("cluster-abcdefghijk", None), token("cluster-abcdefghijk", None)];
        assert!(refusal(twice).contains("listed twice"));
        assert!(refusal(vec![token("cluster-abcdefghijk", Some("ca.pem"))]).contains("text of a certificate"));
    }
}
