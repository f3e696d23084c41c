//! `strongroom completions`

use std::io::{Write as _, stdout};

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
    // Through memory: the generator itself panics where nobody reads.
    let mut script = Vec::new();
    clap_complete::generate(command.shell, definition, "strongroom", &mut script);
    Ok(stdout().write_all(&script)?)
}
