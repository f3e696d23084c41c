//! `strongroom rewrap`: brings the encryption of a whole bucket to what is wanted, object by object, resumable.
//!
//! Nothing here is the server's: the command lists, asks HEAD of each object and changes those that are not yet as they
//! should be. So a run that is cut off anywhere is gone on with by running it again; a state file spares it the part
//! that was done.

mod change;
mod listing;
mod progress;
mod state;
mod target;

use std::path::PathBuf;

use clap::Args;
use futures_util::StreamExt as _;

use self::change::{Changer, Outcome};
use self::listing::{Listed, Place};
use self::progress::{Counts, Progress};
use self::state::StateFile;
use self::target::{Mode, Target};
use super::api::Api;
use super::connection::{Connected, Connection, Output};
use super::print;
use crate::cli::Failure;

/// Requests at a time that one may ask for.
const CONCURRENCY_MAX: usize = 256;

const HOW: &str = "\
Objects under SSE-S3 and SSE-KMS are brought to SSE-KMS in place: their keys are wrapped anew and no byte moves
(UpdateObjectEncryption); version, ETag and date stay. Every other change of the encryption (to SSE-S3, to or from
DSSE-KMS) needs the object to be copied onto itself, which only --copy allows: the copy has a new date and mostly another
ETag, an ACL of its own and, in a bucket with versioning, a version of its own; older versions can't be changed so.
Objects under SSE-C need their owner's key and are reported.

The command calls what the API has, with your credentials: s3:ListBucket (with --all-versions s3:ListBucketVersions),
s3:GetObject, s3:UpdateObjectEncryption, s3:PutObject for copies, and the use of both KMS keys.";

/// Bring the encryption of a bucket's objects to what is wanted; can be stopped and gone on with
#[derive(Args)]
#[command(after_help = HOW)]
pub(in crate::cli) struct RewrapCommand {
    /// The bucket, or the objects in it whose keys begin so
    #[arg(value_name = "s3://BUCKET[/PREFIX]")]
    place: String,
    /// Encryption that is wanted
    #[arg(long, value_enum, value_name = "MODE", default_value = "aws:kms")]
    sse: Mode,
    /// KMS key: id, ARN or alias; unless given, aws/s3
    #[arg(long, value_name = "KEY")]
    sse_kms_key_id: Option<String>,
    /// Seal object keys under an S3 Bucket Key (aws:kms alone)
    #[arg(long)]
    bucket_key: bool,
    /// Only what is under this encryption now; several are possible
    #[arg(long, value_enum, value_name = "MODE")]
    from: Vec<Mode>,
    /// Older versions too, not the current ones alone
    #[arg(long)]
    all_versions: bool,
    /// Copy current objects onto themselves where nothing else changes their encryption
    #[arg(long)]
    copy: bool,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Note here how far the run came, and go on from what is noted
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Requests at a time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = concurrency)]
    concurrency: usize,
    #[command(flatten)]
    connection: Connection,
}

fn concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=CONCURRENCY_MAX).contains(&n) => Ok(n),
        _ => Err(format!("give a number from 1 to {CONCURRENCY_MAX}")),
    }
}

/// How a run ended.
enum Ended {
    Done,
    Interrupted,
    /// The server can't be asked any more.
    Broken(String),
}

