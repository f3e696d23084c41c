//! Adding and removing roots of an open store.

use bytes::Bytes;
use serde_json::{Value, json};

use super::open::{STORE_KEY_LABEL, render_generations};
use super::record::{ROOT_NAME_MAX_CHARS, ROOTS_MAX, RootList, roots_row};
use super::{Method, Root, RootError, RootId, RootSecret};
use crate::audit::{Event, EventKind};
use crate::auth::system;
use crate::crypto::{BoxHeader, Context, Generation, Recipient, StoreKey};
use crate::index::{CommitError, Precondition, RowBatch, Table};
use crate::keyring::KeyRing;
use crate::names::AccountId;
use crate::sources::Sources;

/// The account of the gateway's own events, which belong to no customer.
const OPERATOR: &str = "000000000000";

/// A root to be added. It holds no secret: whoever has the secret makes this, and only this goes to the server.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct NewRoot {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    id: [u8; 16],
    #[n(1)]
    name: String,
    #[n(2)]
    method: Method,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    recipient: Vec<u8>,
}

/// Who changes the roots, for the trail.
#[derive(Debug, Clone, Copy)]
pub struct RootChange {
    /// The user id on this machine.
    pub uid: u32,
}

/// The list as it is stored and the bytes it was read from.
pub(super) struct StoredList {
    pub(super) list: RootList,
    stored: Bytes,
}

impl StoredList {
    pub(super) fn stored(&self) -> Bytes {
        self.stored.clone()
    }
}

impl NewRoot {
    /// Of a secret, which this does not keep.
    pub fn of(secret: &RootSecret, name: &str, method: Method) -> Self {
        let recipient = secret.recipient().public().as_bytes().to_vec();
        Self { id: secret.id().0, name: name.to_owned(), method, recipient }
    }

    /// Its id.
    pub fn id(&self) -> RootId {
        RootId(self.id)
    }
}

impl KeyRing {
    /// The roots of the store.
    pub async fn roots(&self) -> Result<Vec<Root>, RootError> {
        let _list = self.store_key_rotation().list.lock().await;
        Ok(self.root_list().await?.list.roots)
    }

    /// The live generations of the store key, oldest first, as hexadecimal digits. More than one: a rotation is under
    /// way.
    pub fn generations(&self) -> Vec<String> {
        self.store_key().generations().iter().map(|one| super::hex(&one.generation())).collect()
    }

    /// Adds a root; the change and its record are one commit.
    pub async fn add_root(&self, new: &NewRoot, by: RootChange) -> Result<(), RootError> {
        let _list = self.store_key_rotation().list.lock().await;
        let StoredList { mut list, stored } = self.root_list().await?;
        if let Some(refusal) = refuse_addition(&list, new) {
            return Err(RootError::Refused(refusal));
        }
        let root = Root { created_ms: self.sources().now().0, ..seal_to(new, self.store_key(), self.sources())? };
        let event = self.root_event("AddRoot", root_details(&root, by))?;
        list.roots.push(root);
        self.commit_roots(stored, &list, &event).await
    }

    /// Records the first root, which was there before the trail.
    pub async fn record_first_root(&self, by: RootChange) -> Result<(), RootError> {
        for root in self.roots().await? {
            let event = self.root_event("AddRoot", root_details(&root, by))?;
            self.record(&event).await.map_err(|error| RootError::Io(format!("{error:?}")))?;
        }
        Ok(())
    }

    /// Removes the root of this name or id. `usable`: the roots that have just opened the store by themselves; one of
    /// them, or one that people bring, must remain.
    ///
    /// Who has copied the index before and still has the removed root's secret can open that copy. So that he can't
    /// open a later one, the store key has to be rotated.
    pub async fn remove_root(&self, wanted: &str, usable: &[RootId], by: RootChange) -> Result<Root, RootError> {
        let _list = self.store_key_rotation().list.lock().await;
        let StoredList { mut list, stored } = self.root_list().await?;
        let at = find_root(&list.roots, wanted)?;
        let removed = list.roots.remove(at);
        let opens = |root: &Root| root.method.takes_people() || usable.contains(&root.id());
        if !list.roots.iter().any(opens) {
            return Err(RootError::Refused(format!(
                "{} is the last usable root: without it nothing in this store could be read. Add another one first",
                removed.name
            )));
        }
        let event = self.root_event("RemoveRoot", root_details(&removed, by))?;
        self.commit_roots(stored, &list, &event).await?;
        Ok(removed)
    }

