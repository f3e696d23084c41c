//! Changed, cut, lengthened, exchanged and repeated blobs, in all modes. Where each byte or length costs a whole read,
//! a sample is taken; `rows.rs` takes every byte of the same format in small objects.

use strongroom::crypto::PlainRange;
use strongroom::objects::{Bucket, ObjectsError, Versioning};
use strongroom::sse::Requested;

use super::{HEADER, SMALL_BLOB, assert_clean, assert_reported, blobs, exchange, overwrite, restore};
use crate::stack::{Stack, Way, customer_key, key};

/// Three whole segments.
const THREE: usize = 3 * 65_536;

async fn stack_with(way: Way, objects: &[(&str, Vec<u8>)]) -> (Stack, Bucket) {
    let stack = Stack::new(1).await;
    let bucket = stack.create_bucket("bucket", Versioning::Never).await;
    for (name, data) in objects {
        stack.put(&bucket, &key(name), data, way.requested()).await.unwrap();
    }
    (stack, bucket)
}

async fn read(stack: &Stack, bucket: &Bucket, name: &str, way: Way) -> Result<Vec<u8>, ObjectsError> {
    stack.get(bucket, &key(name), None, way.customer().as_ref()).await
}

/// Bytes of a sealed segment.
fn segment_bytes(way: Way) -> usize {
    65_536 + if way == Way::Double { 32 } else { 16 }
}

#[tokio::test]
async fn every_changed_byte_of_a_blob_is_an_error() {
    for way in Way::ALL {
        let data = vec![b'x'; SMALL_BLOB];
        let (stack, bucket) = stack_with(way, &[("k", data.clone())]).await;
        let blob = blobs(&stack).await.pop().unwrap();
        // Every byte of header and tags, and a sample of the ciphertext.
        let edge = |at: usize| at < HEADER + 16 || at + 36 > blob.bytes.len();
        let step = if way == Way::Owned { 13 } else { 97 };
        for at in (0..blob.bytes.len()).filter(|at| edge(*at) || at % step == 0) {
            let mut changed = blob.bytes.to_vec();
            changed[at] ^= 1 << (at % 8);
            overwrite(&stack, &blob.path, changed).await;
            assert!(read(&stack, &bucket, "k", way).await.is_err(), "{way:?}: byte {at} was changed unnoticed");
            if edge(at) {
                assert_reported(&stack, "a changed byte").await;
            }
        }
        restore(&stack, &[blob]).await;
        assert_eq!(read(&stack, &bucket, "k", way).await.unwrap(), data);
        assert_clean(&stack, "a restored blob").await;
    }
}

#[tokio::test]
async fn a_cut_blob_is_an_error() {
    for way in Way::ALL {
        let (stack, bucket) = stack_with(way, &[("k", vec![b'x'; SMALL_BLOB])]).await;
        let blob = blobs(&stack).await.pop().unwrap();
        let edge = |len: usize| len < HEADER + 16 || len + 36 > blob.bytes.len();
        for len in (0..blob.bytes.len()).filter(|len| edge(*len) || len % 97 == 0) {
            overwrite(&stack, &blob.path, blob.bytes.slice(..len)).await;
            assert!(read(&stack, &bucket, "k", way).await.is_err(), "{way:?}: a blob cut to {len} bytes was read");
        }
        assert_reported(&stack, "a cut blob").await;
    }
}

#[tokio::test]
async fn a_blob_of_several_segments_cut_at_their_borders_is_an_error() {
    for way in Way::ALL {
        let (stack, bucket) = stack_with(way, &[("k", vec![b'x'; THREE])]).await;
        let blob = blobs(&stack).await.pop().unwrap();
        let borders = (0..=3).map(|n| HEADER + n * segment_bytes(way));
        for len in borders.flat_map(|border| [border - 16, border - 1, border, border + 1]) {
            if len < blob.bytes.len() {
                overwrite(&stack, &blob.path, blob.bytes.slice(..len)).await;
                assert!(read(&stack, &bucket, "k", way).await.is_err(), "{way:?}: a blob cut to {len} bytes was read");
                assert_reported(&stack, "a cut blob").await;
            }
        }
    }
}

