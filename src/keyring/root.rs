//! Roots of trust: what opens the store key (design, section 3, "Hierarchy").
//!
//! A *root* is a secret of 32 bytes and a way to have it ([`Method`]): a key file, a passphrase, a systemd credential, a
//! PKCS#11 token, an external key service, shares of several people. A store has one or more; each of them opens it.
//! The list of roots lies in [`crate::index::Table::Meta`] (`record.rs`) and holds for each root the store key sealed to
//! the root's public half, so that a rotation reaches roots whose secret is not there (`crypto/recipient.rs`).
//!
//! Nothing that decides how a secret is fetched is read from the list beyond which method it is: paths, modules and
//! addresses come from the settings, because the list can only be trusted once the store key has authenticated it.

mod change;
mod external;
mod key_file;
mod open;
mod record;
mod rotate;
mod secret;
mod shares;
mod unattended;

use std::fmt;
use std::io;
use std::path::Path;

pub use change::{NewRoot, RootChange};
pub use external::{KeyService, read_private};
pub use key_file::{KeyFile, make_key_text, parse_key_text};
pub use open::{Roots, create_store, open_store_key};
pub use record::{Method, ROOT_NAME_MAX_CHARS, ROOTS_MAX, Root};
pub use rotate::{RotationStep, StoreKeyRotation};
pub use secret::{RootId, RootSecret};
pub use shares::{ParsedShare, combine, parse_share, split};
pub use unattended::{Opening, Token, Unattended, passphrase_secret};

use crate::index::IndexError;

/// Why the store key could not be had, or a root not changed. The texts say what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootError {
    /// What a root needs is not there: a file, a credential, a token.
    Missing(String),
    /// Readable by others than its owner.
    Permissions(String),
    /// No root key file, share or passphrase of ours.
    Malformed(String),
    /// It is a root, but none of this store.
    WrongRoot(String),
    /// The store's own record of its key is damaged or gone.
    Damaged(String),
    /// The change is not allowed: the last usable root, a name that is taken.
    Refused(String),
    /// Reading or writing failed, or another program did not answer.
    Io(String),
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn io_failed(what: &str, path: &Path, error: &io::Error) -> RootError {
    RootError::Io(format!("cannot {what} {}: {error}", path.display()))
}

impl From<IndexError> for RootError {
    fn from(error: IndexError) -> Self {
        Self::Io(error.to_string())
    }
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(text)
            | Self::Permissions(text)
            | Self::Malformed(text)
            | Self::WrongRoot(text)
            | Self::Damaged(text)
            | Self::Refused(text)
            | Self::Io(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for RootError {}

#[cfg(test)]
pub(super) mod tests;
