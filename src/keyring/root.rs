//! Root providers and the store key (design, section 3, "Hierarchy").
//!
//! The root key lies in a file of its own, outside the index. All it does is to wrap the store key, whose Box lies in
//! [`Table::Meta`]. The Box names the root that sealed it, so a wrong root is told apart from a damaged one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{
    BoxHeader, Context, Generation, SealBox, SecretBytes, SecretKey, constant_time_eq, hmac_sha256, open_box,
    parse_box, seal_box,
};
use crate::index::{Batch, CommitError, Direction, Index, IndexError, KeyRange, Precondition, Table, Tuple, Write};
use crate::sources::Sources;

/// First words of a root key file. Frozen: files with it exist.
const HEADER: &str = "strongroom-root-key v1";
/// Label under which the id of a root is derived from it. Frozen, as the ids are stored.
const ROOT_ID_LABEL: &[u8] = b"strongroom root id v1";
/// Label of the Box around the store key. Frozen.
const STORE_KEY_LABEL: &str = "strongroom store key v1";
/// How the extension of a root key file begins while it is being made.
const TEMPORARY: &str = "new-";
/// A root key file is shorter than this, in bytes; more is not read.
const FILE_MAX_BYTES: u64 = 1024;

/// A root key in a file of mode 0600: a header line with the key's id, then 32 bytes as base64 text.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// Where it lies.
    pub path: PathBuf,
}

/// Why the store key could not be had. The texts say what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootError {
    /// The file is missing but the store was made under a root: never make a new one beside an existing store.
    Missing(String),
    /// Readable by others than its owner.
    Permissions(String),
    /// No root key file of ours.
    Malformed(String),
    /// It is a root key, but not the one this store was made under.
    WrongRoot(String),
    /// The store's own record of its key is damaged or gone.
    Damaged(String),
    /// Reading or writing failed.
    Io(String),
}

/// The key that wraps everything below it. Derives by label only what may change with it.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct StoreKey {
    key: SecretKey,
    generation: [u8; 16],
}

/// A root key and the id that follows from it.
struct RootKey {
    key: SecretKey,
    id: [u8; 16],
}

impl StoreKey {
    /// The key itself, to wrap and unwrap.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Its generation.
    pub fn generation(&self) -> [u8; 16] {
        self.generation
    }

    /// A store key for tests of other layers; a real one comes from [`open_store_key`] only.
    #[cfg(test)]
    pub(crate) fn for_tests(sources: &Sources) -> Self {
        Self::of_parts(SecretKey::generate(sources), sources.random())
    }

    #[cfg(test)]
    pub(super) fn of_parts(key: SecretKey, generation: [u8; 16]) -> Self {
        Self { key, generation }
    }

    /// A key for one purpose that may change when the store key does.
    pub(super) fn derive(&self, label: &[u8]) -> SecretKey {
        let bytes = SecretBytes::new(hmac_sha256(self.key.expose(), label).to_vec());
        SecretKey::from_slice(bytes.expose()).expect("HMAC-SHA256 has 32 bytes")
    }
}

/// Opens the store key under the root, or on an empty store makes both.
pub async fn open_store_key(index: &dyn Index, root: &KeyFile, sources: &Sources) -> Result<StoreKey, RootError> {
    let sealed = index.get(Table::Meta, &store_key_row()).await.map_err(index_failed)?;
    let key = read_root(&root.path)?;
    if key.is_some()
        && let Err(error) = remove_copies(&root.path)
    {
        tracing::warn!(path = %root.path.display(), %error, "a second name of the root key file could not be removed");
    }
    match (sealed, key) {
        (Some(sealed), Some(key)) => unwrap_store_key(&root.path, &key, &sealed),
        (Some(_), None) => Err(RootError::Missing(format!(
            "the root key file {} is missing, and this store was made under a root key. Put the file back from its \
             backup, or set root_key_file to where it lies. Without it nothing in this store can be read",
            root.path.display()
        ))),
        (None, existing) => {
            refuse_foreign_data(index).await?;
            let key = match existing {
                Some(key) => key,
                None => make_root(&root.path, sources)?,
            };
            make_store_key(index, &key, sources).await
        }
    }
}

