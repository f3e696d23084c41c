//! The memory that all writers to an upstream share.
//!
//! An upstream takes a part of a blob when it is whole, so until then its bytes are here, and they come as fast as a client
//! sends them. Who may hold how much, and who waits for whom:
//!
//! - A writer with the first bytes of a part claims room for the whole of it, in the order in which writers ask. A part
//!   with a claim needs no more room: it goes out with its last byte, and the upstream's own limits end its way.
//! - A claim that gets no bytes for [`PAUSE`] ends as soon as another writer waits: the bytes move to the parking room,
//!   and grow there as more of them come. If there is no place for them, their writer is given up after
//!   [`PAUSE_MAX`] without a byte and hears [`StoreError::Busy`].
//! - A parked part that finds no place for its next bytes claims room for the rest of it and is as any other.
//!
//! So writers never wait for each other in a circle: they wait for claims alone, never for a place to park, and every
//! claim ends without waiting for another one, since what it stands for is all there or is taken away from it. However
//! many slow clients there are, a claim lasts for a pause for each of its pieces and not for as long as a client likes.
//! And nobody waits for longer than [`WAIT_MAX`].

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::StoreError;

/// Room for claims, in KiB: nine parts of the usual 5 MiB, being filled or on their way.
const CLAIMED_MAX_KIB: usize = 48 << 10;
/// Room for what slow clients have sent of parts that are not whole, in KiB: of twelve at a time, half a part each.
const PARKED_MAX_KIB: usize = 32 << 10;
/// Without bytes for this long a claim ends if others wait. A client that sends 3 Mbit/s brings the next piece
/// ([`super::BLOB_CHUNK_BYTES`]) in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Without bytes for this long, and no place to park those that came, a writer is given up if others wait.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long a writer waits for a claim: shorter than the minute after which clients of AWS's SDKs give up a connection
/// that takes nothing, so that they hear why.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often those who wait look for claims that have ended.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The room of one upstream.
#[derive(Debug)]
pub(super) struct Room {
    claimed: Arc<Semaphore>,
    parked: Arc<Semaphore>,
    parts: Mutex<Parts>,
}

/// The parts being filled.
#[derive(Debug)]
struct Parts {
    all: BTreeMap<u64, Arc<Mutex<Part>>>,
    next_id: u64,
    looked: Instant,
}

/// What a part holds of the room: given back when dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    _claim: Option<OwnedSemaphorePermit>,
    _place: Option<OwnedSemaphorePermit>,
}

/// The part that a writer fills, again and again.
#[derive(Debug)]
pub(super) struct Filling {
    part: Arc<Mutex<Part>>,
    /// Where it is counted, under which id; a writer to a file or to memory holds next to nothing.
    room: Option<(Arc<Room>, u64)>,
}

#[derive(Debug)]
struct Part {
    /// As they came: nothing is copied together.
    pieces: Vec<Bytes>,
    bytes: usize,
    last_piece: Instant,
    claim: Option<OwnedSemaphorePermit>,
    /// Bytes that came under the claim.
    claimed_bytes: usize,
    place: Option<OwnedSemaphorePermit>,
    given_up: bool,
}

impl Room {
    pub(super) fn new() -> Arc<Self> {
        let parts = Parts { all: BTreeMap::new(), next_id: 0, looked: Instant::now() };
        Arc::new(Self {
            claimed: Arc::new(Semaphore::new(CLAIMED_MAX_KIB)),
            parked: Arc::new(Semaphore::new(PARKED_MAX_KIB)),
            parts: Mutex::new(parts),
        })
    }

    async fn claim(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let kib = u32::try_from(bytes.div_ceil(1024).min(CLAIMED_MAX_KIB)).expect("the room is less than 4 TiB");
        let mut turn = pin!(Arc::clone(&self.claimed).acquire_many_owned(kib));
        let begun = Instant::now();
        while begun.elapsed() < WAIT_MAX {
            if let Ok(claim) = timeout(LOOK_EVERY, turn.as_mut()).await {
                return Ok(claim.expect("the semaphore is never closed"));
            }
            self.end_idle_claims();
        }
        Err(busy("no memory became free for the next part"))
    }

