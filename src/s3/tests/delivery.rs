//! Replication and notifications between accounts: who may send what where, and what one can do to another.

mod changes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::SETTINGS;
use crate::app::delivery;
use crate::app::tests::Gateway;
use crate::audit::{Event, EventKind};
use crate::auth::{Access, Grant, Resource, system};
use crate::identity::{NewRole, RoleRecord};
use crate::names::{AccountId, BucketName, Region, bucket_arn, iam_arn};
use crate::objects::{NotificationTask, Queue};
use crate::policy::{NoContext, Target};
use crate::rules::BucketConfiguration;
use crate::rules::notification::{Destination, DestinationKind, EventName, NotificationConfiguration};
use crate::rules::replication::{ReplicationConfiguration, Rule, RuleFilter, Target as To};
use crate::s3::serve;

const HOUR: Duration = Duration::from_secs(60 * 60);
const ROOT: &str = "111122223333";
const OTHER: &str = "444455556666";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},
    "Action":"sts:AssumeRole"}]}"#;
const REPLICATE: &str = r#"["s3:GetObjectVersion*","s3:Replicate*","kms:*"]"#;
const VERSIONED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/// An endpoint elsewhere that takes everything and remembers what was asked.
#[derive(Clone, Default)]
struct Far {
    asked: Arc<Mutex<Vec<String>>>,
    /// What was sent to change a version.
    bodies: Arc<Mutex<Vec<String>>>,
    versioned: Arc<AtomicBool>,
    /// Takes no legal hold.
    unlockable: Arc<AtomicBool>,
}

impl Far {
    async fn listen() -> (Self, u16) {
        let far = Self { versioned: Arc::new(AtomicBool::new(true)), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = far.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answering.answer(stream).await;
            }
        });
        (far, port)
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut read = Vec::new();
        let head = loop {
            let mut piece = [0; 4096];
            let len = stream.read(&mut piece).await.unwrap();
            read.extend_from_slice(&piece[..len]);
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(len > 0, "a whole head");
        };
        let text = String::from_utf8(read[..head].to_vec()).unwrap().to_ascii_lowercase();
        let body_len = text
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split_once('\r').unwrap().0.parse::<usize>().unwrap());
        while read.len() < head + body_len {
            let mut piece = [0; 4096];
            let len = stream.read(&mut piece).await.unwrap();
            assert!(len > 0, "a whole body");
            read.extend_from_slice(&piece[..len]);
        }
        let line = String::from_utf8_lossy(&read).lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        let has = |name: &str| text.contains(&format!("\r\n{name}: "));
        let tags = if has("x-amz-tagging") { " tagged" } else { "" };
        let lock = if has("x-amz-object-lock-mode") { " locked" } else { "" };
        let hold = if has("x-amz-object-lock-legal-hold") { " held" } else { "" };
        let bypass = if has("x-amz-bypass-governance-retention") { " bypass" } else { "" };
        self.asked.lock().unwrap().push(format!("{line}{tags}{lock}{hold}{bypass}"));
        if line.starts_with("PUT") && line.contains('?') {
            assert!(has("content-md5"), "{line}");
            let body = String::from_utf8(read[head..].to_vec()).unwrap();
            self.bodies.lock().unwrap().push(body.split_once("2006-03-01/\">").unwrap().1.to_owned());
        }
        let status = if self.versioned.load(Ordering::SeqCst) { "<Status>Enabled</Status>" } else { "" };
        let body = format!("<VersioningConfiguration>{status}</VersioningConfiguration>");
        let refused = line.contains("legal-hold") && self.unlockable.load(Ordering::SeqCst);
        let status = if refused { "400 Bad Request" } else { "200 OK" };
        let answer = format!(
            "HTTP/1.1 {status}\r\nx-amz-version-id: v/1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn rule(to: &str) -> Rule {
    Rule {
        id: "r".to_owned(),
        priority: Some(1),
        enabled: true,
        filter: RuleFilter { first_form: false, prefix: None, tags: Vec::new(), and: false },
        target: To {
            bucket: format!("arn:aws:s3:::{to}"),
            account: None,
            storage_class: None,
            owner_override: false,
            kms_key: None,
            time: None,
            metrics: None,
        },
        delete_markers: Some(true),
        existing_objects: None,
        kms_objects: None,
        replica_modifications: None,
    }
}

