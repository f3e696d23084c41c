use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::Value;

use crate::app::tests::Gateway;
use crate::index::{Direction, Faults, Index as _, KeyRange, Table};
use crate::names::BucketName;
use crate::s3::serve::serve;
use crate::s3::table::{Handler, TABLE};
use crate::s3::tests::SETTINGS;
use crate::s3::trail::event_name;
use crate::wire::{ErrorCode, Found};

const VERSIONING: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const SUSPENDED: &str = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
const ENCRYPTION: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>\
    aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
const OWNERSHIP: &str = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
    </OwnershipControls>";

const POLICY_OF_EMPTY: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:*",
    "Resource":"arn:aws:s3:::empty"}}"#;
const POLICY_OF_CONFIGURED: &str = r#"{"Statement":{"Effect":"Deny","Principal":{"AWS":"444455556666"},"Action":"s3:*",
    "Resource":"arn:aws:s3:::configured"}}"#;
const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
    </PublicAccessBlockConfiguration>";

/// The account's canonical id, which follows from its own.
const ACL: &str = "<AccessControlPolicy><Owner><ID>8cd8614fe3296b91647279502de4deacaf36506a36daed7513071dc80c950707</ID></Owner>\
    <AccessControlList><Grant><Grantee xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='CanonicalUser'>\
    <ID>8cd8614fe3296b91647279502de4deacaf36506a36daed7513071dc80c950707</ID></Grantee><Permission>READ</Permission></Grant>\
    </AccessControlList></AccessControlPolicy>";
const TAGGING: &str = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
const LOCK: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
const ACCELERATE: &str = "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>";
const ABAC: &str = "<AbacStatus><Status>Enabled</Status></AbacStatus>";
const ANALYTICS: &str = "<AnalyticsConfiguration><Id>a</Id><StorageClassAnalysis/></AnalyticsConfiguration>";
const METRICS: &str = "<MetricsConfiguration><Id>a</Id></MetricsConfiguration>";
const TIERING: &str = "<IntelligentTieringConfiguration><Id>a</Id><Status>Enabled</Status><Tiering><Days>90</Days>\
    <AccessTier>ARCHIVE_ACCESS</AccessTier></Tiering></IntelligentTieringConfiguration>";
const PAYMENT: &str = "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";

const LIFECYCLE: &str = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days>\
    </Expiration></Rule></LifecycleConfiguration>";
const INVENTORY: &str = "<InventoryConfiguration><Id>i</Id><IsEnabled>true</IsEnabled><Destination>\
    <S3BucketDestination><Bucket>arn:aws:s3:::lists</Bucket><Format>CSV</Format></S3BucketDestination></Destination>\
    <Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>All</IncludedObjectVersions>\
    </InventoryConfiguration>";
const CORS: &str = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>\
    </CORSConfiguration>";
const WEBSITE: &str = "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>";

const BUS: &str = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
const TO_SOURCE: &str = "<ReplicationConfiguration><Role>arn:aws:iam::111122223333:role/r</Role><Rule><Prefix/>\
    <Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::source</Bucket></Destination></Rule>\
    </ReplicationConfiguration>";
const TO_THERE: &str = "<ReplicationConfiguration><Role>arn:aws:iam::111122223333:role/r</Role><Rule><Prefix/>\
    <Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::there</Bucket></Destination></Rule>\
    </ReplicationConfiguration>";

/// A call: operation, method, path and query, body.
type Call = (&'static str, &'static str, &'static str, &'static str);

