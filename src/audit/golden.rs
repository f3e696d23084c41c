//! The golden bytes of the rows of the chain. What `strongroom audit export` writes is in `fixtures/audit/`.

use super::chain::{Link, Row, row_key, row_seq};
use crate::golden::{Golden, check};
use crate::index::Table;
use crate::names::hex;

#[test]
fn golden() {
    let gateway = [7; 16];
    let first = Link::GENESIS.followed_by(b"{}");
    let second = first.followed_by(b"{\"a\":1}");
    let row = |name: &str, link: Link, record: &'static str| {
        let key = row_key(&gateway, link.seq);
        let value = (row_seq(&key), hex(&link.hash), record.to_owned());
        let write = |(_, _, record): &(_, _, String)| Row { hash: &link.hash, record: record.as_bytes() }.render();
        let read = move |bytes: &[u8]| {
            let row = Row::parse(bytes).expect("a row");
            (row_seq(&key), hex(row.hash), String::from_utf8_lossy(row.record).into_owned())
        };
        Golden::of(name, &value, write, read).at(Table::Audit.name(), &row_key(&gateway, link.seq))
    };
    check("audit", &[row("first record", first, "{}"), row("second record", second, "{\"a\":1}")]);
}
