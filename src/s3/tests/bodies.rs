//! The XML body of every operation, spoilt in every way: AWS's code, and nothing is changed. The bodies and what they
//! answer are data: `fixtures/s3/bodies.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use http::Response;
use http::header::{HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use serde::Deserialize;

use super::SETTINGS;
use crate::app::tests::Gateway;
use crate::s3::serve;
use crate::s3::table::{Body, TABLE};
use crate::wire::xml::{self, Element, S3_NAMESPACE};

/// Where the samples send events.
const TARGETS: &str = r#"
[[notification_targets]]
arn = "arn:aws:sns:us-east-1:111122223333:topic"
url = "http://127.0.0.1:9/"
[[notification_targets]]
arn = "arn:aws:sqs:us-east-1:111122223333:queue"
url = "http://127.0.0.1:9/"
[[notification_targets]]
arn = "arn:aws:lambda:us-east-1:111122223333:function:f"
url = "http://127.0.0.1:9/"
"#;
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

#[derive(Deserialize)]
struct Table {
    body: Vec<Sample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    pub(super) operation: String,
    pub(super) send: String,
    pub(super) body: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default = "served")]
    pub(super) valid: String,
    #[serde(default = "malformed")]
    malformed: String,
    #[serde(default)]
    answers: BTreeMap<String, String>,
}

/// A way of spoiling, the document that it makes, and the code that all operations give it unless theirs say otherwise.
type Spoilt = (String, Vec<u8>, String);

fn served() -> String {
    "ok".to_owned()
}

fn malformed() -> String {
    "MalformedXML".to_owned()
}

