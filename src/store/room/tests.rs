use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;
use crate::store::{BLOB_CHUNK_BYTES, Blobs, Transfer};

const SECOND: Duration = Duration::from_secs(1);
const PART: usize = 5 << 20;

fn piece() -> Bytes {
    Bytes::from(vec![7; BLOB_CHUNK_BYTES])
}

fn free_kib(room: &Room) -> (usize, usize) {
    (room.claimed.available_permits(), room.parked.available_permits())
}

fn upstream() -> Blobs {
    Blobs::new(Arc::new(InMemory::new()), Path::default(), Transfer::Requests)
}

/// A client whose pieces come with pauses between them, two parts and some bytes of them. How long it took.
async fn upload(blobs: Blobs, id: u8, pause: Duration) -> Result<Duration, StoreError> {
    let begun = Instant::now();
    let pieces = 2 * PART / BLOB_CHUNK_BYTES + 2;
    let mut writer = blobs.create([id; 16], (pieces * BLOB_CHUNK_BYTES) as u64).await?;
    for _ in 0..pieces {
        writer.write(piece()).await?;
        sleep(pause).await;
    }
    writer.finish().await?;
    Ok(begun.elapsed())
}

/// A client that sends one piece of a blob and then no more, for as long as the test takes.
async fn stand_still(blobs: Blobs, id: u8) {
    let mut writer = blobs.create([id; 16], 1 << 30).await.unwrap();
    writer.write(piece()).await.unwrap();
    sleep(86_400 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn a_fast_client_ends_beside_many_that_stand_still() {
    let blobs = upstream();
    let mut slow = JoinSet::new();
    for id in 0..60 {
        slow.spawn(stand_still(blobs.clone(), id));
    }
    // Their claims alone would be six times the room.
    sleep(SECOND).await;
    let took = upload(blobs, 200, Duration::ZERO).await.unwrap();
    assert!(took < WAIT_MAX, "{took:?}");
    assert_eq!(slow.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn clients_of_every_pace_come_to_an_end() {
    let blobs = upstream();
    let paces = [0, 100, 900, 2_000, 15_000, 100_000];
    let mut all = JoinSet::new();
    for id in 0..48 {
        let pause = Duration::from_millis(paces[usize::from(id) % paces.len()]);
        let blobs = blobs.clone();
        all.spawn(async move { (pause, upload(blobs, id, pause).await) });
    }
    let mut ended = 0;
    while let Some(upload) = all.join_next().await {
        match upload.unwrap() {
            (_, Ok(_)) => ended += 1,
            (pause, Err(StoreError::Busy(_))) => assert!(pause > PAUSE, "{pause:?}"),
            (pause, Err(other)) => panic!("{pause:?}: {other}"),
        }
    }
    // Two of the six paces are slow enough to be given up, and then only where there is no place for their bytes.
    assert!(ended >= 32, "{ended}");
    assert_eq!(free_kib(blobs.room()), (CLAIMED_MAX_KIB, PARKED_MAX_KIB));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_waited_for_no_longer_than_the_limit() {
    let room = Room::new();
    let all = room.claim(CLAIMED_MAX_KIB << 10).await.unwrap();
    let filling = Filling::new(Some(Arc::clone(&room)));
    let begun = Instant::now();
    assert!(matches!(filling.push(piece(), PART).await, Err(StoreError::Busy(_))));
    assert_eq!(begun.elapsed(), WAIT_MAX);
    drop(all);
    filling.push(piece(), PART).await.unwrap();
    assert_eq!(begun.elapsed(), WAIT_MAX);
    drop(filling);
    assert_eq!(free_kib(&room), (CLAIMED_MAX_KIB, PARKED_MAX_KIB));
}

#[tokio::test(start_paused = true)]
async fn an_idle_claim_ends_when_another_waits_and_its_bytes_stay() {
    let room = Room::new();
    let [slow, other] = [(); 2].map(|()| Filling::new(Some(Arc::clone(&room))));
    slow.push(piece(), PART).await.unwrap();
    sleep(100 * SECOND).await;
    let piece_kib = BLOB_CHUNK_BYTES.div_ceil(1024);
    assert_eq!(free_kib(&room), (CLAIMED_MAX_KIB - PART / 1024, PARKED_MAX_KIB), "nobody waits");
    other.push(piece(), CLAIMED_MAX_KIB << 10).await.unwrap();
    assert_eq!(free_kib(&room), (0, PARKED_MAX_KIB - piece_kib));
    slow.push(piece(), PART - BLOB_CHUNK_BYTES).await.unwrap();
    assert_eq!(free_kib(&room), (0, PARKED_MAX_KIB - 2 * piece_kib), "it grows where it is");
    let (pieces, held) = slow.take().unwrap();
    assert_eq!((pieces.len(), slow.bytes()), (2, 0));
    assert_eq!(free_kib(&room), (0, PARKED_MAX_KIB - 2 * piece_kib), "held until the part has landed");
    drop((held, other));
    assert_eq!(free_kib(&room), (CLAIMED_MAX_KIB, PARKED_MAX_KIB));
}

#[tokio::test(start_paused = true)]
async fn without_a_place_to_park_an_idle_claim_is_given_up_and_a_whole_part_never() {
    let room = Room::new();
    let places = Arc::clone(&room.parked).try_acquire_many_owned(PARKED_MAX_KIB as u32).unwrap();
    let [slow, whole, other] = [(); 3].map(|()| Filling::new(Some(Arc::clone(&room))));
    slow.push(piece(), PART).await.unwrap();
    whole.push(piece(), BLOB_CHUNK_BYTES).await.unwrap();
    let (_, sent) = whole.take().unwrap();
    let begun = Instant::now();
    other.push(piece(), (CLAIMED_MAX_KIB << 10) - BLOB_CHUNK_BYTES - 1024).await.unwrap();
    assert!(begun.elapsed() >= PAUSE_MAX && begun.elapsed() < PAUSE_MAX + SECOND, "{:?}", begun.elapsed());
    assert!(matches!(slow.push(piece(), PART).await, Err(StoreError::Busy(_))));
    assert!(matches!(slow.take(), Err(StoreError::Busy(_))));
    drop((places, sent, other));
    assert_eq!(free_kib(&room), (CLAIMED_MAX_KIB, PARKED_MAX_KIB));
}
