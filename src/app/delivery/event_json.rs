//! Events as S3 writes them (S3 User Guide, "Event message structure" and "Amazon S3 EventBridge events"). Pure.

use serde_json::{Map, Value, json};

use crate::crypto::sha256;
use crate::names::hex;
use crate::objects::{Happening, NotificationTask};
use crate::rules::notification::EventName;
use crate::sources::Timestamp;
use crate::wire::{encode_key_into, extended_request_id, iso8601_ms, iso8601_seconds};

/// The message for a destination: a list of one record, or an event of EventBridge.
pub(crate) fn render(task: &NotificationTask, id: &[u8; 16]) -> Vec<u8> {
    let happening = &task.happening;
    let value = match &task.configuration {
        Some(configuration) => json!({ "Records": [record(happening, configuration, id)] }),
        None => bus_event(happening, id),
    };
    value.to_string().into_bytes()
}

/// What a queue and a topic get when a configuration names them.
pub(crate) fn test_event(bucket: &str, now: Timestamp, request_id: &str) -> Vec<u8> {
    let value = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso8601_ms(now),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": extended_request_id(request_id),
    });
    value.to_string().into_bytes()
}

fn record(happening: &Happening, configuration: &str, id: &[u8; 16]) -> Value {
    let event = happening.event.name();
    let request_id = request_id(happening, id);
    let mut key = String::with_capacity(happening.key.len());
    encode_key_into(&mut key, &happening.key);
    let mut object = Map::new();
    object.insert("key".to_owned(), json!(key));
    object.extend(happening.plain_len.map(|size| ("size".to_owned(), json!(size))));
    object.extend(etag(happening).map(|etag| ("eTag".to_owned(), json!(etag))));
    object.extend(happening.version.as_ref().map(|version| ("versionId".to_owned(), json!(version))));
    object.extend(happening.sequence.map(|sequence| ("sequencer".to_owned(), json!(sequencer(sequence)))));
    let mut record = json!({
        "eventVersion": version(happening.event),
        "eventSource": "aws:s3",
        "awsRegion": happening.region,
        "eventTime": iso8601_ms(Timestamp(happening.time_ms)),
        "eventName": event.strip_prefix("s3:").unwrap_or(event),
        "userIdentity": { "principalId": happening.principal },
        "requestParameters": { "sourceIPAddress": happening.source_ip },
        "responseElements": {
            "x-amz-request-id": request_id,
            "x-amz-id-2": extended_request_id(&request_id),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": happening.bucket,
                "ownerIdentity": { "principalId": happening.owner },
                "arn": format!("arn:aws:s3:::{}", happening.bucket),
            },
            "object": object,
        },
    });
    if let (Some(class), Some(record)) = (&happening.class, record.as_object_mut()) {
        let class = json!({ "transitionEventData": { "destinationStorageClass": class } });
        record.insert("lifecycleEventData".to_owned(), class);
    }
    record
}

/// Of a delete marker, which has none, it is that of nothing.
fn etag(happening: &Happening) -> Option<&str> {
    const OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
    if is_marker(happening.event) { Some(OF_NOTHING) } else { happening.etag.as_deref() }
}

fn is_marker(event: EventName) -> bool {
    event == EventName::REMOVED_MARKER || event == EventName::EXPIRATION_MARKER
}

/// 2.2 has replication, 2.3 what came with lifecycle, tiering, ACLs and tags; the others stay as they were.
fn version(event: EventName) -> &'static str {
    let in_group = |group: EventName| group.covers(event);
    if in_group(EventName::REPLICATION) {
        return "2.2";
    }
    let first = [EventName::CREATED, EventName::REMOVED, EventName::REDUCED_REDUNDANCY_LOST];
    let restores = [EventName::RESTORE_POST, EventName::RESTORE_COMPLETED];
    if first.into_iter().chain(restores).any(in_group) { "2.1" } else { "2.3" }
}

/// Of one length, so that it sorts as text as the numbers do.
fn sequencer(sequence: u64) -> String {
    format!("{sequence:018X}")
}

/// What no request has caused shows an id all the same, as with AWS.
fn request_id(happening: &Happening, id: &[u8; 16]) -> String {
    if happening.request_id.is_empty() { hex(&id[..8]).to_uppercase() } else { happening.request_id.clone() }
}

