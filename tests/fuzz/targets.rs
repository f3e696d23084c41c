//! What is done with bytes that nobody vouches for, and what must hold for any bytes. A target panics where it does
//! not hold.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};
use strongroom::crypto::{
    BadKey, BoxHeader, Context, KeyMaterial, RowKey, SealBox, SecretKey, UseError, open_box, parse_box, seal_box,
};
use strongroom::names::KeySpec;
use strongroom::policy::{
    Acls, Attached, Kind, NoContext, Policy, Request, Subject, SubjectKind, SubjectPolicies, Target, evaluate,
    keeps_key_manageable,
};
use strongroom::server::certificate_not_after;
use strongroom::sigv4::{Params, V2Request, check_v2, headers_of_v2_url, is_signed_by_v2, string_to_sign_v2};
use strongroom::sources::{Sources, Timestamp};
use strongroom::wire::{Multipart, MultipartEvent, parse_strict_json};

/// Most levels that JSON may have.
const JSON_DEPTH_MAX: usize = 127;

/// JSON from clients. What is taken has no member twice and is not too deep; printed, it is taken again as the same.
pub(crate) fn json(data: &[u8]) {
    let Some(value) = parse_strict_json(data) else { return };
    let text = value.to_string();
    let again = parse_strict_json(text.as_bytes()).expect("what was printed is JSON");
    assert_eq!(again, value, "another value after printing: {text}");
    assert_eq!(again.to_string(), text, "another order after printing");
    if let Some(name) = value.as_object().and_then(|members| members.keys().next()) {
        let name = serde_json::Value::from(name.as_str());
        let twice = format!("{},{name}:null}}", text.strip_suffix('}').expect("an object ends so"));
        assert!(parse_strict_json(twice.as_bytes()).is_none(), "a member twice: {twice}");
        let inside = format!(r#"[{{"a":{twice}}}]"#);
        assert!(parse_strict_json(inside.as_bytes()).is_none(), "a member twice inside: {inside}");
    }
    let depth = depth(&text);
    assert!(depth <= JSON_DEPTH_MAX, "{depth} levels were taken");
    let nested = |more: usize| parse_strict_json(format!("{}{text}{}", "[".repeat(more), "]".repeat(more)).as_bytes());
    assert!(nested(JSON_DEPTH_MAX - depth).is_some() && nested(JSON_DEPTH_MAX - depth + 1).is_none());
    for cut in [text.len() / 2, text.len() - 1] {
        // A number or a text with nothing around it is a number or no JSON when it is cut; the others are no JSON.
        let cut = text.as_bytes().get(..cut).and_then(parse_strict_json);
        assert!(cut.is_none() || value.is_number(), "half of it was taken: {text}");
    }
}

/// Upload forms. However a body is cut into pieces it says the same, parts come one after another, and of a content no
/// more is held back than could begin a boundary. The first byte says how it is cut.
pub(crate) fn form(data: &[u8]) {
    let (step, body) = data.split_first().map_or((1, data), |(first, body)| (usize::from(*first).max(1), body));
    let whole = parts(body, body.len().max(1));
    assert_eq!(parts(body, step), whole, "pieces of {step} bytes say something else");
    assert_eq!(parts(body, 1), whole, "single bytes say something else");
}

/// Field, file and content of each part.
type Parts = Vec<(String, Option<String>, Vec<u8>)>;

/// The parts of a form whose boundary is `b`, and how it ends.
fn parts(body: &[u8], step: usize) -> (Parts, &'static str) {
    const BOUNDARY_BYTES: usize = b"\r\n--b".len();
    let mut parser = Multipart::of("multipart/form-data; boundary=b").expect("a boundary");
    let (mut parts, mut open, mut ended) = (Parts::new(), false, false);
    for piece in body.chunks(step) {
        parser.push(piece);
        loop {
            match parser.next_event() {
                Err(_) => return (parts, "malformed"),
                Ok(None) => break,
                Ok(Some(MultipartEvent::Part(head))) => {
                    assert!(!open && !ended);
                    open = true;
                    parts.push((head.name, head.filename, Vec::new()));
                }
                Ok(Some(MultipartEvent::Data(data))) => {
                    assert!(open && !data.is_empty());
                    parts.last_mut().expect("an open part").2.extend_from_slice(&data);
                }
                Ok(Some(MultipartEvent::PartEnd)) => {
                    assert!(open);
                    open = false;
                }
                Ok(Some(MultipartEvent::End)) => {
                    assert!(!open && !ended);
                    ended = true;
                }
            }
        }
        assert!(!open || parser.waiting_bytes() < BOUNDARY_BYTES, "{} bytes are held", parser.waiting_bytes());
    }
    (parts, if ended { "whole" } else { "cut short" })
}

/// Signature Version 2: no two requests that mean different things have the same string to sign, unless one of them is
/// refused for that. What stands before `ff` are edits that make the second request of the first.
pub(crate) fn v2(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == 0xff) else { return };
    let (script, first) = (&data[..at], &data[at + 1..]);
    let (Some(one), Some(other)) = (v2_signed(first), v2_signed(&edited(first, script))) else { return };
    assert_eq!(one.0 == other.0, one.1 == other.1, "{one:?} {other:?}");
}