fn rules(role: &str, to: &str) -> String {
    format!(
        "<ReplicationConfiguration><Role>{role}</Role><Rule><ID>r</ID><Priority>1</Priority><Status>Enabled</Status>\
         <Filter/><DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>\
         <Destination><Bucket>arn:aws:s3:::{to}</Bucket></Destination></Rule></ReplicationConfiguration>"
    )
}

impl Gateway {
    /// With a bucket elsewhere, `far`, for the first account alone, and `more` settings.
    async fn with_far(more: &str) -> (Self, Far) {
        let (far, port) = Far::listen().await;
        let folder = tempfile::tempdir().unwrap().keep();
        let secret = folder.join("secret");
        std::fs::write(&secret, "secret").unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let settings = format!(
            "{SETTINGS}\n[[replication_targets]]\nbucket = \"arn:aws:s3:::far\"\naccounts = [\"{ROOT}\"]\n\
             endpoint = \"http://127.0.0.1:{port}\"\nregion = \"us-east-1\"\naccess_key_id = \"A\"\n\
             secret_access_key_file = {secret:?}\n{more}"
        );
        let gateway = Self::new(41, Box::leak(settings.into_boxed_str())).await;
        std::fs::remove_dir_all(folder).unwrap();
        (gateway, far)
    }

    /// Status, code or body, and `x-amz-replication-status`.
    async fn by(&self, who: &str, asked: (&str, &str), headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
        let response = serve(&self.app, self.request(who, asked, headers, body)).await;
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, state) = (response.status().as_u16(), header("x-amz-replication-status").unwrap_or_default());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned(), state)
    }

    async fn good(&self, who: &str, asked: (&str, &str), headers: &[(&str, &str)], body: &str) {
        let (status, answer, _) = self.by(who, asked, headers, body).await;
        assert!(status < 300, "{asked:?}: {status} {answer}");
    }

    async fn versioned(&self, who: &str, bucket: &str, headers: &[(&str, &str)]) {
        self.good(who, ("PUT", &format!("/{bucket}")), headers, "").await;
        self.good(who, ("PUT", &format!("/{bucket}?versioning")), &[], VERSIONED).await;
    }

    fn itself(&self) -> Access {
        system("test", Region::parse("us-east-1").unwrap(), self.sources.now())
    }

    fn leave(&self, action: &'static str, arn: String, owner: &str) -> Grant {
        let resource = Resource { arn, owner: account(owner) };
        self.itself().authorize(action, resource, &Target::Account, &NoContext).unwrap()
    }

    fn event(&self) -> Event {
        Event {
            access: self.itself(),
            source: "s3.amazonaws.com",
            name: "Test",
            kind: EventKind::ApiCall,
            request: Value::Null,
            response: Value::Null,
            additional: Value::Null,
            error: None,
            read_only: false,
            management: true,
            resources: Vec::new(),
            via_s3: false,
            recipient: account(ROOT),
        }
    }

    /// A role that may do these actions.
    async fn role(&self, owner: &str, actions: &str) -> String {
        let arn = iam_arn(&account(owner), "role", "/", "copier");
        let new = NewRole {
            name: "copier".to_owned(),
            path: "/".to_owned(),
            trust: TRUST.to_owned(),
            description: None,
            max_session_seconds: 3600,
            boundary: None,
            tags: Vec::new(),
        };
        let identities = &self.app.identities;
        let grant = self.leave("iam:CreateRole", arn.clone(), owner);
        identities.create_role(&grant, &new).await.unwrap().1.commit(&self.event()).await.unwrap();
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"*"}}]}}"#
        );
        let grant = self.leave("iam:PutRolePolicy", arn.clone(), owner);
        let draft = identities.put_inline_policy::<RoleRecord>(&grant, "copier", "p", &policy).await.unwrap();
        draft.commit(&self.event()).await.unwrap();
        arn
    }

    /// As if it had been configured when the settings were others.
    async fn configured<C: BucketConfiguration>(&self, bucket: &str, owner: &str, configuration: C) {
        let name = BucketName::parse(bucket).unwrap();
        let grant = self.leave(C::ACTIONS[0], bucket_arn(&name), owner);
        let (objects, event) = (&self.app.objects, self.event());
        objects.set_configuration(&grant, &name, Some(configuration), |_| Ok(()), &event).await.unwrap();
    }

    /// Empties the queue of events.
    async fn drop_events(&self) {
        let objects = &self.app.objects;
        for (lane, _) in objects.lanes(Queue::Notifications, None, 100).await.unwrap() {
            let entries = objects.due::<NotificationTask>(Queue::Notifications, &lane, 100).await.unwrap();
            assert!(objects.done(&entries, |_| ()).await.unwrap());
        }
    }

    /// How the replication of an object stands once all tries are over.
    async fn settled(&self, who: &str, uri: &str) -> String {
        for _ in 0..20 {
            delivery::pass(&self.app).await;
            self.sources.advance(HOUR);
        }
        self.by(who, ("HEAD", uri), &[], "").await.2
    }
}

