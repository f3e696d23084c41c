//! Replication (S3 User Guide, "Replicating objects within and across Regions"): which versions are copied where.

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};

/// Rules of a bucket, at most.
pub const RULES_MAX: usize = 1_000;
/// Characters of a rule's id, at most.
pub const ID_MAX_CHARS: usize = 255;

/// Which objects a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RuleFilter {
    /// In the form of 2010: `Prefix` in the rule itself, without priority.
    #[n(0)]
    pub first_form: bool,
    /// Keys begin so.
    #[n(1)]
    pub prefix: Option<String>,
    /// Objects have all of these tags.
    #[n(2)]
    pub tags: Vec<(String, String)>,
    /// Written with `And`.
    #[n(3)]
    pub and: bool,
}

/// Where copies go, and what they are given.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Target {
    /// `arn:aws:s3:::bucket`
    #[n(0)]
    pub bucket: String,
    /// The account that owns it.
    #[n(1)]
    pub account: Option<String>,
    /// Storage class of the copies; none: the object's.
    #[n(2)]
    pub storage_class: Option<String>,
    /// The destination bucket's owner owns the copies.
    #[n(3)]
    pub owner_override: bool,
    /// The key under which what is under SSE-KMS is encrypted there.
    #[n(4)]
    pub kms_key: Option<String>,
    /// Minutes and whether it is on: kept and shown.
    #[n(5)]
    pub time: Option<(bool, u32)>,
    /// Whether metrics are on and their threshold in minutes: kept and shown.
    #[n(6)]
    pub metrics: Option<(bool, Option<u32>)>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Rule {
    /// Its name.
    #[n(0)]
    pub id: String,
    /// The highest of the rules that fit decides.
    #[n(1)]
    pub priority: Option<i64>,
    /// It is in force.
    #[n(2)]
    pub enabled: bool,
    /// About what.
    #[n(3)]
    pub filter: RuleFilter,
    /// Where to.
    #[n(4)]
    pub target: Target,
    /// Whether delete markers are replicated; none: not said.
    #[n(5)]
    pub delete_markers: Option<bool>,
    /// Kept and shown.
    #[n(6)]
    pub existing_objects: Option<bool>,
    /// Whether what is under SSE-KMS is replicated; none: not said.
    #[n(7)]
    pub kms_objects: Option<bool>,
    /// Whether changes of replicas are replicated; none: not said.
    #[n(8)]
    pub replica_modifications: Option<bool>,
}

/// The replication configuration of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReplicationConfiguration {
    /// Which role copies.
    #[n(0)]
    pub role: String,
    /// In the order sent; never empty.
    #[n(1)]
    pub rules: Vec<Rule>,
}

impl BucketConfiguration for ReplicationConfiguration {
    const KIND: ConfigurationKind = ConfigurationKind::Replication;
    const ACTIONS: &'static [&'static str] = &["s3:PutReplicationConfiguration"];
}

/// What a rule is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The key.
    pub key: &'a str,
    /// Tags of the version; none of a delete marker.
    pub tags: &'a [(String, String)],
    /// It is a delete marker.
    pub marker: bool,
    /// It is under SSE-KMS or DSSE-KMS.
    pub kms: bool,
}

impl Rule {
    fn takes(&self, candidate: &Candidate<'_>) -> bool {
        self.takes_but_for_tags(candidate) && (candidate.marker || self.has_tags_of(candidate))
    }

    fn has_tags_of(&self, candidate: &Candidate<'_>) -> bool {
        self.filter.tags.iter().all(|tag| candidate.tags.contains(tag))
    }

    fn takes_but_for_tags(&self, candidate: &Candidate<'_>) -> bool {
        let Candidate { key, tags: _, marker, kms } = *candidate;
        let fits = self.enabled && self.filter.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()));
        if marker {
            // In the first form delete markers are replicated; a rule with tags never replicates them.
            return fits
                && self.filter.tags.is_empty()
                && (self.filter.first_form || self.delete_markers == Some(true));
        }
        fits && (!kms || (self.kms_objects == Some(true) && self.target.kms_key.is_some()))
    }
}