/// Every management call that changes something, as it changes something in [`prepared`].
const CHANGES: &[Call] = &[
    ("CreateBucket", "PUT", "/fresh", ""),
    ("DeleteBucket", "DELETE", "/empty", ""),
    ("PutBucketVersioning", "PUT", "/configured?versioning", VERSIONING),
    ("PutBucketEncryption", "PUT", "/empty?encryption", ENCRYPTION),
    ("DeleteBucketEncryption", "DELETE", "/configured?encryption", ""),
    ("PutBucketOwnershipControls", "PUT", "/empty?ownershipControls", OWNERSHIP),
    ("DeleteBucketOwnershipControls", "DELETE", "/configured?ownershipControls", ""),
    ("PutBucketPolicy", "PUT", "/empty?policy", POLICY_OF_EMPTY),
    ("DeleteBucketPolicy", "DELETE", "/configured?policy", ""),
    ("PutBucketTagging", "PUT", "/empty?tagging", TAGGING),
    ("DeleteBucketTagging", "DELETE", "/configured?tagging", ""),
    ("PutBucketNotificationConfiguration", "PUT", "/empty?notification", BUS),
    ("PutBucketReplication", "PUT", "/there?replication", TO_SOURCE),
    ("DeleteBucketReplication", "DELETE", "/source?replication", ""),
    ("PutBucketCors", "PUT", "/empty?cors", CORS),
    ("DeleteBucketCors", "DELETE", "/configured?cors", ""),
    ("PutBucketWebsite", "PUT", "/empty?website", WEBSITE),
    ("DeleteBucketWebsite", "DELETE", "/configured?website", ""),
    ("PutBucketAcl", "PUT", "/configured?acl", ACL),
    ("PutObjectLockConfiguration", "PUT", "/empty?object-lock", LOCK),
    ("PutBucketAccelerateConfiguration", "PUT", "/empty?accelerate", ACCELERATE),
    ("PutBucketAbac", "PUT", "/empty?abac", ABAC),
    ("PutBucketAnalyticsConfiguration", "PUT", "/empty?analytics&id=a", ANALYTICS),
    ("DeleteBucketAnalyticsConfiguration", "DELETE", "/configured?analytics&id=a", ""),
    ("PutBucketMetricsConfiguration", "PUT", "/empty?metrics&id=a", METRICS),
    ("DeleteBucketMetricsConfiguration", "DELETE", "/configured?metrics&id=a", ""),
    ("PutBucketIntelligentTieringConfiguration", "PUT", "/empty?intelligent-tiering&id=a", TIERING),
    ("DeleteBucketIntelligentTieringConfiguration", "DELETE", "/configured?intelligent-tiering&id=a", ""),
    ("PutBucketRequestPayment", "PUT", "/configured?requestPayment", PAYMENT),
    ("PutPublicAccessBlock", "PUT", "/empty?publicAccessBlock", BLOCK),
    ("DeletePublicAccessBlock", "DELETE", "/configured?publicAccessBlock", ""),
    ("PutBucketLifecycleConfiguration", "PUT", "/empty?lifecycle", LIFECYCLE),
    ("DeleteBucketLifecycle", "DELETE", "/configured?lifecycle", ""),
    ("PutBucketInventoryConfiguration", "PUT", "/empty?inventory&id=i", INVENTORY),
    ("DeleteBucketInventoryConfiguration", "DELETE", "/configured?inventory&id=i", ""),
];

impl Gateway {
    /// Sends a signed request; the error's code or `""`.
    async fn call(&self, key: &str, (_, method, uri, body): Call) -> &'static str {
        let answer = serve(&self.app, self.request(key, (method, uri), &[], body)).await;
        let code = answer.extensions().get::<ErrorCode>().map_or("", |code| code.0);
        assert_eq!(answer.status().is_success(), code.is_empty(), "{method} {uri}: {code}");
        code
    }

    /// What is configured, as far as the calls of [`CHANGES`] change it.
    async fn configuration(&self) -> Vec<Option<String>> {
        let one = async |name| match self.app.objects.bucket(&BucketName::parse(name).unwrap()).await {
            Ok(bucket) => {
                // Together with the bucket's row its policy's: the id alone could be that of a document which is lost.
                let policy = self.app.objects.bucket_policy(&bucket).await.expect("a policy that can be read");
                // The rows of other configurations as they are sealed.
                let range = KeyRange::prefix(&bucket.id);
                let rows = self.index.scan(Table::BucketConfig, &range, usize::MAX, Direction::Forward).await;
                Some(format!(
                    "{:?} {:?} {:?} {:?} {:?} {policy:?} {:?} {:?} {rows:?}",
                    bucket.versioning,
                    bucket.encryption,
                    bucket.ownership,
                    bucket.public_access_block,
                    bucket.acl,
                    bucket.requester_pays,
                    bucket.configurations,
                ))
            }
            Err(_) => None,
        };
        let replicated = [one("source").await, one("there").await];
        [one("fresh").await, one("empty").await, one("configured").await].into_iter().chain(replicated).collect()
    }

    /// Operation and error of the records behind `after` of them.
    async fn outcomes(&self, after: u64) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let records = self.records(after).await;
        records.iter().map(|record| (text(&record["eventName"]), text(&record["errorCode"]))).collect()
    }
}

