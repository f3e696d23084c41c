//! The list operations against a model that knows nothing of rows, cursors and seeking: odd keys, prefixes, delimiters,
//! markers and page sizes. Each listing is followed page by page, as clients do it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http_body_util::BodyExt as _;

use crate::app::tests::Gateway;
use crate::s3::serve;
use crate::s3::tests::SETTINGS;
use crate::wire::encode_uri;
use crate::wire::xml::{Element, parse};

/// Keys that are legal and odd. Sorted by their UTF-8 bytes nowhere here: that is the listing's to do.
const ODD_KEYS: &[&str] = &[
    ".",
    "..",
    "./a",
    "../a",
    "/",
    "//",
    "///",
    "/lead",
    "a",
    "a/",
    "a//",
    "a//b",
    "a/b",
    "a/b/c",
    "a/b//c",
    "a/./b",
    "a/../b",
    "ab",
    "a%2Fb",
    "a%2fb",
    "a%2Fb/c",
    "a b",
    "a+b",
    "a%20b",
    "a b/c d",
    "a&b<c>\"'",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "\u{1}",
    "\u{1}/\u{2}",
    "\u{1f}x",
    "\u{7f}",
    "\u{80}",
    "a\u{0}",
    "a\u{0}b",
    "a\u{0}/b",
    "é",
    "e\u{301}",
    "é/è",
    "日本/語",
    "日本語",
    "\u{ffff}",
    "\u{ffff}/x",
    "\u{fffd}",
    "\u{10ffff}",
    "😀",
    "😀/😀",
    "😁",
    "xx",
    "xxx",
    "xxxx",
    "axxb",
    "axxbxxc",
    "-",
    "_",
    "~",
    "*",
    "=",
    "date=2026-01-01/x",
    "date=2026-01-02/y",
    "?q",
    "#f",
    "a?versions",
    "[]{}|\\^`",
];

/// What the rounds ask for. The second of two equal halves is longer than any key, or in no key.
const PREFIXES: &[&str] = &[
    "", "", "", "a", "a/", "a/b", "a//", "/", "//", ".", "..", "é", "\u{1}", "a b", "a%2F", "日", "😀", "\u{ffff}",
    "x", "xx", "date=", "none", "a\u{0}", "[",
];
const DELIMITERS: &[&str] = &[
    "", "", "/", "/", "//", "b", "xx", "%2F", "%", " ", "+", "é", "\u{301}", "\u{0}", "\u{1}", "\n", "😀", "b/", "-",
    "\u{ffff}", "a", "&",
];

/// A row of a listing: what is shown, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    Entry { key: String, id: String, latest: bool },
    Group(String),
}

/// The model: all entries in order of keys; ids of one key in the order of the listing.
struct Model(BTreeMap<Vec<u8>, Vec<(String, bool)>>);

/// Where a page starts.
#[derive(Debug, Clone, Default)]
struct After {
    key: String,
    id: Option<String>,
}

impl Model {
    /// All that a listing shows, by the words of the API reference: keys with the prefix, those with the delimiter
    /// behind the prefix as one prefix, nothing at or before the marker, nothing of a prefix that the marker is in.
    fn listed(&self, prefix: &str, delimiter: &str, after: &After) -> Vec<Shown> {
        let mut shown: Vec<Shown> = Vec::new();
        for (key, entries) in &self.0 {
            let key = std::str::from_utf8(key).unwrap();
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            if !delimiter.is_empty()
                && let Some(at) = rest.find(delimiter)
            {
                let group = format!("{prefix}{}{delimiter}", &rest[..at]);
                let done = after.key.as_bytes() >= group.as_bytes() || after.key.starts_with(&group);
                if !done && shown.last() != Some(&Shown::Group(group.clone())) {
                    shown.push(Shown::Group(group));
                }
                continue;
            }
            let mut entries = entries.clone();
            match key.as_bytes().cmp(after.key.as_bytes()) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal if !after.key.is_empty() => match &after.id {
                    None => continue,
                    Some(id) => {
                        let at = entries.iter().position(|(other, _)| other == id).unwrap();
                        entries.drain(..=at);
                    }
                },
                std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => {}
            }
            let key = key.to_owned();
            shown.extend(entries.into_iter().map(|(id, latest)| Shown::Entry { key: key.clone(), id, latest }));
        }
        shown
    }
}

