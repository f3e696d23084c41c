//! Every operation that is served, asked for by those who may not: refused, nothing done, one record, and nothing told
//! of what there is. (What nobody signed: `every_operation_asks_for_a_signature`.)

use std::collections::BTreeMap;

use super::*;
use crate::iam::table::Row;
use crate::index::{Direction, Index as _, KeyRange, Table};

/// The parameters of the models: service, operation, name, type.
const INPUTS: &str = include_str!("../../../fixtures/iam/inputs.txt");
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},
    "Action":"sts:AssumeRole"}}"#;
const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
/// They need no permission (who asks is told who they are; users and roots may have session tokens), or a proof other
/// than a signature.
const FOR_ANYBODY: [&str; 3] = ["AssumeRoleWithWebIdentity", "GetCallerIdentity", "GetSessionToken"];
/// May do nothing, and may be denied everything.
const STRANGERS: [&str; 2] = ["ALICE", "DENIED"];

/// Values of parameters: of what there is, or of what there is not.
fn parameters(there: bool) -> BTreeMap<&'static str, Vec<(&'static str, String)>> {
    let name = |there_is: &str| if there { there_is.to_owned() } else { format!("no-{there_is}") };
    let arn = |kind: &str, what: &str| format!("arn:aws:iam::111122223333:{kind}/{}", name(what));
    let one = |suffix: &'static str, value: String| vec![(suffix, value)];
    let plain = |value: &str| vec![("", value.to_owned())];
    BTreeMap::from([
        ("AccessKeyId", plain("AKIAAAAAAAAAAAAAAAAA")),
        ("AccountAlias", plain("an-alias")),
        ("ActionNames", one(".member.1", "s3:GetObject".to_owned())),
        ("AssumeRolePolicyDocument", plain(TRUST)),
        ("ClientID", plain("a-client")),
        ("Description", plain("for the team")),
        ("EncodedMessage", plain("x")),
        ("GroupName", one("", name("team"))),
        ("Name", plain("federated")),
        ("NewPath", plain("/new/")),
        ("OpenIDConnectProviderArn", one("", arn("oidc-provider", "issuer.example.com"))),
        ("PermissionsBoundary", one("", arn("policy", "managed"))),
        ("PolicyArn", one("", arn("policy", "managed"))),
        ("PolicyDocument", plain(DOCUMENT)),
        ("PolicyInputList", one(".member.1", DOCUMENT.to_owned())),
        ("PolicyName", one("", name("inline"))),
        ("PolicySourceArn", one("", arn("user", "carol"))),
        ("RoleArn", one("", arn("role", "reader"))),
        ("RoleName", one("", name("reader"))),
        ("RoleSessionName", plain("work")),
        ("Status", plain("Inactive")),
        ("TagKeys", one(".member.1", "team".to_owned())),
        ("Tags", vec![(".member.1.Key", "team".to_owned()), (".member.1.Value", "red".to_owned())]),
        ("ThumbprintList", one(".member.1", "ab".repeat(20))),
        ("Url", plain("https://other.example.com")),
        ("UserName", one("", name("carol"))),
        ("VersionId", plain("v1")),
    ])
}

/// A request for an operation with every parameter of it that there is a value for.
fn request(row: &Row, there: bool, who: &str) -> Sent {
    let known = parameters(there);
    let mut body = format!("Action={}&Version={}", row.name, row.service.version());
    for line in INPUTS.lines() {
        let [service, operation, name, _] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if service != row.service.name() || operation != row.name {
            continue;
        }
        for (suffix, value) in known.get(name).into_iter().flatten() {
            body.push_str(&format!("&{name}{suffix}={}", encode_uri(value)));
        }
    }
    let signer = Some((who.repeat(4), SECRET.to_owned(), None));
    Sent { service: row.service, body, signer, ..call(row.name) }
}

