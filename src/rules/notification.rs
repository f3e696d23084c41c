//! Event notifications (S3 User Guide, "Amazon S3 Event Notifications"): which events of a bucket are told to whom.

use std::borrow::Cow;

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};
use crate::wire::decode_query;

/// Destinations of a bucket's configuration, at most.
pub const DESTINATIONS_MAX: usize = 100;
/// Bytes of a prefix or suffix, at most.
pub const FILTER_VALUE_MAX_BYTES: usize = 1024;
/// Characters of a destination's id, at most.
pub const ID_MAX_CHARS: usize = 255;

macro_rules! events {
    ($($number:literal $constant:ident $name:literal,)*) => {
        /// An event, or a group of events that ends in `*`. Stored by its number: never reuse one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct EventName(u8);

        impl EventName {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self($number);)*

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self($number),)*];

            /// As S3 names it, with `s3:` in front.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$constant => $name,)*
                    Self(_) => unreachable!("no other number is made or read"),
                }
            }
        }
    };
}

events! {
    1 REDUCED_REDUNDANCY_LOST "s3:ReducedRedundancyLostObject",
    2 CREATED "s3:ObjectCreated:*",
    3 CREATED_PUT "s3:ObjectCreated:Put",
    4 CREATED_POST "s3:ObjectCreated:Post",
    5 CREATED_COPY "s3:ObjectCreated:Copy",
    6 CREATED_COMPLETE "s3:ObjectCreated:CompleteMultipartUpload",
    7 REMOVED "s3:ObjectRemoved:*",
    8 REMOVED_DELETE "s3:ObjectRemoved:Delete",
    9 REMOVED_MARKER "s3:ObjectRemoved:DeleteMarkerCreated",
    10 RESTORE "s3:ObjectRestore:*",
    11 RESTORE_POST "s3:ObjectRestore:Post",
    12 RESTORE_COMPLETED "s3:ObjectRestore:Completed",
    13 RESTORE_DELETE "s3:ObjectRestore:Delete",
    14 REPLICATION "s3:Replication:*",
    15 REPLICATION_FAILED "s3:Replication:OperationFailedReplication",
    16 REPLICATION_NOT_TRACKED "s3:Replication:OperationNotTracked",
    17 REPLICATION_MISSED "s3:Replication:OperationMissedThreshold",
    18 REPLICATION_LATE "s3:Replication:OperationReplicatedAfterThreshold",
    19 TRANSITION "s3:LifecycleTransition",
    20 TIERING "s3:IntelligentTiering",
    21 ACL_PUT "s3:ObjectAcl:Put",
    22 EXPIRATION "s3:LifecycleExpiration:*",
    23 EXPIRATION_DELETE "s3:LifecycleExpiration:Delete",
    24 EXPIRATION_MARKER "s3:LifecycleExpiration:DeleteMarkerCreated",
    25 TAGGING "s3:ObjectTagging:*",
    26 TAGGING_PUT "s3:ObjectTagging:Put",
    27 TAGGING_DELETE "s3:ObjectTagging:Delete",
    28 ANNOTATION "s3:ObjectAnnotation:*",
    29 ANNOTATION_PUT "s3:ObjectAnnotation:Put",
    30 ANNOTATION_DELETE "s3:ObjectAnnotation:Delete",
    31 RETENTION_PUT "s3:ObjectRetention:Put",
}

impl EventName {
    /// By S3's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|event| event.name() == name).copied()
    }

    /// Whether this is `event` or a group that it belongs to.
    pub fn covers(self, event: Self) -> bool {
        let group = self.name().strip_suffix('*');
        self == event || group.is_some_and(|group| event.name().starts_with(group))
    }
}

impl<C> Encode<C> for EventName {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u8(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for EventName {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let number = Self(d.u8()?);
        Self::ALL.contains(&number).then_some(number).ok_or_else(|| minicbor::decode::Error::message("no such event"))
    }
}

/// What kind of service a destination is for AWS; here it only tells how its element is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum DestinationKind {
    /// An SNS topic.
    #[n(0)]
    Topic,
    /// An SQS queue.
    #[n(1)]
    Queue,
    /// A Lambda function.
    #[n(2)]
    Function,
}

/// Which events of which keys go where.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Destination {
    /// Its name within the configuration.
    #[n(0)]
    pub id: String,
    /// Of what kind.
    #[n(1)]
    pub kind: DestinationKind,
    /// Where to: the ARN of a target of the settings.
    #[n(2)]
    pub arn: String,
    /// Events and groups of them.
    #[n(3)]
    pub events: Vec<EventName>,
    /// Keys begin so; none: no such rule.
    #[n(4)]
    pub prefix: Option<String>,
    /// Keys end so; none: no such rule.
    #[n(5)]
    pub suffix: Option<String>,
}

