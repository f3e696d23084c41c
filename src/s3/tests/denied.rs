//! Every operation, asked for by those who may not do it: refused, nothing done, one record, and nothing told that AWS
//! does not tell.

use http_body_util::BodyExt as _;

use crate::app::tests::Gateway;
use crate::index::{Direction, Index as _, KeyRange, Table};
use crate::s3::serve;
use crate::s3::table::{On, Row, TABLE, Target};
use crate::s3::tests::SETTINGS;

/// A user of the bucket's account without policies, nobody, and another account's root.
const STRANGERS: [&str; 3] = ["alice", "anonymous", "other"];

/// What needs no leave, or has its credentials in its body: `tests/clients/test_cors.py` and `test_post_object.py` try
/// these.
const NOT_ASKED_LIKE_THIS: [&str; 3] = ["OptionsBucket", "OptionsObject", "PostObject"];

/// What another account's root may do in its own account, so that it is no stranger there.
const OWN_AFFAIRS: [&str; 3] = ["ListBuckets", "ListDirectoryBuckets", "CreateBucket"];

impl Gateway {
    /// The answer to a request of `who`: status, and code and message of an error.
    async fn asked(&self, who: &str, (row, path): (&Row, &str), body: &str) -> (u16, String) {
        let query: Vec<String> = row
            .condition
            .query
            .iter()
            .map(|name| if name.contains('=') { (*name).to_owned() } else { format!("{name}=1") })
            .collect();
        let uri = format!("{path}?{}", query.join("&"));
        let mut headers = Vec::new();
        if row.condition.header == Some("x-amz-copy-source") {
            headers.push(("x-amz-copy-source", "/shelf/plain"));
        }
        let mut request = self.request(&who.to_uppercase(), (row.method, uri.trim_end_matches('?')), &headers, body);
        if who == "anonymous" {
            for signed in ["authorization", "x-amz-date", "x-amz-content-sha256"] {
                request.head.headers.remove(signed);
            }
        }
        let response = serve(&self.app, request).await;
        let status = response.status().as_u16();
        let answer = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&answer).into_owned())
    }

    /// All rows but the trail's.
    pub(super) async fn contents(&self) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
        let everything = KeyRange { start: Vec::new(), end: None };
        let mut out = Vec::new();
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Audit) {
            let rows = self.index.scan(table, &everything, usize::MAX, Direction::Forward).await.expect("rows");
            out.extend(rows.into_iter().map(|(key, value)| (table, key.to_vec(), value.to_vec())));
        }
        out
    }

    async fn furnished() -> Self {
        let gateway = Self::new(12, SETTINGS).await;
        for (method, uri) in [("PUT", "/shelf"), ("PUT", "/shelf/plain")] {
            let request = gateway.request("ROOT", (method, uri), &[], if uri == "/shelf" { "" } else { "data" });
            assert_eq!(serve(&gateway.app, request).await.status(), 200, "{uri}");
        }
        gateway
    }
}

fn code(answer: &str) -> &str {
    answer.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code)
}

/// What is asked for, if the operation is about buckets or objects: what there is, and what there is not.
fn paths(row: &Row) -> &'static [&'static str] {
    match row.target {
        Target::Service => &["/"],
        Target::Bucket => &["/shelf"],
        Target::Object => &["/shelf/plain", "/shelf/absent"],
    }
}

#[tokio::test]
async fn no_operation_is_done_for_strangers() {
    let gateway = Gateway::furnished().await;
    let mut wrong = Vec::new();
    let mut tried = 0;
    let asked = |row: &&Row| row.handler.is_some() && !NOT_ASKED_LIKE_THIS.contains(&row.name);
    for row in TABLE.iter().filter(asked) {
        for who in STRANGERS.into_iter().filter(|who| *who != "other" || !OWN_AFFAIRS.contains(&row.name)) {
            for path in paths(row) {
                let each = row.action.on == On::EachObject;
                let keys = "<Delete><Object><Key>plain</Key></Object><Object><Key>absent</Key></Object></Delete>";
                let (before, seq) = (gateway.contents().await, gateway.record_count().await);
                let (status, answer) = gateway.asked(who, (row, path), if each { keys } else { "" }).await;
                tried += 1;
                let place = format!("{} of {path} by {who}", row.name);
                let refused = match row.method {
                    "HEAD" => status == 403 && answer.is_empty(),
                    _ if each => status == 200 && answer.matches("<Code>AccessDenied</Code>").count() == 2,
                    _ => status == 403 && code(&answer) == "AccessDenied",
                };
                if !refused {
                    wrong.push(format!("{place}: {status} {answer}"));
                }
                if gateway.contents().await != before {
                    wrong.push(format!("{place}: something was done"));
                }
                let records = gateway.records(seq).await;
                // What nobody signed and what is about no bucket that there is belongs to no account's trail.
                if who == "anonymous" && row.target == Target::Service {
                    assert!(records.is_empty(), "{place}");
                    continue;
                }
                let [record] = &records[..] else {
                    wrong.push(format!("{place}: {} records", records.len()));
                    continue;
                };
                if record["errorCode"] != "AccessDenied" || record["recipientAccountId"] == "" {
                    wrong.push(format!("{place}: {record}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 150, "{tried}");
}

/// Without `s3:ListBucket` an object that is not there is no other than one that is.
#[tokio::test]
async fn no_stranger_learns_what_is_there() {
    let gateway = Gateway::furnished().await;
    let asked = |row: &&Row| row.handler.is_some() && !NOT_ASKED_LIKE_THIS.contains(&row.name);
    for row in TABLE.iter().filter(asked).filter(|row| row.target == Target::Object) {
        for who in STRANGERS {
            let [there, absent] = ["/shelf/plain", "/shelf/absent"];
            let there = gateway.asked(who, (row, there), "").await;
            let absent = gateway.asked(who, (row, absent), "").await;
            let same = |answer: &str| answer.replace("absent", "plain");
            let told = |answer: &str| {
                let message = answer.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
                message.map(|(message, _)| same(message))
            };
            assert_eq!((there.0, told(&there.1)), (absent.0, told(&absent.1)), "{} by {who}", row.name);
        }
    }
}

#[test]
fn strangers_are_tried_on_every_operation_that_is_served() {
    let served = TABLE.iter().filter(|row| row.handler.is_some()).count();
    assert!(served > 30, "{served}");
}
