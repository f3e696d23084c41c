//! Every header and query parameter of every operation out of its range: AWS's answer, and nothing is changed. What is
//! sent and what is answered are data: `fixtures/s3/headers.toml`.

use std::collections::{BTreeMap, BTreeSet};

use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::bodies::{self, Stage, between};
use crate::s3::table::{Row, SUPERSEDED, TABLE};
use crate::wire::ErrorCode;

/// Which operation of AWS's newest S3 model has which header or parameter, one a line.
const PARAMETERS: &str = include_str!("../../../fixtures/s3/parameters.txt");
const HEADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/s3/headers.toml");
/// What a request gets that nothing is wrong with.
const OK: &str = "ok";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    requests: BTreeMap<String, Sample>,
    parameter: Vec<Parameter>,
    exception: Vec<Exception>,
}

/// A request that nothing is wrong with.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    send: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default = "ok")]
    valid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameter {
    names: Vec<String>,
    #[serde(default)]
    operations: Vec<String>,
    #[serde(default)]
    beyond: Option<String>,
    #[serde(default, rename = "in")]
    bucket: Option<String>,
    #[serde(default)]
    with: BTreeMap<String, String>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    body: Option<String>,
    answers: Vec<(Sent, String)>,
}

/// Headers and parameters that are not sent here, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    names: Vec<String>,
    why: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Sent {
    Once(String),
    Often(Vec<String>),
}

impl Sent {
    fn values(&self) -> Vec<String> {
        match self {
            Self::Once(value) => vec![value.clone()],
            Self::Often(values) => values.clone(),
        }
    }
}

fn ok() -> String {
    OK.to_owned()
}

fn file() -> File {
    toml::from_str(&std::fs::read_to_string(HEADERS).expect("headers.toml")).expect("headers.toml")
}

/// Operations that are served, and what the model says that they have. A row answers for its older names too.
fn model() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut model: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in PARAMETERS.lines() {
        let (operation, parameter) = line.split_once(' ').expect("an operation and what it has");
        let row = SUPERSEDED.iter().find(|(old, _)| *old == operation).map_or(operation, |(_, new)| new);
        if TABLE.iter().any(|known| known.name == row && known.handler.is_some()) {
            model.entry(row).or_default().insert(parameter);
        }
    }
    model
}

/// The requests of the file, and those of `bodies.toml`.
fn requests(file: &File) -> BTreeMap<String, Sample> {
    let mut requests = file.requests.clone();
    for sample in bodies::samples() {
        let bodies::Sample { operation, send, body, headers, valid, .. } = sample;
        let body = body.trim().to_owned();
        requests.entry(operation).or_insert(Sample { send, headers, body, valid });
    }
    requests
}

/// The operations that a parameter's values are sent to.
fn operations<'a>(
    parameter: &'a Parameter,
    name: &str,
    model: &BTreeMap<&'static str, BTreeSet<&'static str>>,
) -> Vec<&'a str>
where
    'static: 'a,
{
    if !parameter.operations.is_empty() {
        return parameter.operations.iter().map(String::as_str).collect();
    }
    model.iter().filter(|(_, has)| has.contains(name)).map(|(operation, _)| *operation).collect()
}

#[test]
fn every_header_and_parameter_of_the_model_is_sent() {
    let (file, model) = (file(), model());
    assert!(model.len() > 90 && PARAMETERS.lines().count() > 500);
    let excepted: BTreeSet<&str> =
        file.exception.iter().flat_map(|exception| &exception.names).map(String::as_str).collect();
    assert!(file.exception.iter().all(|exception| !exception.why.is_empty()));
    let mut sent = BTreeSet::new();
    for parameter in &file.parameter {
        for name in &parameter.names {
            assert!(!excepted.contains(name.as_str()), "{name} is sent and excepted");
            for operation in operations(parameter, name, &model) {
                let has = model.get(operation).unwrap_or_else(|| panic!("{operation} is not served"));
                let beyond = parameter.beyond.is_some();
                assert_eq!(has.contains(name.as_str()), !beyond, "{operation} {name}: is it in the model?");
                sent.insert((operation.to_owned(), name.clone()));
            }
        }
    }
    let missing: Vec<_> = model
        .iter()
        .flat_map(|(operation, has)| has.iter().map(|name| ((*operation).to_owned(), (*name).to_owned())))
        .filter(|one| !sent.contains(one) && !excepted.contains(one.1.as_str()))
        .collect();
    assert!(missing.is_empty(), "headers.toml does not send {missing:?}");
    let requests = requests(&file);
    let without: Vec<_> = model.keys().filter(|operation| !requests.contains_key(**operation)).collect();
    assert!(without.is_empty(), "headers.toml has no request of {without:?}");
}

