//! `ReplicationConfiguration` in XML. Pure.

use std::collections::HashSet;

use super::document::{malformed, optional_text, optional_word, required, switch, text, word};
use super::error::Error;
use super::tags;
use crate::names::AccountId;
use crate::objects::bucket_of_arn;
use crate::rules::replication::{ID_MAX_CHARS, RULES_MAX, ReplicationConfiguration, Rule, RuleFilter, Target};
use crate::wire::xml::{self, Element, Writer};

/// Texts of refusals here are not recorded, unless it is said. Codes, and texts where it has them, are those of AWS's list
/// of replication-related errors.
fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid_request(message)
}

/// The one time that S3 has, in minutes.
const REPLICATION_MINUTES: i64 = 15;
/// The largest `Integer` of S3's model.
const PRIORITY_MAX: u32 = 2_147_483_647;

/// Reads a configuration and checks what can be checked without looking at buckets and roles. `new_id` names rules that
/// bring no id.
pub(super) fn parse(body: &[u8], new_id: impl Fn() -> String) -> Result<ReplicationConfiguration, Error> {
    let root = xml::parse_s3(body)?;
    if root.name != "ReplicationConfiguration" {
        return Err(malformed());
    }
    root.expect_only(&["Role", "Rule"])?;
    let role = word(&root, "Role")?.to_owned();
    let rules = root.all("Rule").map(|element| rule(element, &new_id)).collect::<Result<Vec<_>, _>>()?;
    if rules.is_empty() {
        return Err(malformed());
    }
    if rules.len() > RULES_MAX {
        return Err(invalid(format!("Replication configuration can have a maximum of {RULES_MAX} rules")));
    }
    check_together(&rules)?;
    Ok(ReplicationConfiguration { role, rules })
}

/// What holds for the rules together.
fn check_together(rules: &[Rule]) -> Result<(), Error> {
    if rules.iter().any(|rule| rule.filter.first_form != rules[0].filter.first_form) {
        return Err(invalid("Rules can be in the same form only: with Filter, or with Prefix"));
    }
    let (mut ids, mut priorities) = (HashSet::new(), HashSet::new());
    for rule in rules {
        if !ids.insert(&rule.id) {
            return Err(Error::invalid_argument("Rule Id must be unique", "ID", &rule.id));
        }
        if let Some(priority) = rule.priority
            && !priorities.insert((priority, &rule.target.bucket))
        {
            return Err(invalid(format!("Found duplicate priority {priority}")));
        }
    }
    let first = rules[0].filter.first_form;
    if first && rules.iter().any(|rule| rule.target.bucket != rules[0].target.bucket) {
        return Err(invalid("Rules with Prefix have one destination bucket"));
    }
    Ok(())
}

fn rule(element: &Element, new_id: &impl Fn() -> String) -> Result<Rule, Error> {
    element.expect_only(&[
        "ID",
        "Priority",
        "Prefix",
        "Filter",
        "Status",
        "SourceSelectionCriteria",
        "ExistingObjectReplication",
        "Destination",
        "DeleteMarkerReplication",
    ])?;
    let id = id(element, new_id)?;
    let priority = optional_word(element, "Priority")?.map(|text| text.parse().ok().filter(|n| *n <= PRIORITY_MAX));
    let priority = priority.map(|n: Option<u32>| n.map(i64::from).ok_or_else(malformed)).transpose()?;
    let filter = filter(element)?;
    let status = |name: &str| element.at_most_one(name)?.map(status).transpose();
    let delete_markers = status("DeleteMarkerReplication")?;
    if !filter.first_form {
        if priority.is_none() {
            return Err(invalid(
                "Priority must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.",
            ));
        }
        if delete_markers.is_none() {
            return Err(invalid(
                "DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.",
            ));
        }
        if delete_markers == Some(true) && !filter.tags.is_empty() {
            return Err(invalid(
                "Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more information.",
            ));
        }
    } else if priority.is_some() || delete_markers.is_some() {
        return Err(malformed());
    }
    let (kms_objects, replica_modifications) = criteria(element.at_most_one("SourceSelectionCriteria")?)?;
    if filter.first_form && replica_modifications.is_some() {
        return Err(invalid("ReplicaModifications can only be specified in rules with Filter"));
    }
    let target = target(required(element, "Destination")?)?;
    match (kms_objects, &target.kms_key) {
        (Some(true), None) => {
            return Err(invalid(
                "SseKmsEncryptedObjects must be specified with EncryptionConfiguration in destination",
            ));
        }
        (None | Some(false), Some(_)) => {
            return Err(invalid("SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present"));
        }
        (Some(true), Some(_)) | (None | Some(false), None) => {}
    }
    Ok(Rule {
        id,
        priority,
        enabled: is_enabled(element)?,
        filter,
        target,
        delete_markers,
        existing_objects: status("ExistingObjectReplication")?,
        kms_objects,
        replica_modifications,
    })
}

