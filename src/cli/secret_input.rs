//! Where secrets come from: a file descriptor, the environment, the terminal. Never from the command line, which every
//! process on the machine can read.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::Failure;
use crate::crypto::SecretBytes;

/// Longest secret that is read, in bytes.
const SECRET_MAX_BYTES: u64 = 64 * 1024;

/// Where a passphrase or shares come from.
#[derive(Default, clap::Args)]
pub(super) struct SecretInput {
    /// Read the passphrase, or the shares one a line, from this file descriptor instead of the terminal
    #[arg(long, value_name = "NUMBER")]
    secret_fd: Option<u32>,
}

impl SecretInput {
    /// The passphrase of a root. `environment` is `STRONGROOM_ROOT_PASSPHRASE`.
    pub(super) fn passphrase(&self, prompt: &str, environment: Option<&SecretBytes>) -> Result<SecretBytes, Failure> {
        match (self.secret_fd, environment) {
            (Some(number), _) => read_descriptor(number).map(first_line),
            (None, Some(passphrase)) => Ok(SecretBytes::new(passphrase.expose().to_vec())),
            (None, None) => ask(prompt),
        }
    }

    /// A passphrase that is chosen now: asked for twice on a terminal.
    pub(super) fn new_passphrase(&self, environment: Option<&SecretBytes>) -> Result<SecretBytes, Failure> {
        let chosen = self.passphrase("New passphrase: ", environment)?;
        if self.secret_fd.is_none() && environment.is_none() {
            let again = ask("Once more: ")?;
            if !crate::crypto::constant_time_eq(again.expose(), chosen.expose()) {
                return Err(Failure::Usage("the two are not the same: nothing was changed".to_owned()));
            }
        }
        match chosen.expose().is_empty() {
            true => Err(Failure::Usage("an empty passphrase protects nothing: nothing was changed".to_owned())),
            false => Ok(chosen),
        }
    }

    /// So many lines.
    pub(super) fn lines(&self, count: usize, prompt: impl Fn(usize) -> String) -> Result<Vec<SecretBytes>, Failure> {
        let Some(number) = self.secret_fd else { return (0..count).map(|at| ask(&prompt(at))).collect() };
        let all = read_descriptor(number)?;
        let lines = all.expose().split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        Ok(lines.take(count).map(|line| SecretBytes::new(line.to_vec())).collect())
    }
}

fn read_descriptor(number: u32) -> Result<SecretBytes, Failure> {
    let unread = |error| Failure::Usage(format!("--secret-fd {number}: {error}"));
    let file = File::open(format!("/dev/fd/{number}")).map_err(unread)?;
    let mut secret = Vec::with_capacity(4096);
    file.take(SECRET_MAX_BYTES).read_to_end(&mut secret).map_err(unread)?;
    Ok(SecretBytes::new(secret))
}

fn first_line(text: SecretBytes) -> SecretBytes {
    let line = text.expose().split(|byte| *byte == b'\n').next().unwrap_or_default();
    SecretBytes::new(line.to_vec())
}

/// Asks on the terminal, which does not show what is typed.
fn ask(prompt: &str) -> Result<SecretBytes, Failure> {
    let no_terminal = |_| {
        Failure::Usage(
            "there is no terminal to ask on: give --secret-fd NUMBER, or the variable STRONGROOM_ROOT_PASSPHRASE for a \
             passphrase"
                .to_owned(),
        )
    };
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let shown = tcgetattr(&terminal).map_err(std::io::Error::from)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    write!(terminal, "{prompt}")?;
    tcsetattr(&terminal, OptionalActions::Flush, &hidden).map_err(std::io::Error::from)?;
    let mut line = Vec::with_capacity(4096);
    let read = BufReader::new(&terminal).read_until(b'\n', &mut line);
    let line = SecretBytes::new(line);
    tcsetattr(&terminal, OptionalActions::Flush, &shown).map_err(std::io::Error::from)?;
    read?;
    Ok(first_line(line))
}