/// Whole segments, copies of the last one, or any bytes: what is behind the authenticated length is not read.
#[tokio::test]
async fn what_is_appended_to_a_blob_changes_no_read() {
    for way in Way::ALL {
        let data = vec![b'x'; THREE];
        let (stack, bucket) = stack_with(way, &[("k", data.clone())]).await;
        let blob = blobs(&stack).await.pop().unwrap();
        let last_segment = blob.bytes.slice(blob.bytes.len() - segment_bytes(way)..);
        for more in [&b"x"[..], &[0; 16], &last_segment, &blob.bytes] {
            overwrite(&stack, &blob.path, [&blob.bytes[..], more].concat()).await;
            assert_eq!(read(&stack, &bucket, "k", way).await.unwrap(), data);
            assert_reported(&stack, "a lengthened blob").await;
        }
    }
}

#[tokio::test]
async fn exchanged_blobs_and_segments_are_errors() {
    for way in Way::ALL {
        let objects = [("a", vec![b'a'; THREE]), ("b", vec![b'b'; THREE])];
        let (stack, bucket) = stack_with(way, &objects).await;
        let both = blobs(&stack).await;
        exchange(&stack, &both[0], &both[1]).await;
        for name in ["a", "b"] {
            assert!(read(&stack, &bucket, name, way).await.is_err(), "{way:?}: blobs were exchanged unnoticed");
        }
        assert_reported(&stack, "exchanged blobs").await;

        let segment = |n: usize| HEADER + n * segment_bytes(way)..HEADER + (n + 1) * segment_bytes(way);
        // Of one blob with itself, each pair; then with the other blob, in the same place and in others.
        for (from, to) in [(0, 1), (0, 2), (1, 2), (1, 0), (0, 0), (1, 1), (2, 2), (2, 0)] {
            for (source, what) in [(0, "its own"), (1, "another blob's")] {
                if source == 0 && from == to {
                    continue;
                }
                restore(&stack, &both).await;
                let mut changed = both[0].bytes.to_vec();
                changed[segment(to)].copy_from_slice(&both[source].bytes[segment(from)]);
                overwrite(&stack, &both[0].path, changed).await;
                let reads = [read(&stack, &bucket, "a", way).await, read(&stack, &bucket, "b", way).await];
                let failed = reads.iter().filter(|read| read.is_err()).count();
                assert_eq!(failed, 1, "{way:?}: {what} segment {from} took the place of {to} unnoticed");
            }
        }
        assert_reported(&stack, "an exchanged segment").await;
    }
}

#[tokio::test]
async fn an_old_blob_in_the_place_of_a_new_one_is_an_error() {
    for way in Way::ALL {
        let (stack, bucket) = stack_with(way, &[("k", vec![b'1'; SMALL_BLOB])]).await;
        let old = blobs(&stack).await.pop().unwrap();
        stack.put(&bucket, &key("k"), &vec![b'2'; SMALL_BLOB], way.requested()).await.unwrap();
        let new = blobs(&stack).await.into_iter().find(|blob| blob.path != old.path).unwrap();
        overwrite(&stack, &new.path, old.bytes).await;
        assert!(read(&stack, &bucket, "k", way).await.is_err(), "{way:?}");
        assert_reported(&stack, "an old blob").await;
    }
}

