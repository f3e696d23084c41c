//! ACL headers: `x-amz-acl`, `x-amz-grant-…`. Pure.

use http::HeaderMap;

use super::acl_xml::too_many;
use super::code::Code;
use super::error::Error;
use super::fields::{filled, joined};
use crate::auth::Directory;
use crate::policy::{ACL_GRANTS_MAX, ANONYMOUS_ID, Acl, AclGrant, CannedAcl, EXEC_READ_ID, Grantee, Group, Permission};

/// Names an ACL.
pub(crate) const CANNED: &str = "x-amz-acl";
const GRANT_PREFIX: &str = "x-amz-grant-";
/// Each permission's own header.
const GRANTS: [(&str, Permission); 5] = [
    ("x-amz-grant-full-control", Permission::FullControl),
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
];

/// The ACL that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// None: private.
    Nothing,
    /// By its name.
    Canned(CannedAcl),
    /// Grant by grant: the owner gets none of itself.
    Grants(Acl),
}

impl Asked {
    /// From the headers.
    pub(crate) fn parse(headers: &HeaderMap, directory: &Directory) -> Result<Self, Error> {
        let canned = filled(headers, CANNED)?;
        if let Some(unknown) = headers.keys().map(http::HeaderName::as_str).find(|name| is_unknown(name)) {
            return Err(Error::header_not_implemented(unknown));
        }
        let lists = GRANTS.iter().filter_map(|(header, permission)| {
            let list = joined(headers, header).filter(|list| !list.trim().is_empty())?;
            Some((*header, *permission, list))
        });
        let lists: Vec<_> = lists.collect();
        // Before it looks whether what they say exists, as recorded.
        if canned.is_some() && !lists.is_empty() {
            return Err(Error::invalid_request("Specifying both Canned ACLs and Header Grants is not allowed"));
        }
        let mut grants = Vec::new();
        for (header, permission, list) in &lists {
            for grantee in list.split(',').map(str::trim).filter(|grantee| !grantee.is_empty()) {
                grants.push(AclGrant { grantee: parse_grantee(header, grantee, directory)?, permission: *permission });
            }
        }
        match canned {
            None if grants.is_empty() => Ok(Self::Nothing),
            None if grants.len() > ACL_GRANTS_MAX => Err(too_many()),
            None => Ok(Self::Grants(Acl { grants })),
            Some(name) => match CannedAcl::parse(name) {
                Some(canned) => Ok(Self::Canned(canned)),
                None => Err(Error::invalid_argument("", CANNED, name)),
            },
        }
    }

    /// What it says for an object or bucket of `owner`, in the bucket of `bucket_owner`: canonical ids.
    pub(crate) fn acl(self, owner: &str, bucket_owner: &str) -> Acl {
        match self {
            Self::Nothing => Acl::private(owner),
            Self::Canned(canned) => canned.acl(owner, bucket_owner),
            Self::Grants(acl) => acl,
        }
    }
}

fn is_unknown(header: &str) -> bool {
    header.starts_with(GRANT_PREFIX) && !GRANTS.iter().any(|(known, _)| *known == header)
}

/// `id="…"`, `uri="…"` or `emailAddress="…"`, with quotes or without.
fn parse_grantee(header: &str, text: &str, directory: &Directory) -> Result<Grantee, Error> {
    let unknown = || Error::invalid_argument("Argument format not recognized", header, text);
    let (kind, value) = text.split_once('=').ok_or_else(unknown)?;
    let value = value.trim().trim_matches('"');
    let kind = kind.trim();
    if kind.eq_ignore_ascii_case("id") {
        by_id(value, directory).ok_or_else(|| Error::invalid_argument("Invalid id", "id", value))
    } else if kind.eq_ignore_ascii_case("uri") {
        let group = Group::parse(value).map(Grantee::Group);
        group.ok_or_else(|| Error::invalid_argument("Invalid group uri", "uri", value))
    } else if kind.eq_ignore_ascii_case("emailaddress") {
        by_email(value, directory)
    } else {
        Err(unknown())
    }
}

/// The account of a canonical id that exists, or one of AWS's own that an ACL may show.
pub(crate) fn by_id(id: &str, directory: &Directory) -> Option<Grantee> {
    let known = || directory.accounts().any(|account| account.canonical_id.as_str() == id);
    (id == ANONYMOUS_ID || id == EXEC_READ_ID || known()).then(|| Grantee::Account(id.to_owned()))
}

/// The account of an e-mail address, which the ACL then shows by its id.
pub(crate) fn by_email(email: &str, directory: &Directory) -> Result<Grantee, Error> {
    let is = |own: &str| own.eq_ignore_ascii_case(email);
    let mut found = directory.accounts().filter(|account| account.email.as_deref().is_some_and(is));
    match (found.next(), found.next()) {
        (Some(account), None) => Ok(Grantee::Account(account.canonical_id.to_string())),
        (Some(_), Some(_)) => Err(Error::new(Code::AmbiguousGrantByEmailAddress)),
        (None, _) => Err(Error::new(Code::UnresolvableGrantByEmailAddress)),
    }
}