/// The string to sign of a request and what it means: lines of method, bucket of the host, path, query, date and headers.
/// None: it is none, or refused.
fn v2_signed(request: &[u8]) -> Option<(String, Vec<String>)> {
    let text = std::str::from_utf8(request).ok()?;
    let mut lines = text.split('\n');
    let (method, bucket, path) = (lines.next()?, lines.next()?, lines.next()?);
    let (params, date) = (Params::parse(lines.next()?), lines.next()?);
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#');
    let host_bucket = Some(bucket).filter(|bucket| !bucket.is_empty());
    let named = bucket.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // What no HTTP request has. A date is a header's value, too.
    if !method.bytes().all(|byte| byte.is_ascii_uppercase()) || !path.starts_with('/') || !plain(path) || !named {
        return None;
    }
    HeaderValue::from_str(date).ok()?;
    let mut sent = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name: HeaderName = name.parse().ok()?;
        sent.append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    let headers = headers_of_v2_url(&params, &sent).ok()?;
    let request = V2Request { method, host_bucket, path, params: &params, headers: &headers, date };
    check_v2(&request).ok()?;
    let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).trim_matches([' ', '\t']).to_owned();
    let header = |name: &str| headers.get(name).map(shown).unwrap_or_default();
    let mut meaning = vec![method.to_owned(), header("content-md5"), header("content-type"), date.to_owned()];
    let names: BTreeSet<_> = headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-")).collect();
    for name in names {
        // A list of values is the same in one line and in several.
        let values: Vec<_> = headers.get_all(name).iter().map(shown).collect();
        meaning.push(format!("{name}:{}", values.join(",")));
    }
    // The resource: a bucket in the host or in the path, and whether a bucket's own path ends in a slash, is the same.
    let resource = host_bucket.map_or_else(|| path.to_owned(), |bucket| format!("/{bucket}{path}"));
    let bare = host_bucket.is_none() && path.len() > 1 && path.rfind('/') == Some(0);
    meaning.push(if bare { format!("{resource}/") } else { resource });
    let signed = params.iter().filter(|(name, _)| is_signed_by_v2(name));
    let mut signed: Vec<_> = signed.map(|(name, value)| format!("{name}={value}")).collect();
    signed.sort_unstable();
    meaning.extend(signed);
    Some((string_to_sign_v2(&request), meaning))
}