/// One of the list operations, and its words.
struct Operation {
    name: &'static str,
    query: &'static str,
    size: &'static str,
    marker: &'static str,
    id_marker: Option<&'static str>,
    entries: &'static [&'static str],
    id: &'static str,
    next: (&'static str, Option<&'static str>),
}

const V1: Operation = Operation {
    name: "ListObjects",
    query: "",
    size: "max-keys",
    marker: "marker",
    id_marker: None,
    entries: &["Contents"],
    id: "",
    next: ("NextMarker", None),
};
const V2: Operation = Operation {
    name: "ListObjectsV2",
    query: "list-type=2&",
    marker: "start-after",
    next: ("NextContinuationToken", None),
    ..V1
};
const VERSIONS: Operation = Operation {
    name: "ListObjectVersions",
    query: "versions&",
    marker: "key-marker",
    id_marker: Some("version-id-marker"),
    entries: &["Version", "DeleteMarker"],
    id: "VersionId",
    next: ("NextKeyMarker", Some("NextVersionIdMarker")),
    ..V1
};
const UPLOADS: Operation = Operation {
    name: "ListMultipartUploads",
    query: "uploads&",
    size: "max-uploads",
    marker: "key-marker",
    id_marker: Some("upload-id-marker"),
    entries: &["Upload"],
    id: "UploadId",
    next: ("NextKeyMarker", Some("NextUploadIdMarker")),
};

/// A small generator of its own, so that the rounds are the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// A page's text with the references that no XML 1.0 reader takes made into what they stand for.
fn read_page(body: &str) -> Element {
    parse(body.replace("&#x0;", "\u{e000}").replace('\u{e000}', "&#xe000;").as_bytes()).unwrap()
}

/// Undoes `encoding-type=url`.
fn decoded(text: &str) -> String {
    crate::wire::decode_query(text).unwrap()
}