/// Two buckets: `empty` holds nothing but an unfinished upload, `configured` an object and settings. And two with
/// versioning, of which `source` is replicated to `there`.
async fn prepared() -> Gateway {
    let gateway = Gateway::new(7, SETTINGS).await;
    for call in [
        ("CreateBucket", "PUT", "/empty", ""),
        ("CreateMultipartUpload", "POST", "/empty/k?uploads=", ""),
        ("CreateBucket", "PUT", "/configured", ""),
        ("PutBucketEncryption", "PUT", "/configured?encryption", ENCRYPTION),
        ("PutBucketPolicy", "PUT", "/configured?policy", POLICY_OF_CONFIGURED),
        ("PutBucketOwnershipControls", "PUT", "/configured?ownershipControls", OWNERSHIP),
        ("PutBucketTagging", "PUT", "/configured?tagging", TAGGING),
        ("PutBucketLifecycleConfiguration", "PUT", "/configured?lifecycle", LIFECYCLE),
        ("PutBucketInventoryConfiguration", "PUT", "/configured?inventory&id=i", INVENTORY),
        ("PutBucketCors", "PUT", "/configured?cors", CORS),
        ("PutBucketWebsite", "PUT", "/configured?website", WEBSITE),
        ("PutBucketAnalyticsConfiguration", "PUT", "/configured?analytics&id=a", ANALYTICS),
        ("PutBucketMetricsConfiguration", "PUT", "/configured?metrics&id=a", METRICS),
        ("PutBucketIntelligentTieringConfiguration", "PUT", "/configured?intelligent-tiering&id=a", TIERING),
        ("PutBucketVersioning", "PUT", "/empty?versioning", VERSIONING),
        ("PutObject", "PUT", "/configured/k", "data"),
        ("CreateBucket", "PUT", "/source", ""),
        ("CreateBucket", "PUT", "/there", ""),
        ("PutBucketVersioning", "PUT", "/source?versioning", VERSIONING),
        ("PutBucketVersioning", "PUT", "/there?versioning", VERSIONING),
        ("PutBucketReplication", "PUT", "/source?replication", TO_THERE),
    ] {
        assert_eq!(gateway.call("ROOT", call).await, "", "{call:?}");
    }
    gateway
}

#[test]
fn every_management_call_that_changes_something_proves_its_record_and_is_tested() {
    let is_change = |handler| matches!(handler, Handler::Change(_));
    for row in TABLE {
        let changes = row.is_management() && !row.is_read_only();
        assert_eq!(row.handler.is_some_and(is_change), changes && row.handler.is_some(), "{}", row.name);
    }
    let mut rows: Vec<_> = TABLE.iter().filter(|row| row.handler.is_some_and(is_change)).map(|row| row.name).collect();
    let mut tested: Vec<_> = CHANGES.iter().map(|call| call.0).collect();
    rows.sort_unstable();
    tested.sort_unstable();
    assert_eq!(rows, tested);
}

#[tokio::test]
async fn a_change_and_its_record_are_durable_both_or_neither() {
    type Fault = fn(Option<u64>) -> Faults;
    let kinds: [(&str, Fault, &str); 3] = [
        ("failed", |n| Faults { fail_commit_in: n, ..Faults::default() }, "InternalError"),
        ("full", |n| Faults { full_in: n, ..Faults::default() }, "ServiceUnavailable"),
        // What became of it is not known until the next start: there can be no record of an error either.
        ("answer lost", |n| Faults { lose_answer_in: n, ..Faults::default() }, ""),
    ];
    for (call, (kind, fault, recorded_code)) in CHANGES.iter().copied().flat_map(|call| kinds.map(|kind| (call, kind)))
    {
        let (mut nth, mut last_of_the_call) = (1, false);
        while !last_of_the_call {
            let at = format!("{}, commit {nth} {kind}", call.0);
            let gateway = Box::pin(prepared()).await;
            let (before, count) = (gateway.configuration().await, gateway.record_count().await);
            gateway.index.set_faults(fault(Some(nth)));
            let answered = gateway.call("ROOT", call).await;
            gateway.index.set_faults(Faults::default());

            let gateway = gateway.crash().await;
            let (after, outcomes) = (gateway.configuration().await, gateway.outcomes(count).await);
            let record = |code: &str| vec![(event_name(call.0).to_owned(), code.to_owned())];
            if answered.is_empty() {
                assert_eq!((after == before, &outcomes), (false, &record("")), "{at}");
                last_of_the_call = true;
            } else if after != before {
                assert_eq!((kind, &outcomes), ("answer lost", &record("")), "{at}");
            } else if recorded_code.is_empty() {
                assert_eq!(outcomes, [], "{at}");
            } else {
                assert_eq!((answered, &outcomes), (recorded_code, &record(recorded_code)), "{at}");
            }
            nth += 1;
        }
        assert!(nth > 2, "{} was never disturbed", call.0);
    }
}

