//! What a store in a directory needs beyond `object_store`'s `LocalFileSystem`.
//!
//! With fsync on, that one syncs a file before the rename that publishes it, and the directory after it. It does not
//! sync deletes, leaves its staging files (`name#1`, …) behind when the process dies, and makes directories while
//! others may already rely on them without waiting for their sync. So all directories are made and synced here when the
//! store is opened, and deletes are done here.
//!
//! Nor does it know that the index may lie on the same disk: blobs must never fill it to the last byte, or no commit is
//! possible any more, not even one that deletes. So blobs leave a reserve.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreError;

/// Free space, in bytes, that blobs leave on the disk; small disks a quarter instead. Twice what the index keeps back.
const SPACE_RESERVE_BYTES: u64 = 256 << 20;

/// A directory of blobs: `ab/ab…` with a directory for each first byte, so that none grows too large.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: PathBuf,
    /// Bytes that open writers have announced and not written.
    promised: Arc<AtomicU64>,
}

/// Space promised to a writer, until it is written to or given back.
#[derive(Debug)]
pub(super) struct Promise {
    promised: Arc<AtomicU64>,
    left: u64,
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
        Ok(Self { root: root.to_owned(), promised: Arc::default() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the blob of this path below the root lies.
    pub(super) fn path(&self, blob: &str) -> PathBuf {
        self.root.join(blob)
    }

    /// Promises space to a writer, if the disk has it beside the reserve and what was promised to others.
    pub(super) fn promise(&self, bytes: u64) -> Result<Promise, StoreError> {
        let others = self.promised.fetch_add(bytes, Ordering::Relaxed);
        let promise = Promise { promised: Arc::clone(&self.promised), left: bytes };
        // A file system that does not tell is believed to be large.
        let Ok(disk) = rustix::fs::statvfs(&self.root) else { return Ok(promise) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let reserve = SPACE_RESERVE_BYTES.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 4);
        if free < reserve.saturating_add(others).saturating_add(bytes) {
            let text = format!("{free} bytes are free, {reserve} kept back, {others} promised, {bytes} asked for");
            return Err(StoreError::Full(text));
        }
        Ok(promise)
    }

    /// Removes a blob (by its path below the root) and what unfinished writers left of it, durably. Blocks.
    pub(super) fn delete(&self, blob: &str) -> io::Result<()> {
        let path = self.path(blob);
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

impl Promise {
    /// Notes that some of the bytes are written: the disk counts them now.
    pub(super) fn spend(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        self.promised.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.spend(self.left);
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
    use super::{Directory, Ordering, StoreError, fs};

    #[test]
    fn more_space_than_the_disk_has_is_not_promised() {
        const HUGE: u64 = 1 << 60;
        let scratch = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(scratch.path()).unwrap();
        assert!(matches!(directory.promise(HUGE), Err(StoreError::Full(_))));
        assert!(matches!(directory.promise(u64::MAX), Err(StoreError::Full(_))));

        let mut promise = directory.promise(100).unwrap();
        promise.spend(30);
        assert_eq!(directory.promised.load(Ordering::Relaxed), 70, "and nothing is left of the refused ones");
        directory.promised.fetch_add(HUGE, Ordering::Relaxed);
        assert!(matches!(directory.promise(1), Err(StoreError::Full(_))), "promised to others");
        directory.promised.fetch_sub(HUGE, Ordering::Relaxed);
        drop(promise);
        assert_eq!(directory.promised.load(Ordering::Relaxed), 0);
    }

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
