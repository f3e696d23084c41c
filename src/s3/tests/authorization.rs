//! Who may do what over S3, as data: `fixtures/s3/authorization.json`. Each request goes the whole way, from its
//! signature to its answer, so that the table also holds what operations ask for and which condition keys they have.

use std::collections::BTreeMap;

use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::app::tests::Gateway;
use crate::s3::serve;
use crate::wire::{Request, TlsInfo};

/// Access keys are the names in capitals. `other` blocks what is public in all its buckets.
const SETTINGS: &str = include_str!("../../../fixtures/s3/authorization.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for the reader of the file")]
    about: Json,
    groups: Vec<Group>,
}

/// Requests to the same configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    /// Statements of the policy of the bucket `shelf`.
    policy: Option<Json>,
    /// Switches of its public access block that are on.
    #[serde(default)]
    block: Vec<String>,
    /// Statements of the policy of `foreign`, a bucket of the other account.
    foreign: Option<Json>,
    /// What else is done before, in this order: by whom, what, with which headers and body.
    #[serde(default)]
    prepare: Vec<Prepared>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prepared {
    who: String,
    send: String,
    #[serde(default)]
    with: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    who: String,
    /// `GET /shelf/plain?acl`
    send: String,
    #[serde(default)]
    with: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// Where it comes from, and how.
    #[serde(default = "somewhere")]
    ip: std::net::IpAddr,
    #[serde(default)]
    insecure: bool,
    /// `allow`; `none identity`, `deny resource` and the like; `denied`, to others than the bucket's account without a
    /// reason; `blocked`, by a public access block; another error's code; the status of an answer to HEAD.
    expect: String,
    /// The action that the refusal names.
    action: Option<String>,
}

fn somewhere() -> std::net::IpAddr {
    [192, 0, 2, 1].into()
}

impl Gateway {
    async fn answer(&self, case: &Case) -> (u16, String) {
        let response = serve(&self.app, self.request_of(case)).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn request_of(&self, case: &Case) -> Request {
        let (key, sent) = (case.who.to_uppercase(), case.send.split_once(' ').expect("a method and a path"));
        let headers: Vec<_> = case.with.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut request = self.request(&key, sent, &headers, &case.body);
        if case.who == "anonymous" {
            for signed in ["authorization", "x-amz-date", "x-amz-content-sha256"] {
                request.head.headers.remove(signed);
            }
        }
        let tls = TlsInfo { version: "TLSv1.2", cipher_suite: String::new() };
        request.edge.source_ip = case.ip;
        request.edge.secure = !case.insecure;
        request.edge.tls = (!case.insecure).then_some(tls);
        request
    }

    /// What prepares a case has to succeed.
    async fn prepare(&self, who: &str, send: &str, with: &[(&str, &str)], body: &str) {
        let with = with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (who, send, body) = (who.to_owned(), send.to_owned(), body.to_owned());
        let expect = "allow".to_owned();
        let case = Case { who, send, with, body, ip: somewhere(), insecure: false, expect, action: None };
        let (status, answer) = self.answer(&case).await;
        assert!((200..300).contains(&status), "{}: {status} {answer}", case.send);
    }

    /// Buckets and objects as every group finds them.
    async fn furnish(group: &Group) -> Self {
        let gateway = Self::new(11, SETTINGS).await;
        for (owner, bucket) in [("root", "shelf"), ("root", "source"), ("other", "foreign")] {
            gateway.prepare(owner, &format!("PUT /{bucket}"), &[], "").await;
            gateway.prepare(owner, &format!("DELETE /{bucket}?publicAccessBlock"), &[], "").await;
            for key in ["plain", "public", "secret", "open/plain"] {
                let tag = format!("security={key}");
                gateway.prepare(owner, &format!("PUT /{bucket}/{key}"), &[("x-amz-tagging", &tag)], "data").await;
            }
        }
        for (owner, bucket, policy) in [("root", "shelf", &group.policy), ("other", "foreign", &group.foreign)] {
            if let Some(statements) = policy {
                let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
                gateway.prepare(owner, &format!("PUT /{bucket}?policy"), &[], &policy).await;
            }
        }
        for Prepared { who, send, with, body } in &group.prepare {
            let with: Vec<_> = with.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            gateway.prepare(who, send, &with, body).await;
        }
        if !group.block.is_empty() {
            let on: String = group.block.iter().map(|name| format!("<{name}>true</{name}>")).collect();
            let block = format!("<PublicAccessBlockConfiguration>{on}</PublicAccessBlockConfiguration>");
            gateway.prepare("root", "PUT /shelf?publicAccessBlock", &[], &block).await;
        }
        gateway
    }
}

/// What a client is told, in the words of the table.
fn told(status: u16, answer: &str) -> String {
    let between = |from: &str, to: &str| Some(answer.split_once(from)?.1.split_once(to)?.0);
    let Some(code) = between("<Code>", "</Code>") else {
        return if answer.is_empty() && status >= 400 { status.to_string() } else { "allow".to_owned() };
    };
    let message = between("<Message>", "</Message>").unwrap_or_default();
    if code != "AccessDenied" {
        return code.to_owned();
    }
    if let Some((_, by)) = message.split_once("with an explicit deny in a") {
        return format!("deny {}", by.trim_start_matches(['n', ' ']).split('-').next().unwrap_or_default());
    }
    match message.split_once("because no ") {
        Some((_, rest)) => format!("none {}", rest.split('-').next().unwrap_or_default()),
        None if message.contains("are prevented by the ") => "blocked".to_owned(),
        None if message == "Access Denied" => "denied".to_owned(),
        None => message.to_owned(),
    }
}

#[tokio::test]
async fn the_table_of_who_may_do_what() {
    let table: Table = serde_json::from_str(include_str!("../../../fixtures/s3/authorization.json"))
        .expect("the table is well-formed");
    let (mut checked, mut wrong) = (0, Vec::new());
    for group in &table.groups {
        let mut gateway = Gateway::furnish(group).await;
        for case in &group.cases {
            let (status, answer) = gateway.answer(case).await;
            let (found, named) = (told(status, &answer), case.action.as_deref().unwrap_or_default());
            if found != case.expect || !answer.contains(named) {
                wrong.push(format!("{}: {} {} {:?}: {found}, {answer}", group.name, case.who, case.send, case.with));
            }
            // What is not allowed does nothing, so that the next case finds all as it was.
            if found == "allow" && !["GET", "HEAD"].iter().any(|method| case.send.starts_with(method)) {
                gateway = Gateway::furnish(group).await;
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} cases:\n{}", wrong.len(), wrong.join("\n"));
    println!("{checked} cases");
}