fn id(rule: &Element, new_id: &impl Fn() -> String) -> Result<String, Error> {
    let id = optional_text(rule, "ID")?.filter(|id| !id.is_empty());
    let id = id.map_or_else(new_id, str::to_owned);
    if !id.is_ascii() {
        return Err(Error::invalid_argument("Rule ID must not contain non-ASCII characters.", "ID", id));
    }
    if id.chars().count() > ID_MAX_CHARS {
        return Err(Error::invalid_argument("ID length should not exceed allowed limit of 255", "ID", id));
    }
    Ok(id)
}

/// Of what is under SSE-KMS, and of changes of replicas.
fn criteria(element: Option<&Element>) -> Result<(Option<bool>, Option<bool>), Error> {
    let Some(criteria) = element else { return Ok((None, None)) };
    criteria.expect_only(&["SseKmsEncryptedObjects", "ReplicaModifications"])?;
    let said = |name: &str| criteria.at_most_one(name)?.map(status).transpose();
    Ok((said("SseKmsEncryptedObjects")?, said("ReplicaModifications")?))
}

fn is_enabled(element: &Element) -> Result<bool, Error> {
    switch(element, "Status", ["Enabled", "Disabled"])
}

/// `<x><Status>…</Status></x>`
fn status(element: &Element) -> Result<bool, Error> {
    element.expect_only(&["Status"])?;
    is_enabled(element)
}

fn filter(rule: &Element) -> Result<RuleFilter, Error> {
    let (filter, prefix) = (rule.at_most_one("Filter")?, optional_text(rule, "Prefix")?);
    let none = RuleFilter { first_form: false, prefix: None, tags: Vec::new(), and: false };
    let Some(filter) = filter else {
        let prefix = prefix.ok_or_else(malformed)?.to_owned();
        return Ok(RuleFilter { first_form: true, prefix: Some(prefix), ..none });
    };
    if prefix.is_some() {
        return Err(malformed());
    }
    filter.expect_only(&["Prefix", "Tag", "And"])?;
    if filter.children.len() > 1 {
        return Err(malformed());
    }
    let (at, and) = match filter.at_most_one("And")? {
        Some(and) => {
            and.expect_only(&["Prefix", "Tag"])?;
            (and, true)
        }
        None => (filter, false),
    };
    let tags = at.all("Tag").map(|tag| {
        tag.expect_only(&["Key", "Value"])?;
        Ok((text(tag, "Key")?.to_owned(), text(tag, "Value")?.to_owned()))
    });
    let tags = tags.collect::<Result<Vec<_>, Error>>()?;
    tags::check(&tags)?;
    Ok(RuleFilter { prefix: optional_text(at, "Prefix")?.map(str::to_owned), tags, and, ..none })
}

