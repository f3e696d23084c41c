//! A change of an account's identities, from the first read to the commit.

use std::collections::BTreeSet;

use super::record::{AccountState, AttachedTo, AttachmentRecord, Entity, row};
use super::{Identities, IdentityError};
use crate::audit::{Event, Recorded};
use crate::auth::Grant;
use crate::index::{Direction, KeyRange, Record, RowBatch, Stamp, Table};
use crate::names::AccountId;
use crate::sources::Timestamp;

/// A change that is put together and not done: nothing has happened until [`Self::commit`]. What it has read it was
/// decided from: the commit is refused if anything of the account has changed meanwhile.
#[must_use = "nothing has happened yet"]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Draft<'a> {
    identities: &'a Identities,
    account: AccountId,
    /// Counts; changed as entities come and go.
    pub state: AccountState,
    stamp: Option<Stamp>,
    batch: RowBatch<'a>,
    /// Rows that were written: each once.
    written: BTreeSet<Vec<u8>>,
}

/// How a managed policy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyUse {
    /// Attached.
    Permissions = 1,
    /// As permissions boundary.
    Boundary = 2,
}

impl<'a> Draft<'a> {
    /// Begins a change in the account of what `grant` was given for. Which action that is the caller of this checks.
    pub async fn begin(identities: &'a Identities, grant: &Grant) -> Result<Self, IdentityError> {
        let account = grant.resource().owner.clone();
        let rows = identities.rows();
        let stored = rows.load::<AccountState>(&row::<AccountState>(&account, &[])).await?;
        let (state, stamp) = stored.map_or_else(Default::default, |stored| (stored.value, Some(stored.stamp)));
        Ok(Self { identities, account, state, stamp, batch: rows.batch(), written: BTreeSet::new() })
    }

    /// The account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The identities that are changed.
    pub fn identities(&self) -> &'a Identities {
        self.identities
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.identities.sources().now()
    }

    /// The entity of this name; of those with several fields in their key all of them.
    pub async fn find<E: Entity>(&self, name: &[&str]) -> Result<Option<E>, IdentityError> {
        self.identities.entity(&self.account, name).await
    }

    /// As [`Self::find`]; that there is none is `NoSuchEntity`.
    pub async fn get<E: Entity>(&self, name: &str) -> Result<E, IdentityError> {
        self.find(&[name]).await?.ok_or_else(|| IdentityError::absent(E::WORD, name))
    }

    /// Writes an entity. Each row at most once in a draft.
    pub fn put<E: Entity>(&mut self, name: &[&str], entity: &E) {
        let row = row::<E>(&self.account, name);
        self.put_row(row, entity);
    }

    /// Removes an entity.
    pub fn delete<E: Entity>(&mut self, name: &[&str]) {
        let row = row::<E>(&self.account, name);
        self.note_written(&row);
        self.batch.delete(Table::Identity, row);
    }

    /// Writes a row that is no entity: of an access key.
    pub(super) fn put_row<R: Record>(&mut self, row: Vec<u8>, record: &R) {
        self.note_written(&row);
        self.batch.put(row, record);
    }

    /// That `grant` is for the entity that is found now. One whose ARN is another than when leave was asked for was moved
    /// or replaced in the meantime: as after any lost race, the call has to ask anew.
    pub(super) fn check_covered(grant: &Grant, action: &str, arn: &str) -> Result<(), IdentityError> {
        if grant.resource().arn != arn {
            return Err(IdentityError::Contention);
        }
        grant.assert_covers(action, arn);
        Ok(())
    }

    /// Removes a row of [`Table::AccessKey`].
    pub(super) fn delete_key_row(&mut self, row: Vec<u8>) {
        self.note_written(&row);
        self.batch.delete(Table::AccessKey, row);
    }

    /// The batch is refused if there is such an access key already, in whatever account.
    pub(super) fn expect_new_key(&mut self, row: Vec<u8>) {
        self.batch.expect_absent(Table::AccessKey, row);
    }

    fn note_written(&mut self, row: &[u8]) {
        assert!(self.written.insert(row.to_vec()), "a draft writes a row twice");
    }

    /// Whether there is an entity whose key begins with this name.
    pub async fn has_any<E: Entity>(&self, name: &[&str]) -> Result<bool, IdentityError> {
        let range = KeyRange::prefix(&row::<E>(&self.account, name));
        let rows = self.identities.rows().engine();
        Ok(!rows.scan(E::TABLE, &range, 1, Direction::Forward).await?.is_empty())
    }

    /// Notes that the policy with this ARN is used by an entity, or is not any more: for ListEntitiesForPolicy. Of the
    /// policy's own row the caller changes the counts.
    pub fn put_attachment(&mut self, arn: &str, of: (AttachedTo, PolicyUse), name: &str, attached: bool) {
        let row = attachment_row(&self.account, arn, Some(of), name);
        if attached {
            self.put_row(row, &AttachmentRecord { name: name.to_owned() });
        } else {
            self.note_written(&row);
            self.batch.delete(Table::Identity, row);
        }
    }

    /// Commits the change together with its record.
    pub async fn commit(mut self, event: &Event) -> Result<Recorded, IdentityError> {
        let row = row::<AccountState>(&self.account, &[]);
        match &self.stamp {
            Some(stamp) => self.batch.expect_unchanged(Table::Identity, row.clone(), stamp),
            None => self.batch.expect_absent(Table::Identity, row.clone()),
        }
        self.state.changes += 1;
        self.batch.put(row, &self.state);
        Ok(self.identities.audit().commit(self.batch, event).await?)
    }
}

/// `(account, kind, policy's ARN, what, use, name)`; without `of` the start of all rows of a policy.
pub(super) fn attachment_row(
    account: &AccountId,
    arn: &str,
    of: Option<(AttachedTo, PolicyUse)>,
    name: &str,
) -> Vec<u8> {
    let arn = arn.to_ascii_lowercase();
    let tuple = super::record::kind_tuple::<AttachmentRecord>(account).bytes(arn.as_bytes());
    match of {
        Some((to, using)) => tuple.id(&[to as u8, using as u8]).bytes(name.to_ascii_lowercase().as_bytes()).build(),
        None => tuple.build(),
    }
}
