//! From an upload form to a request that PutObject understands: who sent it, whether it keeps to its policy, and its
//! fields as the headers that they stand for.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES, HeaderName,
    HeaderValue,
};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::address::Address;
use super::error::Error;
use super::form::Form;
use super::ops::post_object::HostHeader;
use super::post_policy::{Fields, LengthRange, PostPolicy, value};
use super::sse_headers;
use super::table::Row;
use super::tags;
use super::trail;
use crate::app::App;
use crate::auth::{Access, FormClaim, FormV2, FormV4, Payload, authenticate_form};
use crate::wire::{Request, encode_uri};

/// What a form may say of its answer.
#[derive(Debug, Clone)]
pub(crate) struct SuccessAction {
    /// `success_action_redirect`, or `redirect` as it was called before.
    pub(crate) redirect: Option<String>,
    /// `success_action_status`
    pub(crate) status: StatusCode,
}

/// A form, ready to be decided on and then stored.
pub(crate) struct Posted {
    pub(crate) access: Access,
    pub(crate) payload: Payload,
    /// The request's head with the form's fields in place of its headers, and a [`SuccessAction`].
    pub(crate) head: Parts,
    pub(crate) address: Address,
}

/// The standard headers among the fields.
const STANDARD: [HeaderName; 6] =
    [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES];

/// Fields that are headers of their own name. What a form can't ask for is not among them.
const SAME_NAME: [&str; 9] = [
    "x-amz-checksum-",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-",
    "x-amz-meta-",
    "x-amz-object-lock-",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
];
const REDIRECT_LOCATION: &str = "x-amz-website-redirect-location";

/// Reads the fields, finds out who made the policy and holds the form against it. The file is not read yet. What the
/// policy does not allow is in the trail when this returns.
pub(crate) async fn receive(app: &App, row: &'static Row, request: Request, bucket: &str) -> Result<Posted, Error> {
    let Request { mut head, edge, body } = request;
    // What a header asks of encryption would not be done: in a form it is a field.
    sse_headers::refuse_choice(&head.headers)?;
    sse_headers::refuse_customer(&head.headers)?;
    let mut form = Form::read(&head, body).await?;
    for (_, value) in &mut form.fields {
        *value = value.replace("${filename}", &form.filename);
    }
    let fields = &form.fields;
    let key = value(fields, "key").ok_or_else(|| missing("key"))?.to_owned();
    if key.is_empty() {
        return Err(Error::invalid_argument("User key must have a length greater than 0.", "key", ""));
    }
    let address = Address { bucket: Some(bucket.to_owned()), key: Some(key) };
    let claim = claim(fields)?;
    let access = authenticate_form(&head, &edge, claim, &app.directory, &app.auth).await?;
    let policy = value(fields, "policy").map(PostPolicy::parse).transpose()?;
    let allowed = match policy.map(|policy| policy.check(fields, bucket, edge.received)) {
        None => LengthRange::ANY,
        Some(Ok(allowed)) => allowed,
        Some(Err(refused)) => {
            trail::record_denial(app, row, &access, &address, &refused).await?;
            return Err(refused);
        }
    };
    let action = success_action(fields);
    let sent = std::mem::replace(&mut head.headers, headers(fields)?);
    check_no_conflict(&sent, &head.headers)?;
    head.extensions.insert(action);
    head.extensions.insert(HostHeader(edge.host_header.clone()));
    let (file, at_most) = form.into_file(allowed);
    let payload = Payload::of_form(file, at_most, &head)?;
    Ok(Posted { access, payload, head, address })
}

