//! Server-side encryption in headers: requests into [`Requested`] and [`CustomerKey`], envelopes into answers. Pure.
//!
//! An encryption header is understood or refused, never passed over: who asks for a key must not get another in
//! silence. Texts are AWS's, as recorded.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::code::Code;
use super::error::Error;
use super::fields::{filled, single};
use super::object_answer::Answer;
use crate::crypto::{SecretBytes, SecretKey};
use crate::sse::{CustomerKey, InvalidCustomerKey, Mode, Requested, Shown};

const MODE: &str = "x-amz-server-side-encryption";
const KMS_KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const CUSTOMER_KEY_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";

/// The key under which S3 itself puts the object's ARN into the encryption context.
const RESERVED_CONTEXT_KEY: &str = "aws:s3:arn";

/// The three headers of a customer's key.
struct CustomerNames {
    algorithm: &'static str,
    key: &'static str,
    md5: &'static str,
}

const OWN: CustomerNames = CustomerNames {
    algorithm: CUSTOMER_ALGORITHM,
    key: "x-amz-server-side-encryption-customer-key",
    md5: CUSTOMER_KEY_MD5,
};

const SOURCE: CustomerNames = CustomerNames {
    algorithm: "x-amz-copy-source-server-side-encryption-customer-algorithm",
    key: "x-amz-copy-source-server-side-encryption-customer-key",
    md5: "x-amz-copy-source-server-side-encryption-customer-key-md5",
};

/// What the key is for: AWS answers a missing MD5 differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CustomerUse {
    /// Of what is stored: 403, as a wrong key.
    Read,
    /// For what is to be stored: 400.
    Write,
}

/// What a write (PutObject, CopyObject, CreateMultipartUpload) asks for. `confidential`: secrets may come this way.
pub(crate) fn requested(headers: &HeaderMap, confidential: bool) -> Result<Requested, Error> {
    let mode = single(headers, MODE)?;
    let bucket_key = bucket_key(headers)?;
    if let Some(customer) = customer_names(headers, &OWN) {
        if let Some(mode) = mode {
            return Err(incompatible(mode));
        }
        let key = customer_key(headers, customer, CustomerUse::Write, confidential)?;
        kms_headers_absent(headers, bucket_key, "null")?;
        return Ok(Requested::Customer(key));
    }
    let double = match mode {
        None => {
            // Alone it overrides the bucket's setting, the key being the bucket's.
            kms_headers_absent(headers, None, "null")?;
            return Ok(Requested::Default { bucket_key });
        }
        Some("AES256") => {
            kms_headers_absent(headers, bucket_key, "AES256")?;
            return Ok(Requested::SseS3);
        }
        Some("aws:kms") => false,
        Some("aws:kms:dsse") => true,
        Some(other) => {
            return Err(Error::invalid_argument("The encryption method specified is not supported", MODE, other));
        }
    };
    let key = filled(headers, KMS_KEY_ID)?.map(str::to_owned);
    Ok(Requested::Kms { double, key, context: context(headers)?, bucket_key })
}

/// Whether a write names any encryption at all: what lets a copy onto itself through.
pub(crate) fn names_encryption(headers: &HeaderMap) -> bool {
    headers.contains_key(MODE) || headers.contains_key(BUCKET_KEY) || customer_names(headers, &OWN).is_some()
}

/// The customer's key of a read, or of a part.
pub(crate) fn own_customer_key(
    headers: &HeaderMap,
    usage: CustomerUse,
    confidential: bool,
) -> Result<Option<CustomerKey>, Error> {
    customer_names(headers, &OWN).map(|names| customer_key(headers, names, usage, confidential)).transpose()
}

/// The customer's key of a copy's source.
pub(crate) fn source_customer_key(headers: &HeaderMap, confidential: bool) -> Result<Option<CustomerKey>, Error> {
    customer_names(headers, &SOURCE)
        .map(|names| customer_key(headers, names, CustomerUse::Read, confidential))
        .transpose()
}

