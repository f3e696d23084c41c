//! The store and the data directory belong together: blobs are nothing without the index that knows them, and two
//! indexes over one place would each take the other's blobs for waste. So the directory has an id, and the store bears
//! it as a mark. Another store, a store without the mark and the store of another directory are refused at the start,
//! before anything is read from it or written to it.
//!
//! The mark is no secret and no proof: who can write to the store can write it. It is there against mistakes. A copy of
//! the whole data directory has the same id; that two copies do not run on one store is up to who made them.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::StartError;
use crate::index::{Batch, Index, Precondition, Table, Tuple, Write};
use crate::names::{StoreUrl, hex};
use crate::sources::Sources;
use crate::store::{Blobs, MARK, StoreError, missing_credentials};

/// A store that does not answer for so long is given up. Its own tries go on for minutes, too long for a start.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What the index knows of its store: in [`Table::Meta`], not sealed, since it is no secret and is asked for while the
/// store key is not open.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Claim {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: [u8; 16],
    /// Where the store was when it was last seen, to tell who has changed the setting.
    #[n(1)]
    pub(super) url: String,
    /// The mark was seen in the store. Until then this directory has no object there.
    #[n(2)]
    pub(super) marked: bool,
}

/// Makes sure that the store at `url`, reached with `options`, is that of this index. On the first start, and on the first with a directory from
/// before there were marks, it becomes so, unless it bears another's mark.
pub(super) async fn claim(
    index: &dyn Index,
    sources: &Sources,
    (url, options): (&StoreUrl, &[(String, String)]),
    blobs: &Blobs,
) -> Result<(), StartError> {
    let stored = load(index).await?;
    if url.url().scheme() == "memory" {
        return match stored.filter(|claim| claim.marked) {
            // Nothing in it outlives the process, not even a mark.
            None => Ok(()),
            Some(claim) => Err(StartError(format!(
                "the objects of this data directory are in the store {}, and store = {url} is set: set store to that \
                 place. Nothing was changed",
                claim.url
            ))),
        };
    }
    let claim = match stored {
        Some(claim) => claim,
        // Before the mark: a start that dies in between finds its own again.
        None => save(index, None, Claim { id: sources.random(), url: url.to_string(), marked: false }).await?,
    };
    let (id, failed) = (hex(&claim.id), |error| unreachable_store(url, missing_credentials(url, options), &error));
    let found = within(blobs.mark()).await.map_err(failed)?;
    let found = match found {
        None if claim.marked => return Err(lost_mark(&claim, url)),
        None => within(blobs.set_mark(&id)).await.map_err(failed)?,
        Some(found) => found,
    };
    if found != id {
        return Err(foreign(&claim, url, &found));
    }
    let seen = Claim { url: url.to_string(), marked: true, ..claim.clone() };
    if seen != claim {
        save(index, Some(&claim), seen).await?;
    }
    Ok(())
}

async fn within<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = || StoreError::Failed(format!("no answer within {} seconds", ANSWER_TIMEOUT.as_secs()));
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| Err(late()))
}

fn unreachable_store(url: &StoreUrl, missing: Option<&str>, error: &StoreError) -> StartError {
    let advice = match missing {
        Some(missing) => format!("No credentials are set: in store_options, or as variables, set {missing}"),
        None => "See that it is there, and that store and store_options (endpoint, Region, credentials) are right; \
                 strongroom config print --redacted shows what is in force"
            .to_owned(),
    };
    StartError(format!("the store {url} cannot be used: {error}. {advice}"))
}

fn lost_mark(claim: &Claim, url: &StoreUrl) -> StartError {
    let (id, seen) = (hex(&claim.id), &claim.url);
    StartError(format!(
        "the store {url} is not that of this data directory: it has no {MARK}. The objects were last seen in {seen}: \
         set store (and the endpoint in store_options) to that place, or to where they were moved. If this is the \
         place and only the mark was lost, put it back: an object {MARK} there, of one line, {id}. Nothing was changed"
    ))
}

fn foreign(claim: &Claim, url: &StoreUrl, found: &str) -> StartError {
    let what = format!(
        "the store {url} belongs to another data directory: its {MARK} says {found}, that of this one is {}",
        hex(&claim.id)
    );
    let advice = match claim.marked {
        true => format!("The objects of this one were last seen in {}: set store to that place", claim.url),
        false => {
            "Two must not share a place: set store to a prefix of its own. If the other directory is lost, so are \
                  its objects, unless it is restored from a backup"
                .to_owned()
        }
    };
    StartError(format!("{what}. {advice}. Nothing was changed"))
}

/// The row as it is stored.
pub(super) fn render(claim: &Claim) -> Vec<u8> {
    minicbor::to_vec(claim).expect("encoding into memory does not fail")
}

pub(super) fn row() -> Vec<u8> {
    Tuple::new().bytes(b"store").build()
}

async fn load(index: &dyn Index) -> Result<Option<Claim>, StartError> {
    let Some(stored) = index.get(Table::Meta, &row()).await? else { return Ok(None) };
    let damaged = |_| StartError("the index's note of its store is damaged: restore it from a backup".to_owned());
    minicbor::decode(&stored).map(Some).map_err(damaged)
}

/// Puts `new` in the place of `old`. Nobody else writes: the directory is locked.
async fn save(index: &dyn Index, old: Option<&Claim>, new: Claim) -> Result<Claim, StartError> {
    let precondition = match old {
        None => Precondition::Absent(Table::Meta, row()),
        Some(old) => Precondition::Is(Table::Meta, row(), render(old).into()),
    };
    let writes = vec![Write::Put(Table::Meta, row(), render(&new).into())];
    let batch = Batch { preconditions: vec![precondition], writes, appends: Vec::new() };
    index.commit(batch).await.map_err(|error| StartError(error.to_string()))?;
    Ok(new)
}

#[cfg(test)]
mod tests;
