//! `strongroom inventory`

use clap::{Args, Subcommand};

use super::roots::Store;
use super::{Failure, say};
use crate::app::control::Question;
use crate::app::inventory::ListMade;
use crate::config::SettingsArgs;

/// Make lists of a bucket's objects
#[derive(Args)]
pub(super) struct InventoryCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Run),
}

/// Make the list of an inventory now, whatever its schedule and also where it is switched off
///
/// The running server of this machine does it, as S3 itself, and the list counts as that of the day or week. The
/// inventory is one that PutBucketInventoryConfiguration has set on the bucket, and the destination's policy has to let
/// s3.amazonaws.com write there. Printed is the place of the manifest.
#[derive(Args)]
struct Run {
    /// The bucket that is listed
    #[arg(value_name = "BUCKET")]
    bucket: String,
    /// The inventory's id
    #[arg(value_name = "ID")]
    id: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(command: InventoryCommand) -> Result<(), Failure> {
    let Command::Run(Run { bucket, id, json, settings }) = command.command;
    let store = Store::find(settings.load()?).await?;
    if !store.is_running() {
        return Err(Failure::Failed("no server runs on this data: a list is made by a running one".to_owned()));
    }
    let body = store.ask(Question::Inventory(bucket, id)).await?;
    let made: ListMade = minicbor::decode(&body)
        .map_err(|error| Failure::Failed(format!("the server's answer can't be read: {error}")))?;
    let ListMade { bucket, manifest, files, objects } = made;
    if json {
        let shown = serde_json::json!({"Bucket": bucket, "Manifest": manifest, "Files": files, "Objects": objects});
        return say(shown);
    }
    say(format_args!("s3://{bucket}/{manifest} ({objects} objects in {files} files)"))
}