/// A store with data but without its key record has lost it: a new key would only hide that.
async fn refuse_foreign_data(index: &dyn Index) -> Result<(), RootError> {
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Meta) {
        let rows = index.scan(table, &KeyRange::prefix(&[]), 1, Direction::Forward).await.map_err(index_failed)?;
        if !rows.is_empty() {
            return Err(RootError::Damaged(
                "the store holds data but no store key: its index is damaged or was put together from parts. Restore \
                 the index from a backup"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

async fn make_store_key(index: &dyn Index, root: &RootKey, sources: &Sources) -> Result<StoreKey, RootError> {
    let store_key = StoreKey { key: SecretKey::generate(sources), generation: sources.random() };
    let plain = SecretBytes::new([&store_key.generation[..], store_key.key.expose()].concat());
    let header = BoxHeader { key_id: root.id.to_vec(), generation: Generation::default() };
    let seal = SealBox { key: &root.key, label: STORE_KEY_LABEL, header: &header, context: &Context::new() };
    let sealed = seal_box(&seal, plain.expose(), sources).into();
    let batch = Batch {
        preconditions: vec![Precondition::Absent(Table::Meta, store_key_row())],
        writes: vec![Write::Put(Table::Meta, store_key_row(), sealed)],
        appends: Vec::new(),
    };
    match index.commit(batch).await {
        Ok(()) => Ok(store_key),
        Err(CommitError::Conflict) => {
            Err(RootError::Io("another process made the store key at the same time: start again".to_owned()))
        }
        Err(CommitError::Engine(error)) => Err(index_failed(error)),
    }
}

fn unwrap_store_key(path: &Path, root: &RootKey, sealed: &[u8]) -> Result<StoreKey, RootError> {
    let damaged = || {
        RootError::Damaged(
            "the store's record of its key is damaged: restore the index from a backup. The root key file is the \
             right one and whole"
                .to_owned(),
        )
    };
    let header = parse_box(sealed).map_err(|_| damaged())?;
    if header.key_id != root.id {
        return Err(RootError::WrongRoot(format!(
            "{} is root key {}, and this store was made under root key {}: set root_key_file to that one, or restore \
             it from its backup",
            path.display(),
            hex(&root.id),
            hex(&header.key_id),
        )));
    }
    let plain = open_box(&root.key, STORE_KEY_LABEL, &Context::new(), sealed).map_err(|_| damaged())?;
    let (generation, key) = plain.expose().split_first_chunk::<16>().ok_or_else(damaged)?;
    let key = SecretKey::from_slice(key).ok_or_else(damaged)?;
    Ok(StoreKey { key, generation: *generation })
}

fn store_key_row() -> Vec<u8> {
    Tuple::new().bytes(b"store-key").build()
}

/// The root key of a file; `None` if there is no such file.
fn read_root(path: &Path) -> Result<Option<RootKey>, RootError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_failed("open", path, &error)),
    };
    let mode = file.metadata().map_err(|e| io_failed("examine", path, &e))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(RootError::Permissions(format!(
            "the root key file {0} can be read or changed by others (mode {1:04o}): run chmod 600 {0}, and if others \
             may have read it, make a new store and copy the data over",
            path.display(),
            mode & 0o7777,
        )));
    }
    let mut text = Vec::new();
    file.take(FILE_MAX_BYTES).read_to_end(&mut text).map_err(|e| io_failed("read", path, &e))?;
    let text = SecretBytes::new(text);
    parse_root(text.expose()).map(Some).map_err(|fault| {
        RootError::Malformed(format!(
            "{} is no whole root key file ({fault}): restore it from its backup. Nothing was changed",
            path.display()
        ))
    })
}

fn parse_root(text: &[u8]) -> Result<RootKey, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not text")?;
    let (header, key) = text.split_once('\n').ok_or("it has one line only")?;
    let id = header.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix(' ')).ok_or("its first line is another")?;
    let bytes = SecretBytes::new(STANDARD.decode(key.trim_end()).map_err(|_| "the key is not base64")?);
    let key = SecretKey::from_slice(bytes.expose()).ok_or("the key has not 32 bytes")?;
    let root = RootKey { id: root_id(&key), key };
    if !constant_time_eq(hex(&root.id).as_bytes(), id.trim_end().as_bytes()) {
        return Err("key and id do not belong together");
    }
    Ok(root)
}

/// Makes the file, whole and durable, or not at all: it is written under a temporary name first, because a crash in
/// the middle must not leave half a key that then is taken for a damaged one.
fn make_root(path: &Path, sources: &Sources) -> Result<RootKey, RootError> {
    let key = SecretKey::generate(sources);
    let root = RootKey { id: root_id(&key), key };
    let encoded = SecretBytes::new(STANDARD.encode(root.key.expose()).into_bytes());
    let head = format!("{HEADER} {}\n", hex(&root.id));
    let text = SecretBytes::new([head.as_bytes(), encoded.expose(), b"\n"].concat());
    let temporary = path.with_extension(format!("{TEMPORARY}{}", hex(&sources.random::<8>())));
    write_new(&temporary, text.expose()).map_err(|e| io_failed("write", &temporary, &e))?;
    // A hard link fails where the name exists; a rename would replace a key that another process just made.
    let linked = std::fs::hard_link(&temporary, path);
    let removed = std::fs::remove_file(&temporary);
    linked.map_err(|e| io_failed("make", path, &e))?;
    removed.map_err(|e| io_failed("remove", &temporary, &e))?;
    let directory = directory_of(path);
    File::open(directory).and_then(|d| d.sync_all()).map_err(|e| io_failed("sync", directory, &e))?;
    Ok(root)
}

/// Removes the temporary name that a crash in [`make_root`] has left beside the root key file's own. Nothing else: a
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

/// The id of a root follows from the key, so that a changed byte shows before anything is opened with it.
fn root_id(key: &SecretKey) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&hmac_sha256(key.expose(), ROOT_ID_LABEL)[..16]);
    id
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

fn index_failed(error: IndexError) -> RootError {
    RootError::Io(error.to_string())
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(text)
            | Self::Permissions(text)
            | Self::Malformed(text)
            | Self::WrongRoot(text)
            | Self::Damaged(text)
            | Self::Io(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for RootError {}

#[cfg(test)]
mod tests;
