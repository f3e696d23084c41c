//! Cross-origin rules of a bucket and which of them a request fits (S3 User Guide, "Using cross-origin resource
//! sharing").

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// Rules of a bucket, at most.
pub const RULES_MAX: usize = 100;
/// Characters of a rule's id, at most.
pub const ID_MAX_CHARS: usize = 255;

/// A method that a rule can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum CorsMethod {
    /// `GET`
    #[n(0)]
    Get,
    /// `PUT`
    #[n(1)]
    Put,
    /// `POST`
    #[n(2)]
    Post,
    /// `DELETE`
    #[n(3)]
    Delete,
    /// `HEAD`
    #[n(4)]
    Head,
}

impl CorsMethod {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Get, Self::Put, Self::Post, Self::Delete, Self::Head];

    /// As HTTP names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }

    /// Reads a name, in upper case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CorsRule {
    /// What its author calls it.
    #[n(0)]
    pub id: Option<String>,
    /// Origins, each with at most one `*`; never empty.
    #[n(1)]
    pub origins: Vec<String>,
    /// Methods; never empty.
    #[n(2)]
    pub methods: Vec<CorsMethod>,
    /// Request headers, each with at most one `*`.
    #[n(3)]
    pub headers: Vec<String>,
    /// Headers of answers that a page may read.
    #[n(4)]
    pub expose: Vec<String>,
    /// How long a preflight's answer may be kept.
    #[n(5)]
    pub max_age_seconds: Option<u32>,
}

/// The rules of a bucket, in order; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Cors(#[n(0)] pub Vec<CorsRule>);

impl BucketConfiguration for Cors {
    const KIND: ConfigurationKind = ConfigurationKind::Cors;
    const ACTIONS: &'static [&'static str] = &["s3:PutBucketCORS"];
}

impl Cors {
    /// The first rule that allows `origin` to send `method` with `headers`.
    pub fn matching(&self, origin: &str, method: CorsMethod, headers: &[&str]) -> Option<&CorsRule> {
        self.0.iter().find(|rule| rule.allows(origin, method, headers))
    }
}

impl CorsRule {
    fn allows(&self, origin: &str, method: CorsMethod, headers: &[&str]) -> bool {
        let header = |sent: &&str| self.headers.iter().any(|allowed| fits(allowed, sent, u8::eq_ignore_ascii_case));
        self.origins.iter().any(|allowed| fits(allowed, origin, u8::eq))
            && self.methods.contains(&method)
            && headers.iter().all(header)
    }

    /// Any origin is allowed: answers then name none, and may not be asked for with credentials.
    pub fn is_for_all_origins(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }
}

/// Whether `text` fits `pattern`, in which one `*` stands for any characters.
fn fits(pattern: &str, text: &str, same: impl Fn(&u8, &u8) -> bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let equal = |a: &[u8], b: &[u8]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    match pattern.iter().position(|byte| *byte == b'*') {
        None => equal(pattern, text),
        Some(star) => {
            let (start, end) = (&pattern[..star], &pattern[star + 1..]);
            text.len() >= start.len() + end.len()
                && equal(start, &text[..start.len()])
                && equal(end, &text[text.len() - end.len()..])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn texts(value: &Value) -> Vec<String> {
        value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn requests_and_the_rules_they_fit() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/s3/cors.json");
        let table: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut checked = 0;
        for case in table.as_array().unwrap() {
            let rule = |rule: &Value| CorsRule {
                id: rule["id"].as_str().map(str::to_owned),
                origins: texts(&rule["origins"]),
                methods: texts(&rule["methods"]).iter().map(|name| CorsMethod::parse(name).unwrap()).collect(),
                headers: texts(&rule["headers"]),
                expose: Vec::new(),
                max_age_seconds: None,
            };
            let cors = Cors(case["rules"].as_array().unwrap().iter().map(rule).collect());
            for request in case["requests"].as_array().unwrap() {
                let [origin, method] = ["origin", "method"].map(|name| request[name].as_str().unwrap());
                let headers = texts(&request["headers"]);
                let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
                let found = cors.matching(origin, CorsMethod::parse(method).unwrap(), &headers);
                let found = found.map(|rule| rule.id.as_deref().unwrap_or_default());
                assert_eq!(found, request["fits"].as_str(), "{}: {request}", case["name"]);
                checked += 1;
            }
        }
        assert!(checked >= 30, "{checked}");
    }
}
