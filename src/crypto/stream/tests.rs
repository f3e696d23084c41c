use proptest::prelude::*;

use super::*;

const ID: SealingId = [2; 16];
const SALT: [u8; 16] = [3; 16];
const SUITES: [Suite; 2] = [Suite::Single, Suite::Double];

fn key(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).unwrap()
}

fn keys(suite: Suite) -> ObjectKeys {
    match suite {
        Suite::Single => ObjectKeys::Single(key(1)),
        Suite::Double => ObjectKeys::Double(key(1), key(4)),
    }
}

fn pattern(plain_len: usize) -> Vec<u8> {
    (0..plain_len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

/// Seals `plain` as a writer does: header, then each segment appended behind the last.
fn seal(suite: Suite, part_number: u32, salt: [u8; 16], plain: &[u8]) -> Vec<u8> {
    let (mut sealer, header) = StreamSealer::new(&keys(suite), &ID, part_number, salt);
    let mut blob = header.to_vec();
    let count = usize::try_from(segment_count(plain.len() as u64)).unwrap();
    for i in 0..count {
        let start = blob.len();
        blob.extend_from_slice(&plain[i * SEGMENT_BYTES..plain.len().min((i + 1) * SEGMENT_BYTES)]);
        sealer.seal(&mut blob, start, i + 1 == count);
    }
    assert_eq!(blob.len() as u64, sealed_len(plain.len() as u64, suite));
    blob
}

/// Reads a range as a reader does: the header, then the segments of its span.
fn read(suite: Suite, part_number: u32, plain_len: u64, range: PlainRange, blob: &[u8]) -> Result<Vec<u8>, OpenError> {
    let header = blob.first_chunk().ok_or(OpenError)?;
    let opener = StreamOpener::new(&keys(suite), &ID, part_number, &SALT, header)?;
    let span = span(range, plain_len, suite);
    let (start, end) = (usize::try_from(span.sealed.start).unwrap(), usize::try_from(span.sealed.end).unwrap());
    let mut sealed = blob.get(start..end).ok_or(OpenError)?.to_vec();
    let mut plain = Vec::new();
    let mut segments = sealed.chunks_mut(suite.sealed_segment_bytes());
    for index in span.first_segment..span.end_segment {
        let segment = segments.next().unwrap();
        let len = opener.open(index, u64::from(index) + 1 == segment_count(plain_len), segment)?;
        plain.extend_from_slice(&segment[..len]);
    }
    assert!(segments.next().is_none());
    let end = span.skip_bytes + usize::try_from(span.take_bytes).unwrap();
    Ok(plain[span.skip_bytes..end].to_vec())
}

fn read_all(suite: Suite, plain_len: usize, blob: &[u8]) -> Result<Vec<u8>, OpenError> {
    if blob.len() as u64 != sealed_len(plain_len as u64, suite) {
        return Err(OpenError);
    }
    read(suite, 0, plain_len as u64, PlainRange { start: 0, end: plain_len as u64 }, blob)
}

/// Lengths and offsets of interest: about each edge of the first four segments, and about the largest blob.
fn near_an_edge() -> impl Strategy<Value = u64> {
    let segments = prop_oneof![0..4_u64, (PLAIN_MAX_BYTES / SEGMENT - 3)..=PLAIN_MAX_BYTES / SEGMENT];
    (segments, -3..=3_i64, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(n, by, inside, edge)| {
        let offset = if edge { by } else { i64::try_from(inside.index(SEGMENT_BYTES)).unwrap() };
        (n * SEGMENT).saturating_add_signed(offset).min(PLAIN_MAX_BYTES)
    })
}

proptest! {
    #[test]
    fn lengths(plain_len in near_an_edge()) {
        let full = plain_len / SEGMENT;
        let count = if plain_len == 0 || plain_len % SEGMENT > 0 { full + 1 } else { full };
        prop_assert_eq!(segment_count(plain_len), count);
        prop_assert_eq!(sealed_len(plain_len, Suite::Single), 64 + plain_len + 16 * count);
        prop_assert_eq!(sealed_len(plain_len, Suite::Double), 64 + plain_len + 32 * count);
    }

    #[test]
    fn a_span_covers_its_range_and_no_segment_more(a in near_an_edge(), b in near_an_edge(), c in near_an_edge()) {
        let mut offsets = [a, b, c];
        offsets.sort_unstable();
        let [start, end, plain_len] = offsets;
        for suite in SUITES {
            let span = span(PlainRange { start, end }, plain_len, suite);
            let (first, past) = (u64::from(span.first_segment), u64::from(span.end_segment));
            prop_assert_eq!(span.take_bytes, end - start);
            prop_assert!(past <= segment_count(plain_len));
            if start < end {
                prop_assert_eq!(first * SEGMENT + span.skip_bytes as u64, start);
                prop_assert!(past * SEGMENT >= end && (past - 1) * SEGMENT < end);
            } else {
                prop_assert_eq!((past - first, span.skip_bytes), (u64::from(plain_len == 0), 0));
            }
            let width = suite.sealed_segment_bytes() as u64;
            let whole = sealed_len(plain_len, suite);
            prop_assert_eq!(span.sealed.start, (64 + first * width).min(whole));
            prop_assert_eq!(span.sealed.end, if past == segment_count(plain_len) { whole } else { 64 + past * width });
        }
    }
}

#[test]
#[should_panic(expected = "do not lie in a blob of 10")]
fn a_range_outside_is_a_bug() {
    span(PlainRange { start: 5, end: 11 }, 10, Suite::Single);
}

#[test]
#[should_panic(expected = "more segments than a nonce counts")]
fn a_length_above_the_limit_is_a_bug() {
    sealed_len(PLAIN_MAX_BYTES + 1, Suite::Single);
}

#[test]
fn every_range_at_the_edges_reads_back() {
    const EDGES: [usize; 8] = [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 131_071, 131_072, 131_073];
    for suite in SUITES {
        for plain_len in EDGES {
            let plain = pattern(plain_len);
            let blob = seal(suite, 7, SALT, &plain);
            assert!(!contains(&blob, &plain), "{plain_len}");
            for start in EDGES.into_iter().filter(|s| *s <= plain_len) {
                for end in EDGES.into_iter().filter(|e| (start..=plain_len).contains(e)) {
                    let range = PlainRange { start: start as u64, end: end as u64 };
                    let opened = read(suite, 7, plain_len as u64, range, &blob);
                    assert!(opened.as_deref() == Ok(&plain[start..end]), "{suite:?} {start}..{end} of {plain_len}");
                }
            }
        }
    }
}

/// Whether 16 bytes of the plaintext stand anywhere in the blob.
fn contains(blob: &[u8], plain: &[u8]) -> bool {
    plain.len() >= 16 && blob.windows(16).any(|window| window == &plain[..16])
}

#[test]
fn every_flipped_bit_is_noticed() {
    for suite in SUITES {
        let blob = seal(suite, 0, SALT, b"some plaintext");
        assert_eq!(read_all(suite, 14, &blob).as_deref(), Ok(&b"some plaintext"[..]));
        for bit in 0..blob.len() * 8 {
            let mut flipped = blob.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_all(suite, 14, &flipped), Err(OpenError), "{suite:?} bit {bit}");
        }
    }
}

#[test]
fn every_other_length_is_noticed() {
    for suite in SUITES {
        let blob = seal(suite, 0, SALT, b"some plaintext");
        let (header, segment) = blob.split_first_chunk().unwrap();
        let opener = StreamOpener::new(&keys(suite), &ID, 0, &SALT, header).unwrap();
        for end in 0..segment.len() {
            assert_eq!(opener.open(0, true, &mut segment[..end].to_vec()), Err(OpenError), "cut at {end}");
        }
        for (extra, last) in [(1, true), (2 * SEGMENT_BYTES, true), (2 * SEGMENT_BYTES, false)] {
            let mut longer = segment.to_vec();
            longer.resize(segment.len() + extra, 0);
            assert_eq!(opener.open(0, last, &mut longer), Err(OpenError));
        }
    }
}

/// A blob cut at the end of a segment, and read as if it had been that short.
#[test]
fn a_blob_cut_between_segments_is_noticed() {
    for suite in SUITES {
        let blob = seal(suite, 0, SALT, &pattern(3 * SEGMENT_BYTES));
        for kept in 1..3 {
            let plain_len = kept * SEGMENT_BYTES;
            let cut = &blob[..usize::try_from(sealed_len(plain_len as u64, suite)).unwrap()];
            assert_eq!(read_all(suite, plain_len, cut), Err(OpenError));
        }
    }
}

#[test]
fn a_segment_opens_at_its_index_and_with_its_last_flag_only() {
    for suite in SUITES {
        let blob = seal(suite, 0, SALT, &pattern(2 * SEGMENT_BYTES));
        let opener = StreamOpener::new(&keys(suite), &ID, 0, &SALT, blob.first_chunk().unwrap()).unwrap();
        for (place, sealed) in blob[HEADER_BYTES..].chunks(suite.sealed_segment_bytes()).enumerate() {
            for index in [0, 1, 2, u32::MAX] {
                for last in [false, true] {
                    let opened = opener.open(index, last, &mut sealed.to_vec()).is_ok();
                    assert_eq!(opened, (index, last) == ([0, 1][place], place == 1), "{place} as {index} {last}");
                }
            }
        }
    }
}

#[test]
fn swapped_segments_are_noticed() {
    for suite in SUITES {
        let plain_len = 3 * SEGMENT_BYTES;
        let mut blob = seal(suite, 0, SALT, &pattern(plain_len));
        let width = suite.sealed_segment_bytes();
        let (a, b) = blob[HEADER_BYTES..HEADER_BYTES + 2 * width].split_at_mut(width);
        a.swap_with_slice(b);
        assert_eq!(read_all(suite, plain_len, &blob), Err(OpenError));
    }
}

/// The same keys, id and place: only salt or part number differ, as between two attempts or two parts of an upload.
#[test]
fn segments_of_another_blob_are_noticed() {
    for suite in SUITES {
        let blob = seal(suite, 1, SALT, b"some plaintext");
        for other in [seal(suite, 1, [9; 16], b"some plaintext"), seal(suite, 2, SALT, b"some plaintext")] {
            let spliced = [&blob[..HEADER_BYTES], &other[HEADER_BYTES..]].concat();
            assert_eq!(read(suite, 1, 14, PlainRange { start: 0, end: 14 }, &spliced), Err(OpenError));
            let spliced = [&blob[..32], &other[32..]].concat();
            assert_eq!(read(suite, 1, 14, PlainRange { start: 0, end: 14 }, &spliced), Err(OpenError));
        }
    }
}

#[test]
fn a_header_opens_with_its_keys_id_part_and_salt_only() {
    for suite in SUITES {
        let blob = seal(suite, 5, SALT, b"some plaintext");
        let header = blob.first_chunk().unwrap();
        let opens = |keys: &ObjectKeys, id: &SealingId, part| StreamOpener::new(keys, id, part, &SALT, header).is_ok();
        assert!(opens(&keys(suite), &ID, 5));
        assert!(StreamOpener::new(&keys(suite), &ID, 5, &[9; 16], header).is_err(), "another attempt's salt");
        assert!(!opens(&keys(suite), &ID, 6));
        assert!(!opens(&keys(suite), &[1; 16], 5));
        assert!(!opens(&ObjectKeys::Single(key(8)), &ID, 5));
        assert!(!opens(&ObjectKeys::Double(key(1), key(8)), &ID, 5), "another outer key");
        assert!(!opens(&ObjectKeys::Double(key(8), key(4)), &ID, 5), "another inner key");
        assert!(!opens(&ObjectKeys::Double(key(4), key(1)), &ID, 5), "keys in the other order");
        assert_eq!(header_suite(header), Ok(suite));
    }
    let single = seal(Suite::Single, 5, SALT, b"");
    assert!(StreamOpener::new(&keys(Suite::Double), &ID, 5, &SALT, single.first_chunk().unwrap()).is_err());
}

#[test]
fn a_header_of_another_format_is_refused() {
    let header = *seal(Suite::Double, 5, SALT, b"").first_chunk::<HEADER_BYTES>().unwrap();
    for at in 0..HEADER_BYTES {
        let mut changed = header;
        changed[at] ^= 0x80;
        let free = (8..12).contains(&at) || at >= 16;
        assert_eq!(header_suite(&changed).is_ok(), free, "byte {at}");
    }
}

#[test]
fn equal_keys_still_give_different_layers() {
    let keys = ObjectKeys::Double(key(1), key(1));
    let (mut sealer, _) = StreamSealer::new(&keys, &ID, 0, SALT);
    let mut twice = vec![0; 32];
    sealer.seal(&mut twice, 0, true);
    // Two layers of one key and nonce would cancel out and leave the plaintext.
    assert_ne!(twice[..32], [0; 32]);
}

#[test]
fn sealing_and_opening_copy_nothing() {
    for suite in SUITES {
        let (mut sealer, header) = StreamSealer::new(&keys(suite), &ID, 0, SALT);
        let mut buffer = Vec::with_capacity(100 + sealer.overhead());
        buffer.resize(100, 1);
        let place = buffer.as_ptr();
        sealer.seal(&mut buffer, 0, true);
        assert_eq!(buffer.as_ptr(), place);
        let opener = StreamOpener::new(&keys(suite), &ID, 0, &SALT, &header).unwrap();
        assert_eq!(opener.open(0, true, &mut buffer), Ok(100));
        assert_eq!((buffer.as_ptr(), &buffer[..100]), (place, &[1; 100][..]));
    }
}

#[test]
fn a_segment_from_elsewhere_is_sealed_to_the_same_bytes() {
    for suite in SUITES {
        let plain = pattern(SEGMENT_BYTES);
        let (mut sealer, header) = StreamSealer::new(&keys(suite), &ID, 0, SALT);
        let mut blob = header.to_vec();
        sealer.seal_onto(&mut blob, &plain, false);
        sealer.seal_onto(&mut blob, &plain[..7], true);
        assert_eq!(blob, seal(suite, 0, SALT, &[&plain[..], &plain[..7]].concat()));
    }
}

#[test]
fn a_writer_that_breaks_the_rules_is_stopped() {
    let attempt = |segments: &'static [(usize, bool)]| {
        std::panic::catch_unwind(|| {
            let (mut sealer, _) = StreamSealer::new(&keys(Suite::Single), &ID, 0, SALT);
            for (plain_len, last) in segments {
                sealer.seal(&mut vec![0; *plain_len], 0, *last);
            }
        })
    };
    assert!(attempt(&[(0, true)]).is_ok());
    assert!(attempt(&[(SEGMENT_BYTES, false), (1, true)]).is_ok());
    assert!(attempt(&[(SEGMENT_BYTES + 1, true)]).is_err(), "too long");
    assert!(attempt(&[(SEGMENT_BYTES - 1, false)]).is_err(), "short and not the last");
    assert!(attempt(&[(SEGMENT_BYTES, false), (0, true)]).is_err(), "an empty last segment");
    assert!(attempt(&[(1, true), (1, true)]).is_err(), "after the last");
}