impl ReplicationConfiguration {
    /// For each destination bucket the rule that decides on `candidate`: of those that fit the one of the highest
    /// priority.
    pub fn chosen(&self, candidate: &Candidate<'_>) -> Vec<&Rule> {
        let mut chosen: Vec<&Rule> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.takes(candidate)) {
            match chosen.iter_mut().find(|other| other.target.bucket == rule.target.bucket) {
                Some(other) if rule.priority > other.priority => *other = rule,
                Some(_) => {}
                None => chosen.push(rule),
            }
        }
        chosen
    }

    /// The rule by which what is on its way to `destination`, or there already, goes on: of those of the highest
    /// priority one that has its tags now, if there is one.
    pub fn follows(&self, candidate: &Candidate<'_>, destination: &str) -> Option<&Rule> {
        let rules = self.rules.iter().filter(|rule| rule.target.bucket == destination);
        let rules = rules.filter(|rule| rule.takes_but_for_tags(candidate));
        rules.max_by_key(|rule| (rule.has_tags_of(candidate), rule.priority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, priority: i64, prefix: &str, bucket: &str) -> Rule {
        Rule {
            id: id.to_owned(),
            priority: Some(priority),
            enabled: true,
            filter: RuleFilter { first_form: false, prefix: Some(prefix.to_owned()), tags: Vec::new(), and: false },
            target: Target {
                bucket: bucket.to_owned(),
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
            replica_modifications: None,
        }
    }

    fn chosen(rules: &[Rule], candidate: Candidate<'_>) -> Vec<String> {
        let configuration = ReplicationConfiguration { role: String::new(), rules: rules.to_vec() };
        configuration.chosen(&candidate).iter().map(|rule| rule.id.clone()).collect()
    }

    const PLAIN: Candidate<'static> = Candidate { key: "a/b", tags: &[], marker: false, kms: false };

    #[test]
    fn the_highest_priority_of_each_destination_decides() {
        let rules = [rule("low", 1, "", "x"), rule("high", 2, "a/", "x"), rule("other", 0, "", "y")];
        assert_eq!(chosen(&rules, PLAIN), ["high", "other"]);
        assert_eq!(chosen(&rules, Candidate { key: "b", ..PLAIN }), ["low", "other"]);
        let off = [Rule { enabled: false, ..rules[1].clone() }];
        assert!(chosen(&off, PLAIN).is_empty());
    }

    #[test]
    fn tags_have_to_be_there_all() {
        let tag = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let mut tagged = rule("t", 1, "", "x");
        tagged.filter.tags = vec![tag("k", "v"), tag("l", "w")];
        let both = [tag("l", "w"), tag("k", "v"), tag("m", "")];
        assert_eq!(chosen(std::slice::from_ref(&tagged), Candidate { tags: &both, ..PLAIN }), ["t"]);
        assert!(chosen(std::slice::from_ref(&tagged), Candidate { tags: &both[..1], ..PLAIN }).is_empty());
        assert!(chosen(&[tagged], PLAIN).is_empty());
    }

    #[test]
    fn what_is_there_already_follows_a_rule_whose_tags_it_has_lost() {
        let tag = |k: &str| vec![(k.to_owned(), String::new())];
        let tagged = |id, priority, tags| {
            let mut rule = rule(id, priority, "a/", "x");
            rule.filter.tags = tags;
            rule
        };
        let rules = [tagged("one", 1, tag("k")), tagged("two", 2, tag("l")), rule("other", 9, "", "y")];
        let configuration = ReplicationConfiguration { role: String::new(), rules: rules.to_vec() };
        let follows = |candidate, to| configuration.follows(&candidate, to).map(|rule| rule.id.clone());
        let with = tag("k");
        assert_eq!(follows(Candidate { tags: &with, ..PLAIN }, "x").as_deref(), Some("one"));
        assert_eq!(follows(PLAIN, "x").as_deref(), Some("two"));
        assert_eq!(follows(Candidate { key: "b", ..PLAIN }, "x"), None);
        assert_eq!(follows(PLAIN, "z"), None);
        assert_eq!(follows(Candidate { kms: true, ..PLAIN }, "y"), None);
    }

    #[test]
    fn markers_and_kms_only_where_it_is_said() {
        let plain = rule("r", 1, "", "x");
        let marker = Candidate { marker: true, ..PLAIN };
        assert!(chosen(std::slice::from_ref(&plain), marker).is_empty());
        assert_eq!(chosen(&[Rule { delete_markers: Some(true), ..plain.clone() }], marker), ["r"]);
        let mut first = plain.clone();
        first.filter.first_form = true;
        assert_eq!(chosen(&[first], marker), ["r"]);
        let kms = Candidate { kms: true, ..PLAIN };
        assert!(chosen(&[Rule { kms_objects: Some(true), ..plain.clone() }], kms).is_empty());
        let mut with_key = Rule { kms_objects: Some(true), ..plain };
        with_key.target.kms_key = Some("arn".to_owned());
        assert_eq!(chosen(&[with_key], kms), ["r"]);
    }
}
