//! What object lock says, anew.

use std::collections::BTreeSet;

use strongroom::objects::ObjectInfo;
use strongroom::rules::lock::RetentionMode;

/// What is set on a version: retention (compliance?, until when), hold, number of its tags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    pub(super) retention: Option<(bool, i64)>,
    pub(super) hold: bool,
    pub(super) tags: u64,
}

/// What is asked of a version.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Delete {
        bypass: bool,
    },
    Retain {
        new: Option<(bool, i64)>,
        bypass: bool,
    },
    Hold(bool),
    Tag(u64),
    Look,
    /// A rule may delete it, and tells nobody.
    Expire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Locked,
    Gone,
    /// It was done or not.
    Unknown,
}

impl State {
    fn keeps(self, now: i64, bypass: bool) -> bool {
        self.hold || self.retention.is_some_and(|(compliance, until)| now <= until && (compliance || !bypass))
    }

    /// What a change is answered, and what it leaves.
    fn after(this: Option<Self>, change: Change, now: i64) -> (Answer, Option<Self>) {
        let Some(state) = this else {
            let deletes = matches!(change, Change::Delete { .. } | Change::Expire);
            return (if deletes { Answer::Done } else { Answer::Gone }, None);
        };
        let changed = match change {
            Change::Delete { bypass } if state.keeps(now, bypass) => return (Answer::Locked, this),
            Change::Expire if state.keeps(now, false) => return (Answer::Locked, this),
            Change::Delete { .. } | Change::Expire => return (Answer::Done, None),
            Change::Look => state,
            Change::Hold(hold) => Self { hold, ..state },
            Change::Tag(tags) => Self { tags, ..state },
            Change::Retain { new, bypass } => {
                if let Some((compliance, until)) = state.retention.filter(|(_, until)| now <= *until) {
                    let less = new.is_none_or(|(strict, later)| later < until || (compliance && !strict));
                    if less && (compliance || !bypass) {
                        return (Answer::Locked, this);
                    }
                }
                Self { retention: new, ..state }
            }
        };
        (Answer::Done, Some(changed))
    }

    pub(super) fn of(info: &ObjectInfo) -> Self {
        let lock = info.lock.unwrap_or_default();
        let retention = lock.retention.map(|kept| (kept.mode == RetentionMode::Compliance, kept.until_ms));
        let tags = info.meta.tags.first().map_or(0, |(_, value)| value.parse().unwrap());
        Self { retention, hold: lock.legal_hold == Some(true), tags }
    }
}

/// Every state that an order of the changes leads to in which each got its answer.
pub(super) fn explained(
    state: Option<State>,
    changes: &[(Change, Answer)],
    now: i64,
    out: &mut BTreeSet<Option<State>>,
) {
    if changes.is_empty() {
        out.insert(state);
    }
    for at in 0..changes.len() {
        let (change, answer) = changes[at];
        let rest = [&changes[..at], &changes[at + 1..]].concat();
        let (due, after) = State::after(state, change, now);
        if answer == Answer::Unknown {
            explained(state, &rest, now, out);
        }
        if answer == due || answer == Answer::Unknown {
            explained(after, &rest, now, out);
        }
    }
}
