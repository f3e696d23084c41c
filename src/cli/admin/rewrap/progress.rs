//! What is done so far, counted and shown.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::Outcome;
use super::listing::Listed;
use super::shown;
use crate::cli::Failure;
use crate::sources::Sources;

/// Time between two looks of the line on a terminal.
const TICK: Duration = Duration::from_millis(200);
/// Time between two lines elsewhere, in ns.
const LINE_NS: u64 = 10_000_000_000;
/// Different reasons of failures that are counted apart.
const REASONS_MAX: usize = 20;

/// What came of the objects that were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    rewrapped: u64,
    copied: u64,
    as_wanted: u64,
    not_meant: u64,
    gone: u64,
    failed: u64,
    reasons: BTreeMap<String, u64>,
}

pub(super) struct Progress {
    counts: Counts,
    bar: Option<ProgressBar>,
    sources: Sources,
    last_line_ns: u64,
}

impl Counts {
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    fn seen(&self) -> u64 {
        self.rewrapped + self.copied + self.as_wanted + self.not_meant + self.gone + self.failed
    }

    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Rewrapped => self.rewrapped += 1,
            Outcome::Copied => self.copied += 1,
            Outcome::AsWanted => self.as_wanted += 1,
            Outcome::NotMeant => self.not_meant += 1,
            Outcome::Gone => self.gone += 1,
            Outcome::Failed(reason) | Outcome::Broken(reason) => {
                self.failed += 1;
                let known = self.reasons.len() < REASONS_MAX || self.reasons.contains_key(reason);
                let reason = if known { reason.clone() } else { "other reasons".to_owned() };
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
    }

    fn line(&self) -> String {
        let Self { rewrapped, copied, as_wanted, failed, .. } = self;
        let changed = rewrapped + copied;
        format!("{} looked at, {changed} changed, {as_wanted} as wanted, {failed} failed", self.seen())
    }

    /// The summary for people.
    pub(super) fn text(&self, dry_run: bool) -> String {
        let would = if dry_run { "would be " } else { "" };
        let mut lines = vec![
            format!("{would}rewrapped    {}", self.rewrapped),
            format!("{would}copied       {}", self.copied),
            format!("as wanted    {}", self.as_wanted),
        ];
        for (name, count) in [("not meant    ", self.not_meant), ("gone         ", self.gone)] {
            if count > 0 {
                lines.push(format!("{name}{count}"));
            }
        }
        lines.push(format!("failed       {}", self.failed));
        lines.extend(self.reasons.iter().map(|(reason, count)| format!("    {count}: {reason}")));
        lines.join("\n")
    }

    /// The summary for programs.
    pub(super) fn json(&self, complete: bool, dry_run: bool) -> Value {
        json!({
            "Complete": complete,
            "DryRun": dry_run,
            "Rewrapped": self.rewrapped,
            "Copied": self.copied,
            "AsWanted": self.as_wanted,
            "NotMeant": self.not_meant,
            "Gone": self.gone,
            "Failed": self.failed,
            "Reasons": self.reasons,
        })
    }
}

impl Progress {
    /// A line that changes on a terminal, a line from time to time elsewhere; both to standard error.
    pub(super) fn start(counts: Counts) -> Result<Self, Failure> {
        let sources = Sources::system();
        let bar = match stderr().is_terminal() {
            false => None,
            true => {
                let bar = ProgressBar::new_spinner();
                let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
                bar.set_style(style.map_err(|error| Failure::Failed(error.to_string()))?);
                bar.enable_steady_tick(TICK);
                Some(bar)
            }
        };
        let last_line_ns = sources.monotonic_ns();
        Ok(Self { counts, bar, sources, last_line_ns })
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Each failure is told at once: there is no end to how many there may be.
    pub(super) fn count(&mut self, listed: &Listed, outcome: Outcome) {
        self.counts.add(&outcome);
        let now_ns = self.sources.monotonic_ns();
        if let Outcome::Failed(reason) = &outcome {
            let line = format!("failed: {}: {reason}", shown(listed));
            match &self.bar {
                Some(bar) => bar.suspend(|| eprintln!("{line}")),
                None => eprintln!("{line}"),
            }
        }
        match &self.bar {
            Some(bar) => bar.set_message(self.counts.line()),
            None if now_ns - self.last_line_ns >= LINE_NS => {
                self.last_line_ns = now_ns;
                eprintln!("{}; at {}", self.counts.line(), listed.key.escape_default());
            }
            None => {}
        }
    }

    pub(super) fn finish(self) -> Counts {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_up_to_a_limit() {
        let mut counts = Counts::default();
        for n in 0..REASONS_MAX + 5 {
            counts.add(&Outcome::Failed(format!("reason {n:02}")));
            counts.add(&Outcome::Failed("reason 00".to_owned()));
        }
        assert_eq!(counts.failed(), 2 * (REASONS_MAX as u64 + 5));
        assert_eq!(counts.reasons.len(), REASONS_MAX + 1);
        assert_eq!(counts.reasons["other reasons"], 5);
        assert!(counts.text(false).contains("    26: reason 00"));
    }

    #[test]
    fn a_summary() {
        let mut counts = Counts::default();
        for outcome in [Outcome::Rewrapped, Outcome::AsWanted, Outcome::NotMeant, Outcome::Gone, Outcome::Copied] {
            counts.add(&outcome);
        }
        let expected = "rewrapped    1\ncopied       1\nas wanted    1\nnot meant    1\ngone         1\nfailed       0";
        assert_eq!(counts.text(false), expected);
        assert_eq!(counts.json(true, false)["Rewrapped"], 1);
        assert_eq!(counts.line(), "5 looked at, 2 changed, 1 as wanted, 0 failed");
    }
}