/// Recorded of the fields of a signature; not of `key` and `policy`.
fn missing(name: &str) -> Error {
    let message = format!(
        "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    );
    Error::invalid_argument(message, name, "")
}

/// Who the form says made its policy. Of the fields of a signature all or none have to be there.
fn claim(fields: &Fields) -> Result<FormClaim<'_>, Error> {
    let field = |name| value(fields, name);
    let needed = |name: &str, shown: &str| value(fields, name).ok_or_else(|| missing(shown));
    let token = field("x-amz-security-token");
    let is_v4 =
        ["x-amz-signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date"].iter().any(|n| field(n).is_some());
    let is_v2 = ["awsaccesskeyid", "signature"].iter().any(|name| field(name).is_some());
    match (is_v4, is_v2) {
        (true, _) => {
            let signature = needed("x-amz-signature", "X-Amz-Signature")?;
            let algorithm = needed("x-amz-algorithm", "X-Amz-Algorithm")?;
            let credential = needed("x-amz-credential", "X-Amz-Credential")?;
            let date = needed("x-amz-date", "X-Amz-Date")?;
            let policy = needed("policy", "policy")?;
            Ok(FormClaim::V4(FormV4 { policy, algorithm, credential, date, signature, token }))
        }
        (false, true) => {
            let signature = needed("signature", "Signature")?;
            let access_key_id = needed("awsaccesskeyid", "AWSAccessKeyId")?;
            let policy = needed("policy", "policy")?;
            Ok(FormClaim::V2(FormV2 { policy, access_key_id, signature, token }))
        }
        // A policy that nobody signed, or a session of nobody.
        (false, false) if field("policy").is_some() || token.is_some() => {
            Err(Error::new(super::code::Code::AccessDenied))
        }
        (false, false) => Ok(FormClaim::Nobody),
    }
}

/// A status that is none of the three, and a redirect that leads nowhere, count as not given, as with AWS.
fn success_action(fields: &Fields) -> SuccessAction {
    let redirect = value(fields, "success_action_redirect").or_else(|| value(fields, "redirect"));
    let leads = |url: &&str| url.parse::<http::Uri>().is_ok_and(|url| url.host().is_some() && url.scheme().is_some());
    let status = match value(fields, "success_action_status") {
        Some("200") => StatusCode::OK,
        Some("201") => StatusCode::CREATED,
        _ => StatusCode::NO_CONTENT,
    };
    SuccessAction { redirect: redirect.filter(leads).map(str::to_owned), status }
}

/// Of the headers that a form brings, those of S3 count for nothing beside its fields, and must not say something else.
/// AWS documents the error; its text is the description there.
fn check_no_conflict(sent: &HeaderMap, fields: &HeaderMap) -> Result<(), Error> {
    let of_s3 = fields.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-"));
    for (name, value) in of_s3 {
        if sent.get_all(name).iter().any(|sent| sent != value) {
            return Err(Error::invalid_request("Conflicting values provided in HTTP headers and POST form fields."));
        }
    }
    Ok(())
}

/// The fields as headers of a PutObject.
fn headers(fields: &Fields) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (field, value) in fields {
        let (name, value) = match field.as_str() {
            "acl" => ("x-amz-acl", value.clone()),
            "tagging" => ("x-amz-tagging", tagging(value)?),
            REDIRECT_LOCATION => (REDIRECT_LOCATION, value.clone()),
            name if STANDARD.iter().any(|standard| standard == name) || name == "content-md5" => (name, value.clone()),
            name if SAME_NAME.iter().any(|known| name.starts_with(known)) => (name, value.clone()),
            _ => continue,
        };
        // Not recorded. Not the value: it may be a key.
        let bad = || Error::invalid_argument("The field cannot be a header.", name, "");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?);
    }
    Ok(headers)
}

