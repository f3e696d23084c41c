//! Identity policies that come with the program, for the parts that people play in the keeping of keys.
//!
//! They follow the statements that AWS's console writes for key administrators and key users, and its job function for
//! auditors, with one thing more: what a part excludes it denies, so that neither a key policy nor a grant can give it
//! to them by mistake. Who administers keys can't use any, whoever else allows it.

use std::sync::{Arc, LazyLock};

use super::{Attached, Kind, Policy};

/// A policy that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyMade {
    /// What users are given it by, e.g. `strongroom:KeyUser`.
    pub name: &'static str,
    /// What it is called on the command line, e.g. `key-user`.
    pub word: &'static str,
    /// What it is for, one line.
    pub about: &'static str,
    /// The document.
    pub document: &'static str,
}

/// What their names begin with. No policy document does.
pub const READY_MADE_PREFIX: &str = "strongroom:";

/// All of them.
pub const READY_MADE: [ReadyMade; 3] = [
    ReadyMade {
        name: "strongroom:KeyAdministrator",
        word: "key-administrator",
        about: "makes, changes and deletes keys, their policies and aliases; can never use one",
        document: include_str!("ready_made/key-administrator.json"),
    },
    ReadyMade {
        name: "strongroom:KeyUser",
        word: "key-user",
        about: "encrypts, decrypts, signs and verifies with keys; changes none",
        document: include_str!("ready_made/key-user.json"),
    },
    ReadyMade {
        name: "strongroom:Auditor",
        word: "auditor",
        about: "reads keys, their policies and the trail; can never use or change a key",
        document: include_str!("ready_made/auditor.json"),
    },
];

static PARSED: LazyLock<[Arc<Policy>; READY_MADE.len()]> = LazyLock::new(|| {
    READY_MADE.map(|role| {
        let policy = Policy::parse(role.document.as_bytes(), Kind::Identity);
        Arc::new(policy.expect("a test parses the documents that come with the program"))
    })
});

impl ReadyMade {
    /// By its name or by its word.
    pub fn find(text: &str) -> Option<&'static Self> {
        READY_MADE.iter().find(|role| role.name == text || role.word == text)
    }

    /// Ready to be attached.
    pub fn attached(&self) -> Attached {
        let at = READY_MADE.iter().position(|role| role == self).unwrap_or_default();
        Attached { name: self.name.into(), policy: Arc::clone(&PARSED[at]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_policy_and_has_a_name_of_its_own() {
        for role in &READY_MADE {
            assert_eq!(role.attached().policy.text(), role.document);
            assert_eq!(ReadyMade::find(role.name), Some(role));
            assert_eq!(ReadyMade::find(role.word), Some(role));
            assert!(role.name.starts_with(READY_MADE_PREFIX));
        }
        assert_eq!(ReadyMade::find("strongroom:keyuser"), None);
    }
}