#[tokio::test]
async fn a_call_that_changes_nothing_is_recorded_once_before_its_answer() {
    let cases: [(&str, Call, &str); 12] = [
        ("ROOT", ("ListBuckets", "GET", "/", ""), ""),
        ("ROOT", ("GetBucketEncryption", "GET", "/configured?encryption", ""), ""),
        // In us-east-1 that is no error.
        ("ROOT", ("CreateBucket", "PUT", "/empty", ""), ""),
        ("OTHER", ("CreateBucket", "PUT", "/empty", ""), "BucketAlreadyExists"),
        ("ALICE", ("DeleteBucket", "DELETE", "/empty", ""), "AccessDenied"),
        ("ROOT", ("DeleteBucket", "DELETE", "/configured", ""), "BucketNotEmpty"),
        ("ROOT", ("PutBucketVersioning", "PUT", "/absent?versioning", VERSIONING), "NoSuchBucket"),
        ("ROOT", ("PutBucketEncryption", "PUT", "/empty?encryption", "<"), "MalformedXML"),
        ("ROOT", ("GetBucketAcl", "GET", "/configured?acl", ""), ""),
        ("ROOT", ("PutBucketAcl", "PUT", "/empty?acl", ACL), "AccessControlListNotSupported"),
        ("ROOT", ("PutBucketCors", "PUT", "/empty?cors", ""), "MissingRequestBodyError"),
        ("ROOT", ("DeleteBucketMetadataTableConfiguration", "DELETE", "/empty?metadataTable", ""), "NotImplemented"),
    ];
    let gateway = Box::pin(prepared()).await;
    let before = gateway.configuration().await;
    for (key, call, code) in cases {
        let count = gateway.record_count().await;
        assert_eq!(gateway.call(key, call).await, code, "{call:?}");
        assert_eq!(gateway.outcomes(count).await, [(call.0.to_owned(), code.to_owned())], "{call:?}");
        assert_eq!(gateway.configuration().await, before, "{call:?}");
    }
    for (key, call, code) in cases.into_iter().filter(|case| case.2 != "BucketNotEmpty") {
        // The record is the only commit of these; only what tries to make a bucket commits before.
        let nth = if call.0 == "CreateBucket" { 2 } else { 1 };
        gateway.index.set_faults(Faults { fail_commit_in: Some(nth), ..Faults::default() });
        assert_eq!(gateway.call(key, call).await, "InternalError", "{call:?} {code}: fail closed");
        gateway.index.set_faults(Faults { full_in: Some(nth), ..Faults::default() });
        assert_eq!(gateway.call(key, call).await, "ServiceUnavailable", "{call:?} {code}: fail closed");
    }
}

#[tokio::test]
async fn changes_at_the_same_time_leave_one_record_each() {
    let gateway = Box::pin(prepared()).await;
    let count = gateway.record_count().await;
    let calls = (0..12).map(|n| ("PutBucketVersioning", "PUT", "/empty?versioning", [VERSIONING, SUSPENDED][n % 2]));
    let mut answers = join_all(calls.map(|call| gateway.call("ROOT", call))).await;
    let outcomes = gateway.outcomes(count).await;
    assert!(outcomes.iter().all(|(name, _)| name == "PutBucketVersioning"));
    let mut codes: Vec<_> = outcomes.iter().map(|(_, code)| code.as_str()).collect();
    answers.sort_unstable();
    codes.sort_unstable();
    assert_eq!(codes, answers);
    assert!(answers.contains(&""));
}

#[tokio::test]
async fn a_call_goes_on_to_its_record_when_its_caller_hangs_up() {
    for call in CHANGES {
        let gateway = Box::pin(prepared()).await;
        let (before, count) = (gateway.configuration().await, gateway.record_count().await);
        let request = gateway.request("ROOT", (call.1, call.2), &[], call.3);
        let findings = request.edge.findings.clone();
        assert!(serve(&gateway.app, request).now_or_never().is_none());
        // The access log hears of it all the same.
        let (operation, bucket) = (Some(call.0), call.2.split(['/', '?']).nth(1).map(str::to_owned));
        assert_eq!(findings.found(), Found { operation, bucket, access_key_id: Some("ROOT".to_owned()) });
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_ne!(gateway.configuration().await, before, "{}", call.0);
        assert_eq!(gateway.outcomes(count).await, [(event_name(call.0).to_owned(), String::new())]);
    }
}