/// Two accounts, `a1…` and `b2…`, and two more that share an e-mail address.
#[cfg(test)]
pub(crate) fn sample_directory() -> Directory {
    use crate::auth::{Account, Seed};
    use crate::names::{AccountId, CanonicalId};
    let mut seed = Seed::default();
    for (id, byte, email) in [
        ("111122223333", "a1", Some("one@example.com")),
        ("444455556666", "b2", None),
        ("777788889999", "c3", Some("shared@example.com")),
        ("777788880000", "d4", Some("Shared@example.com")),
    ] {
        seed.add_account(Account {
            id: AccountId::parse(id).expect("an id"),
            canonical_id: CanonicalId::parse(&byte.repeat(32)).expect("an id"),
            display_name: String::new(),
            email: email.map(str::to_owned),
        });
    }
    Directory::from(std::sync::Arc::new(seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fields::{Lines, sample};

    fn parse(lines: Lines<'_>) -> Result<Asked, String> {
        Asked::parse(&sample(lines), &sample_directory()).map_err(|error| {
            let elements: Vec<String> = error.elements().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}: {} {}", error.code().name(), error.message(), elements.join(" ")).trim_end().to_owned()
        })
    }

    #[test]
    fn what_is_asked_for() {
        let (a, b) = ("a1".repeat(32), "b2".repeat(32));
        assert_eq!(parse(&[("x-other", "x")]), Ok(Asked::Nothing));
        assert_eq!(parse(&[(CANNED, ""), ("x-amz-grant-read", " ")]), Ok(Asked::Nothing));
        for (canned, name) in CannedAcl::ALL {
            assert_eq!(parse(&[(CANNED, name)]), Ok(Asked::Canned(canned)));
        }
        let read = format!("id=\"{a}\", uri=http://acs.amazonaws.com/groups/global/AllUsers");
        let full = format!("ID={b}");
        let lines =
            [("x-amz-grant-read", read.as_str()), ("x-amz-grant-full-control", &full), ("x-amz-grant-read", &full)];
        let grants = vec![
            AclGrant::account(&b, Permission::FullControl),
            AclGrant::account(&a, Permission::Read),
            AclGrant::group(Group::AllUsers, Permission::Read),
            AclGrant::account(&b, Permission::Read),
        ];
        assert_eq!(parse(&lines), Ok(Asked::Grants(Acl { grants })));
        let by_email = parse(&[("x-amz-grant-write-acp", "emailAddress=\"One@example.com\"")]);
        let grants = vec![AclGrant::account(&a, Permission::WriteAcp)];
        assert_eq!(by_email, Ok(Asked::Grants(Acl { grants })));
    }

    #[test]
    fn what_is_refused() {
        let header = "x-amz-grant-write";
        let id = format!("id={}", "a1".repeat(32));
        for (lines, expected) in [
            (vec![(CANNED, "fake-acl")], "InvalidArgument:  ArgumentName=x-amz-acl ArgumentValue=fake-acl"),
            (
                vec![(CANNED, "private"), (header, "id=x")],
                "InvalidRequest: Specifying both Canned ACLs and Header Grants is not allowed",
            ),
            (
                vec![(header, "fakekey=\"1234\"")],
                "InvalidArgument: Argument format not recognized ArgumentName=x-amz-grant-write \
                 ArgumentValue=fakekey=\"1234\"",
            ),
            (
                vec![(header, "x")],
                "InvalidArgument: Argument format not recognized ArgumentName=x-amz-grant-write ArgumentValue=x",
            ),
            (vec![(header, "id=\"wrong\"")], "InvalidArgument: Invalid id ArgumentName=id ArgumentValue=wrong"),
            (
                vec![(header, "uri=\"http://acs.amazonaws.com/groups/s3/Fake\"")],
                "InvalidArgument: Invalid group uri ArgumentName=uri \
                 ArgumentValue=http://acs.amazonaws.com/groups/s3/Fake",
            ),
            (
                vec![(header, "emailAddress=two@example.com")],
                "UnresolvableGrantByEmailAddress: The email address you provided does not match any account on record.",
            ),
            (
                vec![(header, "emailAddress=shared@example.com")],
                "AmbiguousGrantByEmailAddress: The email address you provided is associated with more than one account.",
            ),
            (
                vec![("x-amz-grant-list", &id)],
                "NotImplemented: A header you provided implies functionality that is not implemented \
                 Header=x-amz-grant-list",
            ),
        ] {
            assert_eq!(parse(&lines), Err(expected.to_owned()), "{lines:?}");
        }
        let many = |n: usize| parse(&[(header, &vec![id.as_str(); n].join(","))]).map(drop);
        assert_eq!(many(ACL_GRANTS_MAX), Ok(()));
        assert!(many(ACL_GRANTS_MAX + 1).unwrap_err().starts_with("MalformedACLError"));
    }
}
