//! `strongroom scrub`

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, say, stopped};
use crate::app::StoreUse;
use crate::config::SettingsArgs;
use crate::objects::{ScrubProgress, ScrubReport};

/// Time between two looks of the bar on a terminal, so that the time left moves while nothing is read. Elsewhere nothing is
/// drawn.
const TICK: Duration = Duration::from_millis(200);

/// Check every stored byte against the index; the server must be stopped. Exit code 3 if anything is wrong
///
/// Lengths and checksums of all blobs are compared with the index, objects under SSE-S3 are decrypted as well, shared
/// contents are counted, and blobs that nothing refers to are listed (they cost space, no data is lost; the running
/// server removes what it knows of).
#[derive(Args)]
pub(super) struct Scrub {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(command: Scrub) -> Result<(), Failure> {
    let app = stopped::open(command.settings, StoreUse::Objects).await?;
    let home = app.config.regions.first().cloned().ok_or_else(|| Failure::Usage("no Region is configured".into()))?;
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left, {msg}")
            .map_err(|error| Failure::Failed(error.to_string()))?,
    );
    bar.enable_steady_tick(TICK);
    let mut tell = |progress: ScrubProgress| {
        bar.set_length(progress.bytes_in_all);
        bar.set_position(progress.bytes_read);
        bar.set_message(format!("{} versions", progress.versions));
    };
    let report = app.objects.scrub(home, &mut tell).await;
    bar.finish_and_clear();
    let report = report.map_err(|error| Failure::Failed(format!("the scrub could not be finished: {error:?}")))?;
    if command.json {
        say(json(&report))?;
    } else {
        print(&report)?;
    }
    match report.damage.len() {
        0 => Ok(()),
        count => Err(Failure::FoundWrong(format!("{count} damaged; see the list"))),
    }
}

fn print(report: &ScrubReport) -> Result<(), Failure> {
    for damage in &report.damage {
        say(format_args!("DAMAGED {}: {}", damage.place, damage.what))?;
    }
    for orphan in &report.orphans {
        say(format_args!("orphan {orphan}"))?;
    }
    let ScrubReport { versions, parts, bytes_read, damage, orphans } = report;
    let (damaged, orphans) = (damage.len(), orphans.len());
    say(format_args!(
        "{versions} versions, {parts} parts of uploads, {bytes_read} bytes read: {damaged} damaged, {orphans} orphans"
    ))
}

fn json(report: &ScrubReport) -> serde_json::Value {
    let damage: Vec<_> =
        report.damage.iter().map(|d| serde_json::json!({ "place": d.place, "what": d.what })).collect();
    serde_json::json!({
        "versions": report.versions,
        "parts": report.parts,
        "bytes_read": report.bytes_read,
        "damage": damage,
        "orphans": report.orphans,
    })
}