    fn end_idle_claims(&self) {
        let mut parts = self.parts.lock().expect("no holder panics");
        // However many wait, one of them looks.
        if parts.looked.elapsed() < LOOK_EVERY {
            return;
        }
        parts.looked = Instant::now();
        for part in parts.all.values() {
            part.lock().expect("no holder panics").end_idle_claim(&self.parked);
        }
    }
}

impl Filling {
    /// A part to be filled; without a room it is not counted.
    pub(super) fn new(room: Option<Arc<Room>>) -> Self {
        let part = Arc::new(Mutex::new(Part::new()));
        let room = room.map(|room| {
            let mut parts = room.parts.lock().expect("no holder panics");
            let id = parts.next_id;
            parts.next_id += 1;
            parts.all.insert(id, Arc::clone(&part));
            drop(parts);
            (room, id)
        });
        Self { part, room }
    }

    /// Bytes in it.
    pub(super) fn bytes(&self) -> usize {
        self.part().bytes
    }

    /// Appends a piece. `rest`: the bytes that the part lacks until it is whole, those of the piece among them.
    pub(super) async fn push(&self, piece: Bytes, rest: usize) -> Result<(), StoreError> {
        let Some((room, _)) = &self.room else {
            self.part().push(piece);
            return Ok(());
        };
        let Some(piece) = self.part().push_if_room(piece, &room.parked)? else { return Ok(()) };
        let claim = room.claim(rest).await?;
        self.part().push_claimed(piece, claim);
        Ok(())
    }

    /// Takes what is in it out of it, with the room that it holds. From then on it can't be given up.
    pub(super) fn take(&self) -> Result<(Vec<Bytes>, Held), StoreError> {
        let mut part = self.part();
        match part.given_up {
            true => Err(given_up()),
            false => Ok(part.take()),
        }
    }

    fn part(&self) -> MutexGuard<'_, Part> {
        self.part.lock().expect("no holder panics")
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if let Some((room, id)) = &self.room {
            room.parts.lock().expect("no holder panics").all.remove(id);
        }
    }
}

impl Part {
    fn new() -> Self {
        Self {
            pieces: Vec::new(),
            bytes: 0,
            last_piece: Instant::now(),
            claim: None,
            claimed_bytes: 0,
            place: None,
            given_up: false,
        }
    }

    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.last_piece = Instant::now();
        self.pieces.push(piece);
    }

    /// Gives the piece back if room has to be claimed for it.
    fn push_if_room(&mut self, piece: Bytes, parked: &Arc<Semaphore>) -> Result<Option<Bytes>, StoreError> {
        if self.given_up {
            return Err(given_up());
        }
        if self.claim.is_some() {
            self.claimed_bytes += piece.len();
        } else if self.place.is_none() || !self.park(piece.len(), parked) {
            return Ok(Some(piece));
        }
        self.push(piece);
        Ok(None)
    }

    fn push_claimed(&mut self, piece: Bytes, claim: OwnedSemaphorePermit) {
        self.claim = Some(claim);
        self.claimed_bytes = piece.len();
        self.push(piece);
    }

    /// Takes a place for so many bytes, if there is one.
    fn park(&mut self, bytes: usize, parked: &Arc<Semaphore>) -> bool {
        let kib = u32::try_from(bytes.div_ceil(1024)).expect("parts are far smaller than 4 TiB");
        let Ok(place) = Arc::clone(parked).try_acquire_many_owned(kib) else { return false };
        match &mut self.place {
            Some(places) => places.merge(place),
            None => self.place = Some(place),
        }
        true
    }

    fn end_idle_claim(&mut self, parked: &Arc<Semaphore>) {
        let idle = self.last_piece.elapsed();
        if self.claim.is_none() || idle < PAUSE {
            return;
        }
        if self.park(self.claimed_bytes, parked) {
            self.claim = None;
        } else if idle >= PAUSE_MAX {
            drop(self.take());
            self.given_up = true;
        }
    }

    fn take(&mut self) -> (Vec<Bytes>, Held) {
        let taken = std::mem::replace(self, Self::new());
        (taken.pieces, Held { _claim: taken.claim, _place: taken.place })
    }
}

fn given_up() -> StoreError {
    busy("too little of a part came for too long while others waited for its memory")
}

fn busy(what: &str) -> StoreError {
    StoreError::Busy(format!("writers to the upstream hold all the memory that they may: {what}"))
}

#[cfg(test)]
mod tests;