/// The notification configuration of a bucket; never without any destination and without EventBridge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct NotificationConfiguration {
    /// In the order sent.
    #[n(0)]
    pub destinations: Vec<Destination>,
    /// All events go to the account's event bus.
    #[n(1)]
    pub event_bridge: bool,
    /// ARNs of targets that nobody knew when the configuration was set, which was taken without validation: events for
    /// them are not kept while that is so.
    #[n(2)]
    pub unvalidated: Option<Vec<String>>,
}

impl BucketConfiguration for NotificationConfiguration {
    const KIND: ConfigurationKind = ConfigurationKind::Notification;
    const ACTIONS: &'static [&'static str] = &["s3:PutBucketNotification"];
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// More than [`DESTINATIONS_MAX`].
    TooMany,
    /// Two destinations have the same id.
    SameId(String),
    /// An event of a key could go to two destinations.
    Ambiguous,
}

impl Destination {
    /// Whether `event` of `key` is told to it.
    pub fn wants(&self, event: EventName, key: &str) -> bool {
        self.events.iter().any(|wanted| wanted.covers(event))
            && key.starts_with(&*meant(&self.prefix))
            && key.ends_with(&*meant(&self.suffix))
    }

    /// There are an event and a key that both want.
    fn overlaps(&self, other: &Self) -> bool {
        let common = |a: EventName| other.events.iter().any(|b| a.covers(*b) || b.covers(a));
        let (prefix, other_prefix) = (meant(&self.prefix), meant(&other.prefix));
        let (suffix, other_suffix) = (meant(&self.suffix), meant(&other.suffix));
        self.events.iter().any(|event| common(*event))
            && (prefix.starts_with(&*other_prefix) || other_prefix.starts_with(&*prefix))
            && (suffix.ends_with(&*other_suffix) || other_suffix.ends_with(&*suffix))
    }
}

/// What a rule of a filter means: special characters are percent-encoded there, and a space is `+` (S3 User Guide,
/// "Configuring event notifications using object key name filtering"). What cannot be decoded is taken as it stands; what
/// AWS does with that is not recorded.
fn meant(rule: &Option<String>) -> Cow<'_, str> {
    let rule = rule.as_deref().unwrap_or_default();
    match rule.contains(['%', '+']).then(|| decode_query(rule)).flatten() {
        Some(decoded) => Cow::Owned(decoded),
        None => Cow::Borrowed(rule),
    }
}

impl NotificationConfiguration {
    /// It asks for nothing: to set it is to have none.
    pub fn is_empty(&self) -> bool {
        self.destinations.is_empty() && !self.event_bridge
    }

    /// What holds for the destinations together.
    pub fn check(&self) -> Result<(), Fault> {
        if self.destinations.len() > DESTINATIONS_MAX {
            return Err(Fault::TooMany);
        }
        for (at, destination) in self.destinations.iter().enumerate() {
            for earlier in &self.destinations[..at] {
                if earlier.id == destination.id {
                    return Err(Fault::SameId(destination.id.clone()));
                }
                if earlier.overlaps(destination) {
                    return Err(Fault::Ambiguous);
                }
            }
        }
        Ok(())
    }

    /// Whether a target of this ARN was taken as it is, though nobody knew it.
    pub fn is_unvalidated(&self, arn: &str) -> bool {
        self.unvalidated.as_ref().is_some_and(|unvalidated| unvalidated.iter().any(|other| other == arn))
    }