impl Gateway {
    async fn told(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, http::HeaderMap, String) {
        let response = serve(&self.app, self.request("ROOT", (method, uri), headers, body)).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn answered_ok(&self, method: &str, uri: &str, body: &str) -> (http::HeaderMap, String) {
        let (status, headers, answer) = self.told(method, uri, &[], body).await;
        assert!((200..300).contains(&status), "{method} {uri}: {status} {answer}");
        (headers, answer)
    }

    /// One page and where the next begins.
    async fn page(&self, op: &Operation, query: &str, encoded: bool) -> (Vec<Shown>, Element) {
        let encoding = if encoded { "&encoding-type=url" } else { "" };
        let (_, body) = self.answered_ok("GET", &format!("/shelf?{}{query}{encoding}", op.query), "").await;
        let root = read_page(&body);
        let text = |element: &Element, name: &str| {
            let text = element.child(name).map(|child| child.text.clone()).unwrap_or_default();
            if encoded && name != op.id { decoded(&text) } else { text.replace('\u{e000}', "\0") }
        };
        let mut shown: Vec<Shown> = root
            .children
            .iter()
            .filter(|child| op.entries.contains(&child.name.as_str()))
            .map(|entry| Shown::Entry {
                key: text(entry, "Key"),
                id: if op.id.is_empty() { String::new() } else { text(entry, op.id) },
                latest: entry.child_text("IsLatest") != Some("false"),
            })
            .collect();
        let groups = root.all("CommonPrefixes").map(|group| Shown::Group(text(group, "Prefix")));
        shown.extend(groups);
        (shown, root)
    }
}

fn key_of(shown: &Shown) -> &str {
    match shown {
        Shown::Entry { key, .. } => key,
        Shown::Group(group) => group,
    }
}

/// A page shows its entries, then its prefixes: in the order of the listing again.
fn in_order(mut shown: Vec<Shown>) -> Vec<Shown> {
    shown.sort_by(|a, b| key_of(a).as_bytes().cmp(key_of(b).as_bytes()));
    shown
}

/// Follows a listing to its end and compares it, page by page, with the model.
async fn follow(gateway: &Gateway, model: &Model, op: &Operation, dice: &mut Dice) {
    let (prefix, delimiter) = (dice.pick(PREFIXES), dice.pick(DELIMITERS));
    let size = [1, 2, 3, 7, 50, 1000][dice.below(6)];
    let encoded = dice.below(2) == 0;
    let mut after = After::default();
    if dice.below(3) == 0 {
        after.key = match dice.below(3) {
            0 => dice.pick(ODD_KEYS).to_owned(),
            1 => format!("{prefix}{}", dice.pick(DELIMITERS)),
            _ => dice.pick(PREFIXES).to_owned(),
        };
        if op.id_marker.is_some() && dice.below(2) == 0 {
            let ids = model.0.get(after.key.as_bytes());
            after.id = ids.map(|ids| ids[dice.below(ids.len())].0.clone());
        }
    }
    let mut expected = model.listed(prefix, delimiter, &after);
    let place = format!("{} prefix {prefix:?} delimiter {delimiter:?} after {after:?} size {size}", op.name);
    let common = format!("prefix={}&delimiter={}&{}={size}", encode_uri(prefix), encode_uri(delimiter), op.size);
    let mut query = format!("{common}&{}={}", op.marker, encode_uri(&after.key));
    if let (Some(name), Some(id)) = (op.id_marker, &after.id) {
        let _ = write!(query, "&{name}={id}");
    }
    for pages in 0.. {
        assert!(pages < 2_000, "{place}: without end");
        let (shown, root) = gateway.page(op, &query, encoded).await;
        let shown = in_order(shown);
        let rest = expected.split_off(shown.len().min(expected.len()));
        assert_eq!(shown, expected, "{place}, page {pages} of {query}");
        assert_eq!(shown.len(), size.min(shown.len() + rest.len()), "{place}: a page that is not full");
        let truncated = root.child_text("IsTruncated") == Some("true");
        assert_eq!(truncated, !rest.is_empty(), "{place}: IsTruncated");
        if op.name == "ListObjectsV2" {
            assert_eq!(root.child_text("KeyCount"), Some(shown.len().to_string().as_str()), "{place}");
        }
        if !truncated {
            return;
        }
        query = next_query(op, &common, &root, &shown, delimiter, encoded);
        expected = rest;
    }
}

fn next_query(op: &Operation, common: &str, root: &Element, shown: &[Shown], delimiter: &str, encoded: bool) -> String {
    let text = |name: &str| {
        let text = root.child(name).map(|child| child.text.clone())?;
        Some(if encoded { decoded(&text) } else { text.replace('\u{e000}', "\0") })
    };
    if op.name == "ListObjectsV2" {
        let token = root.child("NextContinuationToken").unwrap().text.clone();
        return format!("{common}&continuation-token={}", encode_uri(&token));
    }
    let last = key_of(shown.last().unwrap());
    let marker = text(op.next.0);
    // Without a delimiter the first version of the operation names none.
    assert_eq!(marker.is_none(), op.name == "ListObjects" && delimiter.is_empty());
    assert_eq!(marker.as_deref().unwrap_or(last), last);
    let mut query = format!("{common}&{}={}", op.marker, encode_uri(last));
    if let (Some(name), Some(next)) = (op.id_marker, op.next.1)
        && let Some(id) = root.child(next).map(|id| id.text.clone()).filter(|id| !id.is_empty())
    {
        let _ = write!(query, "&{name}={id}");
    }
    query
}

/// Odd keys and as many that are made of pieces of them.
fn keys(dice: &mut Dice) -> Vec<String> {
    let mut keys: Vec<String> = ODD_KEYS.iter().map(|key| (*key).to_owned()).collect();
    for _ in 0..150 {
        let pieces = 2 + dice.below(3);
        keys.push((0..pieces).map(|_| dice.pick(ODD_KEYS)).collect());
    }
    keys.push("k".repeat(1024));
    keys.push("é".repeat(512));
    keys.push(format!("a/{}", "\u{0}".repeat(1022)));
    keys.push("\u{10ffff}".repeat(256));
    keys.sort();
    keys.dedup();
    // A key that is put by its path: `?` and `#` come encoded, all others too.
    keys
}

fn path(key: &str) -> String {
    format!("/shelf/{}", encode_uri(key))
}

async fn shelf(seed: u64, versioned: bool) -> (Gateway, Dice) {
    let gateway = Gateway::new(seed, SETTINGS).await;
    gateway.answered_ok("PUT", "/shelf", "").await;
    if versioned {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        gateway.answered_ok("PUT", "/shelf?versioning", body).await;
    }
    (gateway, Dice(seed))
}

const ROUNDS: usize = 400;

#[tokio::test]
async fn objects_of_odd_keys_are_listed_as_a_model_lists_them() {
    let (gateway, mut dice) = shelf(71, false).await;
    let mut model = Model(BTreeMap::new());
    for key in keys(&mut dice) {
        gateway.answered_ok("PUT", &path(&key), "x").await;
        model.0.insert(key.into_bytes(), vec![(String::new(), true)]);
    }
    for _ in 0..ROUNDS {
        follow(&gateway, &model, &V1, &mut dice).await;
        follow(&gateway, &model, &V2, &mut dice).await;
    }
}

#[tokio::test]
async fn versions_of_odd_keys_are_listed_as_a_model_lists_them() {
    let (gateway, mut dice) = shelf(72, true).await;
    let mut model = Model(BTreeMap::new());
    let mut ids: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    for key in keys(&mut dice) {
        for _ in 0..1 + dice.below(4) {
            let method = if dice.below(4) == 0 { "DELETE" } else { "PUT" };
            let (headers, _) = gateway.answered_ok(method, &path(&key), if method == "PUT" { "x" } else { "" }).await;
            let id = headers["x-amz-version-id"].to_str().unwrap().to_owned();
            ids.entry(key.clone().into_bytes()).or_default().insert(0, id);
        }
    }
    for (key, ids) in ids {
        model.0.insert(key, ids.into_iter().enumerate().map(|(n, id)| (id, n == 0)).collect());
    }
    for _ in 0..ROUNDS {
        follow(&gateway, &model, &VERSIONS, &mut dice).await;
    }
}

#[tokio::test]
async fn uploads_of_odd_keys_are_listed_as_a_model_lists_them() {
    let (gateway, mut dice) = shelf(73, false).await;
    let mut model = Model(BTreeMap::new());
    for key in keys(&mut dice) {
        for _ in 0..1 + dice.below(3) {
            let (_, answer) = gateway.answered_ok("POST", &format!("{}?uploads", path(&key)), "").await;
            let id = parse(answer.as_bytes()).ok().and_then(|root| root.child_text("UploadId").map(str::to_owned));
            // The answer names the key, which no XML reader may take.
            let id = id.unwrap_or_else(|| {
                let (_, rest) = answer.split_once("<UploadId>").unwrap();
                rest.split_once('<').unwrap().0.to_owned()
            });
            model.0.entry(key.clone().into_bytes()).or_default().push((id, true));
        }
    }
    for _ in 0..ROUNDS {
        follow(&gateway, &model, &UPLOADS, &mut dice).await;
    }
}

/// A parameter and what each operation answers.
#[tokio::test]
async fn fields_are_echoed_as_aws_echoes_them() {
    let (gateway, _) = shelf(74, false).await;
    gateway.answered_ok("PUT", "/shelf/a%20b%2Bc%2F%01", "x").await;
    gateway.answered_ok("PUT", "/shelf/d", "x").await;
    gateway.answered_ok("POST", "/shelf/a%20b%2Bc%2F%01?uploads", "").await;
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../fixtures/s3/lists.json")).expect("the fixture");
    assert!(cases.len() > 40);
    let mut wrong = Vec::new();
    for case in &cases {
        let query = case["get"].as_str().unwrap();
        let headers: Vec<(&str, &str)> = case["headers"]
            .as_object()
            .map(|headers| headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect())
            .unwrap_or_default();
        let (status, _, answer) = gateway.told("GET", &format!("/shelf?{query}"), &headers, "").await;
        let expected = case["status"].as_u64().unwrap_or(200);
        if u64::from(status) != expected {
            wrong.push(format!("{query}: {status} {answer}"));
        }
        let texts = |name: &str| case[name].as_array().into_iter().flatten().map(|text| text.as_str().unwrap());
        wrong.extend(
            texts("with").filter(|text| !answer.contains(*text)).map(|t| format!("{query}: no {t} in {answer}")),
        );
        wrong.extend(texts("without").filter(|t| answer.contains(*t)).map(|t| format!("{query}: {t} in {answer}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
