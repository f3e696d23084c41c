//! Lifecycle rules: what becomes of objects with time (S3 User Guide, "Managing the lifecycle of objects").

mod evaluate;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use minicbor::{Decode, Encode};

use super::{BucketConfiguration, ConfigurationKind};
use crate::sources::Timestamp;
pub use evaluate::{Due, Noncurrent, Object, Step, Subject};

/// Rules of one bucket, at most.
pub const RULES_MAX: usize = 1_000;
/// Characters of a rule's id, at most.
pub const ID_MAX_CHARS: usize = 255;
/// Bytes of a filter's prefix, at most.
pub const PREFIX_MAX_BYTES: usize = 1_024;
/// Noncurrent versions that a rule can keep, at most.
pub const NEWER_VERSIONS_MAX: u32 = 100;
/// Days that an object has to be old before it goes to an infrequent access class.
const INFREQUENT_ACCESS_DAYS: u32 = 30;

/// The lifecycle configuration of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Lifecycle {
    /// In the order sent.
    #[n(0)]
    pub rules: Vec<Rule>,
    /// From which size on objects change their class.
    #[n(1)]
    pub minimum_size: MinimumSize,
}

impl BucketConfiguration for Lifecycle {
    const KIND: ConfigurationKind = ConfigurationKind::Lifecycle;
    const ACTIONS: &'static [&'static str] = &["s3:PutLifecycleConfiguration"];
}

/// `x-amz-transition-default-minimum-object-size`. For the classes that there are here, both mean 128 KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub enum MinimumSize {
    /// 128 KiB for every class.
    #[default]
    #[n(0)]
    All128K,
    /// None for archive classes, 128 KiB for others.
    #[n(1)]
    VariesByClass,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Rule {
    /// Its id, unique in the configuration.
    #[n(0)]
    pub id: String,
    /// Rules that are not do nothing.
    #[n(1)]
    pub enabled: bool,
    /// What it is about.
    #[n(2)]
    pub filter: Filter,
    /// What becomes of current versions in the end.
    #[n(3)]
    pub expiration: Option<Expiration>,
    /// What becomes of versions that are no longer current in the end.
    #[n(4)]
    pub noncurrent_expiration: Option<NoncurrentExpiration>,
    /// `DaysAfterInitiation`: uploads that are not completed are aborted.
    #[n(5)]
    pub abort_after_days: Option<u32>,
    /// Changes of the class of current versions.
    #[n(6)]
    pub transitions: Vec<Transition>,
    /// Changes of the class of versions that are no longer current.
    #[n(7)]
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
}

/// What a rule is about: all that is told has to be so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Filter {
    /// How it was written, for GET.
    #[n(0)]
    pub form: FilterForm,
    /// Keys that begin so.
    #[n(1)]
    pub prefix: Option<String>,
    /// Objects with all of these tags.
    #[n(2)]
    pub tags: Vec<(String, String)>,
    /// Objects of more bytes.
    #[n(3)]
    pub larger_than: Option<u64>,
    /// Objects of fewer bytes.
    #[n(4)]
    pub smaller_than: Option<u64>,
}

/// How a filter is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub enum FilterForm {
    /// `Filter` with at most one element.
    #[default]
    #[n(0)]
    One,
    /// `Filter` with `And`.
    #[n(1)]
    And,
    /// The older form: `Prefix` in the rule itself.
    #[n(2)]
    Rule,
}

/// When a current version expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Expiration {
    /// So many days after it was made.
    #[n(0)]
    Days(#[n(0)] u32),
    /// From a midnight on, in milliseconds since 1970.
    #[n(1)]
    Date(#[n(0)] i64),
    /// `ExpiredObjectDeleteMarker`: delete markers of which nothing else is left are removed.
    #[n(2)]
    DeleteMarker(#[n(0)] bool),
}

/// When a version that is no longer current is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct NoncurrentExpiration {
    /// So many days after it became noncurrent.
    #[n(0)]
    pub days: u32,
    /// But the newest of them are kept.
    #[n(1)]
    pub newer: Option<u32>,
}

/// When a version changes its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Transition {
    /// When.
    #[n(0)]
    pub at: TransitionTime,
    /// To which.
    #[n(1)]
    pub class: StorageClass,
}

/// See [`Expiration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum TransitionTime {
    /// So many days after it was made.
    #[n(0)]
    Days(#[n(0)] u32),
    /// From a midnight on, in milliseconds since 1970.
    #[n(1)]
    Date(#[n(0)] i64),
}

/// When a version that is no longer current changes its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct NoncurrentTransition {
    /// So many days after it became noncurrent.
    #[n(0)]
    pub days: u32,
    /// But the newest of them are left.
    #[n(1)]
    pub newer: Option<u32>,
    /// To which.
    #[n(2)]
    pub class: StorageClass,
}

/// Classes that objects can be moved to. All can be read at once, as is everything here; the archive classes are not
/// among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum StorageClass {
    /// `STANDARD_IA`
    #[n(0)]
    StandardIa,
    /// `INTELLIGENT_TIERING`
    #[n(1)]
    IntelligentTiering,
    /// `ONEZONE_IA`
    #[n(2)]
    OneZoneIa,
    /// `GLACIER_IR`
    #[n(3)]
    GlacierIr,
}

