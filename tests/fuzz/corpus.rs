//! What the mutator starts from: the fixtures, and keys and certificates made here.

use std::fs;

use serde_json::Value;
use strongroom::crypto::KeyMaterial;
use strongroom::names::KeySpec;
use strongroom::sources::{Sources, Timestamp};

fn fixtures(folder: &str, extension: &str) -> Vec<String> {
    let folder = format!("{}/fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Every value under a member `name`, at any depth.
fn members<'a>(value: &'a Value, name: &str, out: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| members(item, name, out)),
        Value::Object(object) => {
            out.extend(object.get(name));
            object.values().for_each(|member| members(member, name, out));
        }
        _ => {}
    }
}

/// The requests of the key service's stories, and values of every form.
pub(crate) fn json() -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = [
        "null",
        "true",
        "-0.5e-3",
        "1e400",
        "18446744073709551615",
        r#""\u00e9\ud83d\ude00""#,
        "[]",
        "{}",
        "[[[[1]]]]",
        r#" { "a" : { "b" : [ 1 , null , { "a" : "" } ] } , "aa" : "\\\"" } "#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    out.push([[b'['; 127], [b']'; 127]].concat());
    for text in fixtures("kms", "json") {
        let story: Value = serde_json::from_str(&text).unwrap();
        let mut requests = Vec::new();
        members(&story, "request", &mut requests);
        out.extend(requests.iter().map(|request| request.to_string().into_bytes()));
    }
    out
}

/// Forms of browsers and of curl, and broken ones, each with the byte that cuts it.
pub(crate) fn form() -> Vec<Vec<u8>> {
    let part = |parameters: &str, content: &str| {
        format!("--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\n{content}\r\n")
    };
    let file = "name=\"file\"; filename=\"a\\\"b; c.txt\"\r\nContent-Type: text/plain";
    let bodies = [
        String::new(),
        "--b--".to_owned(),
        format!("{}{}--b--\r\n", part("name=key", "a/${filename}"), part(file, "content")),
        format!("preamble\r\n{}--b-- epilogue", part("name=\"\"", "\r\n--\r\n-\r--b")),
        format!("{}--b  \r\n\r\n", part("name=x; filename*=UTF-8''%C3%A9", "")),
        part("name=\"open", "\r\n\r\n"),
    ];
    let cuts = [1, 2, 7, 255];
    bodies.iter().flat_map(|body| cuts.map(|cut| [&[cut], body.as_bytes()].concat())).collect()
}

/// Requests of two signers, each with a script of edits: see the target.
pub(crate) fn v2() -> Vec<Vec<u8>> {
    let requests = [
        "GET\n\n/bucket/key\nuploads\n1141889120\n",
        "PUT\nbucket\n/key\npartNumber=1&uploadId=a&prefix=x\nTue, 27 Mar 2007 21:15:45 +0000\ncontent-type: text/plain\n\
         content-md5: ZajifYh5KDgxtmS9i38K1A==\nx-amz-acl: private\nx-amz-meta-a: b,c\nx-amz-meta-a: d",
        "GET\n\n/b\nx-amz-security-token=t&response-content-type=a%26acl&Expires=1\n1\nx-amz-date: Tue",
        "DELETE\n\n/b/\nversionId=%26&versionId\n\nX-Amz-Date: 1",
    ];
    let scripts: [&[u8]; 3] = [b"\0\0\0", b"\x01\x80&", b"\x03\x40\0\x04\0,"];
    let with = |request: &str| scripts.map(|script| [script, b"\xff", request.as_bytes()].concat());
    requests.iter().flat_map(|request| with(request)).collect()
}

/// Golden Boxes, and scripts of the target that seals.
pub(crate) fn boxed() -> Vec<Vec<u8>> {
    let sealed = fixtures("crypto", "txt").iter().flat_map(|text| hex_fields(text, "sealed")).collect::<Vec<_>>();
    assert!(sealed.len() > 3);
    let short = sealed.into_iter().filter(|sealed| sealed.len() < 4096);
    let scripts = [
        b"\x05plain\x03ctx\x06key-id".to_vec(),
        b"\x05plain\x03ctx\x06key-id\x00\x80\x01".to_vec(),
        b"\x00\x00\x00\x03\xff\x00".to_vec(),
        b"\x20aaaaaaaabbbbbbbbccccccccdddddddd\x01a\x01b\x01\x00\x00\x02\x00\x00".to_vec(),
    ];
    short.chain(scripts).collect()
}

/// All policies of the fixtures, as each kind.
pub(crate) fn policy() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for text in fixtures("policy", "json") {
        let file: Value = serde_json::from_str(&text).unwrap();
        let (mut policies, mut documents) = (Vec::new(), Vec::new());
        members(&file, "policies", &mut policies);
        members(&file, "document", &mut documents);
        documents.extend(policies.iter().filter_map(|named| named.as_object()).flat_map(|named| named.values()));
        for document in documents {
            let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
            out.extend((0..5).map(|kind| [&[kind], text.as_bytes()].concat()));
        }
    }
    out
}

/// The stored form of keys of every spec that is fuzzed. Their numbers are those of the target's table.
pub(crate) fn key() -> Vec<Vec<u8>> {
    let sources = Sources::seeded(1, Timestamp(0));
    let numbered = super::targets::SPECS.iter().enumerate();
    let made = numbered.map(|(number, spec)| {
        let material = KeyMaterial::generate(*spec, &sources);
        [&[number as u8][..], material.to_bytes().expose()].concat()
    });
    made.collect()
}

/// Public keys of the curves, those that fit and others.
pub(crate) fn peer() -> Vec<Vec<u8>> {
    let sources = Sources::seeded(1, Timestamp(0));
    let specs = [KeySpec::P256, KeySpec::P384, KeySpec::P521, KeySpec::Secp256k1, KeySpec::Ed25519];
    specs.iter().map(|spec| KeyMaterial::generate(*spec, &sources).public_key().unwrap().to_vec()).collect()
}

/// Certificates with both forms of time.
pub(crate) fn certificate() -> Vec<Vec<u8>> {
    let certificate = |year| {
        let mut params = rcgen::CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 11, 25);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    };
    [2026, 2049, 2055, 9999].map(certificate).into()
}

/// The bytes of `name: hex` lines.
fn hex_fields(text: &str, name: &str) -> Vec<Vec<u8>> {
    let digits = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let bytes = digits.map(|digits| {
        let pairs = digits.trim().as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    });
    bytes.collect()
}
