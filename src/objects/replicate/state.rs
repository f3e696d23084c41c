//! How the replication of a version stands. Pure.
//!
//! Tags, ACL and lock may change after a version was written. Each change gets a number that rises with time; what a
//! replica is given is the state as it is then, and of two sides that were changed the later change stays. So entries
//! of the queue can be worked off in any order and any number of times, one entry is enough however often a version
//! changes while it waits, and changes that go both ways come to an end.

use minicbor::{Decode, Encode};

use crate::rules::replication::{Candidate, ReplicationConfiguration, Rule};

/// `x-amz-replication-status`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum ReplicationStatus {
    /// Not everywhere yet.
    #[n(0)]
    Pending,
    /// At every destination.
    #[n(1)]
    Completed,
    /// Given up for a destination.
    #[n(2)]
    Failed,
    /// It is itself a replica.
    #[n(3)]
    Replica,
}

impl ReplicationStatus {
    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Replica => "REPLICA",
        }
    }
}

/// What of a version can change after it was written and follows to its replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// Its tags.
    Tags,
    /// Its ACL.
    Acl,
    /// Its retention.
    Retention,
    /// Its legal hold.
    LegalHold,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tags, Self::Acl, Self::Retention, Self::LegalHold];
}

/// The number of the last change of each aspect; none: as it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct Changes {
    #[n(0)]
    tags: Option<u64>,
    #[n(1)]
    acl: Option<u64>,
    #[n(2)]
    retention: Option<u64>,
    #[n(3)]
    legal_hold: Option<u64>,
}

impl Changes {
    /// Of one aspect; 0: none.
    pub fn of(&self, aspect: Aspect) -> u64 {
        let number = match aspect {
            Aspect::Tags => self.tags,
            Aspect::Acl => self.acl,
            Aspect::Retention => self.retention,
            Aspect::LegalHold => self.legal_hold,
        };
        number.unwrap_or(0)
    }

    /// The last of all; 0: none.
    pub fn newest(&self) -> u64 {
        Aspect::ALL.iter().map(|aspect| self.of(*aspect)).max().unwrap_or(0)
    }

    fn set(&mut self, aspect: Aspect, number: u64) {
        let place = match aspect {
            Aspect::Tags => &mut self.tags,
            Aspect::Acl => &mut self.acl,
            Aspect::Retention => &mut self.retention,
            Aspect::LegalHold => &mut self.legal_hold,
        };
        *place = Some(number);
    }
}

/// What is known of a version at one destination.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReplicaPlace {
    /// The destination bucket's ARN.
    #[n(0)]
    pub destination: String,
    /// It was made there. It may be gone since: it is not made again.
    #[n(1)]
    pub taken: bool,
    /// It, or a change of it, was given up.
    #[n(2)]
    pub failed: bool,
    /// Its version id there, where that is another one.
    #[n(3)]
    pub version: Option<String>,
    /// The last change that it has.
    #[n(4)]
    pub sent: Option<u64>,
}

/// How the replication of a version stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReplicationState {
    /// For all destinations together.
    #[n(0)]
    pub status: ReplicationStatus,
    /// The destination buckets, by ARN, that have not got it as it is now.
    #[n(1)]
    pub waiting: Vec<String>,
    /// It was given up for another one.
    #[n(2)]
    pub failed: bool,
    /// None: it is as it was written.
    #[n(3)]
    pub changes: Option<Changes>,
    /// Where it was taken or given up; none in rows from before that was kept.
    #[n(4)]
    pub places: Option<Vec<ReplicaPlace>>,
    /// It is a replica, whatever the status says of changes that were made to it.
    #[n(5)]
    pub replica: Option<bool>,
}

/// How a version has come to a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrived {
    /// The last change that it has there.
    pub seen: u64,
    /// Its version id there, where that is another one.
    pub version: Option<String>,
}

impl ReplicationState {
    fn new(status: ReplicationStatus) -> Self {
        Self { status, waiting: Vec::new(), failed: false, changes: None, places: None, replica: None }
    }

    /// Of a version that is to go to these destinations.
    pub(in crate::objects) fn pending(waiting: Vec<String>) -> Self {
        Self { waiting, ..Self::new(ReplicationStatus::Pending) }
    }

    /// Of a replica with the changes that its source had.
    pub(in crate::objects) fn of_replica(changes: Option<Changes>) -> Self {
        Self { changes, ..Self::new(ReplicationStatus::Replica) }
    }

    /// For tests: as after so much.
    #[cfg(test)]
    pub(in crate::objects) fn in_status(status: ReplicationStatus) -> Self {
        Self { failed: status == ReplicationStatus::Failed, ..Self::new(status) }
    }

    /// Whether it is a replica itself.
    pub fn is_replica(&self) -> bool {
        self.status == ReplicationStatus::Replica || self.replica == Some(true)
    }

    /// The numbers of its changes.
    pub fn changes(&self) -> Changes {
        self.changes.unwrap_or_default()
    }

    /// Whether this destination is to get something.
    pub fn waits_for(&self, destination: &str) -> bool {
        self.waiting.iter().any(|waiting| waiting == destination)
    }