impl StorageClass {
    /// All of them, from the one nearest to `STANDARD` on.
    pub const ALL: [Self; 4] = [Self::StandardIa, Self::IntelligentTiering, Self::OneZoneIa, Self::GlacierIr];

    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StandardIa => "STANDARD_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::OneZoneIa => "ONEZONE_IA",
            Self::GlacierIr => "GLACIER_IR",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether objects of the class `from` can be moved here: only down, and from one zone to no other class than an
    /// archive (S3 User Guide, "Supported transitions").
    fn follows(self, from: &str) -> bool {
        match Self::parse(from) {
            None => true,
            Some(Self::OneZoneIa) => false,
            Some(from) => from < self,
        }
    }

    fn is_infrequent(self) -> bool {
        matches!(self, Self::StandardIa | Self::OneZoneIa)
    }
}

/// What is wrong with a configuration that is well written: the text is AWS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `InvalidArgument`
    Argument(String),
    /// `InvalidRequest`
    Request(String),
}

impl Lifecycle {
    /// Checks what can be said of the rules together and of each as a whole.
    pub fn check(&self) -> Result<(), Fault> {
        let mut ids = HashSet::new();
        for rule in &self.rules {
            if !ids.insert(&*rule.id) {
                return Err(argument("Rule ID must be unique. Found same ID for more than one rule"));
            }
            rule.check()?;
        }
        let forms = self.rules.iter().filter(|rule| rule.filter.form == FilterForm::Rule).count();
        if forms != 0 && forms != self.rules.len() {
            let text = "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.";
            return Err(request(text));
        }
        Ok(())
    }

    /// Whether a rule moves objects to other classes.
    pub fn has_transitions(&self) -> bool {
        self.rules.iter().any(|rule| !rule.transitions.is_empty() || !rule.noncurrent_transitions.is_empty())
    }
}

impl Rule {
    fn check(&self) -> Result<(), Fault> {
        if self.id.chars().count() > ID_MAX_CHARS {
            return Err(argument("ID length should not exceed allowed limit of 255"));
        }
        self.filter.check()?;
        let acts = self.expiration.is_some()
            || self.noncurrent_expiration.is_some()
            || self.abort_after_days.is_some()
            || !self.transitions.is_empty()
            || !self.noncurrent_transitions.is_empty();
        if !acts {
            return Err(request("At least one action needs to be specified in a rule"));
        }
        if self.abort_after_days.is_some() {
            self.filter.check_bare("AbortIncompleteMultipartUpload")?;
        }
        if matches!(self.expiration, Some(Expiration::DeleteMarker(_))) {
            self.filter.check_bare("ExpiredObjectDeleteMarker")?;
        }
        let keeps = self.noncurrent_expiration.and_then(|expiration| expiration.newer).is_some();
        let keeps = keeps || self.noncurrent_transitions.iter().any(|transition| transition.newer.is_some());
        if keeps && self.filter.form == FilterForm::Rule {
            // AWS's text is not recorded.
            return Err(request("NewerNoncurrentVersions can only be specified in a rule that has a Filter."));
        }
        self.check_transitions()?;
        self.check_noncurrent_transitions()
    }

    /// All of one rule by days or all by date, each class once, no class before its time, and the end after all of them.
    fn check_transitions(&self) -> Result<(), Fault> {
        let dated = |transition: &Transition| matches!(transition.at, TransitionTime::Date(_));
        let by_date = self.transitions.iter().filter(|transition| dated(transition)).count();
        let ends_by_date = match self.expiration {
            Some(Expiration::Date(_)) => Some(true),
            Some(Expiration::Days(_)) => Some(false),
            Some(Expiration::DeleteMarker(_)) | None => None,
        };
        let mixed = by_date != 0 && by_date != self.transitions.len()
            || ends_by_date.is_some_and(|by| !self.transitions.is_empty() && by != (by_date != 0));
        let of = self.filter.shown();
        if mixed {
            return Err(request(&format!(
                "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for filter \
                 '{of}'"
            )));
        }
        self.check_classes("Transition", self.transitions.iter().map(|transition| transition.class))?;
        for transition in &self.transitions {
            match (transition.at, self.expiration) {
                (TransitionTime::Days(days), _)
                    if transition.class.is_infrequent() && days < INFREQUENT_ACCESS_DAYS =>
                {
                    return Err(too_early("Days", "Transition", transition.class));
                }
                (TransitionTime::Days(days), Some(Expiration::Days(end))) if end <= days => {
                    return Err(argument(&format!(
                        "'Days' in the Expiration action for filter '{of}' must be greater than 'Days' in the \
                         Transition action"
                    )));
                }
                (TransitionTime::Date(date), Some(Expiration::Date(end))) if end <= date => {
                    return Err(argument(&format!(
                        "'Date' in the Expiration action for filter '{of}' must be later than 'Date' in the \
                         Transition action"
                    )));
                }
                _ => {}
            }
        }
        let field = if by_date == 0 { "Days" } else { "Date" };
        let at = |transition: &Transition| match transition.at {
            TransitionTime::Days(days) => (transition.class, i64::from(days)),
            TransitionTime::Date(date) => (transition.class, date),
        };
        self.check_order((field, "Transition"), self.transitions.iter().map(at).collect())
    }

