//! Opening the store key with a root, and making it on an empty store.

use bytes::Bytes;

use super::change::seal_to;
use super::record::{GenerationTag, RootList, damaged, roots_row, single_root_row};
use super::{KeyFile, Method, NewRoot, Root, RootError, RootSecret};
use crate::crypto::{
    Context, SecretBytes, SecretKey, StoreKey, StoreKeyGeneration, constant_time_eq, open_box, parse_box,
};
use crate::index::{Batch, CommitError, Direction, Index, KeyRange, Precondition, Table, Write};
use crate::sources::Sources;

/// Label of the Box around the store key, in a list or alone. Frozen.
pub(super) const STORE_KEY_LABEL: &str = "strongroom store key v1";
/// A generation in its sealed form: tag and key.
const GENERATION_BYTES: usize = 16 + 32;

/// What a store says of its roots while it is closed.
#[derive(Debug, Clone)]
pub struct Roots {
    stored: Bytes,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// The store was made when there was one root, a key file: its id, as the store key's Box names it.
    Single([u8; 16]),
    /// Not authenticated yet.
    List(RootList),
}

impl Roots {
    /// Reads them; `None` if the store is empty. A store with data but without its key record has lost it: a new key
    /// would only hide that.
    pub async fn load(index: &dyn Index) -> Result<Option<Self>, RootError> {
        if let Some(stored) = index.get(Table::Meta, &roots_row()).await? {
            let form = Form::List(RootList::parse(&stored)?);
            return Ok(Some(Self { stored, form }));
        }
        if let Some(stored) = index.get(Table::Meta, &single_root_row()).await? {
            let header = parse_box(&stored).map_err(|_| damaged())?;
            let id = header.key_id.as_slice().try_into().map_err(|_| damaged())?;
            return Ok(Some(Self { stored, form: Form::Single(id) }));
        }
        refuse_foreign_data(index).await?;
        Ok(None)
    }

    /// The roots, to choose one from.
    pub fn list(&self) -> Vec<Root> {
        match &self.form {
            Form::List(list) => list.roots.clone(),
            Form::Single(id) => vec![Root {
                id: *id,
                name: Method::KeyFile.name().to_owned(),
                method: Method::KeyFile,
                created_ms: 0,
                recipient: Vec::new(),
                sealed: Vec::new(),
            }],
        }
    }

    /// Opens the store key. `shown`: what the secret came from, for the message that it is the wrong one.
    pub fn open(&self, secret: &RootSecret, shown: &str) -> Result<StoreKey, RootError> {
        let Some(root) = self.list().into_iter().find(|root| constant_time_eq(&root.id, &secret.id().0)) else {
            return Err(self.wrong(secret, shown));
        };
        match &self.form {
            Form::Single(_) => {
                let plain = open_box(secret.key(), STORE_KEY_LABEL, &Context::new(), &self.stored);
                parse_generations(&plain.map_err(|_| damaged())?)
            }
            Form::List(list) => {
                let plain = secret.recipient().open(STORE_KEY_LABEL, &Context::new(), &root.sealed);
                let store_key = parse_generations(&plain.map_err(|_| damaged())?)?;
                RootList::verify(&self.stored, &store_key)?;
                let tags =
                    store_key.generations().iter().map(|one| GenerationTag(one.generation())).collect::<Vec<_>>();
                if tags == list.generations { Ok(store_key) } else { Err(damaged()) }
            }
        }
    }

    /// Puts the store of one root into the form of a list; nothing to do for others. The root has just opened it.
    pub async fn adopt(
        &self,
        index: &dyn Index,
        secret: &RootSecret,
        store_key: &StoreKey,
        sources: &Sources,
    ) -> Result<(), RootError> {
        let Form::Single(_) = self.form else { return Ok(()) };
        let new = NewRoot::of(secret, Method::KeyFile.name(), Method::KeyFile);
        let list = first_list(&new, store_key, sources)?;
        let batch = Batch {
            preconditions: vec![
                Precondition::Is(Table::Meta, single_root_row(), self.stored.clone()),
                Precondition::Absent(Table::Meta, roots_row()),
            ],
            writes: vec![
                Write::Delete(Table::Meta, single_root_row()),
                Write::Put(Table::Meta, roots_row(), list.render(store_key).into()),
            ],
            appends: Vec::new(),
        };
        commit(index, batch).await
    }

