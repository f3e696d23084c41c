//! `strongroom completions`

use std::io::stdout;

use clap_complete::Shell;

use super::Failure;

/// Print completions for a shell, e.g. strongroom completions bash > /etc/bash_completion.d/strongroom
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(command: &Completions, definition: &mut clap::Command) -> Result<(), Failure> {
    clap_complete::generate(command.shell, definition, "strongroom", &mut stdout());
    Ok(())
}