    /// Records that a sealed store was opened.
    pub async fn record_unsealing(&self, root: RootId, by: RootChange) -> Result<(), RootError> {
        let details = match self.roots().await?.iter().find(|known| known.id() == root) {
            Some(known) => root_details(known, by),
            None => json!({ "rootId": root.to_string(), "uid": by.uid }),
        };
        let event = self.root_event("Unseal", details)?;
        self.record(&event).await.map_err(|error| RootError::Io(format!("{error:?}")))
    }

    /// The list, authenticated. The caller holds [`super::StoreKeyRotation`]'s `list`.
    pub(super) async fn root_list(&self) -> Result<StoredList, RootError> {
        let stored = self.rows().engine().get(Table::Meta, &roots_row()).await?;
        let stored = stored.ok_or_else(super::record::damaged)?;
        RootList::verify(&stored, self.store_key())?;
        Ok(StoredList { list: RootList::parse(&stored)?, stored })
    }

    /// Replaces the list by `list`, with its record.
    pub(super) async fn commit_roots(&self, stored: Bytes, list: &RootList, event: &Event) -> Result<(), RootError> {
        self.commit_roots_under(self.store_key(), stored, list, event).await
    }

    /// As [`Self::commit_roots`], authenticated under a store key that is not in force yet.
    pub(super) async fn commit_roots_under(
        &self,
        store_key: &StoreKey,
        stored: Bytes,
        list: &RootList,
        event: &Event,
    ) -> Result<(), RootError> {
        let mut batch: RowBatch<'_> = self.rows().batch();
        batch.expect(Precondition::Is(Table::Meta, roots_row(), stored));
        batch.put_sealed(Table::Meta, roots_row(), list.render(store_key).into());
        match self.audit().commit(batch, event).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict) => {
                Err(RootError::Io("somebody else changed the roots at the same time: try again".to_owned()))
            }
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    pub(super) fn root_event(&self, name: &'static str, details: Value) -> Result<Event, RootError> {
        let recipient = AccountId::parse(OPERATOR).map_err(|error| RootError::Io(error.to_string()))?;
        Ok(Event {
            access: system("root", self.home().clone(), self.sources().now()),
            source: "kms.amazonaws.com",
            name,
            kind: EventKind::ServiceEvent,
            request: details,
            response: Value::Null,
            additional: Value::Null,
            error: None,
            read_only: false,
            management: true,
            resources: Vec::new(),
            via_s3: false,
            recipient,
        })
    }
}

/// A root with the live generations of the store key sealed to it.
pub(super) fn seal_to(new: &NewRoot, store_key: &StoreKey, sources: &Sources) -> Result<Root, RootError> {
    let sealed = seal_generations(new.id, &new.recipient, store_key, sources)?;
    let NewRoot { id, name, method, recipient } = new.clone();
    Ok(Root { id, name, method, created_ms: sources.now().0, recipient, sealed })
}

pub(super) fn seal_generations(
    id: [u8; 16],
    recipient: &[u8],
    store_key: &StoreKey,
    sources: &Sources,
) -> Result<Vec<u8>, RootError> {
    let unusable = || RootError::Malformed(format!("the public half of root {} is none", RootId(id)));
    let recipient = Recipient::from_slice(recipient).ok_or_else(unusable)?;
    let header = BoxHeader { key_id: id.to_vec(), generation: Generation::default() };
    let plain = render_generations(store_key);
    recipient.seal(STORE_KEY_LABEL, &header, &Context::new(), plain.expose(), sources).map_err(|_| unusable())
}

/// The place of the root of this name or id.
fn find_root(roots: &[Root], wanted: &str) -> Result<usize, RootError> {
    let found = roots.iter().position(|root| root.name == wanted || root.id().to_string() == wanted);
    found.ok_or_else(|| {
        let known: Vec<_> = roots.iter().map(|root| root.name.as_str()).collect();
        RootError::Refused(format!("there is no root {wanted}; there is: {}", known.join(", ")))
    })
}

fn refuse_addition(list: &RootList, new: &NewRoot) -> Option<String> {
    let name = &new.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if list.roots.len() >= ROOTS_MAX {
        return Some(format!("a store has at most {ROOTS_MAX} roots: remove one first"));
    }
    if name.is_empty() || name.len() > ROOT_NAME_MAX_CHARS || !name.chars().all(plain) {
        return Some(format!(
            "the name {name:?} is none for a root: give 1 to {ROOT_NAME_MAX_CHARS} letters, digits, - _ ."
        ));
    }
    if list.roots.iter().any(|root| root.name == *name) {
        return Some(format!("there is a root {name} already: name this one with --name"));
    }
    list.roots.iter().find(|root| root.id == new.id).map(|root| format!("this is root {} already", root.name))
}

fn root_details(root: &Root, by: RootChange) -> Value {
    json!({ "rootId": root.id().to_string(), "rootName": root.name, "method": root.method.name(), "uid": by.uid })
}
