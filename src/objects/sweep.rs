//! The sweeper: deletes what nothing refers to any more. What it does not finish it finds again.

use std::time::Duration;

use super::list::malformed;
use super::record::{Content, Garbage, Id, Layout, PartBytes, Pending, Place, garbage_row, id_row};
use super::versions::{READER_GRACE, read_row};
use super::{Objects, ObjectsError};
use crate::index::{CommitError, Direction, KeyRange, RowBatch, Table, TupleReader};
use crate::sources::Timestamp;

/// Rows that one read of a pass takes.
const PAGE: usize = 256;
/// A blob announced by another process is given up after so long.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs deleted from the store.
    pub blobs: u64,
    /// Entries of the list that are done.
    pub entries: u64,
}

impl Objects {
    /// One pass over what is due: old bytes, and blobs whose write never came to its commit. `alone`: no other
    /// process writes to this store (a gateway that has just locked its data directory), so whatever was announced
    /// before and is not being written by this one is abandoned.
    pub async fn sweep(&self, alone: bool) -> Result<Swept, ObjectsError> {
        let mut swept = Swept::default();
        self.sweep_pending(alone).await?;
        self.sweep_garbage(&mut swept).await?;
        Ok(swept)
    }

    /// An entry that fails is left for the next pass and holds up no other; its error is told at the end.
    async fn sweep_garbage(&self, swept: &mut Swept) -> Result<(), ObjectsError> {
        let now = self.sources.now();
        let end = garbage_row(Timestamp(now.0 + 1), &[0; 16]);
        let mut range = KeyRange { start: Vec::new(), end: Some(end) };
        let mut outcome = Ok(());
        loop {
            let rows = self.rows.list::<Garbage>(&range, PAGE, Direction::Forward).await?;
            let done = rows.len() < PAGE;
            for (key, garbage) in rows {
                range.start = [&key[..], &[0]].concat();
                match self.sweep_entry(key.to_vec(), garbage.value, swept).await {
                    Ok(()) => swept.entries += 1,
                    Err(error) => outcome = outcome.and(Err(error)),
                }
            }
            if done {
                return outcome;
            }
        }
    }

    async fn sweep_entry(&self, key: Vec<u8>, garbage: Garbage, swept: &mut Swept) -> Result<(), ObjectsError> {
        let mut batch = self.rows.batch();
        batch.delete(Table::Garbage, key);
        match garbage {
            Garbage::Content(content) => self.sweep_content(&mut batch, &content, swept).await?,
            Garbage::Upload(upload) => self.sweep_upload(&mut batch, &upload, swept).await?,
            Garbage::Part(part) => self.sweep_bytes(&mut batch, part.id, part.place, swept).await?,
            Garbage::Bucket(bucket) => {
                self.end_uploads(&bucket).await?;
                self.drop_configurations(&bucket).await?;
            }
        }
        Ok(self.rows.commit(batch).await?)
    }

    async fn sweep_content(
        &self,
        batch: &mut RowBatch<'_>,
        content: &Content,
        swept: &mut Swept,
    ) -> Result<(), ObjectsError> {
        if content.place != Place::Parts {
            return self.sweep_bytes(batch, content.id, content.place, swept).await;
        }
        // The layout goes last: a pass that was cut off finds it again.
        if let Some(layout) = self.rows.load::<Layout>(&id_row(&content.id)).await? {
            for part in layout.value.parts {
                self.sweep_bytes(batch, part.bytes.id, part.bytes.place, swept).await?;
            }
        }
        batch.delete(Table::Layout, id_row(&content.id));
        Ok(())
    }

    /// Ends the uploads of a bucket that is gone, a page in each commit; what they hold is due for the next pass. Nobody
    /// finds them any more, but a part that was on its way may still land until then.
    async fn end_uploads(&self, bucket: &Id) -> Result<(), ObjectsError> {
        let mut range = KeyRange::prefix(bucket);
        loop {
            let rows = self.rows.engine().scan(Table::Upload, &range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            range.start = [&last[..], &[0]].concat();
            let (now, mut batch) = (self.sources.now(), self.rows.batch());
            for (row, _) in rows {
                let id = read_row(&row).and_then(|(_, id)| id).ok_or_else(malformed)?;
                batch.delete(Table::Upload, row.to_vec());
                batch.put(garbage_row(now, &id), &Garbage::Upload(id));
            }
            self.rows.commit(batch).await?;
        }
    }

    /// Drops the configurations of a bucket that is gone, a page in each commit.
    async fn drop_configurations(&self, bucket: &Id) -> Result<(), ObjectsError> {
        let range = KeyRange::prefix(bucket);
        loop {
            let rows = self.rows.engine().scan(Table::BucketConfig, &range, PAGE, Direction::Forward).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut batch = self.rows.batch();
            rows.into_iter().for_each(|(row, _)| batch.delete(Table::BucketConfig, row.to_vec()));
            self.rows.commit(batch).await?;
        }
    }

    async fn sweep_upload(&self, batch: &mut RowBatch<'_>, upload: &Id, swept: &mut Swept) -> Result<(), ObjectsError> {
        for (row, part) in self.all_parts(upload).await? {
            let PartBytes { id, place, .. } = part.value.bytes;
            self.sweep_bytes(batch, id, place, swept).await?;
            batch.delete(Table::Part, row);
        }
        Ok(())
    }

    async fn sweep_bytes(
        &self,
        batch: &mut RowBatch<'_>,
        id: Id,
        place: Place,
        swept: &mut Swept,
    ) -> Result<(), ObjectsError> {
        match place {
            Place::Inline => batch.delete(Table::Inline, id_row(&id)),
            Place::Blob => {
                self.blobs.delete(id).await?;
                swept.blobs += 1;
            }
            Place::Parts => {}
        }
        Ok(())
    }

    async fn sweep_pending(&self, alone: bool) -> Result<(), ObjectsError> {
        let mut range = KeyRange { start: Vec::new(), end: None };
        loop {
            let rows = self.rows.list::<Pending>(&range, PAGE, Direction::Forward).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            range.start = [&last[..], &[0]].concat();
            for (key, pending) in rows {
                let Some(id) = TupleReader::new(&key).id::<16>() else { continue };
                let old = self.sources.now().since(Timestamp(pending.value.since_ms)) > ABANDONED_AFTER;
                if self.active.lock().expect("no holder panics").contains(&id) || !(alone || old) {
                    continue;
                }
                // A commit that made the blob visible has removed this row: then nothing is swept.
                let part = PartBytes { id, place: Place::Blob, sealed_crc: 0 };
                let mut batch = self.rows.batch();
                batch.expect_unchanged(Table::Pending, key.to_vec(), &pending.stamp);
                batch.delete(Table::Pending, key.to_vec());
                // Not at once: what a dropped writer had handed to the store may still arrive there.
                batch.put(garbage_row(self.sources.now().plus(READER_GRACE), &id), &Garbage::Part(part));
                match self.rows.commit(batch).await {
                    Ok(()) | Err(CommitError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}