    fn check_noncurrent_transitions(&self) -> Result<(), Fault> {
        let transitions = &self.noncurrent_transitions;
        self.check_classes("NoncurrentVersionTransition", transitions.iter().map(|transition| transition.class))?;
        for transition in transitions {
            if transition.class.is_infrequent() && transition.days < INFREQUENT_ACCESS_DAYS {
                return Err(too_early("NoncurrentDays", "NoncurrentVersionTransition", transition.class));
            }
            if self.noncurrent_expiration.is_some_and(|end| end.days <= transition.days) {
                return Err(argument(&format!(
                    "'NoncurrentDays' in the NoncurrentVersionExpiration action for filter '{}' must be greater than \
                     'NoncurrentDays' in the NoncurrentVersionTransition action",
                    self.filter.shown()
                )));
            }
        }
        let at = |transition: &NoncurrentTransition| (transition.class, i64::from(transition.days));
        self.check_order(("NoncurrentDays", "NoncurrentVersionTransition"), transitions.iter().map(at).collect())
    }

    /// A class that is further down comes later. (AWS's text as tests of another server have it; not recorded here.)
    fn check_order(&self, (field, action): (&str, &str), mut classes: Vec<(StorageClass, i64)>) -> Result<(), Fault> {
        classes.sort_unstable();
        for pair in classes.windows(2) {
            let [(nearer, earlier), (further, later)] = pair else { continue };
            if later <= earlier {
                let of = self.filter.shown();
                return Err(argument(&format!(
                    "'{field}' in the {action} action for StorageClass '{}' for filter '{of}' must be greater than \
                     '{field}' in the {action} action for StorageClass '{}' for filter '{of}'",
                    further.name(),
                    nearer.name()
                )));
            }
        }
        Ok(())
    }

    fn check_classes(&self, action: &str, classes: impl Iterator<Item = StorageClass>) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        for class in classes {
            if !seen.insert(class.name()) {
                // AWS's text is not recorded.
                return Err(request(&format!(
                    "'StorageClass' must be different for '{action}' actions in same 'Rule' with filter '{}'",
                    self.filter.shown()
                )));
            }
        }
        Ok(())
    }
}

impl Filter {
    fn check(&self) -> Result<(), Fault> {
        if self.prefix.as_ref().is_some_and(|prefix| prefix.len() > PREFIX_MAX_BYTES) {
            return Err(request("The maximum size of a prefix is 1024."));
        }
        let mut keys = HashSet::new();
        if !self.tags.iter().all(|(key, _)| keys.insert(key)) {
            return Err(request("Duplicate Tag Keys are not allowed."));
        }
        match (self.larger_than, self.smaller_than) {
            (Some(larger), Some(smaller)) if smaller <= larger => {
                Err(request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."))
            }
            _ => Ok(()),
        }
    }

    /// For actions on what has neither tags nor a size.
    fn check_bare(&self, action: &str) -> Result<(), Fault> {
        if !self.tags.is_empty() {
            return Err(request(&format!("{action} cannot be specified with Tags.")));
        }
        if self.has_size() {
            // AWS's text is not recorded.
            return Err(request(&format!("{action} cannot be specified with Object Size.")));
        }
        Ok(())
    }

    fn has_size(&self) -> bool {
        self.larger_than.is_some() || self.smaller_than.is_some()
    }

    /// As AWS shows filters in messages; how it shows tags is not recorded.
    fn shown(&self) -> String {
        let prefix = self.prefix.as_ref().map(|prefix| format!("prefix={prefix}"));
        let tags = self.tags.iter().map(|(key, value)| format!("tag(key={key},value={value})"));
        let larger = self.larger_than.map(|bytes| format!("objectsizegreaterthan={bytes}"));
        let smaller = self.smaller_than.map(|bytes| format!("objectsizelessthan={bytes}"));
        let parts: Vec<String> = prefix.into_iter().chain(tags).chain(larger).chain(smaller).collect();
        if parts.is_empty() { "(prefix=)".to_owned() } else { format!("({})", parts.join(" and ")) }
    }
}

/// Whether it is midnight, as dates of rules have to be.
pub fn is_midnight(date: Timestamp) -> bool {
    date.0.rem_euclid(evaluate::DAY_MS) == 0
}

fn too_early(days: &str, action: &str, class: StorageClass) -> Fault {
    argument(&format!(
        "'{days}' in {action} action must be greater than or equal to {INFREQUENT_ACCESS_DAYS} for storageClass '{}'",
        class.name()
    ))
}

fn argument(text: &str) -> Fault {
    Fault::Argument(text.to_owned())
}

fn request(text: &str) -> Fault {
    Fault::Request(text.to_owned())
}