/// The document without its declaration, `inner` in place of what is in the root if there is any.
fn render(element: &Element, namespace: Option<&str>, prefix: &str) -> String {
    let mut out = String::new();
    let kind = element
        .kind
        .as_ref()
        .map(|kind| format!(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\""));
    let colon = if prefix.is_empty() { "" } else { ":" };
    let namespace = namespace.map(|uri| format!(" xmlns{colon}{prefix}=\"{uri}\"")).unwrap_or_default();
    let name = format!("{prefix}{colon}{}", element.name);
    let _ = write!(out, "<{name}{namespace}{}>", kind.unwrap_or_default());
    out.push_str(&element.text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"));
    for child in &element.children {
        out.push_str(&render(child, None, prefix));
    }
    let _ = write!(out, "</{name}>");
    out
}

fn document(root: &Element) -> Vec<u8> {
    render(root, Some(S3_NAMESPACE), "").into_bytes()
}

/// What concerns the document as a whole.
fn whole(root: &Element, valid: &str, malformed: &str, limit: usize) -> Vec<Spoilt> {
    let text = render(root, Some(S3_NAMESPACE), "");
    let (name, end) = (&root.name, format!("</{}>", root.name));
    let lower = Element { name: name.to_lowercase(), ..root.clone() };
    let other = Element { name: "Other".to_owned(), ..root.clone() };
    let alone = Element { name: name.clone(), ..Element::default() };
    let padded = |length: usize| [text.as_bytes(), &vec![b' '; length - text.len()]].concat();
    let utf16 = text.encode_utf16().flat_map(u16::to_le_bytes);
    let deep = "<a>".repeat(100_000);
    let same = [
        ("as it is", text.clone().into_bytes()),
        ("no namespace", render(root, None, "").into_bytes()),
        ("documented namespace", render(root, Some("http://doc.s3.amazonaws.com/2006-03-01"), "").into_bytes()),
        ("prefix", render(root, Some(S3_NAMESPACE), "s3").into_bytes()),
        ("declaration", format!("{DECLARATION}{text}").into_bytes()),
        ("byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("comment", text.replace(&end, &format!("<!-- <X/> -->{end}<!-- -->")).into_bytes()),
        ("blanks", text.replace("><", ">\r\n\t <").into_bytes()),
        ("longest", padded(limit)),
    ];
    let foreign = " xmlns=\"http://example.com/\"";
    let spoilt = [
        ("other namespace", render(root, Some("http://example.com/"), "").into_bytes()),
        ("prefix of another namespace", render(root, Some("http://example.com/"), "s3").into_bytes()),
        ("prefix of none", render(root, None, "s3").into_bytes()),
        ("child in another namespace", first_child(&text, foreign)),
        ("blank", b" \n".to_vec()),
        ("text", b"hello".to_vec()),
        ("JSON", b"{\"Status\": \"Enabled\"}".to_vec()),
        ("cut", text.as_bytes()[..text.len() - 3].to_vec()),
        ("cut in half", text.as_bytes()[..text.len() / 2].to_vec()),
        ("not closed", text.replace(&end, "").into_bytes()),
        ("closed crosswise", text.replace(&end, "</Other>").into_bytes()),
        ("two roots", text.repeat(2).into_bytes()),
        ("text behind", format!("{text}x").into_bytes()),
        ("text before", format!("x{text}").into_bytes()),
        ("other root", document(&other)),
        ("lower case root", document(&lower)),
        ("root alone", document(&alone)),
        ("document type", format!("<!DOCTYPE {name}>{text}").into_bytes()),
        ("entity", text.replace(&end, &format!("&e;{end}")).into_bytes()),
        ("not UTF-8", text.bytes().flat_map(|b| if b == b'/' { vec![b'/', 0xff] } else { vec![b] }).collect()),
        ("NUL", text.replace(&end, &format!("\0{end}")).into_bytes()),
        ("UTF-16", [0xff, 0xfe].into_iter().chain(utf16).collect()),
        ("deep", text.replace(&end, &deep).into_bytes()[..limit.min(200_000)].to_vec()),
    ];
    let mut all: Vec<Spoilt> = same.into_iter().map(|(way, body)| (way.to_owned(), body, valid.to_owned())).collect();
    all.extend(spoilt.into_iter().map(|(way, body)| (way.to_owned(), body, malformed.to_owned())));
    all.push(("empty".to_owned(), Vec::new(), "MissingRequestBodyError".to_owned()));
    all.push(("too large".to_owned(), padded(limit + 1), "MaxMessageLengthExceeded".to_owned()));
    all
}

/// The document with something more in the tag of its first child.
fn first_child(text: &str, attribute: &str) -> Vec<u8> {
    let child = text.find('>').expect("a root") + 2;
    let at = child + text[child..].find(['>', ' ']).expect("a child");
    [&text[..at], attribute, &text[at..]].concat().into_bytes()
}

/// Every element below the root: where it is, and its name as `bodies.toml` has it.
fn places(element: &Element, at: &[usize], path: &str) -> Vec<(Vec<usize>, String)> {
    let mut found = Vec::new();
    for (index, child) in element.children.iter().enumerate() {
        let place = [at, &[index]].concat();
        let name = if path.is_empty() { child.name.clone() } else { format!("{path}/{}", child.name) };
        let below = places(child, &place, &name);
        found.push((place, name));
        found.extend(below);
    }
    found
}

/// The document with the element at `place` changed. The place of the root is empty.
fn changed(root: &Element, place: &[usize], change: impl FnOnce(&mut Element)) -> Vec<u8> {
    let mut root = root.clone();
    let mut element = &mut root;
    for index in place {
        element = &mut element.children[*index];
    }
    change(element);
    document(&root)
}

fn leaf(name: &str, text: &str) -> Element {
    Element { name: name.to_owned(), text: text.to_owned(), ..Element::default() }
}

/// What concerns one element of the document.
fn each(root: &Element, malformed: &str) -> Vec<Spoilt> {
    let mut all = Vec::new();
    let mut add = |way: String, body| all.push((way, body, malformed.to_owned()));
    let node = |add: &mut dyn FnMut(String, Vec<u8>), place: &[usize], path: &str| {
        add(format!("unknown in {path}"), changed(root, place, |e| e.children.push(leaf("Unknown", "1"))));
        add(format!("text in {path}"), changed(root, place, |e| e.text = "stray".to_owned()));
        let alone = |e: &mut Element| (e.children, e.text) = (Vec::new(), "stray".to_owned());
        add(format!("text alone in {path}"), changed(root, place, alone));
    };
    node(&mut add, &[], "");
    for (place, path) in places(root, &[], "") {
        let (last, parent) = place.split_last().expect("not the root");
        let twice = |parent: &mut Element| parent.children.insert(*last, parent.children[*last].clone());
        add(format!("twice {path}"), changed(root, parent, twice));
        add(format!("without {path}"), changed(root, parent, |parent| drop(parent.children.remove(*last))));
        let is_leaf = place.iter().fold(root, |element, index| &element.children[*index]).children.is_empty();
        if !is_leaf {
            node(&mut add, &place, &path);
            continue;
        }
        let child = |e: &mut Element| e.children = vec![leaf("Deep", &std::mem::take(&mut e.text))];
        add(format!("child in {path}"), changed(root, &place, child));
        add(format!("nothing in {path}"), changed(root, &place, |e| e.text.clear()));
        add(format!("other {path}"), changed(root, &place, |e| e.text = "no such value".to_owned()));
    }
    all
}

/// A gateway with buckets and an object, and what bodies name of it.
pub(super) struct Stage {
    pub(super) gateway: Gateway,
    owner: String,
    key: String,
    number: u32,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let gateway = Gateway::new(41, format!("{SETTINGS}{TARGETS}").leak()).await;
        let mut stage = Self { gateway, owner: String::new(), key: String::new(), number: 0 };
        let kms = [("x-amz-server-side-encryption", "aws:kms")];
        let own = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
        stage.send("PUT", "/shelf", &[], b"").await;
        stage.send("PUT", "/shelf?ownershipControls", &[], own.as_bytes()).await;
        stage.send("PUT", "/vault", &[("x-amz-bucket-object-lock-enabled", "true")], b"").await;
        let versioned = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        for (uri, body) in
            [("/kept", &b""[..]), ("/copies", b""), ("/kept?versioning", versioned), ("/copies?versioning", versioned)]
        {
            stage.send("PUT", uri, &[], body).await;
        }
        let put = stage.send("PUT", "/shelf/plain", &kms, b"data").await;
        let key = put.headers()["x-amz-server-side-encryption-aws-kms-key-id"].to_str().expect("an ARN");
        stage.key = key.to_owned();
        stage.owner = between(stage.send("GET", "/shelf?acl", &[], b"").await.body(), "ID").to_owned();
        stage
    }

    async fn send(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &[u8]) -> Response<String> {
        let header = |(name, value): &(&str, &str)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
        self.send_as(method, uri, &headers.iter().map(header).collect::<Vec<_>>(), body).await
    }

    /// As it is, whatever the values of the headers hold.
    pub(super) async fn send_as(
        &self,
        method: &str,
        uri: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: &[u8],
    ) -> Response<String> {
        let request = self.gateway.request_as("ROOT", (method, uri), headers, body);
        let (head, body) = serve(&self.gateway.app, request).await.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Response::from_parts(head, String::from_utf8_lossy(&body).into_owned())
    }

    /// URI and body with all names filled in, and what they name made.
    pub(super) async fn filled(&mut self, uri: &str, body: &str) -> (String, String) {
        self.number += 1;
        let uri = uri.replace("{n}", &self.number.to_string());
        let path = uri.split('?').next().unwrap_or_default();
        let (mut upload, mut etag) = (String::new(), String::new());
        if uri.contains("{upload}") || body.contains("{etag}") {
            upload =
                between(self.send("POST", &format!("{path}?uploads"), &[], b"").await.body(), "UploadId").to_owned();
            let part = self.send("PUT", &format!("{path}?partNumber=1&uploadId={upload}"), &[], b"x").await;
            etag = part.headers()["etag"].to_str().expect("an ETag").to_owned();
        }
        if path.starts_with("/vault/") {
            self.send("PUT", path, &[], b"data").await;
        }
        if path.starts_with("/made-") {
            self.send("PUT", path, &[], b"").await;
        }
        let body = body.replace("{etag}", &etag.replace('"', "&quot;"));
        (uri.replace("{upload}", &upload), body.replace("{owner}", &self.owner).replace("{key}", &self.key))
    }

    /// `send` and `body` of a sample with all names filled in.
    async fn sample(&mut self, sample: &Sample) -> (String, Element) {
        let (method, uri) = sample.send.split_once(' ').expect("method and URI");
        let (uri, body) = self.filled(uri, &sample.body).await;
        (format!("{method} {uri}"), xml::parse(body.trim().as_bytes()).expect("the sample is XML"))
    }
}

pub(super) fn between<'a>(text: &'a str, element: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{element}>")).unwrap_or_else(|| panic!("no {element} in {text}"));
    rest.split_once('<').expect("an end").0
}