pub(in crate::cli) async fn run(command: RewrapCommand) -> Result<(), Failure> {
    let place = Place::parse(&command.place).map_err(Failure::Usage)?;
    if command.bucket_key && command.sse != Mode::Kms {
        return Err(Failure::Usage("--bucket-key goes with --sse aws:kms alone".to_owned()));
    }
    let Connected { api, output, .. } = command.connection.connect()?;
    let target = Target::find(&api, command.sse, command.sse_kms_key_id.as_deref(), command.bucket_key).await?;
    let job = state::Job {
        place: command.place.clone(),
        target: target.to_string(),
        from: command.from.iter().map(ToString::to_string).collect(),
        all_versions: command.all_versions,
        copy: command.copy,
        dry_run: command.dry_run,
    };
    let mut file = command.state.map(|path| StateFile::open(path, job)).transpose()?;
    let changer = Changer {
        api: &api,
        bucket: &place.bucket,
        target: &target,
        from: &command.from,
        copy: command.copy,
        dry_run: command.dry_run,
    };
    let mut progress = Progress::start(file.as_ref().map(StateFile::counts).unwrap_or_default())?;
    let mut listing = listing::Listing {
        api: &api,
        place: &place,
        all_versions: command.all_versions,
        after: file.as_ref().and_then(StateFile::after),
        answered: false,
    };
    let ended = work(&changer, &mut listing, &mut file, &mut progress, command.concurrency).await?;
    let counts = progress.finish();
    conclude(&ended, &counts, file, (output, command.dry_run))
}

/// Page after page; what is noted is never ahead of what is done.
async fn work(
    changer: &Changer<'_>,
    listing: &mut listing::Listing<'_>,
    file: &mut Option<StateFile>,
    progress: &mut Progress,
    concurrency: usize,
) -> Result<Ended, Failure> {
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let page = tokio::select! {
            _ = &mut interrupted => return Ok(Ended::Interrupted),
            page = listing.page() => page,
        };
        let page = match page {
            Ok(page) => page,
            Err(error) if error.is_broken() => return Ok(Ended::Broken(error.text())),
            Err(error) => return Err(Failure::Failed(error.text())),
        };
        let calls = page.listed.iter().map(|listed| async move { (listed, changer.change(listed).await) });
        let mut calls = futures_util::stream::iter(calls).buffer_unordered(concurrency);
        loop {
            // What has begun and is not waited for any more is done or not: the next run sees which.
            let (listed, outcome) = tokio::select! {
                _ = &mut interrupted => return Ok(Ended::Interrupted),
                next = calls.next() => match next {
                    Some(next) => next,
                    None => break,
                },
            };
            match outcome {
                Outcome::Broken(text) => return Ok(Ended::Broken(text)),
                outcome => progress.count(listed, outcome),
            }
        }
        let Some(next) = page.next else { return Ok(Ended::Done) };
        if let Some(file) = file {
            file.note(next.clone(), progress.counts())?;
        }
        listing.after = Some(next);
    }
}

fn conclude(ended: &Ended, counts: &Counts, file: Option<StateFile>, shown: (Output, bool)) -> Result<(), Failure> {
    let (output, dry_run) = shown;
    print::show(output, &counts.json(matches!(ended, Ended::Done), dry_run), || counts.text(dry_run))?;
    let go_on = match &file {
        Some(_) => "Run the same command to go on from there.",
        None => "Run the same command to go on: what is done is passed over (with --state also unasked).",
    };
    match ended {
        Ended::Done => {
            if let Some(file) = file {
                file.remove()?;
            }
            match counts.failed() {
                0 => Ok(()),
                n => Err(Failure::Failed(format!("{n} could not be changed; see above"))),
            }
        }
        Ended::Interrupted => Err(Failure::Failed(format!("stopped before the end. {go_on}"))),
        Ended::Broken(text) => Err(Failure::Failed(format!("{text}\nNot at the end yet. {go_on}"))),
    }
}

/// What an S3 call is about, for messages.
fn shown(listed: &Listed) -> String {
    match &listed.version {
        None => listed.key.clone(),
        Some(version) => format!("{} (version {version})", listed.key),
    }
}

/// A call that is tried again while the server is away or asks for patience.
async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, change::CallFault>
where
    F: Future<Output = Result<T, super::api::CallError>>,
{
    let mut pause = change::FIRST_PAUSE;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if !change::is_passing(&error) => return Err(change::CallFault::Refused(error)),
            Err(error) if pause > change::LAST_PAUSE => return Err(change::CallFault::Broken(error.to_string())),
            Err(_) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }
}