fn target(element: &Element) -> Result<Target, Error> {
    element.expect_only(&[
        "Bucket",
        "Account",
        "StorageClass",
        "AccessControlTranslation",
        "EncryptionConfiguration",
        "ReplicationTime",
        "Metrics",
    ])?;
    let said = |name: &str| Ok::<_, Error>(optional_word(element, name)?.map(str::to_owned));
    let bucket = word(element, "Bucket")?.to_owned();
    if bucket_of_arn(&bucket).is_none() {
        return Err(Error::invalid_argument("Invalid bucket ARN.", "Bucket", bucket));
    }
    let account = said("Account")?;
    if account.as_deref() == Some("") {
        let text = "The Account element is empty. It must contain a valid account ID.";
        return Err(Error::invalid_argument(text, "Account", ""));
    }
    if account.as_ref().is_some_and(|account| AccountId::parse(account).is_err()) {
        return Err(malformed());
    }
    let storage_class = said("StorageClass")?;
    let known = ["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];
    if storage_class.as_ref().is_some_and(|class| !known.contains(&class.as_str())) {
        return Err(malformed());
    }
    let owner_override = match element.at_most_one("AccessControlTranslation")? {
        None => false,
        Some(translation) => {
            translation.expect_only(&["Owner"])?;
            if word(translation, "Owner")? != "Destination" {
                return Err(malformed());
            }
            if account.is_none() {
                return Err(invalid("Account must be specified if AccessControlTranslation is present"));
            }
            true
        }
    };
    let kms_key = match element.at_most_one("EncryptionConfiguration")? {
        None => None,
        Some(encryption) => {
            encryption.expect_only(&["ReplicaKmsKeyID", "UseSourceMultiRegionKey"])?;
            if encryption.at_most_one("UseSourceMultiRegionKey")?.is_some() {
                let text = "UseSourceMultiRegionKey is not implemented by this server: name a key in ReplicaKmsKeyID.";
                return Err(Error::not_implemented(text));
            }
            let key = Some(word(encryption, "ReplicaKmsKeyID")?).filter(|key| !key.is_empty());
            Some(key.ok_or_else(malformed)?.to_owned())
        }
    };
    let (time, metrics) = time_control(element)?;
    Ok(Target { bucket, account, storage_class, owner_override, kms_key, time, metrics })
}

/// Whether something is on, and its minutes.
type Timed = (bool, Option<u32>);
/// Of replication time control, and of metrics.
type TimeControl = (Option<(bool, u32)>, Option<Timed>);

/// Replication time control and metrics: metrics go without it, it does not go without metrics.
fn time_control(destination: &Element) -> Result<TimeControl, Error> {
    let time = timed(destination.at_most_one("ReplicationTime")?, "ReplicationTime", "Time")?;
    let metrics = timed(destination.at_most_one("Metrics")?, "Metrics", "EventThreshold")?;
    let Some((on, minutes)) = time else { return Ok((None, metrics)) };
    let minutes = minutes.ok_or_else(|| {
        Error::invalid_argument("ReplicationTime-ReplicationTimeValue must contain a value.", "ReplicationTime", "")
    })?;
    match metrics {
        None => Err(invalid("The replication destination must contain both ReplicationTime and Metrics, or neither.")),
        Some((counted, _)) if counted != on => {
            Err(invalid("ReplicationTime and ReplicationMetrics must have the same status."))
        }
        Some((_, None)) => {
            Err(Error::invalid_argument("ReplicationMetrics must contain an EventThreshold.", "Metrics", ""))
        }
        Some((_, Some(_))) => Ok((Some((on, minutes)), metrics)),
    }
}

/// Of `name`, whether it is on, and how many minutes `minutes` names.
fn timed(element: Option<&Element>, name: &'static str, minutes: &str) -> Result<Option<Timed>, Error> {
    let Some(element) = element else { return Ok(None) };
    element.expect_only(&["Status", minutes])?;
    if element.at_most_one("Status")?.is_none() {
        return Err(Error::invalid_argument(format!("{name} must contain a Status."), name, ""));
    }
    let on = is_enabled(element)?;
    let Some(value) = element.at_most_one(minutes)? else { return Ok(Some((on, None))) };
    value.expect_only(&["Minutes"])?;
    let sent = word(value, "Minutes")?;
    match sent.parse::<i64>().map_err(|_| malformed())? {
        REPLICATION_MINUTES => Ok(Some((on, Some(REPLICATION_MINUTES as u32)))),
        _ => {
            let text = format!("{minutes}-ReplicationTimeValue-Minutes value must be {REPLICATION_MINUTES}.");
            Err(Error::invalid_argument(text, "Minutes", sent))
        }
    }
}

fn status_word(on: bool) -> &'static str {
    if on { "Enabled" } else { "Disabled" }
}

fn write_status(w: &mut Writer, name: &str, on: Option<bool>) {
    if let Some(on) = on {
        w.node(name, |w| {
            w.leaf("Status", status_word(on));
        });
    }
}

/// A configuration as S3 shows it.
pub(super) fn render(configuration: &ReplicationConfiguration) -> Writer {
    let mut w = Writer::document();
    w.root("ReplicationConfiguration", |w| {
        w.leaf("Role", &configuration.role);
        for rule in &configuration.rules {
            w.node("Rule", |w| write_rule(w, rule));
        }
    });
    w
}

