//! `strongroom roles`

use clap::{Args, Subcommand};

use super::{Failure, say};
use crate::policy::{READY_MADE, ReadyMade};

const HOW_TO_GIVE_A_ROLE: &str = "\
A user has a role when its name stands in the user's policies, in the settings file or STRONGROOM_ACCOUNTS:

    [[account.user]]
    name = \"alice\"
    policies = [\"strongroom:KeyUser\"]";

/// List and print the roles that come with the program: key administrator, key user, auditor
#[derive(Args)]
#[command(after_long_help = HOW_TO_GIVE_A_ROLE)]
pub(super) struct Roles {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Name the roles and say what each is for
    List,
    Print(Print),
}

/// Print a role's policy document (JSON), to be read, changed or attached elsewhere
#[derive(Args)]
struct Print {
    /// The role, e.g. key-user or strongroom:KeyUser
    #[arg(value_parser = parse_role)]
    role: &'static ReadyMade,
    /// Print lines for the settings file instead, that give the role to a user who is to be filled in
    #[arg(long)]
    toml: bool,
}

fn parse_role(text: &str) -> Result<&'static ReadyMade, String> {
    let words = || READY_MADE.map(|role| role.word).join(", ");
    ReadyMade::find(text).ok_or_else(|| format!("there is no such role; there are {}", words()))
}

pub(super) fn run(roles: &Roles) -> Result<(), Failure> {
    match &roles.command {
        None | Some(Command::List) => {
            let lines = READY_MADE.map(|role| format!("{:<18}  {:<27}  {}", role.word, role.name, role.about));
            say(lines.join("\n"))
        }
        Some(Command::Print(Print { role, toml: false })) => say(role.document.trim_end()),
        Some(Command::Print(Print { role, toml: true })) => say(format_args!(
            "# {}: {}\n[[account.user]]\nname = \"NAME\"\naccess_keys = [{{ id = \"ID\", secret_file = \"FILE\" }}]\n\
             policies = [\"{}\"]",
            role.word, role.about, role.name
        )),
    }
}