/// Levels of arrays and objects in compact JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut inside, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            b'[' | b'{' if !inside => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !inside => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// Boxes and sealed rows. Bytes from outside never open; a sealed message that is altered as the bytes say, or asked for
/// under another context, label, place or key, does not open; unaltered it does.
pub(crate) fn boxed(data: &[u8]) {
    const LABEL: &str = "strongroom fuzz v1";
    let key = |byte: u8| SecretKey::from_slice(&[byte; 32]).expect("32 bytes");
    let row_key = RowKey::new(1, &key(2));
    assert!(open_box(&key(1), LABEL, &Context::new(), data).is_err(), "foreign bytes opened");
    assert!(row_key.open(b"row", data).is_err(), "a foreign row opened");
    if let Ok(header) = parse_box(data) {
        assert!(data.len() >= 68 + header.key_id.len());
    }

    let mut rest = data;
    let (plain, context, key_id) = (take(&mut rest), take(&mut rest), take(&mut rest));
    let sources = Sources::seeded(1, Timestamp(0));
    let header = BoxHeader { key_id: key_id.to_vec(), generation: [3; 16] };
    let bound = Context::new().with(context, plain).with("fuzz", key_id);
    let seal = SealBox { key: &key(1), label: LABEL, header: &header, context: &bound };
    let sealed = seal_box(&seal, plain, &sources);
    assert_eq!(parse_box(&sealed).as_ref(), Ok(&header));
    let opened = open_box(&key(1), LABEL, &bound, &sealed).expect("what was sealed opens");
    assert_eq!(opened.expose(), plain);
    let row = row_key.seal([7; 12], context, plain);
    assert_eq!(row_key.open(context, &row).as_deref(), Ok(plain));

    let other = edited(&bound.canonical(), rest);
    let other = Context::new().with(&other, plain).with("fuzz", key_id);
    if other != bound {
        assert!(open_box(&key(1), LABEL, &other, &sealed).is_err(), "opened under another context");
    }
    assert!(open_box(&key(1), "strongroom fuzz v2", &bound, &sealed).is_err(), "opened under another label");
    assert!(open_box(&key(3), LABEL, &bound, &sealed).is_err(), "opened under another key");
    let altered = edited(&sealed, rest);
    let opens = open_box(&key(1), LABEL, &bound, &altered).is_ok();
    assert_eq!(opens, altered == sealed, "an altered Box opened, or an unaltered one did not");
    let (place, altered) = (edited(context, rest), edited(&row, rest));
    assert_eq!(row_key.open(&place, &row).is_ok(), place == context, "a row opened in another place");
    assert_eq!(row_key.open(context, &altered).is_ok(), altered == row, "an altered row opened");
}

/// Up to 255 bytes, their number first.
fn take<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((&length, behind)) = rest.split_first() else { return &[] };
    let (taken, behind) = behind.split_at(usize::from(length).min(behind.len()));
    *rest = behind;
    taken
}

/// `bytes` after the edits that `script` describes: three bytes each, what, where and with which byte.
fn edited(bytes: &[u8], script: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for edit in script.chunks_exact(3).take(8) {
        let [what, at, byte] = [edit[0], edit[1], edit[2]];
        let at = usize::from(at) * out.len() / 256;
        match what % 5 {
            0 if at < out.len() => out[at] ^= byte,
            1 => out.insert(at, byte),
            2 if at < out.len() => drop(out.remove(at)),
            3 => out.truncate(at),
            4 => out.push(byte),
            _ => {}
        }
    }
    out
}

