//! Identity policies that come with the program: for the parts that people play in the keeping of keys, and those of
//! AWS that everybody knows.
//!
//! The roles in the keeping of keys follow the statements that AWS's console writes for key administrators and key
//! users, and its job function for auditors, with one thing more: what a part excludes it denies, so that neither a key
//! policy nor a grant can give it to them by mistake. Who administers keys can't use any, whoever else allows it.
//!
//! The others have AWS's names and documents; ReadOnlyAccess has those of AWS's statements that are about services
//! served here. In IAM's API all of them are managed policies of the account `aws`.

use std::sync::{Arc, LazyLock};

use super::{Attached, Kind, Policy};
use crate::sources::Timestamp;

/// A policy that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyMade {
    /// What users of the configuration are given it by: `strongroom:KeyUser`, or its ARN.
    pub name: &'static str,
    /// What it is called on the command line, e.g. `key-user`.
    pub word: &'static str,
    /// What it is for, one line: its `Description`.
    pub about: &'static str,
    /// The document.
    pub document: &'static str,
}

/// What the names of roles begin with. No policy document does.
pub const READY_MADE_PREFIX: &str = "strongroom:";

/// What their ARNs begin with.
const ARN_PREFIX: &str = "arn:aws:iam::aws:policy/";

/// Their `Path`.
pub const MANAGED_PATH: &str = "/";

/// Their only version.
pub const MANAGED_VERSION: &str = "v1";

/// When they were made and last changed, for IAM's answers: 2026-11-25T00:00:00Z.
pub const MANAGED_CREATED: Timestamp = Timestamp(1_795_564_800_000);

/// The roles in the keeping of keys.
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
        about: "reads keys, their policies, identities and the trail; can never use or change a key",
        document: include_str!("ready_made/auditor.json"),
    },
];

/// Those of AWS.
const OF_AWS: [ReadyMade; 4] = [
    ReadyMade {
        name: "arn:aws:iam::aws:policy/AdministratorAccess",
        word: "administrator-access",
        about: "Provides full access to AWS services and resources.",
        document: include_str!("ready_made/administrator-access.json"),
    },
    ReadyMade {
        name: "arn:aws:iam::aws:policy/ReadOnlyAccess",
        word: "read-only-access",
        about: "Provides read-only access to AWS services and resources.",
        document: include_str!("ready_made/read-only-access.json"),
    },
    ReadyMade {
        name: "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        word: "amazon-s3-full-access",
        about: "Provides full access to all buckets via the AWS Management Console.",
        document: include_str!("ready_made/amazon-s3-full-access.json"),
    },
    ReadyMade {
        name: "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
        word: "amazon-s3-read-only-access",
        about: "Provides read only access to all buckets via the AWS Management Console.",
        document: include_str!("ready_made/amazon-s3-read-only-access.json"),
    },
];

static PARSED: LazyLock<Vec<Arc<Policy>>> = LazyLock::new(|| {
    let parsed = ReadyMade::all().map(|role| Policy::parse(role.document.as_bytes(), Kind::Identity));
    parsed.map(|policy| Arc::new(policy.expect("a test parses the documents that come with the program"))).collect()
});

impl ReadyMade {
    /// All that come with the program: the roles, then AWS's.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        READY_MADE.iter().chain(&OF_AWS)
    }

    /// By its name, its word or its ARN.
    pub fn find(text: &str) -> Option<&'static Self> {
        Self::all().find(|role| role.name == text || role.word == text || role.has_arn(text))
    }

    /// By its ARN.
    pub fn by_arn(arn: &str) -> Option<&'static Self> {
        Self::all().find(|role| role.has_arn(arn))
    }

    /// Whether a policy of the configuration is written as the name or ARN of one that comes with the program (which
    /// there may not be), and not as a document.
    pub fn is_named(written: &str) -> bool {
        written.starts_with(READY_MADE_PREFIX) || written.starts_with("arn:")
    }

    fn has_arn(&self, arn: &str) -> bool {
        arn.strip_prefix(ARN_PREFIX) == Some(self.policy_name())
    }

    /// `PolicyName`, e.g. `KeyUser`.
    pub fn policy_name(&self) -> &'static str {
        self.name.strip_prefix(READY_MADE_PREFIX).or_else(|| self.name.strip_prefix(ARN_PREFIX)).unwrap_or(self.name)
    }

    /// `arn:aws:iam::aws:policy/NAME`
    pub fn arn(&self) -> String {
        format!("{ARN_PREFIX}{}", self.policy_name())
    }

    /// `PolicyId`: `ANPA` and 17 characters that follow from the ARN.
    pub fn policy_id(&self) -> String {
        const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let hash = crate::crypto::sha256(self.arn().as_bytes());
        let digits = hash.into_iter().take(17).map(|b| char::from(DIGITS[usize::from(b & 31)]));
        "ANPA".chars().chain(digits).collect()
    }

    /// The document, parsed.
    pub fn policy(&self) -> Arc<Policy> {
        let at = Self::all().position(|role| role == self).unwrap_or_default();
        Arc::clone(&PARSED[at])
    }

    /// Ready to be attached, by [`Self::name`].
    pub fn attached(&self) -> Attached {
        self.attached_as(self.name)
    }

    /// Ready to be attached, by another of its names.
    pub fn attached_as(&self, name: &str) -> Attached {
        Attached { name: name.into(), policy: self.policy() }
    }
}

#[cfg(test)]
mod tests;
