//! ID tokens: JSON Web Tokens in compact form (RFC 7515, RFC 7519), read without trust.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::KeySet;
use crate::crypto::JwsAlgorithm;
use crate::sources::Timestamp;
use crate::wire::parse_strict_json;

/// Longest token, in bytes: the model's maximum.
pub const TOKEN_MAX_BYTES: usize = 20_000;
/// How far an issuer's clock may be ahead of ours, in seconds: for `nbf` and `iat`. Nothing is given on `exp`.
const CLOCK_SKEW_SECONDS: f64 = 300.0;

/// The claim with session tags ("Pass session tags using AssumeRoleWithWebIdentity").
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";
/// The claim with the source identity.
const SOURCE_IDENTITY_CLAIM: &str = "https://aws.amazon.com/source_identity";

/// A token whose signature is not verified: it only tells where to ask for keys.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "a token is a secret")]
pub struct Token {
    algorithm: JwsAlgorithm,
    kid: Option<String>,
    /// Header and payload as they were signed.
    signed: Vec<u8>,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// What an issuer says: of a token whose signature was verified with the issuer's keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

/// What is wrong with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// No token, or one of an algorithm that is not taken.
    Malformed,
    /// No key of the issuer has made its signature.
    Signature,
    /// Past `exp`: now and `exp`, seconds since 1970.
    Expired(i64, i64),
    /// Not yet: `nbf` or `iat` is to come.
    Early,
    /// A claim that every token has to have is missing or of a wrong type.
    Missing(&'static str),
    /// For somebody else.
    Audience,
    /// Session tags or source identity are not of the form that AWS documents.
    Session(&'static str),
}

/// Session tags of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionTags {
    /// Key and value.
    pub tags: Vec<(String, String)>,
    /// Keys of those that are transitive.
    pub transitive: Vec<String>,
}

impl Token {
    /// Takes a token apart. What it says is not proved by this.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= TOKEN_MAX_BYTES)?;
        let [header, payload, signature] = text.split('.').collect::<Vec<_>>()[..] else { return None };
        let object = |part: &str| match parse_strict_json(&URL_SAFE_NO_PAD.decode(part).ok()?)? {
            Value::Object(members) => Some(members),
            _ => None,
        };
        let members = object(header)?;
        // What is critical there would have to be understood (RFC 7515, 4.1.11), and keys that a token brings along
        // itself are never looked at.
        if members.contains_key("crit") {
            return None;
        }
        let kid = match members.get("kid") {
            Some(kid) => Some(kid.as_str()?.to_owned()),
            None => None,
        };
        Some(Self {
            algorithm: JwsAlgorithm::parse(members.get("alg")?.as_str()?)?,
            kid,
            signed: text[..header.len() + 1 + payload.len()].as_bytes().to_vec(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            claims: object(payload)?,
        })
    }

    /// `iss` as the token has it: whose keys to ask for.
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The id of the key that it claims to be signed with.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The claims, if one of these keys has signed them.
    pub fn verify(self, keys: &KeySet) -> Result<Claims, TokenFault> {
        match keys.verifies(self.kid.as_deref(), self.algorithm, &self.signed, &self.signature) {
            true => Ok(Claims(self.claims)),
            false => Err(TokenFault::Signature),
        }
    }
}

impl Claims {
    /// That the token is good now, and has what every token has to have: `iss`, `sub`, `aud`, `exp`, `iat`.
    pub fn check_time(&self, now: Timestamp) -> Result<(), TokenFault> {
        let number = |name: &'static str| match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(TokenFault::Missing(name)),
        };
        let expires = number("exp")?.ok_or(TokenFault::Missing("exp"))?;
        let issued = number("iat")?.ok_or(TokenFault::Missing("iat"))?;
        let seconds = now.0 as f64 / 1000.0;
        if expires <= seconds {
            return Err(TokenFault::Expired(now.seconds(), expires as i64));
        }
        let latest = [Some(issued), number("nbf")?].into_iter().flatten();
        match latest.into_iter().any(|from| from > seconds + CLOCK_SKEW_SECONDS) {
            true => Err(TokenFault::Early),
            false => Ok(()),
        }
    }

    /// That it is for one of these clients. With `azp` (the client that the issuer gave it to) that is what counts, as
    /// AWS documents; else each of `aud` does.
    pub fn check_audience(&self, client_ids: &[String]) -> Result<(), TokenFault> {
        let audiences = self.audiences();
        if audiences.is_empty() {
            return Err(TokenFault::Missing("aud"));
        }
        let known = |name: &str| client_ids.iter().any(|id| id == name);
        let fits = match self.text("azp") {
            Some(party) => known(party),
            None => audiences.iter().any(|audience| known(audience)),
        };
        if fits { Ok(()) } else { Err(TokenFault::Audience) }
    }

    /// `sub`.
    pub fn subject(&self) -> Result<&str, TokenFault> {
        self.text("sub").filter(|subject| !subject.is_empty()).ok_or(TokenFault::Missing("sub"))
    }

    /// `Audience` of STS's answer: `azp`, or else the first of `aud`.
    pub fn audience(&self) -> &str {
        self.text("azp").or_else(|| self.audiences().first().copied()).unwrap_or_default()
    }

    fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Calls `each` with name and values of every claim that policies may name: texts, truth values, lists of texts.
    pub fn each_condition(&self, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in &self.0 {
            match value {
                Value::String(text) => each(name, text),
                Value::Bool(truth) => each(name, if *truth { "true" } else { "false" }),
                Value::Array(items) => items.iter().filter_map(Value::as_str).for_each(|item| each(name, item)),
                Value::Null | Value::Number(_) | Value::Object(_) => {}
            }
        }
    }

    /// Session tags: `{"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]}`.
    pub fn session_tags(&self) -> Result<SessionTags, TokenFault> {
        let Some(claim) = self.0.get(TAGS_CLAIM) else { return Ok(SessionTags::default()) };
        let fault = || TokenFault::Session(TAGS_CLAIM);
        let mut found = SessionTags::default();
        if let Some(tags) = claim.get("principal_tags") {
            for (key, values) in tags.as_object().ok_or_else(fault)? {
                let value = match values {
                    Value::String(text) => text,
                    Value::Array(items) => match &items[..] {
                        [Value::String(text)] => text,
                        _ => return Err(fault()),
                    },
                    _ => return Err(fault()),
                };
                found.tags.push((key.clone(), value.clone()));
            }
        }
        if let Some(keys) = claim.get("transitive_tag_keys") {
            for key in keys.as_array().ok_or_else(fault)? {
                found.transitive.push(key.as_str().ok_or_else(fault)?.to_owned());
            }
        }
        Ok(found)
    }

    /// The source identity, if the issuer sets one.
    pub fn source_identity(&self) -> Result<Option<&str>, TokenFault> {
        match self.0.get(SOURCE_IDENTITY_CLAIM) {
            None => Ok(None),
            Some(name) => name.as_str().map(Some).ok_or(TokenFault::Session(SOURCE_IDENTITY_CLAIM)),
        }
    }
}

#[cfg(test)]
mod tests;