/// Every header of encryption that there is. A header of that family which is not here is refused: whoever sends it
/// expects a protection that would not be there.
const KNOWN: [&str; 10] = [
    MODE,
    KMS_KEY_ID,
    CONTEXT,
    BUCKET_KEY,
    CUSTOMER_ALGORITHM,
    "x-amz-server-side-encryption-customer-key",
    CUSTOMER_KEY_MD5,
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
];

/// Refuses headers of encryption that nobody knows: never ignored in silence.
pub(crate) fn refuse_unknown(headers: &HeaderMap) -> Result<(), Error> {
    let family = |name: &str| {
        name.starts_with("x-amz-server-side-encryption") || name.starts_with("x-amz-copy-source-server-side-encryption")
    };
    match headers.keys().find(|name| family(name.as_str()) && !KNOWN.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::header_not_implemented(name.as_str())),
    }
}

/// Refuses the headers that choose an encryption where none can be chosen: on all that is no PutObject, CopyObject or
/// CreateMultipartUpload.
pub(crate) fn refuse_choice(headers: &HeaderMap) -> Result<(), Error> {
    for name in [MODE, KMS_KEY_ID, CONTEXT, BUCKET_KEY] {
        if let Some(value) = single(headers, name)? {
            let message = format!("{name} header is not supported for this operation.");
            return Err(Error::invalid_argument(message, name, value));
        }
    }
    Ok(())
}

/// Refuses a customer's key where it would be passed over: on an upload form, in which it is a field.
pub(crate) fn refuse_customer(headers: &HeaderMap) -> Result<(), Error> {
    for name in [OWN.algorithm, OWN.key, OWN.md5] {
        if headers.contains_key(name) {
            let message = format!("{name} header is not supported for this operation.");
            return Err(Error::invalid_argument(message, name, ""));
        }
    }
    Ok(())
}

/// What an answer says of an object's or upload's encryption. `customer_md5`: of the key that came with the request.
pub(crate) fn write(answer: &mut Answer, shown: &Shown<'_>, customer_md5: Option<&str>) {
    match (shown.mode.header(), customer_md5) {
        (Some(mode), _) => answer.set(MODE, mode),
        (None, Some(md5)) => {
            answer.set(CUSTOMER_ALGORITHM, "AES256");
            answer.set(CUSTOMER_KEY_MD5, md5);
        }
        // CompleteMultipartUpload needs no key, and then says nothing.
        (None, None) => {}
    }
    if let Some(arn) = shown.kms_key_arn {
        answer.set(KMS_KEY_ID, arn);
    }
    // AWS never says false.
    if shown.bucket_key && shown.mode != Mode::SseC {
        answer.set(BUCKET_KEY, "true");
    }
}

/// As [`write()`], for the answer to a write that chose the encryption: with the client's encryption context.
pub(crate) fn write_chosen(answer: &mut Answer, shown: &Shown<'_>, customer_md5: Option<&str>) {
    write(answer, shown, customer_md5);
    if !shown.kms_context.is_empty() {
        let pairs = shown.kms_context.iter().map(|(key, value)| ((*key).to_owned(), (*value).into()));
        let json = serde_json::Value::Object(pairs.collect());
        answer.set(CONTEXT, &STANDARD.encode(json.to_string()));
    }
}

/// The MD5 of the customer's key in what was asked for: kept for the answer, the key itself going to the plan.
pub(crate) fn customer_md5(requested: &Requested) -> Option<String> {
    match requested {
        Requested::Customer(key) => Some(key.md5_base64().to_owned()),
        Requested::Default { .. } | Requested::SseS3 | Requested::Kms { .. } => None,
    }
}