    /// Who is told of `event` of `key`.
    pub fn told<'a>(&'a self, event: EventName, key: &'a str) -> impl Iterator<Item = &'a Destination> {
        self.destinations.iter().filter(move |destination| destination.wants(event, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(events: &[&str], prefix: &str, suffix: &str) -> Destination {
        let rule = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Destination {
            id: format!("{events:?}{prefix}*{suffix}"),
            kind: DestinationKind::Queue,
            arn: "arn:aws:sqs:us-east-1:111122223333:q".to_owned(),
            events: events.iter().map(|name| EventName::parse(name).unwrap()).collect(),
            prefix: rule(prefix),
            suffix: rule(suffix),
        }
    }

    #[test]
    fn every_event_is_found_by_its_name_and_only_groups_cover_others() {
        for event in EventName::ALL {
            assert_eq!(EventName::parse(event.name()), Some(*event));
            let covered = EventName::ALL.iter().filter(|other| event.covers(**other)).count();
            assert_eq!(covered > 1, event.name().ends_with('*'), "{}", event.name());
        }
        assert!(EventName::CREATED.covers(EventName::CREATED_COMPLETE));
        assert!(!EventName::CREATED.covers(EventName::REMOVED_DELETE));
        assert!(!EventName::CREATED_PUT.covers(EventName::CREATED));
        assert_eq!(EventName::parse("s3:ObjectCreated"), None);
        assert_eq!(EventName::parse("ObjectCreated:Put"), None);
    }

    #[test]
    fn prefix_and_suffix_both_have_to_fit() {
        let images = destination(&["s3:ObjectCreated:*"], "images/", ".png");
        let wants = |key: &str| images.wants(EventName::CREATED_PUT, key);
        assert!(wants("images/a.png") && wants("images/.png"));
        assert!(!wants("images/a.jpg") && !wants("a.png") && !wants("Images/a.png"));
        assert!(!images.wants(EventName::REMOVED_DELETE, "images/a.png"));
        assert!(destination(&["s3:ObjectTagging:Put"], "", "").wants(EventName::TAGGING_PUT, "anything"));
        let encoded = destination(&["s3:ObjectCreated:*"], "my+images%2F", "%C3%A9.jpg");
        assert!(encoded.wants(EventName::CREATED_PUT, "my images/\u{e9}.jpg"));
        assert!(!encoded.wants(EventName::CREATED_PUT, "my+images%2F%C3%A9.jpg"));
        let stray = destination(&["s3:ObjectCreated:*"], "100%FF/", "");
        assert!(stray.wants(EventName::CREATED_PUT, "100%FF/a"));
    }

    #[test]
    fn what_could_be_told_twice_is_ambiguous() {
        let (created, put, removed) = ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*");
        let check = |a: Destination, mut b: Destination| {
            b.id.push('2');
            NotificationConfiguration { destinations: vec![a, b], event_bridge: false, unvalidated: None }.check()
        };
        for (a, b, fault) in [
            (destination(&[created], "", ""), destination(&[put], "", ""), true),
            (destination(&[put], "", ""), destination(&[created], "x", ""), true),
            (destination(&[put], "images", ".jpg"), destination(&[put], "images/a", ".jpg"), true),
            (destination(&[put], "images", ".jpg"), destination(&[put], "images", ".png"), false),
            (destination(&[put], "a", ".jpg"), destination(&[put], "b", ".jpg"), false),
            (destination(&[put], "", "g"), destination(&[put], "", ".jpg"), true),
            (destination(&[put], "a", ""), destination(&[put], "", ".jpg"), true),
            (destination(&[put], "", ""), destination(&[removed], "", ""), false),
            (destination(&[put, removed], "", ""), destination(&["s3:ObjectRemoved:Delete"], "", ""), true),
        ] {
            let expected = if fault { Err(Fault::Ambiguous) } else { Ok(()) };
            assert_eq!(check(a.clone(), b.clone()), expected, "{a:?} {b:?}");
            assert_eq!(check(b, a), expected);
        }
    }

    #[test]
    fn ids_and_number_are_limited() {
        let one = destination(&["s3:ObjectCreated:Put"], "a", "");
        let same = Destination { prefix: Some("b".to_owned()), ..one.clone() };
        let twice =
            NotificationConfiguration { destinations: vec![one.clone(), same], event_bridge: false, unvalidated: None };
        assert_eq!(twice.check(), Err(Fault::SameId(one.id.clone())));
        let many = |count: usize| NotificationConfiguration {
            destinations: (0..count)
                .map(|n| Destination { id: n.to_string(), prefix: Some(format!("{n}/")), ..one.clone() })
                .collect(),
            event_bridge: true,
            unvalidated: None,
        };
        assert_eq!(many(DESTINATIONS_MAX).check(), Ok(()));
        assert_eq!(many(DESTINATIONS_MAX + 1).check(), Err(Fault::TooMany));
        assert!(!many(0).is_empty() && NotificationConfiguration::default().is_empty());
    }

    #[test]
    fn an_unknown_number_is_damage() {
        assert!(minicbor::decode::<EventName>(&[0x18, 0xff]).is_err());
        assert_eq!(minicbor::decode::<EventName>(&[3]).unwrap(), EventName::CREATED_PUT);
    }
}