fn write_rule(w: &mut Writer, rule: &Rule) {
    w.leaf("ID", &rule.id);
    if let Some(priority) = rule.priority {
        w.leaf("Priority", &priority.to_string());
    }
    write_filter(w, &rule.filter);
    w.leaf("Status", status_word(rule.enabled));
    if rule.kms_objects.is_some() || rule.replica_modifications.is_some() {
        w.node("SourceSelectionCriteria", |w| {
            write_status(w, "SseKmsEncryptedObjects", rule.kms_objects);
            write_status(w, "ReplicaModifications", rule.replica_modifications);
        });
    }
    write_status(w, "ExistingObjectReplication", rule.existing_objects);
    w.node("Destination", |w| write_target(w, &rule.target));
    write_status(w, "DeleteMarkerReplication", rule.delete_markers);
}

fn write_filter(w: &mut Writer, filter: &RuleFilter) {
    if filter.first_form {
        w.leaf("Prefix", filter.prefix.as_deref().unwrap_or_default());
        return;
    }
    let inner = |w: &mut Writer| {
        if let Some(prefix) = &filter.prefix {
            w.leaf("Prefix", prefix);
        }
        for (key, value) in &filter.tags {
            w.node("Tag", |w| {
                w.leaf("Key", key).leaf("Value", value);
            });
        }
    };
    w.node("Filter", |w| {
        if filter.and {
            w.node("And", inner);
        } else {
            inner(w);
        }
    });
}

fn write_target(w: &mut Writer, target: &Target) {
    w.leaf("Bucket", &target.bucket);
    for (name, value) in [("Account", &target.account), ("StorageClass", &target.storage_class)] {
        if let Some(value) = value {
            w.leaf(name, value);
        }
    }
    if target.owner_override {
        w.node("AccessControlTranslation", |w| {
            w.leaf("Owner", "Destination");
        });
    }
    if let Some(key) = &target.kms_key {
        w.node("EncryptionConfiguration", |w| {
            w.leaf("ReplicaKmsKeyID", key);
        });
    }
    let time = target.time.map(|(on, minutes)| (on, Some(minutes)));
    for (name, inner, value) in [("ReplicationTime", "Time", time), ("Metrics", "EventThreshold", target.metrics)] {
        let Some((on, minutes)) = value else { continue };
        w.node(name, |w| {
            w.leaf("Status", status_word(on));
            if let Some(minutes) = minutes {
                w.node(inner, |w| {
                    w.number("Minutes", minutes.into());
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, render};

    /// A body and its error, or none and what is shown of it.
    #[derive(serde::Deserialize)]
    struct Case {
        body: String,
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        shown: String,
    }

    #[test]
    fn bodies_and_what_is_answered() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../fixtures/s3/replication.json")).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            match parse(case.body.as_bytes(), || "made".to_owned()) {
                Ok(configuration) => {
                    assert_eq!(case.code, "", "{}", case.body);
                    let written = render(&configuration).finish();
                    let inner = written.split_once("2006-03-01/\">").unwrap().1;
                    assert_eq!(inner.strip_suffix("</ReplicationConfiguration>").unwrap(), case.shown, "{}", case.body);
                    assert_eq!(parse(written.as_bytes(), || unreachable!()).unwrap(), configuration);
                }
                Err(error) => {
                    assert_eq!((error.code().name(), error.message()), (&*case.code, &*case.message), "{}", case.body);
                }
            }
        }
    }

    #[test]
    fn a_thousand_rules_and_no_more() {
        let body = |count: usize| {
            let one = |n: usize| {
                format!(
                    "<Rule><ID>{n}</ID><Priority>{n}</Priority><Filter><Prefix>{n}</Prefix></Filter><Status>Enabled</Status>\
                 <Destination><Bucket>arn:aws:s3:::there</Bucket></Destination>\
                 <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication></Rule>"
                )
            };
            let rules: String = (0..count).map(one).collect();
            format!("<ReplicationConfiguration><Role>r</Role>{rules}</ReplicationConfiguration>")
        };
        assert_eq!(parse(body(1000).as_bytes(), String::new).unwrap().rules.len(), 1000);
        assert_eq!(parse(body(1001).as_bytes(), String::new).unwrap_err().code().name(), "InvalidRequest");
    }
}
