//! What a store in a directory needs beyond `object_store`'s `LocalFileSystem`.
//!
//! With fsync on, that one syncs a file before the rename that publishes it, and the directory after it. It does not
//! sync deletes, leaves its staging files (`name#1`, …) behind when the process dies, and makes directories while
//! others may already rely on them without waiting for their sync. So all directories are made and synced here when the
//! store is opened, and deletes are done here.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A directory of blobs: `ab/ab…` with a directory for each first byte, so that none grows too large.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Makes `root` and everything that is missing above and below it, durably.
    pub(super) fn prepare(root: &Path) -> io::Result<Self> {
        let missing: Vec<_> = root.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
        fs::create_dir_all(root)?;
        for byte in 0..=u8::MAX {
            match fs::create_dir(root.join(format!("{byte:02x}"))) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        // The root itself even if it was there: the process that made it may have died before its sync.
        sync(root)?;
        for made in missing {
            made.parent().map_or(Ok(()), sync)?;
        }
        Ok(Self { root: root.to_owned() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Removes a blob (by its path below the root) and what unfinished writers left of it, durably. Blocks.
    pub(super) fn delete(&self, blob: &str) -> io::Result<()> {
        let path = self.root.join(blob);
        let mut removed = remove(&path)?;
        for n in 1.. {
            if !remove(&self.root.join(format!("{blob}#{n}")))? {
                break;
            }
            removed = true;
        }
        match path.parent() {
            Some(parent) if removed => sync(parent),
            _ => Ok(()),
        }
    }
}

/// Whether there was something to remove.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{Directory, fs};

    #[test]
    fn everything_above_and_below_the_root_is_made() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("a/b/c");
        for _ in 0..2 {
            Directory::prepare(&root).unwrap();
        }
        let names: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 256);
        assert!(names.iter().any(|name| name == "00") && names.iter().any(|name| name == "ff"));

        fs::write(scratch.path().join("file"), b"").unwrap();
        assert!(Directory::prepare(&scratch.path().join("file/x")).is_err());
    }

    #[test]
    fn a_delete_takes_staging_files_along_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(scratch.path()).unwrap();
        for name in ["ab/abc", "ab/abc#1", "ab/abc#2", "ab/abd", "ab/abd#1"] {
            fs::write(scratch.path().join(name), b"x").unwrap();
        }
        directory.delete("ab/abc").unwrap();
        directory.delete("ab/abc").unwrap();
        let mut left: Vec<_> =
            fs::read_dir(scratch.path().join("ab")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["abd", "abd#1"]);
    }
}