#[tokio::test]
async fn a_bucket_elsewhere_is_only_for_accounts_that_the_settings_list() {
    let (gateway, far) = Gateway::with_far("").await;
    gateway.versioned("ROOT", "here", &[]).await;
    gateway.versioned("OTHER", "theirs", &[]).await;
    let (role, theirs) = (gateway.role(ROOT, REPLICATE).await, gateway.role(OTHER, REPLICATE).await);
    let (status, answer, _) = gateway.by("OTHER", ("PUT", "/theirs?replication"), &[], &rules(&theirs, "far")).await;
    assert!(status == 400 && answer.contains("Destination bucket must exist."), "{answer}");
    // Those that were configured before are asked again.
    let before = ReplicationConfiguration { role: theirs, rules: vec![rule("far")] };
    gateway.configured("theirs", OTHER, before).await;
    gateway.good("OTHER", ("PUT", "/theirs/k"), &[], "x").await;
    gateway.good("OTHER", ("DELETE", "/theirs/gone"), &[], "").await;
    assert_eq!(gateway.settled("OTHER", "/theirs/k").await, "FAILED");
    assert_eq!(far.asked(), [""; 0]);
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "far")).await;
    gateway.good("ROOT", ("PUT", "/here/k"), &[], "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED");
    assert_eq!(far.asked(), ["GET /far?versioning=", "PUT /far/k"]);
}

#[tokio::test]
async fn delete_markers_go_elsewhere_only_where_versions_are_kept() {
    let (gateway, far) = Gateway::with_far("").await;
    gateway.versioned("ROOT", "here", &[]).await;
    let role = gateway.role(ROOT, REPLICATE).await;
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "far")).await;
    far.versioned.store(false, Ordering::SeqCst);
    gateway.good("ROOT", ("DELETE", "/here/k"), &[], "").await;
    gateway.settled("ROOT", "/here/k").await;
    let asked = far.asked();
    assert!(asked.len() > 1 && asked.iter().all(|line| line == "GET /far?versioning="), "{asked:?}");
    far.versioned.store(true, Ordering::SeqCst);
    gateway.good("ROOT", ("DELETE", "/here/k"), &[], "").await;
    gateway.settled("ROOT", "/here/k").await;
    assert_eq!(far.asked(), ["GET /far?versioning=", "DELETE /far/k"]);
}

#[tokio::test]
async fn no_key_leads_out_of_the_bucket_elsewhere() {
    let (gateway, far) = Gateway::with_far("").await;
    gateway.versioned("ROOT", "here", &[]).await;
    let role = gateway.role(ROOT, REPLICATE).await;
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "far")).await;
    for (key, expected, sent) in [
        ("../bucket/x", "FAILED", false),
        ("a/./b", "FAILED", false),
        ("a/..", "FAILED", false),
        ("a../.b", "COMPLETED", true),
    ] {
        let uri = format!("/here/{key}");
        gateway.good("ROOT", ("PUT", &uri), &[], "x").await;
        assert_eq!(gateway.settled("ROOT", &uri).await, expected, "{key}");
        assert_eq!(far.asked().iter().any(|line| line.starts_with("PUT ")), sent, "{key}");
    }
}