impl World {
    /// An account with one of each.
    async fn furnished(seed: u64) -> Self {
        let world = Self::new(seed).await;
        for parameters in [
            "CreateUser&UserName=carol".to_owned(),
            "CreateGroup&GroupName=team".to_owned(),
            format!("CreateRole&RoleName=reader&AssumeRolePolicyDocument={}", encode_uri(TRUST)),
            format!("CreatePolicy&PolicyName=managed&PolicyDocument={}", encode_uri(DOCUMENT)),
            format!("PutUserPolicy&UserName=carol&PolicyName=inline&PolicyDocument={}", encode_uri(DOCUMENT)),
            format!("PutGroupPolicy&GroupName=team&PolicyName=inline&PolicyDocument={}", encode_uri(DOCUMENT)),
            format!("PutRolePolicy&RoleName=reader&PolicyName=inline&PolicyDocument={}", encode_uri(DOCUMENT)),
            "CreateOpenIDConnectProvider&Url=https%3A%2F%2Fissuer.example.com".to_owned(),
        ] {
            let body = format!("Action={parameters}&Version=2010-05-08");
            let (status, _, answer) =
                world.send(&Sent { service: Service::Iam, body, ..call("GetCallerIdentity") }).await;
            assert_eq!(status, 200, "{parameters}: {answer}");
        }
        world
    }

    /// What belongs to the account with one of each, but for its trail.
    async fn contents(&self) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
        let everything = KeyRange { start: Vec::new(), end: None };
        let mut out = Vec::new();
        for table in [Table::Identity, Table::AccessKey] {
            let rows = self.gateway.index.scan(table, &everything, usize::MAX, Direction::Forward).await.unwrap();
            out.extend(rows.into_iter().map(|(key, value)| (table, key.to_vec(), value.to_vec())));
        }
        // Of another account's root its own account is its own affair.
        out.retain(|(_, key, _)| !key.starts_with(b"444455556666"));
        out
    }
}

fn told(body: &str) -> (String, String) {
    let between = |from: &str, to: &str| {
        let found = body.split_once(from).and_then(|(_, rest)| rest.split_once(to));
        found.map(|(text, _)| text.replace("no-", "")).unwrap_or_default()
    };
    (between("<Code>", "</Code>"), between("<Message>", "</Message>"))
}

#[tokio::test]
async fn no_operation_is_done_for_strangers() {
    let world = World::furnished(110).await;
    let before = world.contents().await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for row in rows().filter(|row| row.handler.is_some() && !FOR_ANYBODY.contains(&row.name)) {
        for who in STRANGERS {
            let mut answers = Vec::new();
            for there in [true, false] {
                let seq = world.gateway.record_count().await;
                let (status, _, body) = world.send(&request(row, there, who)).await;
                let place = format!("{} by {who}, there: {there}", row.name);
                tried += 1;
                answers.push(told(&body));
                if status != 403 || !body.contains("<Code>AccessDenied</Code>") {
                    wrong.push(format!("{place}: {status} {body}"));
                }
                let records = world.gateway.records(seq).await;
                let denied = matches!(&records[..], [record] if record["errorCode"] == "AccessDenied");
                if !denied {
                    wrong.push(format!("{place}: {records:?}"));
                }
            }
            if answers[0] != answers[1] {
                wrong.push(format!("{} tells {who} what there is: {answers:?}", row.name));
            }
        }
    }
    if world.contents().await != before {
        wrong.push("something was done".to_owned());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 300, "{tried}");
}

/// The root of another account may do all in its own, and there is nothing for it here.
#[tokio::test]
async fn no_operation_reaches_into_another_account() {
    let world = World::furnished(111).await;
    let before = world.contents().await;
    let mut wrong = Vec::new();
    for row in rows().filter(|row| row.handler.is_some() && !FOR_ANYBODY.contains(&row.name)) {
        let mut answers = Vec::new();
        for there in [true, false] {
            let seq = world.gateway.record_count().await;
            let sent = request(row, there, "OTHER");
            let (status, _, body) = world.send(&sent).await;
            answers.push((status, told(&body)));
            let records = world.gateway.records(seq).await;
            let place = format!("{} there: {there}", row.name);
            match &records[..] {
                [record] if record["recipientAccountId"] == "444455556666" => {}
                _ => wrong.push(format!("{place}: {records:?}")),
            }
            let names_ours = sent.body.contains(&encode_uri("arn:aws:iam::111122223333:"));
            if names_ours && status < 400 {
                wrong.push(format!("{place}: {status} {body}"));
            }
            if world.contents().await != before {
                wrong.push(format!("{place}: something was done"));
                break;
            }
        }
        // What it makes or takes away in its own account is so the second time.
        if answers[0] != answers[1] && answers[0].0 >= 400 {
            wrong.push(format!("{} tells what there is: {answers:?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