fn bus_event(happening: &Happening, id: &[u8; 16]) -> Value {
    let (detail_type, reason) = detail(happening);
    let mut object = Map::new();
    object.insert("key".to_owned(), json!(happening.key));
    object.extend(happening.plain_len.map(|size| ("size".to_owned(), json!(size))));
    object.extend(etag(happening).map(|etag| ("etag".to_owned(), json!(etag))));
    object.extend(happening.version.as_ref().map(|version| ("version-id".to_owned(), json!(version))));
    object.extend(happening.sequence.map(|sequence| ("sequencer".to_owned(), json!(sequencer(sequence)))));
    let mut more = Map::new();
    more.insert("version".to_owned(), json!("0"));
    more.insert("bucket".to_owned(), json!({ "name": happening.bucket }));
    more.insert("object".to_owned(), Value::Object(object));
    more.insert("request-id".to_owned(), json!(request_id(happening, id)));
    more.insert("requester".to_owned(), json!(happening.requester.as_deref().unwrap_or(&happening.principal)));
    // What no request has caused came from nowhere.
    if !happening.request_id.is_empty() {
        more.insert("source-ip-address".to_owned(), json!(happening.source_ip));
    }
    more.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
    more.extend(happening.class.as_ref().map(|class| ("destination-storage-class".to_owned(), json!(class))));
    if is_marker(happening.event) {
        more.insert("deletion-type".to_owned(), json!("Delete Marker Created"));
    } else if EventName::REMOVED.covers(happening.event) || EventName::EXPIRATION.covers(happening.event) {
        more.insert("deletion-type".to_owned(), json!("Permanently Deleted"));
    }
    json!({
        "version": "0",
        "id": uuid(id),
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": happening.owner,
        "time": iso8601_seconds(Timestamp(happening.time_ms)),
        "region": happening.region,
        "resources": [format!("arn:aws:s3:::{}", happening.bucket)],
        "detail": more,
    })
}

/// EventBridge's name of an event, and why it happened.
fn detail(happening: &Happening) -> (&'static str, Option<&'static str>) {
    let event = happening.event;
    let covered = |group: EventName| group.covers(event);
    if covered(EventName::CREATED) {
        let reason = match event {
            EventName::CREATED_POST => "POST Object",
            EventName::CREATED_COPY => "CopyObject",
            EventName::CREATED_COMPLETE => "CompleteMultipartUpload",
            _ => "PutObject",
        };
        return ("Object Created", Some(reason));
    }
    if covered(EventName::REMOVED) {
        return ("Object Deleted", Some("DeleteObject"));
    }
    if covered(EventName::EXPIRATION) {
        return ("Object Deleted", Some("Lifecycle Expiration"));
    }
    match event {
        EventName::TAGGING_PUT => ("Object Tags Added", None),
        EventName::TAGGING_DELETE => ("Object Tags Deleted", None),
        EventName::ACL_PUT => ("Object ACL Updated", None),
        EventName::TRANSITION => ("Object Storage Class Changed", None),
        EventName::TIERING => ("Object Access Tier Changed", None),
        EventName::RESTORE_POST => ("Object Restore Initiated", None),
        EventName::RESTORE_COMPLETED => ("Object Restore Completed", None),
        EventName::RESTORE_DELETE => ("Object Restore Expired", None),
        // EventBridge knows no others of S3; these names are ours.
        _ if covered(EventName::REPLICATION) => ("Object Replication Failed", None),
        _ => ("Object Changed", None),
    }
}

/// An id in the form of version 4.
fn uuid(id: &[u8; 16]) -> String {
    let digest = sha256(id);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        event: String,
        happening: Value,
        expected: Value,
    }

    /// A happening with what a case says in place of what it is else.
    fn happening(event: &str, said: &Value) -> (Happening, bool) {
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        let or = |name: &str, other: &str| text(name).unwrap_or_else(|| other.to_owned());
        let happening = Happening {
            event: EventName::parse(event).unwrap(),
            time_ms: 1_795_608_000_123,
            region: "us-east-1".to_owned(),
            bucket: "bucket".to_owned(),
            owner: "111122223333".to_owned(),
            key: or("key", "k"),
            plain_len: said.get("size").and_then(Value::as_u64),
            etag: text("etag"),
            version: text("version"),
            sequence: said.get("sequence").and_then(Value::as_u64),
            principal: or("principal", "AWS:AIDAJDPLRKLG7UEXAMPLE"),
            requester: text("principal").is_none().then(|| "111122223333".to_owned()),
            source_ip: or("source_ip", "127.0.0.1"),
            request_id: or("request_id", "C3D13FE58DE4C810"),
            class: text("class"),
        };
        (happening, said.get("bus").is_some())
    }

    #[test]
    fn events_are_written_as_aws_writes_them() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../fixtures/s3/events.json")).unwrap();
        assert!(!cases.is_empty());
        for Case { name, event, happening: said, expected } in cases {
            let (happening, bus) = happening(&event, &said);
            let configuration = (!bus).then(|| "testConfigRule".to_owned());
            let task = NotificationTask { target: String::new(), configuration, happening };
            let written: Value = serde_json::from_slice(&render(&task, &[7; 16])).unwrap();
            assert_eq!(written, expected, "{name}: {written}");
        }
    }

    #[test]
    fn the_test_event() {
        let written = String::from_utf8(test_event("b", Timestamp(1_795_608_000_123), "C3D13FE58DE4C810")).unwrap();
        let expected = format!(
            "{{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Time\":\"2026-11-25T12:00:00.123Z\",\
             \"Bucket\":\"b\",\"RequestId\":\"C3D13FE58DE4C810\",\"HostId\":\"{}\"}}",
            extended_request_id("C3D13FE58DE4C810")
        );
        assert_eq!(written, expected);
    }

    #[test]
    fn later_changes_sort_behind() {
        let mut last = sequencer(0);
        for sequence in [1, 9, 16, 255, 1 << 40, u64::MAX] {
            let next = sequencer(sequence);
            assert!(last < next, "{last} {next}");
            last = next;
        }
    }
}
