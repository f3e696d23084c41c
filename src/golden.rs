//! Holds stored formats to their frozen bytes in `fixtures/formats/`, one file an owner.
//!
//! A [`Golden`] is a value with its two directions. [`check`] demands that writing the value gives the frozen bytes and
//! that reading the frozen bytes gives the value, and that file and list have the same entries. A record that gets a
//! field keeps its entry as it is: that is the point. A new form is a new entry; what is frozen is never changed.
//!
//! What an entry is worth follows from where its bytes came from: from the first program that wrote the form.
//! `fixtures/crypto/` is stronger, since another library made those.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::names::hex;

/// A value of a stored format: as it is written today, and how it is read.
pub(crate) struct Golden {
    name: String,
    place: Place,
    written: Vec<u8>,
    value: String,
    read: Read,
}

/// Reads bytes, and shows what they say.
type Read = Box<dyn Fn(&[u8]) -> String>;

/// Where bytes lie; nothing, if not in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// The type of a sealed record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<String>,
    /// The table's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<String>,
    /// The row's key, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) row: Option<String>,
}

/// What is frozen of a value.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Frozen {
    name: String,
    #[serde(flatten)]
    place: Place,
    bytes: String,
}

impl Golden {
    /// `value`, which `write` makes bytes of and `read` makes of bytes.
    pub(crate) fn of<T: Debug>(
        name: &str,
        value: &T,
        write: impl FnOnce(&T) -> Vec<u8>,
        read: impl Fn(&[u8]) -> T + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            place: Place::default(),
            written: write(value),
            value: format!("{value:?}"),
            read: Box::new(move |bytes| format!("{:?}", read(bytes))),
        }
    }

    /// The same, in a row of the index.
    pub(crate) fn at(mut self, table: &str, row: &[u8]) -> Self {
        self.place = Place { table: Some(table.to_owned()), row: Some(hex(row)), ..self.place };
        self
    }

    /// The same, as a record of a type.
    pub(crate) fn of_record(mut self, name: &str) -> Self {
        self.place.record = Some(name.to_owned());
        self
    }

    fn frozen(&self) -> Frozen {
        Frozen { name: self.name.clone(), place: self.place.clone(), bytes: hex(&self.written) }
    }
}

/// Compares an owner's formats with `fixtures/formats/<owner>.json`.
pub(crate) fn check(owner: &str, goldens: &[Golden]) {
    let mut frozen: BTreeMap<String, Frozen> =
        entries(owner).into_iter().map(|entry| (entry.name.clone(), entry)).collect();
    let mut wrong = Vec::new();
    for golden in goldens {
        let written = golden.frozen();
        let Some(entry) = frozen.remove(&golden.name) else {
            let line = serde_json::to_string(&written).expect("it is plain data");
            wrong.push(format!("{owner}.json has no {}. If the format is new:\n{line}", golden.name));
            continue;
        };
        let read = (golden.read)(&unhex(&entry.bytes));
        if read != golden.value {
            wrong.push(format!("{}: the frozen bytes are read as\n{read}\nand not as\n{}", golden.name, golden.value));
        }
        if written != entry {
            wrong.push(format!("{}: written as\n{written:?}\nand not as\n{entry:?}", golden.name));
        }
    }
    wrong.extend(frozen.into_keys().map(|name| format!("{name}: frozen in {owner}.json, and nothing is held to it")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where all entries of all owners lie.
pub(crate) fn places() -> Vec<Place> {
    let mut owners = BTreeSet::new();
    for file in std::fs::read_dir(folder()).expect("the fixtures are there") {
        let path = file.expect("the fixtures are readable").path();
        owners.insert(path.file_stem().expect("a file has a name").to_string_lossy().into_owned());
    }
    owners.iter().flat_map(|owner| entries(owner)).map(|entry| entry.place).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats")
}

fn entries(owner: &str) -> Vec<Frozen> {
    let path = folder().join(owner).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Bytes of hexadecimal digits in a fixture.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "half a byte: {digits}");
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u32, read: impl Fn(&[u8]) -> u32 + 'static) -> Golden {
        Golden::of("number", &value, |value| value.to_be_bytes().to_vec(), read).at("meta", b"n")
    }

    fn refused(goldens: &[Golden]) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check("golden", goldens))).is_err()
    }

    #[test]
    fn what_differs_is_refused() {
        let read = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
        check("golden", &[number(7, read)]);
        assert!(refused(&[]), "nothing is held to an entry");
        assert!(refused(&[number(7, read), Golden::of("other", &(), |()| vec![1], |_| ())]), "an entry is missing");
        assert!(refused(&[number(8, |_| 8)]), "written in another way");
        assert!(refused(&[number(7, |_| 8)]), "read in another way");
        assert!(refused(&[number(7, read).at("meta", b"m")]), "in another row");
        assert!(refused(&[number(7, read).at("key", b"n")]), "in another table");
    }
}