fn customer_names(headers: &HeaderMap, names: &'static CustomerNames) -> Option<&'static CustomerNames> {
    [names.algorithm, names.key, names.md5].iter().any(|name| headers.contains_key(*name)).then_some(names)
}

fn customer_key(
    headers: &HeaderMap,
    names: &CustomerNames,
    usage: CustomerUse,
    confidential: bool,
) -> Result<CustomerKey, Error> {
    if !confidential {
        return Err(Error::invalid_request(
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure \
             connection.",
        ));
    }
    let algorithm = filled(headers, names.algorithm)?.ok_or_else(|| must_provide("a valid encryption algorithm"))?;
    let key = filled(headers, names.key)?.ok_or_else(|| must_provide("an appropriate secret key"))?;
    if algorithm != "AES256" {
        return Err(Error::new(Code::InvalidEncryptionAlgorithmError)
            .and("ArgumentName", MODE)
            .and("ArgumentValue", algorithm));
    }
    let Some(md5) = filled(headers, names.md5)? else {
        return Err(match usage {
            CustomerUse::Write => customer_argument(INVALID_KEY),
            CustomerUse::Read => Error::with_message(
                Code::AccessDenied,
                "Requests specifying Server Side Encryption with Customer provided keys must provide the correct \
                 secret key.",
            ),
        });
    };
    // Wiped when dropped: the decoded key is in no other buffer of ours.
    let key = STANDARD.decode(key).ok().map(SecretBytes::new);
    let key = key.and_then(|key| SecretKey::from_slice(key.expose())).ok_or_else(|| customer_argument(INVALID_KEY))?;
    CustomerKey::new(key, md5).map_err(|invalid| match invalid {
        InvalidCustomerKey::Key => customer_argument(INVALID_KEY),
        InvalidCustomerKey::Md5 => {
            customer_argument("The calculated MD5 hash of the key did not match the hash that was provided.")
        }
    })
}

const INVALID_KEY: &str = "The secret key was invalid for the specified algorithm.";

fn must_provide(what: &str) -> Error {
    let message =
        format!("Requests specifying Server Side Encryption with Customer provided keys must provide {what}.");
    Error::invalid_argument(message, MODE, "null")
}

fn customer_argument(message: &'static str) -> Error {
    Error::invalid_argument(message, MODE, "null")
}

fn incompatible(mode: &str) -> Error {
    Error::invalid_argument(
        "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
        MODE,
        mode,
    )
}

/// Key id, context and bucket key mean something with `aws:kms` and `aws:kms:dsse` only.
fn kms_headers_absent(headers: &HeaderMap, bucket_key: Option<bool>, mode: &str) -> Result<(), Error> {
    if headers.contains_key(KMS_KEY_ID) || headers.contains_key(CONTEXT) || bucket_key == Some(true) {
        return Err(Error::invalid_argument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : \
             aws:kms",
            MODE,
            mode,
        ));
    }
    Ok(())
}

fn bucket_key(headers: &HeaderMap) -> Result<Option<bool>, Error> {
    match single(headers, BUCKET_KEY)? {
        None => Ok(None),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(value) => {
            let message = format!("Invalid value for {BUCKET_KEY} header. Valid values are true and false.");
            Err(Error::invalid_argument(message, BUCKET_KEY, value))
        }
    }
}

/// Base64 of a JSON object of strings: parsed, since clients write it with or without blanks.
fn context(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Error> {
    let Some(header) = single(headers, CONTEXT)? else { return Ok(BTreeMap::new()) };
    let invalid = || {
        Error::invalid_argument(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON \
             which represents a string-string map",
            CONTEXT,
            header,
        )
    };
    let json = STANDARD.decode(header).map_err(|_| invalid())?;
    let context: BTreeMap<String, String> = serde_json::from_slice(&json).map_err(|_| invalid())?;
    if context.contains_key(RESERVED_CONTEXT_KEY) {
        let message = format!("The encryption context may not contain the reserved key {RESERVED_CONTEXT_KEY}.");
        return Err(Error::invalid_argument(message, CONTEXT, header));
    }
    Ok(context)
}

#[cfg(test)]
mod tests;
