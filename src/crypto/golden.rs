//! Holds the formats to the bytes in `fixtures/crypto/`, which `golden.py` made there with another library.

use std::path::Path;

use super::fixture::{Fixture, hex};
use super::*;
use crate::sources::{Sources, Timestamp};

#[test]
fn golden_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/crypto");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("the fixtures are there") {
        let path = entry.expect("the fixtures are readable").path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let fixture = Fixture::parse(&std::fs::read_to_string(&path).expect("a fixture is text"));
        let sources = Sources::seeded(fixture.number("seed"), Timestamp(0));
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        match fixture.text("format") {
            "box" => check_box(&name, &fixture, &sources),
            "stream" => check_stream(&name, &fixture, &sources),
            "row" => check_row(&name, &fixture, &sources),
            other => panic!("{name}: no format {other}"),
        }
        checked += 1;
    }
    assert_eq!(checked, 10, "a fixture went missing, or a new one is not counted here");
}

fn check_box(name: &str, fixture: &Fixture, sources: &Sources) {
    let key = SecretKey::from_slice(&fixture.bytes("key")).expect("32 bytes");
    let header = BoxHeader { key_id: fixture.bytes("key-id"), generation: fixture.array("generation") };
    let pairs = fixture.all("context").map(|pair| pair.split_once('=').expect("key = value"));
    let context = pairs.fold(Context::new(), |context, (k, v)| context.with(k.trim(), v.trim()));
    let (label, plain, frozen) = (fixture.text("label"), fixture.bytes("plain"), fixture.bytes("sealed"));

    let sealed = seal_box(&SealBox { key: &key, label, header: &header, context: &context }, &plain, sources);
    assert_eq!(hex(&sealed), hex(&frozen), "{name}");
    assert_eq!(parse_box(&frozen), Ok(header), "{name}");
    let opened = open_box(&key, label, &context, &frozen).unwrap_or_else(|_| panic!("{name} does not open"));
    assert_eq!(opened.expose(), plain, "{name}");
}

fn check_stream(name: &str, fixture: &Fixture, sources: &Sources) {
    let mut keys = fixture.all("key").map(|key| SecretKey::from_slice(&fixture::unhex(key)).expect("32 bytes"));
    let keys = match (keys.next().expect("a key"), keys.next()) {
        (key, None) => ObjectKeys::Single(key),
        (inner, Some(outer)) => ObjectKeys::Double(inner, outer),
    };
    let id = fixture.array("id");
    let part = u32::try_from(fixture.number("part")).expect("a part number");
    let plain: Vec<u8> = (0..fixture.number("plain-len")).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let salt = sources.random();
    let (mut sealer, header) = StreamSealer::new(&keys, &id, part, salt);
    let opener =
        StreamOpener::new(&keys, &id, part, &salt, &header).unwrap_or_else(|_| panic!("{name} has another header"));

    let count = usize::try_from(segment_count(plain.len() as u64)).expect("few segments");
    let mut sealed = header.to_vec();
    for i in 0..count {
        let segment = &plain[i * SEGMENT_BYTES..plain.len().min((i + 1) * SEGMENT_BYTES)];
        let mut buffer = segment.to_vec();
        sealer.seal(&mut buffer, 0, i + 1 == count);
        sealed.extend_from_slice(&buffer);
        let index = u32::try_from(i).expect("few segments");
        assert_eq!(opener.open(index, i + 1 == count, &mut buffer), Ok(segment.len()), "{name}, segment {i}");
        assert_eq!(&buffer[..segment.len()], segment, "{name}, segment {i}");
    }
    let body = &sealed[HEADER_BYTES..];
    assert_eq!(hex(&header), fixture.text("header"), "{name}");
    assert_eq!(hex(&body[body.len().saturating_sub(48)..]), fixture.text("sealed-end"), "{name}");
    assert_eq!(hex(&sha256(&sealed)), fixture.text("sealed-sha256"), "{name}");
    assert_eq!(sealed.len() as u64, fixture.number("sealed-len"), "{name}");
    assert_eq!(sealed_len(plain.len() as u64, keys.suite()), fixture.number("sealed-len"), "{name}");
}

fn check_row(name: &str, fixture: &Fixture, sources: &Sources) {
    let key = SecretKey::from_slice(&fixture.bytes("key")).expect("32 bytes");
    let epoch = u32::try_from(fixture.number("epoch")).expect("an epoch");
    let (key, aad, plain) = (RowKey::new(epoch, &key), fixture.bytes("aad"), fixture.bytes("plain"));
    let sealed = key.seal(sources.random(), &aad, &plain);
    assert_eq!(hex(&sealed), fixture.text("sealed"), "{name}");
    assert_eq!(RowKey::epoch_of(&sealed), Some(epoch), "{name}");
    assert_eq!(key.open(&aad, &fixture.bytes("sealed")), Ok(plain), "{name}");
}