/// Policy documents; the first byte says of which kind. What is taken means the same after printing and parsing, and can
/// be evaluated.
pub(crate) fn policy(data: &[u8]) {
    let Some((&kind, text)) = data.split_first() else { return };
    let kinds = [Kind::Identity, Kind::Session, Kind::Key, Kind::Bucket, Kind::Trust];
    let kind = kinds[usize::from(kind) % kinds.len()];
    let policy = match Policy::parse(text, kind) {
        Ok(policy) => policy,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(policy.text().as_bytes(), text, "the text that was given stays");
    let printed = policy.print();
    let again = Policy::parse(printed.as_bytes(), kind).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(again, policy, "not the same after printing: {printed}");
    assert_eq!(again.print(), printed);
    let _whoever_they_are = policy.named_principals().count();

    let subject = Subject {
        kind: SubjectKind::User { name: "alice" },
        account: "111122223333",
        canonical_id: "",
        arn: "arn:aws:iam::111122223333:user/alice",
        user_id: "AIDAEXAMPLE",
    };
    let resource = if kind == Kind::Key { "arn:aws:kms:us-east-1:111122223333:key/1" } else { "arn:aws:s3:::photos/1" };
    let request = Request { subject, action: "s3:GetObject", resource, owner: "111122223333", context: &NoContext };
    let attached = [Attached { name: "p".into(), policy: policy.clone().into() }];
    let none = SubjectPolicies::default();
    let (own, target) = match kind {
        Kind::Identity => (SubjectPolicies { identity: &attached, ..none }, Target::Account),
        Kind::Session | Kind::Trust => (none, Target::Account),
        Kind::Key => (none, Target::Key { policy: &policy, grants: &[], encryption_context: &[("a", "b")] }),
        Kind::Bucket => (none, Target::Bucket { policy: Some(&policy), acls: Acls::default() }),
    };
    let decision = evaluate(&request, &own, &target);
    assert!(decision.is_allowed() || !decision.denial(&request).is_empty());
    if kind == Kind::Key {
        let _either = keeps_key_manageable(&request, &own, &policy);
    }
}

/// Specs whose material is read from DER or bytes at once; the first byte of the data names one.
pub(crate) const SPECS: [KeySpec; 14] = [
    KeySpec::SymmetricDefault,
    KeySpec::Rsa2048,
    KeySpec::Rsa3072,
    KeySpec::P256,
    KeySpec::P384,
    KeySpec::P521,
    KeySpec::Secp256k1,
    KeySpec::Ed25519,
    KeySpec::MlDsa44,
    KeySpec::MlDsa87,
    KeySpec::MlKem512,
    KeySpec::MlKem1024,
    KeySpec::Hmac224,
    KeySpec::Hmac512,
];

/// Key material to import. What is taken is stored in one form, which reads as the same key and as no key of another
/// asymmetric spec.
pub(crate) fn key(data: &[u8]) {
    let Some((&spec, der)) = data.split_first() else { return };
    let spec = SPECS[usize::from(spec) % SPECS.len()];
    let Ok(material) = KeyMaterial::parse(spec, der) else { return };
    let stored = material.to_bytes();
    let again = KeyMaterial::parse(spec, stored.expose()).unwrap_or_else(|BadKey| panic!("{spec}: its own form"));
    assert_eq!(again.to_bytes().expose(), stored.expose(), "{spec}: two forms of one key");
    assert_eq!(again.public_key(), material.public_key(), "{spec}: another public key");
    if material.public_key().is_none() {
        return assert_eq!(stored.expose(), der, "{spec}: bytes are taken as they are");
    }
    let others = SPECS.iter().filter(|other| **other != spec && other.abilities().mac.is_empty());
    for other in others {
        assert!(KeyMaterial::parse(*other, stored.expose()).is_err(), "a key of {spec} was taken for {other}");
    }
    for wrong in [&[stored.expose(), &[0]].concat(), &stored.expose()[..stored.expose().len() - 1]] {
        assert!(KeyMaterial::parse(spec, wrong).is_err(), "{spec}: a byte too many or too few");
    }
}

/// The public key of a peer: a SubjectPublicKeyInfo in DeriveSharedSecret. Of one curve at most, and with nothing behind it.
pub(crate) fn peer(data: &[u8]) {
    thread_local! {
        static KEYS: [KeyMaterial; 3] = [KeySpec::P256, KeySpec::P384, KeySpec::P521]
            .map(|spec| KeyMaterial::generate(spec, &Sources::seeded(1, Timestamp(0))));
    }
    KEYS.with(|keys| {
        let mut taken = 0;
        for (key, bytes) in keys.iter().zip([32, 48, 66]) {
            match key.derive_shared_secret(data) {
                Ok(secret) => {
                    taken += 1;
                    assert_eq!(secret.expose().len(), bytes);
                    let again = key.derive_shared_secret(data).expect("it was taken before");
                    assert_eq!(again.expose(), secret.expose());
                    let longer = [data, &[0]].concat();
                    assert_eq!(key.derive_shared_secret(&longer).err(), Some(UseError::PublicKey), "a byte too many");
                }
                Err(error) => assert_eq!(error, UseError::PublicKey),
            }
        }
        assert!(taken <= 1, "a key of two curves");
    });
}

/// A certificate's end of validity. It depends on the certificate alone, not on what stands behind it.
pub(crate) fn certificate(data: &[u8]) {
    let Some(end) = certificate_not_after(data) else { return };
    assert_eq!(certificate_not_after(&[data, b"behind"].concat()), Some(end));
    // The years that a certificate can name: four digits.
    assert!((-62_167_219_200_000..=253_402_300_800_000).contains(&end.0), "{end:?}");
}
