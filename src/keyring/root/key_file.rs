//! A root in a file: a header line with the root's id, then 32 bytes as base64 text. The text of a systemd credential
//! is the same.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{RootError, RootSecret, hex, io_failed};
use crate::crypto::{SecretBytes, SecretKey, constant_time_eq};
use crate::sources::Sources;

/// First words of a root key file. Frozen: files with it exist.
const HEADER: &str = "strongroom-root-key v1";
/// How the extension of a root key file begins while it is being made.
const TEMPORARY: &str = "new-";
/// A root key file is shorter than this, in bytes; more is not read.
const FILE_MAX_BYTES: u64 = 1024;

/// A root key in a file of mode 0600.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// Where it lies.
    pub path: PathBuf,
}

impl KeyFile {
    /// The root in the file; `None` if there is no such file.
    pub(super) fn read(&self) -> Result<Option<RootSecret>, RootError> {
        let found = read_text(&self.path, Others::Refused)?;
        if found.is_some()
            && let Err(error) = remove_copies(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%path, %error, "a second name of the root key file could not be removed");
        }
        Ok(found)
    }

    /// Makes the file, whole and durable, or not at all: it is written under a temporary name first, because a crash in
    /// the middle must not leave half a key that then is taken for a damaged one. A file that is there stays.
    pub fn make(&self, root: &RootSecret, sources: &Sources) -> Result<(), RootError> {
        let path = &self.path;
        let text = make_key_text(root);
        let temporary = path.with_extension(format!("{TEMPORARY}{}", hex(&sources.random::<8>())));
        write_new(&temporary, text.expose()).map_err(|e| io_failed("write", &temporary, &e))?;
        // A hard link fails where the name exists; a rename would replace a key that another process just made.
        let linked = std::fs::hard_link(&temporary, path);
        let removed = std::fs::remove_file(&temporary);
        linked.map_err(|e| io_failed("make", path, &e))?;
        removed.map_err(|e| io_failed("remove", &temporary, &e))?;
        let directory = directory_of(path);
        File::open(directory).and_then(|d| d.sync_all()).map_err(|e| io_failed("sync", directory, &e))
    }
}

/// What is done about a file that others may read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// The root has to be taken for known.
    Refused,
    /// systemd has made it in a directory that only the service sees.
    Trusted,
}

/// The root in a file; `None` if there is no such file.
pub(super) fn read_text(path: &Path, others: Others) -> Result<Option<RootSecret>, RootError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_failed("open", path, &error)),
    };
    let mode = file.metadata().map_err(|e| io_failed("examine", path, &e))?.permissions().mode();
    if others == Others::Refused && mode & 0o077 != 0 {
        return Err(RootError::Permissions(format!(
            "the root key file {0} can be read or changed by others (mode {1:04o}): run chmod 600 {0}, and if others \
             may have read it, add another root, remove this one and run strongroom root rotate",
            path.display(),
            mode & 0o7777,
        )));
    }
    let mut text = Vec::with_capacity(FILE_MAX_BYTES as usize);
    file.take(FILE_MAX_BYTES).read_to_end(&mut text).map_err(|e| io_failed("read", path, &e))?;
    let text = SecretBytes::new(text);
    parse_key_text(text.expose()).map(Some).map_err(|fault| {
        RootError::Malformed(format!(
            "{} is no whole root key file ({fault}): restore it from its backup. Nothing was changed",
            path.display()
        ))
    })
}

/// Reads the text of a root key file.
pub fn parse_key_text(text: &[u8]) -> Result<RootSecret, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not text")?;
    let (header, key) = text.split_once('\n').ok_or("it has one line only")?;
    let id = header.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix(' ')).ok_or("its first line is another")?;
    let bytes = SecretBytes::new(STANDARD.decode(key.trim_end()).map_err(|_| "the key is not base64")?);
    let root = RootSecret::of_key(SecretKey::from_slice(bytes.expose()).ok_or("the key has not 32 bytes")?);
    if !constant_time_eq(root.id().to_string().as_bytes(), id.trim_end().as_bytes()) {
        return Err("key and id do not belong together");
    }
    Ok(root)
}

/// The text of a root key file.
pub fn make_key_text(root: &RootSecret) -> SecretBytes {
    let encoded = SecretBytes::new(STANDARD.encode(root.key().expose()).into_bytes());
    let head = format!("{HEADER} {}\n", root.id());
    SecretBytes::new([head.as_bytes(), encoded.expose(), b"\n"].concat())
}

/// Removes the temporary name that a crash in [`KeyFile::make`] has left beside the root key file's own. Nothing else: a
/// file that is not this very one (same device and inode) may be the only copy of another key.
fn remove_copies(path: &Path) -> io::Result<()> {
    let own = std::fs::metadata(path)?;
    if own.nlink() == 1 {
        return Ok(());
    }
    let directory = directory_of(path);
    let prefix = path.with_extension(TEMPORARY);
    let Some(prefix) = prefix.file_name().map(|name| name.as_encoded_bytes()) else { return Ok(()) };
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let found = entry.metadata()?;
        let same = found.is_file() && (found.dev(), found.ino()) == (own.dev(), own.ino());
        if same && entry.file_name().as_encoded_bytes().starts_with(prefix) {
            std::fs::remove_file(entry.path())?;
        }
    }
    File::open(directory)?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // The umask may have taken bits away, never added; the mode is set again for file systems that ignore it at first.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text)?;
    file.sync_all()
}