fn limit(operation: &str) -> usize {
    let row = TABLE.iter().find(|row| row.name == operation && row.handler.is_some());
    match row.unwrap_or_else(|| panic!("{operation} is not served")).body {
        Body::Small(limit) | Body::Checked(limit) => limit,
        Body::None | Body::Stream => panic!("{operation} has no such body"),
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let table: Table = toml::from_str(include_str!("../../../fixtures/s3/bodies.toml")).expect("bodies.toml");
    table.body
}

#[test]
fn every_operation_with_a_document_has_a_sample() {
    let takes_one = |body: Body| matches!(body, Body::Small(_) | Body::Checked(_));
    let served = TABLE.iter().filter(|row| row.handler.is_some() && takes_one(row.body));
    // Its document is JSON: see `policy/`.
    let expected: BTreeSet<&str> = served.map(|row| row.name).filter(|name| *name != "PutBucketPolicy").collect();
    let samples = samples();
    let found: BTreeSet<&str> = samples.iter().map(|sample| sample.operation.as_str()).collect();
    assert_eq!(found, expected, "fixtures/s3/bodies.toml (left) is not the operation table (right)");
}

#[tokio::test]
async fn spoilt_documents_are_refused_and_change_nothing() {
    let mut stage = Stage::new().await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for sample in samples() {
        let limit = limit(&sample.operation);
        let (_, root) = stage.sample(&sample).await;
        let ways = [whole(&root, &sample.valid, &sample.malformed, limit), each(&root, &sample.malformed)].concat();
        let known: BTreeSet<&String> = ways.iter().map(|(way, ..)| way).collect();
        for unknown in sample.answers.keys().filter(|way| !known.contains(way)) {
            wrong.push(format!("{}: there is no way '{unknown}'", sample.operation));
        }
        for at in 0..ways.len() {
            // Made anew each time: an upload that was completed is gone.
            let (send, root) = stage.sample(&sample).await;
            let ways = [whole(&root, &sample.valid, &sample.malformed, limit), each(&root, &sample.malformed)].concat();
            let (way, body, usual) = &ways[at];
            let expected = sample.answers.get(way).unwrap_or(usual);
            let (method, uri) = send.split_once(' ').expect("method and URI");
            let before = stage.gateway.contents().await;
            let headers: Vec<_> = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = stage.send(method, uri, &headers, body).await;
            tried += 1;
            let refused = answer.body().contains("<Error><Code>");
            let got = if refused { between(answer.body(), "Code") } else { "ok" };
            // What took long answers 200 before it knows.
            if got != expected || !refused && !answer.status().is_success() {
                let sent: String = String::from_utf8_lossy(body).chars().take(300).collect();
                wrong.push(format!("{} {way}: {got} instead of {expected}\n    {sent}", sample.operation));
            }
            if refused && stage.gateway.contents().await != before {
                wrong.push(format!("{} {way}: was refused and changed something", sample.operation));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 1_500, "{tried}");
}
