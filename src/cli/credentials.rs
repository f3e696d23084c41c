//! `strongroom credentials`

use clap::{Args, Subcommand};

use super::{Failure, say, stopped};
use crate::app::StoreUse;
use crate::config::SettingsArgs;
use crate::names::AccountId;

const HOW: &str = "\
Secrets are shown once, when they are made, and cannot be read back.

For a new root access key, stop the server and run

    strongroom credentials new

It prints the key and its secret; older keys go on working. With several accounts, add --account ID.
Accounts and keys that the configuration lists ([[account]], STRONGROOM_ACCOUNTS) are changed there.";

/// Say how to make new root credentials, or make them
#[derive(Args)]
pub(super) struct Credentials {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    New(New),
}

/// Make one more root access key and print it once; the server must be stopped
#[derive(Args)]
struct New {
    /// Account to make it for (12 digits); unless set, the one that the first start made
    #[arg(long, value_name = "ID", value_parser = parse_account)]
    account: Option<AccountId>,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn parse_account(text: &str) -> Result<AccountId, String> {
    AccountId::parse(text).map_err(|error| error.to_string())
}

pub(super) async fn run(command: Credentials) -> Result<(), Failure> {
    let Some(Command::New(command)) = command.command else {
        return say(HOW);
    };
    let app = stopped::open(command.settings, StoreUse::None).await?;
    let made = app.new_root_credentials(command.account.as_ref()).await;
    let (id, secret) = made.map_err(|error| Failure::Failed(error.0))?;
    say(format_args!("export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}"))
}
