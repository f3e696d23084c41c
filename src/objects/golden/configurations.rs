//! The golden bytes of what buckets are configured to do.

use super::*;
use crate::objects::configuration::{Configurations, Configured, configuration_row, named_row};
use crate::rules::abac::Abac;
use crate::rules::accelerate::Accelerate;
use crate::rules::analytics::{Analytics, AnalyticsExport};
use crate::rules::cors::{Cors, CorsMethod, CorsRule};
use crate::rules::filter::ObjectFilter;
use crate::rules::intelligent_tiering::{ArchiveTier, IntelligentTiering, TIER_MAX_DAYS, Tiering};
use crate::rules::inventory::{Destination, Encryption, Field, Frequency, Inventory};
use crate::rules::lifecycle::{
    Expiration, Filter, FilterForm, Lifecycle, MinimumSize, NoncurrentExpiration, NoncurrentTransition, Rule,
    StorageClass, Transition, TransitionTime,
};
use crate::rules::lock::{DefaultRetention, LockConfiguration, Period, RETENTION_MAX_DAYS, RetentionMode};
use crate::rules::logging::{BucketLogging, LogGrant, LogGrantee, LogKeyFormat, LogPermission};
use crate::rules::metrics::Metrics;
use crate::rules::notification::{Destination as NotificationDestination, DestinationKind, NotificationConfiguration};
use crate::rules::replication::{
    ReplicationConfiguration, Rule as ReplicationRule, RuleFilter, Target as ReplicationTarget,
};
use crate::rules::tagging::BucketTags;
use crate::rules::website::{Protocol, RedirectAll, Replace, RoutingRule, Website};
use crate::rules::{BucketConfiguration, ConfigurationKind};

/// What a bucket is configured to do.
pub(super) fn configured(plain: &BucketRecord) -> Vec<Golden> {
    let mut configurations = Configurations::default();
    configurations.set(ConfigurationKind::Tagging, Some(HOLDER));
    let configured = BucketRecord { configurations: Some(configurations), ..plain.clone() };
    let name = BucketName::parse("bucket").expect("a name");
    let at = |kind| configuration_row(&BUCKET, kind);
    let tags = BucketTags(vec![("k".to_owned(), "v".to_owned())]);
    let mut goldens = vec![
        golden_row("bucket with configurations", &bucket_row(&name), &configured),
        golden_row("tags of a bucket", &at(ConfigurationKind::Tagging), &Configured { id: HOLDER, value: tags }),
        golden_row("CORS rules", &at(ConfigurationKind::Cors), &Configured { id: HOLDER, value: cors() }),
        golden_row("website", &at(ConfigurationKind::Website), &Configured { id: HOLDER, value: website() }),
        golden_row(
            "website elsewhere",
            &at(ConfigurationKind::Website),
            &Configured { id: HOLDER, value: elsewhere() },
        ),
    ];
    for (what, enabled) in [("on", true), ("suspended", false)] {
        let value = Configured { id: HOLDER, value: Accelerate { enabled } };
        goldens.push(golden_row(&format!("acceleration {what}"), &at(ConfigurationKind::Accelerate), &value));
    }
    let abac = Configured { id: HOLDER, value: Abac {} };
    goldens.push(golden_row("tags that decide", &at(ConfigurationKind::Abac), &abac));
    for (what, default) in default_retentions() {
        let value = Configured { id: HOLDER, value: LockConfiguration { default } };
        goldens.push(golden_row(&format!("object lock, {what}"), &at(ConfigurationKind::ObjectLock), &value));
    }
    goldens.push(golden_row(
        "notifications of a bucket",
        &at(ConfigurationKind::Notification),
        &Configured { id: HOLDER, value: notifications() },
    ));
    let unvalidated = Some(vec!["arn:aws:sqs:us-east-1:111122223333:none".to_owned()]);
    let unvalidated = NotificationConfiguration { unvalidated, ..notifications() };
    goldens.push(golden_row(
        "notifications that were not validated",
        &at(ConfigurationKind::Notification),
        &Configured { id: HOLDER, value: unvalidated },
    ));
    goldens.push(golden_row(
        "replication of a bucket",
        &at(ConfigurationKind::Replication),
        &Configured { id: HOLDER, value: replication() },
    ));
    for (what, value) in loggings() {
        let name = format!("access logs, {what}");
        goldens.push(golden_row(&name, &at(ConfigurationKind::Logging), &Configured { id: HOLDER, value }));
    }
    goldens.extend(lifecycles());
    goldens.extend(inventories());
    goldens.extend(named());
    goldens
}

