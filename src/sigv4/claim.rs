//! What a request says of its signature: the `Authorization` header, the parameters of a presigned URL, the credential.
//! Parsed only; nothing here is believed.

use crate::wire::{decode_path, decode_query};

/// The parameters of an `Authorization: AWS4-HMAC-SHA256 …` header, as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// `Credential`
    pub credential: String,
    /// `SignedHeaders`
    pub signed_headers: String,
    /// `Signature`
    pub signature: String,
}

/// Why an `Authorization` header's parameters are not a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizationFault {
    /// There are not three of them.
    Count,
    /// One has no `=`.
    Component(String),
    /// There are three, but this one is not among them.
    Missing(&'static str),
}

/// Parses what follows the algorithm in an `Authorization` header. Blanks around the commas may be there or not.
pub fn parse_authorization(parameters: &str) -> Result<Authorization, AuthorizationFault> {
    let mut components = Vec::with_capacity(3);
    for component in parameters.split(',').map(str::trim).filter(|c| !c.is_empty()) {
        let Some(pair) = component.split_once('=') else {
            return Err(AuthorizationFault::Component(component.to_owned()));
        };
        components.push(pair);
    }
    if components.len() != 3 {
        return Err(AuthorizationFault::Count);
    }
    let find = |name: &'static str| {
        let found = components.iter().find(|(n, _)| n.trim() == name).map(|(_, value)| value.trim().to_owned());
        found.filter(|value| !value.is_empty()).ok_or(AuthorizationFault::Missing(name))
    };
    Ok(Authorization {
        credential: find("Credential")?,
        signed_headers: find("SignedHeaders")?,
        signature: find("Signature")?,
    })
}

/// `<access key id>/<date>/<region>/<service>/aws4_request`, cut at its slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Who says to have signed.
    pub access_key_id: String,
    /// `yyyymmdd`, unchecked.
    pub date: String,
    /// Unchecked.
    pub region: String,
    /// Unchecked.
    pub service: String,
    /// Should be [`super::TERMINAL`].
    pub terminal: String,
}

impl Credential {
    /// `None` unless there are five parts.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let credential = Self {
            access_key_id: parts.next()?,
            date: parts.next()?,
            region: parts.next()?,
            service: parts.next()?,
            terminal: parts.next()?,
        };
        parts.next().is_none().then_some(credential)
    }
}

/// The parameters of a query, decoded, in the order sent. Ones that are not UTF-8 are left out: no parameter of a
/// signature is.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes a query.
    pub fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|piece| !piece.is_empty()).filter_map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let name = decode_query(name)?;
            // A signature of Version 2 is base64, which has a plus but no space: senders that leave the plus bare
            // mean a plus.
            let value = if name == "Signature" { decode_path(value)? } else { decode_query(value)? };
            Some((name, value))
        });
        Self(pairs.collect())
    }

    /// The first parameter of this name; names are case-sensitive.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The six parameters of a presigned URL, as sent (`X-Amz-Algorithm` was looked at to get here).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presigned<'a> {
    /// `X-Amz-Credential`
    pub credential: &'a str,
    /// `X-Amz-Signature`
    pub signature: &'a str,
    /// `X-Amz-Date`
    pub date: &'a str,
    /// `X-Amz-SignedHeaders`
    pub signed_headers: &'a str,
    /// `X-Amz-Expires`
    pub expires: &'a str,
}

impl<'a> Presigned<'a> {
    /// `None` if one is missing.
    pub fn parse(params: &'a Params) -> Option<Self> {
        Some(Self {
            credential: params.first("X-Amz-Credential")?,
            signature: params.first("X-Amz-Signature")?,
            date: params.first("X-Amz-Date")?,
            signed_headers: params.first("X-Amz-SignedHeaders")?,
            expires: params.first("X-Amz-Expires")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorization_with_and_without_blanks() {
        let expected = Authorization {
            credential: "A/20130524/us-east-1/s3/aws4_request".to_owned(),
            signed_headers: "host;x-amz-date".to_owned(),
            signature: "f0".to_owned(),
        };
        let credential = "Credential=A/20130524/us-east-1/s3/aws4_request";
        for text in [
            format!("{credential}, SignedHeaders=host;x-amz-date, Signature=f0"),
            format!("{credential},SignedHeaders=host;x-amz-date,Signature=f0"),
            format!("  Signature=f0 ,\t{credential} ,  SignedHeaders=host;x-amz-date,"),
        ] {
            assert_eq!(parse_authorization(&text), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn authorization_faults() {
        use AuthorizationFault::{Component, Count, Missing};
        let cases = [
            ("", Count),
            ("Credential=a", Count),
            ("Credential=a,SignedHeaders=b,Signature=c,More=d", Count),
            ("Credential=a,SignedHeaders=b,Signature", Component("Signature".to_owned())),
            ("Credential=a,SignedHeaders=b,Sig=c", Missing("Signature")),
            ("Credential=,SignedHeaders=b,Signature=c", Missing("Credential")),
            ("Credential=a,Credential=b,Signature=c", Missing("SignedHeaders")),
        ];
        for (text, fault) in cases {
            assert_eq!(parse_authorization(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn credentials_have_five_parts() {
        let credential = Credential::parse("A/d/r/s/t").unwrap();
        assert_eq!((credential.access_key_id.as_str(), credential.terminal.as_str()), ("A", "t"));
        for bad in ["", "A", "A/d/r/s", "A/d/r/s/t/", "A/B/d/r/s/t"] {
            assert_eq!(Credential::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn params_decode_once() {
        let params = Params::parse("a=1+2&b=%2B&Signature=x+y%2Bz&%FF=1&a=3&c");
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("a", "1 2"), ("b", "+"), ("Signature", "x+y+z"), ("a", "3"), ("c", "")]);
        assert_eq!(params.first("a"), Some("1 2"));
        assert_eq!(params.first("A"), None);
    }
}