#[tokio::test]
async fn tags_go_elsewhere_only_with_leave_for_them() {
    for (actions, expected) in [
        (REPLICATE, "PUT /far/k tagged"),
        (r#"["s3:GetObjectVersionForReplication","s3:Replicate*"]"#, "PUT /far/k"),
        (r#"["s3:GetObjectVersion*","s3:ReplicateObject"]"#, "PUT /far/k"),
    ] {
        let (gateway, far) = Gateway::with_far("").await;
        gateway.versioned("ROOT", "here", &[]).await;
        let role = gateway.role(ROOT, actions).await;
        gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "far")).await;
        gateway.good("ROOT", ("PUT", "/here/k"), &[("x-amz-tagging", "a=b")], "x").await;
        assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED", "{actions}");
        assert_eq!(far.asked(), ["GET /far?versioning=", expected], "{actions}");
    }
}

#[tokio::test]
async fn a_role_that_is_missing_holds_up_no_other_bucket() {
    let gateway = Gateway::new(42, SETTINGS).await;
    gateway.versioned("ROOT", "here", &[]).await;
    gateway.versioned("ROOT", "there", &[]).await;
    gateway.versioned("OTHER", "theirs", &[]).await;
    let role = gateway.role(ROOT, REPLICATE).await;
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "there")).await;
    let missing = format!("arn:aws:iam::{OTHER}:role/missing");
    gateway.good("OTHER", ("PUT", "/theirs?replication"), &[], &rules(&missing, "there")).await;
    for number in 0..40 {
        gateway.good("OTHER", ("PUT", &format!("/theirs/{number}")), &[], "x").await;
    }
    gateway.sources.advance(Duration::from_secs(1));
    gateway.good("ROOT", ("PUT", "/here/k"), &[], "x").await;
    // Once: what fails first ends its lane's turn.
    delivery::pass(&gateway.app).await;
    assert_eq!(gateway.by("ROOT", ("HEAD", "/here/k"), &[], "").await.2, "COMPLETED");
    assert_eq!(gateway.by("OTHER", ("HEAD", "/theirs/0"), &[], "").await.2, "PENDING");
}

#[tokio::test]
async fn locks_of_replicas_are_those_of_source_and_destination() {
    let lock = [("x-amz-bucket-object-lock-enabled", "true")];
    let hold = [("x-amz-object-lock-legal-hold", "ON")];
    let default = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                   <Mode>GOVERNANCE</Mode><Days>7</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    let gateway = Gateway::new(43, SETTINGS).await;
    for (bucket, headers) in [("here", &[][..]), ("plain", &[]), ("vault", &lock[..]), ("locked", &lock[..])] {
        gateway.versioned("ROOT", bucket, headers).await;
    }
    gateway.good("ROOT", ("PUT", "/vault?object-lock"), &[], default).await;
    let role = gateway.role(ROOT, REPLICATE).await;
    let (status, answer, _) = gateway.by("ROOT", ("PUT", "/locked?replication"), &[], &rules(&role, "plain")).await;
    assert!(status == 400 && answer.contains("Object Lock must be enabled on the destination"), "{answer}");
    gateway.good("ROOT", ("PUT", "/locked?replication"), &[], &rules(&role, "vault")).await;
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "vault")).await;
    gateway.good("ROOT", ("PUT", "/here/k"), &[], "x").await;
    gateway.good("ROOT", ("PUT", "/locked/held"), &hold, "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/k").await, "COMPLETED");
    assert_eq!(gateway.settled("ROOT", "/locked/held").await, "COMPLETED");
    let replica = gateway.done("HEAD", "/vault/k", &[], "").await;
    assert_eq!(replica.header("x-amz-object-lock-mode"), Some("GOVERNANCE"));
    let replica = gateway.done("HEAD", "/vault/held", &[], "").await;
    assert_eq!(replica.header("x-amz-object-lock-mode"), Some("GOVERNANCE"));
    assert_eq!(replica.header("x-amz-object-lock-legal-hold"), Some("ON"));
    // It came to have object lock after its rules: what is not locked goes on, what is locked is not taken unlocked.
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "plain")).await;
    let on = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    gateway.good("ROOT", ("PUT", "/here?object-lock"), &[], on).await;
    gateway.good("ROOT", ("PUT", "/here/held"), &hold, "x").await;
    gateway.good("ROOT", ("PUT", "/here/free"), &[], "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/held").await, "FAILED");
    assert_eq!(gateway.settled("ROOT", "/here/free").await, "COMPLETED");
    assert_eq!(gateway.by("ROOT", ("HEAD", "/plain/held"), &[], "").await.0, 404);
    assert_eq!(gateway.by("ROOT", ("HEAD", "/plain/free"), &[], "").await.0, 200);
}

