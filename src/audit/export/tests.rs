use super::*;

const GOLDEN: &str = include_str!("../../../fixtures/audit/chain.jsonl");

fn verify(text: impl AsRef<[u8]>) -> Result<Exported, ExportVerifyError> {
    verify_export(text.as_ref(), None)
}

fn lines() -> Vec<&'static str> {
    GOLDEN.lines().collect()
}

fn joined(lines: &[&str]) -> String {
    lines.join("\n") + "\n"
}

/// The place in a record's line.
fn link(line: &str) -> Link {
    parse_record(line.as_bytes()).unwrap().0
}

#[test]
fn the_golden_file_verifies() {
    let head = link(lines()[4]);
    let exported = Exported { gateway: [7; 16], after: Link::GENESIS, head };
    assert_eq!(verify(GOLDEN).unwrap(), exported);
    for noted in [Link::GENESIS, link(lines()[1]), head] {
        assert_eq!(verify_export(GOLDEN.as_bytes(), Some(noted)).unwrap(), exported);
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let gateway = r#"{"strongroomAudit":1,"gateway":""#.len();
    for at in 0..GOLDEN.len() {
        let mut changed = GOLDEN.as_bytes().to_vec();
        changed[at] ^= 1;
        match verify(&changed) {
            // Only the name of the gateway is bound by nothing in the chain.
            Ok(exported) => assert_ne!(exported.gateway, [7; 16], "byte {at}"),
            Err(_) => continue,
        }
        assert!((gateway..gateway + 32).contains(&at), "byte {at}");
    }
}

#[test]
fn every_cut_is_noticed() {
    for end in 0..GOLDEN.len() {
        assert!(verify(&GOLDEN[..GOLDEN.floor_char_boundary(end)]).is_err(), "cut at {end}");
    }
    for kept in 0..lines().len() {
        assert!(verify(joined(&lines()[..kept])).is_err(), "{kept} lines kept");
    }
    assert!(matches!(verify(joined(&lines()[..3])), Err(ExportVerifyError::Incomplete)));
}

#[test]
fn missing_exchanged_and_added_lines_are_noticed() {
    let mut missing = lines();
    missing.remove(2);
    assert!(matches!(verify(joined(&missing)), Err(ExportVerifyError::Broken(VerifyError::Missing(2)))));
    let mut last_missing = lines();
    last_missing.remove(4);
    assert!(matches!(verify(joined(&last_missing)), Err(ExportVerifyError::WrongHead)));
    let mut exchanged = lines();
    exchanged.swap(2, 3);
    assert!(matches!(verify(joined(&exchanged)), Err(ExportVerifyError::Broken(VerifyError::Missing(2)))));
    let mut twice = lines();
    twice.insert(3, twice[2]);
    assert!(matches!(verify(joined(&twice)), Err(ExportVerifyError::Broken(VerifyError::Changed(2)))));
    let mut blank = lines();
    blank.insert(2, "");
    assert!(matches!(verify(joined(&blank)), Err(ExportVerifyError::Malformed(3))));
    assert!(matches!(verify(GOLDEN.to_owned() + "{}\n"), Err(ExportVerifyError::Malformed(7))));
}

#[test]
fn a_file_is_held_against_a_noted_head() {
    let mut shortened = lines();
    shortened.remove(4);
    let head = link(lines()[3]);
    let end = format!(r#"{{"head":{{"seq":3,"hash":"{}"}}}}"#, hex(&head.hash));
    *shortened.last_mut().unwrap() = &end;
    let shortened = joined(&shortened);
    assert_eq!(verify(&shortened).unwrap().head, head, "nothing in the file can tell");
    let noted = link(lines()[4]);
    assert!(matches!(
        verify_export(shortened.as_bytes(), Some(noted)),
        Err(ExportVerifyError::Broken(VerifyError::Truncated { found: 3, expected: 4 }))
    ));
    let other = Link { hash: [1; 32], ..noted };
    assert!(matches!(
        verify_export(GOLDEN.as_bytes(), Some(other)),
        Err(ExportVerifyError::Broken(VerifyError::Changed(4)))
    ));
}

#[test]
fn a_file_may_begin_later() {
    let first = link(lines()[1]);
    let start = format!(
        r#"{{"strongroomAudit":1,"gateway":"{}","after":{{"seq":1,"hash":"{}"}}}}"#,
        "07".repeat(16),
        hex(&first.hash)
    );
    let mut later = lines();
    later.remove(1);
    later[0] = &start;
    let later = joined(&later);
    let exported = verify(&later).unwrap();
    assert_eq!((exported.after, exported.head), (first, link(lines()[4])));
    assert!(matches!(
        verify_export(later.as_bytes(), Some(Link::GENESIS)),
        Err(ExportVerifyError::BeginsBehind(Link::GENESIS))
    ));
}

#[test]
fn numbers_have_one_spelling() {
    for bad in ["01", "", "+1", "18446744073709551615", "99999999999999999999"] {
        let line = format!(r#"{bad},"hash":"{}""#, "00".repeat(32));
        assert_eq!(parse_link(line.as_bytes()), None, "{bad}");
    }
    let line = format!(r#"0,"hash":"{}""#, "00".repeat(32));
    assert_eq!(parse_link(line.as_bytes()), Some((Link::GENESIS, &b""[..])));
    assert_eq!(parse_hex::<1>(b"0G"), None);
    assert_eq!(parse_hex::<1>(b"AB"), None);
}

#[test]
fn a_line_has_a_limit() {
    let limit = usize::try_from(LINE_MAX_BYTES).unwrap();
    let with_record = |bytes: usize| {
        let record = format!("\"{}\"", "x".repeat(bytes - 2));
        let mut out = Vec::new();
        write_start(&mut out, &[7; 16], Link::GENESIS).unwrap();
        let link = Link::GENESIS.followed_by(record.as_bytes());
        write_record(&mut out, link, &record).unwrap();
        write_end(&mut out, link).unwrap();
        out
    };
    let around = r#"{"seq":1,"hash":"","record":}"#.len() + 64 + 1;
    assert!(verify(with_record(limit - around)).is_ok());
    assert!(matches!(verify(with_record(limit - around + 1)), Err(ExportVerifyError::Malformed(2))));
}
