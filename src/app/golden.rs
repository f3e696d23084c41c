//! The golden bytes of what the application itself keeps and says.

use super::accounts::{AccountRecord, account_row};
use super::claim::{self, Claim};
use super::control::{Question, Records, Status, read_question, write_question};
use super::format;
use super::inventory::ListMade;
use super::open::gateway_row;
use crate::crypto::SecretKey;
use crate::golden::{Golden, check};
use crate::index::{Table, golden_row};
use crate::keyring::{Method, NewRoot, RootSecret};
use crate::names::hex;

fn secret() -> RootSecret {
    RootSecret::of_key(SecretKey::from_slice(&[1; 32]).expect("32 bytes"))
}

/// What a question says, to be compared.
fn shown(question: Question) -> String {
    match question {
        Question::Status => "status".to_owned(),
        Question::Unseal(secret) => format!("unseal {}", hex(secret.key().expose())),
        Question::Add(root) => format!("add {root:?}"),
        Question::Remove(name) => format!("remove {name}"),
        Question::Rotate => "rotate".to_owned(),
        Question::Records(request_id) => format!("records {request_id}"),
        Question::Inventory(bucket, id) => format!("inventory {bucket} {id}"),
    }
}

fn question(name: &str, make: impl Fn() -> Question) -> Golden {
    let write = |_: &String| {
        let mut said = Vec::new();
        futures_util::FutureExt::now_or_never(write_question(&mut said, &make())).expect("memory").expect("written");
        said
    };
    let read = |mut bytes: &[u8]| {
        let heard = futures_util::FutureExt::now_or_never(read_question(&mut bytes)).expect("memory");
        shown(heard.expect("read").expect("a question"))
    };
    Golden::of(name, &shown(make()), write, read)
}

fn status() -> Golden {
    let status = Status {
        sealed: false,
        roots: Vec::new(),
        usable: vec!["0101".to_owned()],
        generation: Some("0202".to_owned()),
        rotating: true,
    };
    let write = |status: &Status| minicbor::to_vec(status).expect("encoding into memory does not fail");
    Golden::of("status", &status, write, |bytes| minicbor::decode(bytes).expect("a status"))
}

fn records() -> Golden {
    let records = Records { records: vec!["{}".to_owned()] };
    let write = |records: &Records| minicbor::to_vec(records).expect("encoding into memory does not fail");
    Golden::of("records", &records, write, |bytes| minicbor::decode(bytes).expect("records"))
}

fn list_made() -> Golden {
    let made = ListMade { bucket: "lists".to_owned(), manifest: "m".to_owned(), files: 1, objects: 300 };
    let write = |made: &ListMade| minicbor::to_vec(made).expect("encoding into memory does not fail");
    Golden::of("list of an inventory", &made, write, |bytes| minicbor::decode(bytes).expect("a list"))
}

#[test]
fn golden() {
    let account = AccountRecord {
        canonical_id: "c0ffee".to_owned(),
        display_name: "root".to_owned(),
        access_keys: vec![("AKIA".to_owned(), "secret".to_owned())],
    };
    let noted = Claim { id: [0xab; 16], url: "s3://b".to_owned(), marked: true };
    let read_claim = |bytes: &[u8]| minicbor::decode::<Claim>(bytes).expect("a claim");
    let methods = [
        Method::KeyFile,
        Method::Passphrase { memory_kib: 65_536, passes: 3, lanes: 1, salt: [7; 16] },
        Method::Credential,
        Method::Shares { threshold: 2, count: 3 },
        Method::Token { key_id: [8; 16], sealed: vec![1, 2] },
        Method::Kms { key_id: "k".to_owned(), sealed: vec![3, 4] },
    ];
    let mut goldens = vec![
        golden_row("account", &account_row("111122223333"), &account),
        Golden::of("store's mark", &noted, claim::render, read_claim).at(Table::Meta.name(), &claim::row()),
        Golden::of(
            "format number",
            &Ok(()),
            |_| format::render(3).to_vec(),
            |bytes| format::read(bytes).map_err(|e| e.0),
        )
        .at(Table::Meta.name(), &format::row()),
        Golden::of("gateway's id", &[7_u8; 16], |id| id.to_vec(), |bytes| bytes.try_into().expect("an id"))
            .at(Table::Meta.name(), &gateway_row()),
        question("question: status", || Question::Status),
        question("question: unseal", || Question::Unseal(secret())),
        question("question: remove", || Question::Remove("name".to_owned())),
        question("question: rotate", || Question::Rotate),
        question("question: records", || Question::Records("ID".to_owned())),
        question("question: inventory", || Question::Inventory("shelf".to_owned(), "all".to_owned())),
        status(),
        records(),
        list_made(),
    ];
    for method in methods {
        let name = format!("question: add {}", method.name());
        goldens.push(question(&name, || Question::Add(NewRoot::of(&secret(), "n", method.clone()))));
    }
    check("app", &goldens);
}