#[tokio::test]
async fn what_blocks_requests_blocks_replicas() {
    let everybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:Replicate*",
        "Resource":"arn:aws:s3:::theirs/*"}]}"#;
    let block = |restrict: bool| {
        format!(
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true\
             </IgnorePublicAcls><BlockPublicPolicy>false</BlockPublicPolicy><RestrictPublicBuckets>{restrict}\
             </RestrictPublicBuckets></PublicAccessBlockConfiguration>"
        )
    };
    let gateway = Gateway::new(44, SETTINGS).await;
    gateway.versioned("ROOT", "here", &[]).await;
    gateway.versioned("OTHER", "theirs", &[]).await;
    let role = gateway.role(ROOT, REPLICATE).await;
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "theirs")).await;
    for (restrict, expected) in [(true, "FAILED"), (false, "COMPLETED")] {
        gateway.good("OTHER", ("PUT", "/theirs?publicAccessBlock"), &[], &block(restrict)).await;
        gateway.good("OTHER", ("PUT", "/theirs?policy"), &[], everybody).await;
        gateway.good("ROOT", ("PUT", &format!("/here/{restrict}")), &[], "x").await;
        assert_eq!(gateway.settled("ROOT", &format!("/here/{restrict}")).await, expected);
    }
}

#[tokio::test]
async fn a_destinations_tags_count_for_replicas_where_they_decide() {
    let denied = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:ReplicateObject",
        "Resource":"arn:aws:s3:::there/*","Condition":{"StringEquals":{"aws:ResourceTag/closed":"yes"}}}]}"#;
    let tags = "<Tagging><TagSet><Tag><Key>closed</Key><Value>yes</Value></Tag></TagSet></Tagging>";
    let gateway = Gateway::new(45, SETTINGS).await;
    gateway.versioned("ROOT", "here", &[]).await;
    gateway.versioned("ROOT", "there", &[]).await;
    let role = gateway.role(ROOT, REPLICATE).await;
    gateway.good("ROOT", ("PUT", "/here?replication"), &[], &rules(&role, "there")).await;
    gateway.good("ROOT", ("PUT", "/there?policy"), &[], denied).await;
    gateway.good("ROOT", ("PUT", "/there?tagging"), &[], tags).await;
    gateway.good("ROOT", ("PUT", "/here/before"), &[], "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/before").await, "COMPLETED");
    let abac = "<AbacStatus><Status>Enabled</Status></AbacStatus>";
    gateway.good("ROOT", ("PUT", "/there?abac"), &[], abac).await;
    gateway.good("ROOT", ("PUT", "/here/behind"), &[], "x").await;
    assert_eq!(gateway.settled("ROOT", "/here/behind").await, "FAILED");
}

#[tokio::test]
async fn a_role_is_handed_over_to_s3_and_a_policy_can_say_so() {
    let user = |service: &str| {
        format!(
            "[[account]]\nid = \"777788889999\"\n[[account.user]]\nname = \"bob\"\n\
             access_keys = [{{ id = \"BOB\", secret = \"a-secret-for-tests\" }}]\npolicies = ['''\
             {{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}},\
             {{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"*\",\"Condition\":{{\"StringEquals\":\
             {{\"iam:PassedToService\":\"{service}\"}}}}}}]}}''']"
        )
    };
    for (service, expected) in [("s3.amazonaws.com", 200), ("ec2.amazonaws.com", 403)] {
        let (gateway, _far) = Gateway::with_far(&user(service)).await;
        gateway.versioned("BOB", "here", &[]).await;
        gateway.versioned("BOB", "there", &[]).await;
        let body = rules("arn:aws:iam::777788889999:role/copier", "there");
        assert_eq!(gateway.by("BOB", ("PUT", "/here?replication"), &[], &body).await.0, expected, "{service}");
    }
}