fn loggings() -> Vec<(&'static str, BucketLogging)> {
    let of = |grants, key_format| BucketLogging {
        target_bucket: "logs".to_owned(),
        target_prefix: "p/".to_owned(),
        grants,
        key_format,
    };
    let grant = |grantee, permission| LogGrant { grantee, permission };
    let grants = vec![
        grant(LogGrantee::Account("c".to_owned()), LogPermission::FullControl),
        grant(LogGrantee::Group("uri".to_owned()), LogPermission::Read),
        grant(LogGrantee::Group("uri".to_owned()), LogPermission::Write),
    ];
    vec![
        ("least", of(Vec::new(), None)),
        ("simple", of(grants, Some(LogKeyFormat::Simple))),
        ("by event", of(Vec::new(), Some(LogKeyFormat::PartitionedByEvent))),
        ("by delivery", of(Vec::new(), Some(LogKeyFormat::PartitionedByDelivery))),
    ]
}

fn default_retentions() -> Vec<(&'static str, Option<DefaultRetention>)> {
    let of = |mode, period| Some(DefaultRetention { mode, period });
    vec![
        ("no default", None),
        ("days", of(RetentionMode::Governance, Period::Days(RETENTION_MAX_DAYS))),
        ("years", of(RetentionMode::Compliance, Period::Years(1))),
    ]
}

/// Configurations that a bucket has by id.
fn named() -> Vec<Golden> {
    fn at<T: BucketConfiguration + std::fmt::Debug>(name: &str, value: T) -> Golden {
        golden_row(name, &named_row(&BUCKET, T::KIND, "id"), &Configured { id: HOLDER, value })
    }
    let tag = |name: &str| (name.to_owned(), "v".to_owned());
    let prefix = Some(ObjectFilter { prefix: text("p/"), ..ObjectFilter::default() });
    let access_point = text("arn:aws:s3:us-east-1:111122223333:accesspoint/a");
    let all = Some(ObjectFilter { prefix: text(""), tags: vec![tag("a"), tag("b")], access_point, and: true });
    let export =
        AnalyticsExport { bucket: "arn:aws:s3:::b".to_owned(), account: text("111122223333"), prefix: text("p") };
    let least = AnalyticsExport { account: None, prefix: None, ..export.clone() };
    let tierings = [ArchiveTier::Archive, ArchiveTier::DeepArchive].map(|tier| Tiering { tier, days: TIER_MAX_DAYS });
    vec![
        at("analytics, least", Analytics { filter: None, export: None }),
        at("analytics", Analytics { filter: prefix.clone(), export: Some(export) }),
        at("analytics, least export", Analytics { filter: None, export: Some(least) }),
        at("metrics", Metrics { filter: None }),
        at("metrics with a filter", Metrics { filter: all }),
        at("tiering", IntelligentTiering { filter: prefix, enabled: true, tierings: tierings.to_vec() }),
        at("tiering, disabled", IntelligentTiering { filter: None, enabled: false, tierings: tierings[..1].to_vec() }),
    ]
}

fn cors() -> Cors {
    let text = |text: &str| vec![text.to_owned()];
    let full = CorsRule {
        id: Some("id".to_owned()),
        origins: text("https://*"),
        methods: CorsMethod::ALL.to_vec(),
        headers: text("*"),
        expose: text("ETag"),
        max_age_seconds: Some(3000),
    };
    let (headers, expose) = (Vec::new(), Vec::new());
    let bare = CorsRule { id: None, headers, expose, max_age_seconds: None, ..full.clone() };
    Cors(vec![full, bare])
}

fn website() -> Website {
    let rule = |replace| RoutingRule {
        prefix: Some("a/".to_owned()),
        error: Some(404),
        host: Some("h".to_owned()),
        status: Some(302),
        protocol: Some(Protocol::Http),
        replace,
    };
    let bare = RoutingRule { prefix: None, error: None, host: None, status: None, protocol: None, replace: None };
    let key = Replace::Key("k".to_owned());
    let prefix = Replace::Prefix("p".to_owned());
    let (index, error) = (Some("index.html".to_owned()), Some("error.html".to_owned()));
    Website { index, error, redirect_all: None, rules: vec![rule(Some(key)), rule(Some(prefix)), bare] }
}

fn elsewhere() -> Website {
    let redirect_all = Some(RedirectAll { host: "h".to_owned(), protocol: Some(Protocol::Https) });
    Website { index: None, error: None, redirect_all, rules: Vec::new() }
}

