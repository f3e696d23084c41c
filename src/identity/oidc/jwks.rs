//! Published keys: JSON Web Key Sets (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::crypto::{JwsAlgorithm, JwsKey};
use crate::wire::parse_strict_json;

/// Most keys of a set that are read. AWS reads 100 RSA and 100 EC keys.
const KEYS_MAX: usize = 200;

/// The keys of an issuer that verify signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet(Vec<PublishedKey>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct PublishedKey {
    kid: Option<String>,
    /// The only algorithm that the issuer uses it for, if it says so.
    algorithm: Option<JwsAlgorithm>,
    key: JwsKey,
}

impl KeySet {
    /// Reads a set. Keys that are of no use here (of other kinds, for encryption) are passed over. None: it is no set.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let set = parse_strict_json(json)?;
        let keys = set.get("keys")?.as_array()?;
        Some(Self(keys.iter().take(KEYS_MAX).filter_map(read).collect()))
    }

    /// Whether there is a key of this id; of a token that names none, any key.
    pub fn has(&self, kid: Option<&str>) -> bool {
        self.0.iter().any(|key| key.fits(kid))
    }

    /// Whether one of the keys that `kid` can mean has made this signature.
    pub fn verifies(&self, kid: Option<&str>, algorithm: JwsAlgorithm, signed: &[u8], signature: &[u8]) -> bool {
        let usable = |key: &&PublishedKey| key.fits(kid) && key.algorithm.is_none_or(|own| own == algorithm);
        self.0.iter().filter(usable).any(|key| key.key.verifies(algorithm, signed, signature))
    }
}

impl PublishedKey {
    fn fits(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.kid.as_deref() == kid
    }
}

fn read(jwk: &Value) -> Option<PublishedKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops").and_then(Value::as_array)
        && !operations.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    let algorithm = match text("alg") {
        Some(name) => Some(JwsAlgorithm::parse(name)?),
        None => None,
    };
    let key = match text("kty")? {
        "RSA" => JwsKey::rsa(&bytes("n")?, &bytes("e")?),
        "EC" => JwsKey::ec(text("crv")?, &bytes("x")?, &bytes("y")?),
        _ => return None,
    };
    Some(PublishedKey { kid: text("kid").map(str::to_owned), algorithm, key: key.ok()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7517, appendix A.1, with keys for encryption and of unknown kinds among them.
    #[test]
    fn what_is_of_use() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3o\
                 knjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6\
                 qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awap\
                 JzKnqDKgw";
        let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
        let rsa = |more: Value| {
            let mut key = json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": "r"});
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"keys": [key]})
        };
        for (set, has) in [
            (rsa(json!({"alg": "RS256"})), true),
            (rsa(json!({"use": "sig", "key_ops": ["verify"]})), true),
            (rsa(json!({"use": "enc"})), false),
            (rsa(json!({"key_ops": ["encrypt"]})), false),
            (rsa(json!({"alg": "RSA-OAEP"})), false),
            (rsa(json!({"alg": "HS256"})), false),
            (rsa(json!({"n": "AQAB"})), false),
            (rsa(json!({"e": "AQ"})), false),
            (rsa(json!({"n": "%"})), false),
            (json!({"keys": [{"kty": "oct", "k": "AQAB", "kid": "r"}]}), false),
            (json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "r"}]}), true),
            (json!({"keys": [{"kty": "EC", "crv": "P-384", "x": x, "y": y, "kid": "r"}]}), false),
            (json!({"keys": [{"kty": "EC", "crv": "secp256k1", "x": x, "y": y, "kid": "r"}]}), false),
            (json!({"keys": [1, null, {}]}), false),
        ] {
            let parsed = KeySet::parse(set.to_string().as_bytes()).unwrap();
            assert_eq!((parsed.has(Some("r")), parsed.has(None)), (has, has), "{set}");
            assert!(!parsed.has(Some("other")));
        }
        for bad in ["", "[]", "{}", "{\"keys\": {}}", "{\"keys\": [], \"keys\": []}"] {
            assert_eq!(KeySet::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
