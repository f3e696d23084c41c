//! The command line: one file a command. Help, man pages and completions come from the same definition.
//!
//! A command is a struct of arguments and a `run` that returns `Failure` for anything but success. Results go to
//! standard output, everything else to standard error.

mod admin;
mod audit;
pub mod bench;
#[cfg(test)]
mod compatibility;
mod completions;
mod config;
mod credentials;
mod init;
mod inventory;
mod man;
mod roles;
mod root;
mod roots;
mod scrub;
mod secret_input;
mod serve;
mod stopped;
mod unseal;

use std::ffi::OsString;
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::{fmt, io};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::app::StartError;
use crate::config::{ConfigError, misspelt_variables};
use crate::keyring::RootError;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line or a setting is wrong
  3  a check found something wrong (audit verify, scrub)";

/// S3-compatible object storage that encrypts everything it stores
///
/// Without a command, strongroom serves S3 and KMS on 127.0.0.1:9000, keeps everything in ./strongroom-data, and on
/// the first start makes an account and prints the lines that let the AWS CLI talk to it.
#[derive(Parser)]
#[command(name = "strongroom", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
#[command(override_usage = "strongroom [COMMAND] [OPTIONS]")]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Init(Box<init::Init>),
    Unseal(Box<unseal::Unseal>),
    Root(Box<root::RootCommand>),
    Credentials(credentials::Credentials),
    User(admin::UserCommand),
    Key(admin::KeyCommand),
    Role(admin::RoleCommand),
    Policy(admin::PolicyCommand),
    Rewrap(Box<admin::RewrapCommand>),
    Inventory(Box<inventory::InventoryCommand>),
    Roles(roles::Roles),
    Audit(audit::Audit),
    Scrub(scrub::Scrub),
    Config(config::ConfigCommand),
    Bench(Box<bench::BenchArgs>),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Why a command did not succeed. Decides the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// It could not be done: 1.
    Failed(String),
    /// The command line or a setting is wrong: 2.
    Usage(String),
    /// It was done, and what it looked at is not right: 3.
    FoundWrong(String),
    /// Nobody reads the output any more, as after `| head`: no failure, 0.
    ReaderGone,
}

/// Reads the command line and the environment. Ends the process for `--help`, `--version` and wrong arguments.
pub fn parse() -> Arguments {
    Arguments::parse_from(with_default_command(std::env::args_os().collect()))
}

/// Runs the command and says how it went.
pub async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command {
        Command::Serve(command) => serve::run(command).await,
        Command::Init(command) => Box::pin(init::run(*command)).await,
        Command::Unseal(command) => Box::pin(unseal::run(*command)).await,
        Command::Root(command) => Box::pin(root::run(*command)).await,
        Command::Credentials(command) => credentials::run(command).await,
        Command::User(command) => Box::pin(admin::run_user(command)).await,
        Command::Key(command) => Box::pin(admin::run_key(command)).await,
        Command::Role(command) => Box::pin(admin::run_role(command)).await,
        Command::Policy(command) => Box::pin(admin::run_policy(command)).await,
        Command::Rewrap(command) => Box::pin(admin::run_rewrap(*command)).await,
        Command::Inventory(command) => Box::pin(inventory::run(*command)).await,
        Command::Roles(command) => roles::run(command),
        Command::Audit(command) => audit::run(command).await,
        Command::Scrub(command) => Box::pin(scrub::run(command)).await,
        Command::Config(command) => config::run(command),
        Command::Bench(command) => Box::pin(bench::run(*command)).await.map_err(Failure::from),
        Command::Completions(command) => completions::run(&command, &mut Arguments::command()),
        Command::Man(command) => man::run(&command, Arguments::command()),
    };
    let (code, text) = match outcome {
        Ok(()) | Err(Failure::ReaderGone) => return ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => (1, text),
        Err(Failure::Usage(text)) => (2, text),
        Err(Failure::FoundWrong(text)) => (3, text),
    };
    eprintln!("strongroom: {text}");
    ExitCode::from(code)
}

/// A setting that is not in force because of a slip must not go unnoticed.
fn warn_of_misspelt_variables() {
    for (name, right) in misspelt_variables() {
        eprintln!("strongroom: warning: the variable {name} means nothing here; did you mean {right}?");
    }
}

/// Prints a result and a line end.
fn say(text: impl fmt::Display) -> Result<(), Failure> {
    let mut out = stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// `strongroom` and `strongroom --listen …` serve: what is started most often needs no word.
fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let first = arguments.get(1).map(|first| first.to_string_lossy().into_owned());
    let serves = match first.as_deref() {
        None => true,
        Some("-h" | "--help" | "-V" | "--version") => false,
        Some(first) => first.starts_with('-'),
    };
    if serves {
        arguments.insert(arguments.len().min(1), "serve".into());
    }
    arguments
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.0)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Failed(error.0)
    }
}

impl From<RootError> for Failure {
    fn from(error: RootError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<bench::BenchError> for Failure {
    fn from(error: bench::BenchError) -> Self {
        match &error {
            bench::BenchError::Argument(_) => Self::Usage(error.to_string()),
            bench::BenchError::File(..) | bench::BenchError::Request(..) => Self::Failed(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) | Self::Usage(text) | Self::FoundWrong(text) => f.write_str(text),
            Self::ReaderGone => f.write_str("nobody reads the output"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_command_means_serve() {
        let with = |arguments: &[&str]| {
            let arguments = arguments.iter().map(OsString::from).collect();
            let words = with_default_command(arguments).into_iter();
            words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(with(&["strongroom"]), "strongroom serve");
        assert_eq!(with(&["strongroom", "--listen", "[::]:1"]), "strongroom serve --listen [::]:1");
        for untouched in ["--help", "-V", "audit", "serve", "nonsense"] {
            assert_eq!(with(&["strongroom", untouched]), format!("strongroom {untouched}"));
        }
    }

    #[test]
    fn every_command_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments().filter(|a| !["help", "version"].contains(&a.get_id().as_str())) {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}
