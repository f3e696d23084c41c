//! One process a data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::StartError;

/// A lock file, locked as long as this lives; the system drops the lock with the process, however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock(#[expect(dead_code, reason = "holds the lock")] File);

impl DirectoryLock {
    /// Locks `directory`, or names the process that has it.
    pub(super) fn acquire(directory: &Path) -> Result<Self, StartError> {
        let path = directory.join("lock");
        let failed = |error: std::io::Error| StartError(format!("{}: {error}", path.display()));
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            // Only for the message: a lock file without a number is as locked.
            let _ = file.read_to_string(&mut pid);
            let (shown, pid) = (directory.display(), pid.trim());
            return Err(StartError(format!(
                "the data directory {shown} is in use by another strongroom (process {pid}); stop it first, or name \
                 another directory with --data-dir"
            )));
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self(file))
    }
}
