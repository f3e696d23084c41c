//! `strongroom unseal`

use clap::Args;

use super::roots::{Store, bring_secret};
use super::secret_input::SecretInput;
use super::{Failure, say};
use crate::app::control::Question;
use crate::config::SettingsArgs;

/// Open the store of a running, sealed server with a passphrase or shares
///
/// A server that finds no root key file, credential, token or key service answers 503 until this is run on the same
/// machine, by the server's user. What is asked for stays in this process: the server gets the root's secret through a
/// socket in the data directory.
#[derive(Args)]
pub(super) struct Unseal {
    /// With shares, though there is a passphrase too
    #[arg(long)]
    shares: bool,
    #[command(flatten)]
    input: SecretInput,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(command: Unseal) -> Result<(), Failure> {
    let store = Store::find(command.settings.load()?).await?;
    if !store.is_running() {
        return Err(Failure::Failed("no server runs on this data directory: start it first".to_owned()));
    }
    let status = store.status().await?;
    if !status.sealed {
        return say("the store is open");
    }
    let secret = bring_secret(&status.roots, &command.input, store.passphrase.as_ref(), command.shares)?;
    store.ask(Question::Unseal(secret)).await?;
    say("unsealed")
}
