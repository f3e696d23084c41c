//! `strongroom init`

use clap::Args;

use super::root::{Kind, Means, make_root};
use super::{Failure, say};
use crate::app::{Prepared, StoreUse};
use crate::config::SettingsArgs;
use crate::server;
use crate::sources::Sources;

/// Make a data directory under the root of trust of your choice, and its first account
///
/// Without init, the first start of the server makes a key file. Roots can be added and removed later: strongroom root.
#[derive(Args)]
pub(super) struct Init {
    #[command(flatten)]
    means: Means,
    /// The first root
    #[arg(long, value_enum, value_name = "KIND", default_value = "key-file")]
    root: Kind,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(command: Init) -> Result<(), Failure> {
    let config = command.settings.load()?;
    server::init_logging(config.log_json, "warn");
    let sources = Sources::system();
    let shown = config.data_dir.display().to_string();
    let prepared = Box::pin(Prepared::open(config, sources.clone(), StoreUse::Objects)).await?;
    if prepared.roots().await?.is_some() {
        return Err(Failure::Failed(format!(
            "there is a store in {shown} already; see strongroom root status. Nothing was changed"
        )));
    }
    // Before the root: a store that is refused or does not answer leaves nothing behind.
    let blobs = prepared.open_store().await?;
    let made = make_root(command.root, &command.means, &prepared.config, &sources).await?;
    made.hand_over()?;
    let store_key = prepared.create(&made.root).await?;
    let started = Box::pin(prepared.start(store_key, blobs)).await?;
    eprintln!("strongroom: made a store in {shown} under root {} ({})", made.name, made.root.id());
    match started.new_credentials {
        None => Ok(()),
        Some((id, secret)) => {
            let lines = format!("export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}");
            // What went to standard output is for others than the account's owner, often for another program.
            if !made.is_printed() {
                return say(lines);
            }
            eprintln!("{lines}");
            Ok(())
        }
    }
}