/// Nobody listens at either.
const TARGETS: &str = r#"
[[notification_targets]]
arn = "arn:aws:sqs:us-east-1:111122223333:own"
url = "http://127.0.0.1:9/"
[[notification_targets]]
arn = "arn:aws:sqs:us-east-1:111122223333:shared"
url = "http://127.0.0.1:9/"
accounts = ["444455556666"]
"#;

#[tokio::test]
async fn targets_of_events_are_those_of_the_settings_and_of_the_account() {
    let (gateway, _far) = Gateway::with_far(TARGETS).await;
    gateway.versioned("ROOT", "here", &[]).await;
    gateway.versioned("OTHER", "theirs", &[]).await;
    let queue = |name: &str| {
        format!(
            "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:us-east-1:{ROOT}:{name}</Queue>\
             <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
        )
    };
    let bus = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>".to_owned();
    let skip = [("x-amz-skip-destination-validation", "true")];
    for (who, bucket, body, known) in [
        ("ROOT", "here", queue("own"), true),
        ("ROOT", "here", queue("shared"), true),
        ("ROOT", "here", queue("unknown"), false),
        ("ROOT", "here", bus.clone(), true),
        ("OTHER", "theirs", queue("own"), false),
        ("OTHER", "theirs", queue("shared"), true),
        ("OTHER", "theirs", bus, false),
    ] {
        // Nobody takes the test event.
        let uri = format!("/{bucket}?notification");
        let (status, answer, _) = gateway.by(who, ("PUT", &uri), &[], &body).await;
        let taken = known && body.contains("EventBridge");
        assert_eq!(status, if taken { 200 } else { 400 }, "{who} {body}");
        assert_eq!(answer.contains("<Code>InvalidArgument</Code>"), !taken, "{answer}");
        // What is not validated is taken, as AWS takes it; what waits then is for targets that are there.
        gateway.good(who, ("PUT", &uri), &skip, &body).await;
        gateway.good(who, ("PUT", &format!("/{bucket}/k")), &[], "x").await;
        let waiting = gateway.app.objects.queue_length(Queue::Notifications, 100).await.unwrap();
        assert_eq!(waiting, usize::from(known), "{who} {body}");
        gateway.drop_events().await;
    }
}

#[tokio::test]
async fn a_configuration_that_was_not_validated_is_shown_and_its_known_targets_are_told() {
    let (gateway, _far) = Gateway::with_far(TARGETS).await;
    gateway.versioned("ROOT", "here", &[]).await;
    let queue = |name: &str, prefix: &str| {
        format!(
            "<QueueConfiguration><Id>{name}</Id><Queue>arn:aws:sqs:us-east-1:{ROOT}:{name}</Queue><Event>s3:ObjectCreated:*\
             </Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>{prefix}</Value></FilterRule></S3Key></Filter>\
             </QueueConfiguration>"
        )
    };
    let inner = queue("own", "a") + &queue("unknown", "b");
    let body = format!("<NotificationConfiguration>{inner}</NotificationConfiguration>");
    let skip = [("x-amz-skip-destination-validation", "true")];
    gateway.good("ROOT", ("PUT", "/here?notification"), &skip, &body).await;
    let (_, shown, _) = gateway.by("ROOT", ("GET", "/here?notification"), &[], "").await;
    assert!(shown.contains(&inner), "{shown}");
    for key in ["a", "b", "b2", "a2"] {
        gateway.good("ROOT", ("PUT", &format!("/here/{key}")), &[], "x").await;
    }
    assert_eq!(gateway.app.objects.queue_length(Queue::Notifications, 100).await.unwrap(), 2);
    assert_eq!(gateway.app.objects.queue_length(Queue::Notifications, 1).await.unwrap(), 1, "as many as are asked for");
    let region = "The notification destination service region is not valid for the bucket location constraint";
    let (status, answer, _) =
        gateway.by("ROOT", ("PUT", "/here?notification"), &skip, &body.replace("us-east-1", "eu-west-1")).await;
    assert!(status == 400 && answer.contains(region), "{answer}");
    gateway.good("ROOT", ("PUT", "/here?notification"), &skip, &body.replace("us-east-1", "")).await;
    // Malformed ARNs are refused all the same.
    let body = body.replace(":sqs:", ":sns:");
    let (status, answer, _) = gateway.by("ROOT", ("PUT", "/here?notification"), &skip, &body).await;
    assert_eq!(status, 400, "{answer}");
}

