//! `strongroom roles`

use clap::{Args, Subcommand};

use super::{Failure, say, warn_of_misspelt_variables};
use crate::config::{Installed, InstalledUser, SettingsArgs, install_role};
use crate::policy::{READY_MADE, ReadyMade};

const HOW_TO_GIVE_A_ROLE: &str = "\
A user has a role when its name stands in the user's policies, in the settings file or STRONGROOM_ACCOUNTS:

    [[account.user]]
    name = \"alice\"
    policies = [\"strongroom:KeyUser\"]

strongroom roles install key-user --user alice writes it there.

IAM roles, which are identities that others assume, are the command strongroom role.";

/// List, print and install ready-made permissions for users of the settings file: key administrator, key user, auditor
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
    Install(Box<Install>),
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

/// Give a role to users who are listed in the settings file
///
/// Adds the role's name to the policies of each user, in the file and nowhere else; its comments and all other lines
/// stay as they are. The changed settings are checked before they are written: all users get the role, or none.
#[derive(Args)]
struct Install {
    /// The role, e.g. key-user or strongroom:KeyUser
    #[arg(value_parser = parse_role)]
    role: &'static ReadyMade,
    /// A user who is to have it; may be given several times
    #[arg(long = "user", value_name = "NAME", required = true)]
    users: Vec<String>,
    /// The account of the users, if several accounts have users of that name
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn parse_role(text: &str) -> Result<&'static ReadyMade, String> {
    let words = || READY_MADE.map(|role| role.word).join(", ");
    ReadyMade::find(text).ok_or_else(|| format!("there is no such role; there are {}", words()))
}

pub(super) fn run(roles: Roles) -> Result<(), Failure> {
    match roles.command {
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
        Some(Command::Install(install)) => run_install(*install),
    }
}

fn run_install(install: Install) -> Result<(), Failure> {
    let Install { role, users, account, settings } = install;
    let Installed { file, users } = install_role(settings, role, &users, account.as_deref())?;
    warn_of_misspelt_variables();
    for InstalledUser { name, account, had_it, others } in &users {
        let has = if *had_it { "has had the role" } else { "now has the role" };
        say(format_args!("{name} of account {account} {has} {}", role.name))?;
        if !others.is_empty() {
            let others = others.join(" and ");
            eprintln!("strongroom: note: {name} has {others} too; what one role denies, no other can allow");
        }
    }
    match users.iter().all(|user| user.had_it) {
        true => say(format_args!("{} is as it was", file.display())),
        false => say(format_args!(
            "{} is changed; a server reads it when it starts: restart it, e.g. systemctl restart strongroom",
            file.display()
        )),
    }
}