/// Parts of one upload share key and sealing id, so their numbers alone keep them apart.
#[tokio::test]
async fn exchanged_parts_are_errors() {
    const PART: usize = 5 << 20;
    for way in Way::ALL {
        let stack = Stack::new(3).await;
        let bucket = stack.create_bucket("bucket", Versioning::Never).await;
        let (one, two) = (vec![b'1'; PART], vec![b'2'; PART]);
        let info = stack.upload(&bucket, &key("k"), &[(1, &one), (2, &two)], way).await.unwrap();
        // Some bytes of each part's second segment.
        let of_part = |part: u64| PlainRange { start: part * PART as u64 + 70_000, end: part * PART as u64 + 70_001 };
        let read = async |part| stack.read(&info, of_part(part), way.customer().as_ref()).await;
        assert_eq!([read(0).await.unwrap(), read(1).await.unwrap()], [b"1", b"2"]);
        let both = blobs(&stack).await;
        exchange(&stack, &both[0], &both[1]).await;
        let noticed = [read(0).await.is_err(), read(1).await.is_err()];
        assert_eq!(noticed, [true, true], "{way:?}: parts were exchanged unnoticed");
        overwrite(&stack, &both[0].path, both[0].bytes.clone()).await;
        let failed = [read(0).await, read(1).await].iter().filter(|read| read.is_err()).count();
        assert_eq!(failed, 1, "{way:?}: a part was repeated unnoticed");
        assert_reported(&stack, "a repeated part").await;
        // One segment of the other part, in the same place.
        let mut changed = both[1].bytes.to_vec();
        let second = HEADER + segment_bytes(way)..HEADER + 2 * segment_bytes(way);
        changed[second.clone()].copy_from_slice(&both[0].bytes[second]);
        overwrite(&stack, &both[1].path, changed).await;
        let failed = [read(0).await, read(1).await].iter().filter(|read| read.is_err()).count();
        assert_eq!(failed, 1, "{way:?}: a part's segment was exchanged unnoticed");
    }
}

#[tokio::test]
async fn an_earlier_attempt_in_the_place_of_a_re_sent_part_is_an_error() {
    for way in Way::ALL {
        let stack = Stack::new(4).await;
        let bucket = stack.create_bucket("bucket", Versioning::Never).await;
        let customer = way.customer();
        let upload = stack.start_upload(&bucket, &key("k"), way.requested()).await.unwrap();
        let (first, second) = (vec![b'1'; SMALL_BLOB], vec![b'2'; SMALL_BLOB]);
        stack.put_part(&bucket, &upload, (1, &first), customer.as_ref()).await.unwrap();
        let old = blobs(&stack).await.pop().unwrap();
        let part = stack.put_part(&bucket, &upload, (1, &second), customer.as_ref()).await.unwrap();
        let new = blobs(&stack).await.into_iter().find(|blob| blob.path != old.path).unwrap();
        exchange(&stack, &old, &new).await;
        assert_reported(&stack, "an earlier attempt, before the upload is complete").await;
        stack.complete(&bucket, &upload, &[part]).await.unwrap();
        let got = read(&stack, &bucket, "k", way).await;
        assert!(got.is_err(), "{way:?}: an earlier attempt was read");
        assert_reported(&stack, "an earlier attempt").await;
    }
}

#[tokio::test]
async fn the_same_customer_key_never_makes_two_objects_exchangeable() {
    let stack = Stack::new(2).await;
    let bucket = stack.create_bucket("bucket", Versioning::Never).await;
    for name in ["a", "b"] {
        let requested = Requested::Customer(customer_key(9));
        stack.put(&bucket, &key(name), &vec![b'x'; SMALL_BLOB], requested).await.unwrap();
    }
    let both = blobs(&stack).await;
    assert_ne!(both[0].bytes[64..], both[1].bytes[64..], "equal data under one key must not show as equal");
    exchange(&stack, &both[0], &both[1]).await;
    for name in ["a", "b"] {
        assert!(stack.get(&bucket, &key(name), None, Some(&customer_key(9))).await.is_err());
    }
    assert!(stack.get(&bucket, &key("a"), None, Some(&customer_key(8))).await.is_err());
    assert!(stack.get(&bucket, &key("a"), None, None).await.is_err());
}