/// Every form of filter and every action.
fn lifecycles() -> Vec<Golden> {
    let transitions = |class| vec![Transition { at: TransitionTime::Days(30), class }];
    let rule = |id: &str, filter: Filter, expiration| Rule {
        id: id.to_owned(),
        enabled: true,
        filter,
        expiration: Some(expiration),
        noncurrent_expiration: Some(NoncurrentExpiration { days: 7, newer: Some(3) }),
        abort_after_days: Some(2),
        transitions: transitions(StorageClass::StandardIa),
        noncurrent_transitions: vec![NoncurrentTransition { days: 5, newer: None, class: StorageClass::GlacierIr }],
    };
    let and = Filter {
        form: FilterForm::And,
        prefix: text("a/"),
        tags: vec![("k".to_owned(), "v".to_owned())],
        larger_than: Some(1),
        smaller_than: Some(1 << 40),
    };
    let older = Filter { form: FilterForm::Rule, prefix: text(""), ..Filter::default() };
    let dated = Rule {
        enabled: false,
        transitions: vec![Transition { at: TransitionTime::Date(NOW_MS), class: StorageClass::OneZoneIa }],
        ..rule("dated", Filter::default(), Expiration::Date(NOW_MS))
    };
    let tiered = Rule {
        transitions: transitions(StorageClass::IntelligentTiering),
        ..rule("tiered", older, Expiration::DeleteMarker(true))
    };
    let rules = vec![rule("all", and, Expiration::Days(400)), dated, tiered];
    let least = Rule { id: "least".to_owned(), ..Rule::default() };
    let row = configuration_row(&BUCKET, ConfigurationKind::Lifecycle);
    let of = |rules, minimum_size| Configured { id: HOLDER, value: Lifecycle { rules, minimum_size } };
    vec![
        golden_row("lifecycle rules", &row, &of(rules, MinimumSize::VariesByClass)),
        golden_row("lifecycle rules, least", &row, &of(vec![least], MinimumSize::All128K)),
    ]
}

/// Every field, and every form of encryption.
fn inventories() -> Vec<Golden> {
    let destination = |encryption| Destination { account: None, bucket: "d".to_owned(), prefix: None, encryption };
    let least = Inventory {
        enabled: false,
        prefix: None,
        all_versions: false,
        frequency: Frequency::Weekly,
        fields: Vec::new(),
        destination: destination(None),
    };
    let most = Inventory {
        enabled: true,
        prefix: text("a/"),
        all_versions: true,
        frequency: Frequency::Daily,
        fields: Field::ALL.to_vec(),
        destination: Destination {
            account: text("111122223333"),
            prefix: text("lists"),
            ..destination(Some(Encryption::SseKms("alias/k".to_owned())))
        },
    };
    let owned = Inventory { destination: destination(Some(Encryption::SseS3)), ..least.clone() };
    let row = named_row(&BUCKET, ConfigurationKind::Inventory, "list");
    let of = |value| Configured { id: HOLDER, value };
    vec![
        golden_row("inventory", &row, &of(most)),
        golden_row("inventory, SSE-S3", &row, &of(owned)),
        golden_row("inventory, least", &row, &of(least)),
    ]
}

/// Every event, every kind of destination.
fn notifications() -> NotificationConfiguration {
    let destination = |kind, arn: &str, rule: Option<String>| NotificationDestination {
        id: "id".to_owned(),
        kind,
        arn: arn.to_owned(),
        events: EventName::ALL.to_vec(),
        prefix: rule.clone(),
        suffix: rule,
    };
    let destinations = vec![
        destination(DestinationKind::Topic, "arn:aws:sns:us-east-1:111122223333:t", None),
        destination(DestinationKind::Queue, "arn:aws:sqs:us-east-1:111122223333:q", text("a")),
        destination(DestinationKind::Function, "arn:aws:lambda:us-east-1:111122223333:function:f", text("")),
    ];
    NotificationConfiguration { destinations, event_bridge: true, unvalidated: None }
}

fn replication() -> ReplicationConfiguration {
    let full = ReplicationRule {
        id: "id".to_owned(),
        priority: Some(7),
        enabled: true,
        filter: RuleFilter {
            first_form: false,
            prefix: text("p"),
            tags: vec![("k".to_owned(), "v".to_owned())],
            and: true,
        },
        target: ReplicationTarget {
            bucket: "arn:aws:s3:::there".to_owned(),
            account: text("444455556666"),
            storage_class: text("STANDARD_IA"),
            owner_override: true,
            kms_key: text("arn:aws:kms:us-east-1:111122223333:key/k"),
            time: Some((true, 15)),
            metrics: Some((true, Some(15))),
        },
        delete_markers: Some(false),
        existing_objects: Some(true),
        kms_objects: Some(true),
        replica_modifications: Some(false),
    };
    let least = ReplicationRule {
        priority: None,
        filter: RuleFilter { first_form: true, prefix: text(""), tags: Vec::new(), and: false },
        target: ReplicationTarget {
            account: None,
            storage_class: None,
            owner_override: false,
            kms_key: None,
            time: None,
            metrics: None,
            ..full.target.clone()
        },
        delete_markers: None,
        existing_objects: None,
        kms_objects: None,
        replica_modifications: None,
        ..full.clone()
    };
    ReplicationConfiguration { role: "arn:aws:iam::111122223333:role/r".to_owned(), rules: vec![full, least] }
}
