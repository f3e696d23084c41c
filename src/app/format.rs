//! The version of all stored formats together, so that an older program never works on what a newer one has written.

use bytes::Bytes;

use super::StartError;
use crate::index::{Batch, CommitError, Index, Precondition, Table, Tuple, Write};

/// What this program writes, and the newest it reads. A change that an older program would take for damage, or would
/// not see and undo, raises it; an appended field does not.
///
/// | number | since |
/// |---|---|
/// | 1 | the first version |
/// | 2 | the store key lies in a list of roots instead of one Box |
/// | 3 | a deleted bucket leaves its unfinished uploads to the sweeper |
/// | 4 | buckets have policies and public access blocks, which an older program would not enforce |
/// | 5 | buckets and objects have ACLs, objects owners, and buckets payers, which an older program would not know |
/// | 6 | buckets have configurations and versions locks, which an older program would not enforce |
const FORMAT: u32 = 6;

/// Refuses an index that a newer program has written. Reads only: a start that is refused changes nothing.
pub(super) async fn check(index: &dyn Index) -> Result<(), StartError> {
    match index.get(Table::Meta, &row()).await? {
        Some(stored) => read(&stored),
        None => Ok(()),
    }
}

/// Whether this program reads a store of the stored number.
pub(super) fn read(stored: &[u8]) -> Result<(), StartError> {
    match stored.try_into().map(u32::from_be_bytes) {
        Err(_) => Err(StartError("the index's format number is damaged: restore the index from a backup".to_owned())),
        Ok(0..=FORMAT) => Ok(()),
        Ok(newer) => Err(StartError(format!(
            "this data directory was written by a newer Strongroom (format {newer}; version {} reads formats up to \
             {FORMAT}): start the newer version. Nothing was changed",
            env!("CARGO_PKG_VERSION"),
        ))),
    }
}

/// Notes the format in an index that has none or an older one, which opening it has brought up to date.
pub(super) async fn note(index: &dyn Index) -> Result<(), StartError> {
    let stored = index.get(Table::Meta, &row()).await?;
    let current = |stored: &Bytes| stored[..].try_into().map_or(true, |number| u32::from_be_bytes(number) >= FORMAT);
    let precondition = match stored {
        Some(stored) if current(&stored) => return Ok(()),
        Some(older) => Precondition::Is(Table::Meta, row(), older),
        None => Precondition::Absent(Table::Meta, row()),
    };
    let writes = vec![Write::Put(Table::Meta, row(), Bytes::copy_from_slice(&render(FORMAT)))];
    match index.commit(Batch { preconditions: vec![precondition], writes, appends: Vec::new() }).await {
        Ok(()) | Err(CommitError::Conflict) => Ok(()),
        Err(error) => Err(StartError(error.to_string())),
    }
}

/// A number as it is stored.
pub(super) fn render(format: u32) -> [u8; 4] {
    format.to_be_bytes()
}

pub(super) fn row() -> Vec<u8> {
    Tuple::new().bytes(b"format").build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::MemoryIndex;

    async fn stored(number: &[u8]) -> MemoryIndex {
        let index = MemoryIndex::default();
        let writes = vec![Write::Put(Table::Meta, row(), Bytes::copy_from_slice(number))];
        index.commit(Batch { preconditions: Vec::new(), writes, appends: Vec::new() }).await.expect("stored");
        index
    }

    #[tokio::test]
    async fn what_is_noted_is_read_again() {
        let index = MemoryIndex::default();
        assert_eq!(check(&index).await, Ok(()));
        for _ in 0..2 {
            note(&index).await.expect("noted");
            assert_eq!(check(&index).await, Ok(()));
        }
        assert_eq!(index.get(Table::Meta, &row()).await.expect("read").as_deref(), Some(&FORMAT.to_be_bytes()[..]));
    }

    #[tokio::test]
    async fn an_older_number_is_raised() {
        let index = stored(&[0, 0, 0, 1]).await;
        assert_eq!(check(&index).await, Ok(()));
        note(&index).await.expect("noted");
        assert_eq!(index.get(Table::Meta, &row()).await.expect("read").as_deref(), Some(&FORMAT.to_be_bytes()[..]));
    }

    #[tokio::test]
    async fn newer_and_damaged_numbers_are_refused_and_kept() {
        for (number, reason) in [
            (&(FORMAT + 1).to_be_bytes()[..], "newer Strongroom (format 7;"),
            (&[255; 4], "newer Strongroom"),
            (&[1], "damaged"),
            (&[], "damaged"),
        ] {
            let index = stored(number).await;
            let refusal = check(&index).await.expect_err("refused").0;
            assert!(refusal.contains(reason), "{refusal}");
            note(&index).await.expect("nothing to do");
            assert_eq!(index.get(Table::Meta, &row()).await.expect("read").as_deref(), Some(number));
        }
    }
}