#[tokio::test]
async fn an_event_of_a_change_of_the_class_says_which() {
    let (gateway, _far) = Gateway::with_far(TARGETS).await;
    gateway.good("ROOT", ("PUT", "/here"), &[], "").await;
    let events = format!(
        "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:us-east-1:{ROOT}:own</Queue>\
         <Event>s3:LifecycleTransition</Event></QueueConfiguration></NotificationConfiguration>"
    );
    let skip = [("x-amz-skip-destination-validation", "true")];
    gateway.good("ROOT", ("PUT", "/here?notification"), &skip, &events).await;
    gateway.good("ROOT", ("PUT", "/here/k"), &[], &"x".repeat(200_000)).await;
    let rules = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Transition><Days>30</Days>\
                 <StorageClass>STANDARD_IA</StorageClass></Transition></Rule></LifecycleConfiguration>";
    gateway.good("ROOT", ("PUT", "/here?lifecycle"), &[], rules).await;
    gateway.sources.advance(HOUR * 24 * 40);
    let objects = &gateway.app.objects;
    objects.apply_lifecycles(gateway.sources.now()).await.unwrap().unwrap();
    let lane = objects.lanes(Queue::Notifications, None, 100).await.unwrap()[0].0;
    let told = objects.due::<NotificationTask>(Queue::Notifications, &lane, 10).await.unwrap();
    let told: Vec<_> = told.iter().map(|entry| &entry.task.happening).collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].event, told[0].plain_len), (EventName::TRANSITION, Some(200_000)));
    assert_eq!((told[0].class.as_deref(), told[0].sequence), (Some("STANDARD_IA"), None));
}

#[tokio::test]
async fn events_are_kept_for_a_target_that_is_gone_for_a_week_and_for_one_that_is_down_for_two() {
    let (gateway, _far) = Gateway::with_far(TARGETS).await;
    gateway.versioned("OTHER", "theirs", &[]).await;
    let to = |name: &str| Destination {
        id: name.to_owned(),
        kind: DestinationKind::Queue,
        arn: format!("arn:aws:sqs:us-east-1:{ROOT}:{name}"),
        events: vec![EventName::CREATED],
        prefix: None,
        suffix: None,
    };
    // One that is gone, one that was never for this account, and one that is only down.
    let destinations = vec![to("gone"), to("own"), to("shared")];
    gateway
        .configured("theirs", OTHER, NotificationConfiguration { destinations, ..NotificationConfiguration::default() })
        .await;
    gateway.good("OTHER", ("PUT", "/theirs/k"), &[], "x").await;
    let lanes = async || gateway.app.objects.lanes(Queue::Notifications, None, 10).await.unwrap().len();
    delivery::pass(&gateway.app).await;
    gateway.sources.advance(HOUR * 24 * 7);
    delivery::pass(&gateway.app).await;
    assert_eq!(lanes().await, 3);
    gateway.sources.advance(HOUR);
    delivery::pass(&gateway.app).await;
    assert_eq!(lanes().await, 1);
    gateway.sources.advance(HOUR * 24 * 7 - HOUR);
    delivery::pass(&gateway.app).await;
    assert_eq!(lanes().await, 1);
    gateway.sources.advance(HOUR);
    delivery::pass(&gateway.app).await;
    assert_eq!(lanes().await, 0);
}