/// The tags of a `Tagging` document as `x-amz-tagging` has them.
fn tagging(document: &str) -> Result<String, Error> {
    let tags = tags::parse(document.as_bytes())?;
    let pairs = tags.iter().map(|(key, value)| format!("{}={}", encode_uri(key), encode_uri(value)));
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn headers_of_the_request_do_not_contradict_its_fields() {
        let map = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
        };
        let of_form = map(&[("x-amz-storage-class", "STANDARD_IA"), ("content-type", "text/plain")]);
        let check = |sent: &[(&'static str, &'static str)]| check_no_conflict(&map(sent), &of_form);
        assert!(check(&[("content-type", "multipart/form-data"), ("x-amz-storage-class", "STANDARD_IA")]).is_ok());
        let error = check(&[("x-amz-storage-class", "ONEZONE_IA")]).expect_err("another class");
        assert_eq!(error.code().name(), "InvalidRequest");
    }

    #[test]
    fn fields_become_the_headers_that_they_stand_for() {
        let tagging = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1+2=3</Value></Tag></TagSet></Tagging>";
        let found = headers(&fields(&[
            ("key", "k"),
            ("acl", "private"),
            ("content-type", "text/plain"),
            ("x-amz-meta-\u{e4}", "v"),
        ]));
        assert!(found.is_err(), "a name that no header can have");
        let found = headers(&fields(&[
            ("key", "k"),
            ("acl", "private"),
            ("content-type", "text/plain"),
            ("x-amz-meta-a", "\u{e4}"),
            ("x-amz-server-side-encryption-customer-key-md5", "m"),
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("tagging", tagging),
            ("x-amz-date", "d"),
            ("x-amz-copy-source", "/b/k"),
            ("x-amz-content-sha256", "x"),
            ("if-match", "x"),
            ("submit", "Upload"),
        ]))
        .unwrap();
        let mut found: Vec<_> =
            found.iter().map(|(n, v)| format!("{n}: {}", String::from_utf8_lossy(v.as_bytes()))).collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                "content-type: text/plain",
                "x-amz-acl: private",
                "x-amz-meta-a: \u{e4}",
                "x-amz-object-lock-mode: GOVERNANCE",
                "x-amz-server-side-encryption-customer-key-md5: m",
                "x-amz-tagging: a%20b=1%2B2%3D3",
            ]
        );
        assert!(headers(&fields(&[("x-amz-meta-a", "a\r\nx-amz-acl: public-read")])).is_err());
        assert!(headers(&fields(&[("tagging", "<Tagging/>")])).is_err());
    }

    #[test]
    fn signatures_are_whole_or_not_there() {
        let said = |pairs: &[(&str, &str)]| match claim(&fields(pairs)) {
            Ok(FormClaim::Nobody) => "nobody".to_owned(),
            Ok(FormClaim::V4(_)) => "v4".to_owned(),
            Ok(FormClaim::V2(_)) => "v2".to_owned(),
            Err(error) => error.message().to_owned(),
        };
        let all = [
            ("x-amz-signature", "s"),
            ("x-amz-algorithm", "a"),
            ("x-amz-credential", "c"),
            ("x-amz-date", "d"),
            ("policy", "p"),
        ];
        assert_eq!(said(&all), "v4");
        for (left_out, shown) in
            [(0, "X-Amz-Signature"), (1, "X-Amz-Algorithm"), (2, "X-Amz-Credential"), (3, "X-Amz-Date"), (4, "policy")]
        {
            let some: Vec<_> = all.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, pair)| *pair).collect();
            assert_eq!(said(&some), missing(shown).message(), "{shown}");
        }
        assert_eq!(said(&[("awsaccesskeyid", "a"), ("signature", "s"), ("policy", "p")]), "v2");
        assert_eq!(said(&[("signature", "s"), ("policy", "p")]), missing("AWSAccessKeyId").message());
        assert_eq!(said(&[("awsaccesskeyid", "s"), ("policy", "p")]), missing("Signature").message());
        assert_eq!(said(&[("policy", "p")]), "Access Denied");
        assert_eq!(said(&[("x-amz-security-token", "t")]), "Access Denied");
        assert_eq!(said(&[("key", "k")]), "nobody");
    }

    #[test]
    fn what_happens_after_success() {
        let said = |pairs: &[(&str, &str)]| {
            let action = success_action(&fields(pairs));
            (action.status.as_u16(), action.redirect.unwrap_or_default())
        };
        for (status, expected) in [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)] {
            assert_eq!(said(&[("success_action_status", status)]).0, expected, "{status}");
        }
        let url = "https://example.com/done?a=b";
        assert_eq!(said(&[("success_action_redirect", url)]).1, url);
        assert_eq!(said(&[("redirect", url)]).1, url);
        assert_eq!(said(&[("redirect", "x"), ("success_action_redirect", url)]).1, url);
        for bad in ["/done", "done", "", "https://", "https://a b/"] {
            assert_eq!(said(&[("success_action_redirect", bad)]).1, "", "{bad}");
        }
    }
}
