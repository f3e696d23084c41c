//! `strongroom config`

use clap::{Args, Subcommand};

use super::{Failure, say, warn_of_misspelt_variables};
use crate::config::{SettingsArgs, render_redacted, render_reference};

/// Check, print or explain the settings
#[derive(Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(Check),
    Print(Print),
    /// Print the table of all settings: key, flag, variable, default, meaning (Markdown)
    Reference,
}

/// Check the settings and exit: 0 if they are right, 2 with the reason if not
#[derive(Args)]
struct Check {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Print the settings in force as TOML, secrets left out
#[derive(Args)]
struct Print {
    /// Leave secrets out; there is no other way, the flag lets a script say that it relies on it
    #[arg(long)]
    redacted: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(command: ConfigCommand) -> Result<(), Failure> {
    match command.command {
        Command::Check(command) => {
            command.settings.load()?;
            warn_of_misspelt_variables();
            say("the settings are right")
        }
        Command::Print(Print { redacted: _, settings }) => say(render_redacted(&settings.load()?).trim_end()),
        Command::Reference => say(render_reference().trim_end()),
    }
}