    fn wrong(&self, secret: &RootSecret, shown: &str) -> RootError {
        let known: Vec<_> = self.list().iter().map(|root| root.id().to_string()).collect();
        RootError::WrongRoot(format!(
            "{shown} is root key {}, and this store was made under root key {}: set root_key_file to that one, or \
             restore it from its backup",
            secret.id(),
            known.join(" or "),
        ))
    }
}

/// Opens the store key under a root key file, or on an empty store makes both.
pub async fn open_store_key(index: &dyn Index, file: &KeyFile, sources: &Sources) -> Result<StoreKey, RootError> {
    let shown = file.path.display().to_string();
    match (Roots::load(index).await?, file.read()?) {
        (Some(roots), Some(secret)) => {
            let store_key = roots.open(&secret, &shown)?;
            roots.adopt(index, &secret, &store_key, sources).await?;
            Ok(store_key)
        }
        (Some(_), None) => Err(missing_file(&shown)),
        (None, existing) => {
            let secret = match existing {
                Some(secret) => secret,
                None => {
                    let secret = RootSecret::generate(sources);
                    file.make(&secret, sources)?;
                    secret
                }
            };
            create_store(index, &NewRoot::of(&secret, Method::KeyFile.name(), Method::KeyFile), sources).await
        }
    }
}

/// Makes the store key of an empty store, sealed to its first root.
pub async fn create_store(index: &dyn Index, root: &NewRoot, sources: &Sources) -> Result<StoreKey, RootError> {
    let store_key = StoreKey::of_generations(vec![StoreKeyGeneration::generate(sources)]);
    let list = first_list(root, &store_key, sources)?;
    let batch = Batch {
        preconditions: vec![
            Precondition::Absent(Table::Meta, roots_row()),
            Precondition::Absent(Table::Meta, single_root_row()),
        ],
        writes: vec![Write::Put(Table::Meta, roots_row(), list.render(&store_key).into())],
        appends: Vec::new(),
    };
    commit(index, batch).await.map(|()| store_key)
}

pub(super) fn missing_file(shown: &str) -> RootError {
    RootError::Missing(format!(
        "the root key file {shown} is missing, and this store was made under a root key. Put the file back from its \
         backup, or set root_key_file to where it lies. Without a root nothing in this store can be read"
    ))
}

/// The live generations in their sealed form.
pub(super) fn render_generations(store_key: &StoreKey) -> SecretBytes {
    let generations = store_key.generations();
    // Allocated once: growing would leave a copy behind.
    let mut plain = Vec::with_capacity(GENERATION_BYTES * generations.len());
    for one in generations.iter() {
        plain.extend_from_slice(&one.generation());
        plain.extend_from_slice(one.key().expose());
    }
    SecretBytes::new(plain)
}

pub(super) fn parse_generations(plain: &SecretBytes) -> Result<StoreKey, RootError> {
    let chunks = plain.expose().chunks_exact(GENERATION_BYTES);
    if !chunks.remainder().is_empty() || plain.expose().is_empty() {
        return Err(damaged());
    }
    let generation = |chunk: &[u8]| {
        let (tag, key) = chunk.split_first_chunk::<16>()?;
        Some(StoreKeyGeneration::new(SecretKey::from_slice(key)?, *tag))
    };
    chunks.map(generation).collect::<Option<Vec<_>>>().map(StoreKey::of_generations).ok_or_else(damaged)
}

fn first_list(root: &NewRoot, store_key: &StoreKey, sources: &Sources) -> Result<RootList, RootError> {
    let generations = store_key.generations().iter().map(|one| GenerationTag(one.generation())).collect();
    Ok(RootList { roots: vec![seal_to(root, store_key, sources)?], generations })
}

/// Rows in any table but [`Table::Meta`] mean that there was a store key.
async fn refuse_foreign_data(index: &dyn Index) -> Result<(), RootError> {
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Meta) {
        let rows = index.scan(table, &KeyRange::prefix(&[]), 1, Direction::Forward).await?;
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

async fn commit(index: &dyn Index, batch: Batch) -> Result<(), RootError> {
    match index.commit(batch).await {
        Ok(()) => Ok(()),
        Err(CommitError::Conflict) => {
            Err(RootError::Io("another process changed the roots at the same time: start again".to_owned()))
        }
        Err(CommitError::Engine(error)) => Err(error.into()),
    }
}
