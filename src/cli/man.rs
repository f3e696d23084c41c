//! `strongroom man`

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use super::Failure;

/// Print the man page, or write the pages of all commands into a directory
#[derive(clap::Args)]
pub(super) struct Man {
    /// Write strongroom.1, strongroom-serve.1, … here
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(command: &Man, definition: clap::Command) -> Result<(), Failure> {
    match &command.dir {
        Some(dir) => {
            let written = clap_mangen::generate_to(definition, dir);
            written.map_err(|error| Failure::Failed(format!("{}: {error}", dir.display())))
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(definition).render(&mut page)?;
            Ok(stdout().write_all(&page)?)
        }
    }
}