    /// What is known of it at a destination.
    pub fn place(&self, destination: &str) -> Option<&ReplicaPlace> {
        self.places.iter().flatten().find(|place| place.destination == destination)
    }

    /// Whether it is to be made at a destination if it is not there. What was there once and is gone has been deleted,
    /// and what a replica came from is no business of the replica's.
    pub fn is_to_be_made(&self, destination: &str) -> bool {
        !self.is_replica() && self.place(destination).is_none_or(|place| !place.taken)
    }

    /// Notes a change.
    pub(in crate::objects) fn note_change(&mut self, aspect: Aspect, number: u64) {
        self.changes.get_or_insert_default().set(aspect, number);
    }

    /// The rules by which a change goes on: to where the version is or was to be, whatever tags it has now, one rule a
    /// destination. Not to those that wait already, whose entry brings this change too, and not to `from`, where the
    /// change comes from. Changes of a replica only go where a rule says so.
    pub(in crate::objects) fn followers<'a>(
        &self,
        configuration: &'a ReplicationConfiguration,
        candidate: &Candidate<'_>,
        from: Option<&str>,
    ) -> Vec<&'a Rule> {
        let chosen = configuration.chosen(candidate).into_iter();
        let destinations: Vec<&str> = match &self.places {
            _ if self.is_replica() => chosen
                .filter(|rule| rule.replica_modifications == Some(true))
                .map(|rule| rule.target.bucket.as_str())
                .collect(),
            Some(places) => places.iter().map(|place| place.destination.as_str()).collect(),
            // From before places were kept: by the rules that it went by.
            None if self.waiting.is_empty() => chosen.map(|rule| rule.target.bucket.as_str()).collect(),
            None => Vec::new(),
        };
        let rules = destinations
            .into_iter()
            .filter(|destination| !self.waits_for(destination) && from != Some(*destination))
            .filter_map(|destination| configuration.follows(candidate, destination));
        rules.filter(|rule| !self.is_replica() || rule.replica_modifications == Some(true)).collect()
    }

    /// Destinations are to get what was changed.
    pub(in crate::objects) fn wait_for(&mut self, destinations: impl Iterator<Item = String>) {
        let destinations: Vec<String> = destinations.collect();
        if destinations.is_empty() {
            return;
        }
        if self.is_replica() {
            self.replica = Some(true);
        }
        let taken = self.status == ReplicationStatus::Completed;
        let places = self.places.get_or_insert_default();
        for destination in &destinations {
            match places.iter_mut().find(|place| place.destination == *destination) {
                Some(place) => place.failed = false,
                None => places.push(ReplicaPlace {
                    destination: destination.clone(),
                    taken,
                    failed: false,
                    version: None,
                    sent: None,
                }),
            }
        }
        self.failed = places.iter().any(|place| place.failed);
        self.waiting.extend(destinations);
        self.status = ReplicationStatus::Pending;
    }

    /// One destination has it as it was at a change, or (`None`) never will. Whether that was the last word: if it has
    /// changed since, the destination goes on waiting.
    pub(in crate::objects) fn conclude(&mut self, destination: &str, arrived: Option<&Arrived>) -> bool {
        let newest = self.changes().newest();
        let places = self.places.get_or_insert_default();
        let at = places.iter().position(|place| place.destination == destination).unwrap_or_else(|| {
            let destination = destination.to_owned();
            places.push(ReplicaPlace { destination, taken: false, failed: false, version: None, sent: None });
            places.len() - 1
        });
        let place = &mut places[at];
        match arrived {
            Some(arrived) => {
                (place.taken, place.failed) = (true, false);
                place.sent = Some(arrived.seen).filter(|seen| *seen > 0);
                place.version = arrived.version.clone().or_else(|| place.version.take());
                if arrived.seen < newest {
                    return false;
                }
            }
            None => (place.failed, self.failed) = (true, true),
        }
        self.waiting.retain(|waiting| waiting != destination);
        self.status = match (self.waiting.is_empty(), self.failed) {
            (false, false) => ReplicationStatus::Pending,
            (_, true) => ReplicationStatus::Failed,
            (true, false) if self.is_replica() => ReplicationStatus::Replica,
            (true, false) => ReplicationStatus::Completed,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::replication::{RuleFilter, Target};

    const PLAIN: Candidate<'static> = Candidate { key: "k", tags: &[], marker: false, kms: false };

    fn rule(to: &str, tag: Option<&str>, modifications: Option<bool>) -> Rule {
        let tags = tag.map(|tag| (tag.to_owned(), String::new())).into_iter().collect();
        Rule {
            id: to.to_owned(),
            priority: Some(1),
            enabled: true,
            filter: RuleFilter { first_form: false, prefix: None, tags, and: false },
            target: Target {
                bucket: to.to_owned(),
                account: None,
                storage_class: None,
                owner_override: false,
                kms_key: None,
                time: None,
                metrics: None,
            },
            delete_markers: None,
            existing_objects: None,
            kms_objects: None,
            replica_modifications: modifications,
        }
    }

    fn rules(rules: &[Rule]) -> ReplicationConfiguration {
        ReplicationConfiguration { role: String::new(), rules: rules.to_vec() }
    }

    fn followers(
        state: &ReplicationState,
        configuration: &ReplicationConfiguration,
        from: Option<&str>,
    ) -> Vec<String> {
        state.followers(configuration, &PLAIN, from).iter().map(|rule| rule.id.clone()).collect()
    }

    fn there(seen: u64) -> Option<Arrived> {
        Some(Arrived { seen, version: None })
    }

    fn taken_to(destinations: &[&str]) -> ReplicationState {
        let mut state = ReplicationState::pending(destinations.iter().map(|to| (*to).to_owned()).collect());
        destinations.iter().for_each(|to| assert!(state.conclude(to, there(0).as_ref())));
        assert_eq!(state.status, ReplicationStatus::Completed);
        state
    }

    #[test]
    fn a_change_goes_where_the_version_is_whatever_its_tags_are_now() {
        let configuration = rules(&[rule("x", Some("gone"), None), rule("y", None, None), rule("new", None, None)]);
        assert_eq!(followers(&taken_to(&["x", "y"]), &configuration, None), ["x", "y"]);
        assert_eq!(followers(&taken_to(&["x", "y"]), &configuration, Some("x")), ["y"]);
        assert_eq!(followers(&taken_to(&["z"]), &configuration, None), [""; 0]);
        let off = Rule { enabled: false, ..rule("y", None, None) };
        assert_eq!(followers(&taken_to(&["y"]), &rules(&[off]), None), [""; 0]);
        // From before it was kept where a version is: by the rules as they are.
        let before = ReplicationState::in_status(ReplicationStatus::Completed);
        assert_eq!(followers(&before, &configuration, None), ["y", "new"]);
    }

    #[test]
    fn a_destination_that_waits_gets_one_entry_for_all_changes() {
        let configuration = rules(&[rule("x", None, None)]);
        let state = ReplicationState::pending(vec!["x".to_owned()]);
        assert_eq!(followers(&state, &configuration, None), [""; 0]);
        let mut state = taken_to(&["x"]);
        state.wait_for(["x".to_owned()].into_iter());
        assert_eq!(followers(&state, &configuration, None), [""; 0]);
        assert_eq!(
            (state.status, state.waits_for("x"), state.is_to_be_made("x")),
            (ReplicationStatus::Pending, true, false)
        );
    }

    #[test]
    fn what_changes_on_the_way_keeps_waiting() {
        let mut state = taken_to(&["x"]);
        state.note_change(Aspect::Tags, 5);
        state.wait_for(["x".to_owned()].into_iter());
        state.note_change(Aspect::Acl, 7);
        assert!(!state.conclude("x", there(5).as_ref()));
        assert_eq!((state.status, state.place("x").unwrap().sent), (ReplicationStatus::Pending, Some(5)));
        assert!(state.conclude("x", there(7).as_ref()));
        assert_eq!((state.status, state.waiting.len()), (ReplicationStatus::Completed, 0));
    }

    #[test]
    fn what_was_given_up_is_tried_again_with_the_next_change() {
        let configuration = rules(&[rule("x", None, None), rule("y", None, None)]);
        let mut state = ReplicationState::pending(vec!["x".to_owned(), "y".to_owned()]);
        assert!(state.conclude("x", None) && state.conclude("y", there(0).as_ref()));
        assert_eq!((state.status, state.is_to_be_made("x")), (ReplicationStatus::Failed, true));
        assert_eq!(followers(&state, &configuration, None), ["x", "y"]);
        state.wait_for(["x".to_owned(), "y".to_owned()].into_iter());
        assert_eq!(state.status, ReplicationStatus::Pending);
        assert!(state.conclude("x", there(0).as_ref()) && state.conclude("y", there(0).as_ref()));
        assert_eq!(state.status, ReplicationStatus::Completed);
        // Where the rule of the one that failed is gone, it has failed for good.
        assert!(state.conclude("x", None));
        state.wait_for(["y".to_owned()].into_iter());
        assert!(state.conclude("y", there(0).as_ref()));
        assert_eq!(state.status, ReplicationStatus::Failed);
    }

    #[test]
    fn a_replica_stays_one_and_its_changes_go_only_where_a_rule_says_so() {
        let configuration = rules(&[rule("x", None, Some(true)), rule("y", None, Some(false)), rule("z", None, None)]);
        let mut state = ReplicationState::of_replica(None);
        assert_eq!(followers(&state, &configuration, None), ["x"]);
        assert_eq!(followers(&state, &configuration, Some("x")), [""; 0]);
        state.wait_for(["x".to_owned()].into_iter());
        assert_eq!((state.status, state.is_replica()), (ReplicationStatus::Pending, true));
        assert!(!state.is_to_be_made("x"));
        assert!(state.conclude("x", None));
        assert_eq!((state.status, state.is_replica()), (ReplicationStatus::Failed, true));
        state.wait_for(["x".to_owned()].into_iter());
        assert!(state.conclude("x", there(0).as_ref()));
        assert_eq!(state.status, ReplicationStatus::Replica);
        assert_eq!(followers(&state, &configuration, None), ["x"]);
    }
}