/// `{x*3}` and `{byte}` filled in.
fn bytes_of(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = value;
    while let Some((before, (inside, after))) =
        rest.split_once('{').and_then(|(before, from)| Some((before, from.split_once('}')?)))
    {
        out.extend_from_slice(before.as_bytes());
        match inside.split_once('*') {
            Some((unit, number)) => out.extend(unit.repeat(number.parse().expect("a number")).bytes()),
            None if inside == "byte" => out.push(0xff),
            None => panic!("{value}: there is no {{{inside}}}"),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// One request to be sent.
struct Attempt {
    method: String,
    uri: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: String,
}

impl Attempt {
    fn of(sample: &Sample, parameter: &Parameter, name: &str, sent: &Sent) -> Self {
        let send = match &parameter.bucket {
            Some(bucket) => sample.send.replace("/desk/", &format!("/{bucket}/")),
            None => sample.send.clone(),
        };
        let (method, uri) = send.split_once(' ').expect("method and URI");
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut query: Vec<String> = query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
        query.extend(parameter.query.clone());
        let others = sample.headers.iter().chain(&parameter.with).filter(|(other, _)| *other != name);
        let mut headers: Vec<_> = others.map(|(name, value)| header(name, value.as_bytes())).collect();
        let values = sent.values().into_iter().map(|value| bytes_of(&value));
        match name.strip_prefix('?') {
            Some(parameter) => {
                query.retain(|pair| pair.split('=').next() != Some(parameter));
                let text = |value| String::from_utf8(value).expect("of a URI");
                query.extend(values.map(|value| format!("{parameter}={}", text(value))));
            }
            // Of a family of headers, one.
            None if name.ends_with('-') => headers.extend(values.map(|value| header(&format!("{name}k"), &value))),
            None => headers.extend(values.map(|value| header(name, &value))),
        }
        let query = query.join("&");
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let body = parameter.body.clone().unwrap_or_else(|| sample.body.clone());
        Self { method: method.to_owned(), uri, headers, body }
    }
}

fn header(name: &str, value: &[u8]) -> (HeaderName, HeaderValue) {
    (name.parse().expect("a header's name"), HeaderValue::from_bytes(value).expect("a header's value"))
}

/// A gateway whose buckets have what the requests ask for.
async fn furnished(requests: &BTreeMap<String, Sample>) -> Stage {
    let mut stage = Stage::new().await;
    for (uri, body) in [
        ("/spare", ""),
        ("/desk", ""),
        (
            "/desk?ownershipControls",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
        ),
        ("/desk/plain", "data"),
    ] {
        assert_eq!(stage.send_as("PUT", uri, &[], body.as_bytes()).await.status(), 200, "{uri}");
    }
    for sample in requests.values() {
        let configures = |uri: &&str| uri[1..].find('/').is_none() && uri.contains('?') && !sample.body.is_empty();
        let Some(uri) = sample.send.strip_prefix("PUT ").filter(configures) else { continue };
        let (uri, body) = stage.filled(uri, &sample.body).await;
        let headers: Vec<_> = sample.headers.iter().map(|(name, value)| header(name, value.as_bytes())).collect();
        let answer = stage.send_as("PUT", &uri, &headers, body.as_bytes()).await;
        assert!(answer.status().is_success(), "{uri}: {}", answer.body());
    }
    stage
}

/// The answer's status, code and message; of one that is no error `ok`, with the status if it is not 200 or 204.
async fn answered(stage: &mut Stage, attempt: &Attempt) -> (String, bool) {
    let (uri, body) = stage.filled(&attempt.uri, &attempt.body).await;
    let before = stage.gateway.contents().await;
    let answer = stage.send_as(&attempt.method, &uri, &attempt.headers, body.as_bytes()).await;
    let status = answer.status().as_u16();
    let text = answer.body();
    let told = if text.contains("<Error><Code>") {
        format!("{status} {}: {}", between(text, "Code"), between(text, "Message"))
    } else if let Some(ErrorCode(code)) = answer.extensions().get() {
        format!("{status} {code}")
    } else if matches!(status, 200 | 204) {
        OK.to_owned()
    } else {
        status.to_string()
    };
    let refused = status >= 400;
    (unescaped(&told), refused && stage.gateway.contents().await != before)
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn is_head(operation: &str) -> bool {
    TABLE.iter().find(|row: &&Row| row.name == operation).is_some_and(|row| row.method == "HEAD")
}

#[tokio::test]
async fn values_out_of_range_are_refused_and_change_nothing() {
    let (file, model) = (file(), model());
    let requests = requests(&file);
    let mut stage = furnished(&requests).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for parameter in &file.parameter {
        for name in &parameter.names {
            for operation in operations(parameter, name, &model) {
                let sample = &requests[operation];
                for (sent, expected) in &parameter.answers {
                    let attempt = Attempt::of(sample, parameter, name, sent);
                    let (got, changed) = answered(&mut stage, &attempt).await;
                    tried += 1;
                    let value =
                        sent.values().first().map(|value| String::from_utf8_lossy(&bytes_of(value)).into_owned());
                    let expected = if expected == OK { &sample.valid } else { expected };
                    let mut expected = expected.replace("{name}", name).replace("{value}", &value.unwrap_or_default());
                    if is_head(operation) {
                        expected.truncate(expected.find(':').unwrap_or(expected.len()));
                    }
                    if got != expected {
                        let sent = format!("{sent:?}").chars().take(80).collect::<String>();
                        wrong.push(format!("{operation} {name}: {sent}\n    {got}\n    instead of {expected}"));
                    }
                    if changed {
                        wrong.push(format!("{operation} {name}: {sent:?} was refused and changed something"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 3_400, "{tried}");
}
