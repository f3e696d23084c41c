//! `<AccessControlPolicy>`: an ACL as a document. Pure.

use super::acl_headers::{by_email, by_id};
use super::code::Code;
use super::error::Error;
use super::owner::Owner;
use crate::auth::Directory;
use crate::policy::{ACL_GRANTS_MAX, Acl, AclGrant, Grantee, Group, Permission};
use crate::wire::xml::{self, Element, Writer};

const ACCOUNT: &str = "CanonicalUser";
const EMAIL: &str = "AmazonCustomerByEmail";
const GROUP: &str = "Group";

/// Writes the ACL of what `owner` owns.
pub(crate) fn render(owner: Owner<'_>, acl: &Acl, directory: &Directory) -> Writer {
    let mut w = Writer::document();
    w.root("AccessControlPolicy", |w| {
        owner.write(w, "Owner");
        w.node("AccessControlList", |w| {
            acl.grants.iter().for_each(|grant| write_grant(w, grant, directory));
        });
    });
    w
}

fn write_grant(w: &mut Writer, grant: &AclGrant, directory: &Directory) {
    w.node("Grant", |w| {
        match &grant.grantee {
            Grantee::Account(id) => {
                w.typed_node("Grantee", ACCOUNT, |w| Owner::of_canonical(directory, id).write_inside(w));
            }
            Grantee::Group(group) => {
                w.typed_node("Grantee", GROUP, |w| {
                    w.leaf("URI", group.uri());
                });
            }
        }
        w.leaf("Permission", grant.permission.name());
    });
}

/// Reads the ACL of what the account with the canonical id `owner` owns. The owner stands in the document and cannot be
/// changed by it; AWS's answer to another one is not recorded.
pub(crate) fn parse(body: &[u8], owner: &str, directory: &Directory) -> Result<Acl, Error> {
    let root = xml::parse_s3(body).map_err(|_| malformed())?;
    if root.name != "AccessControlPolicy" {
        return Err(malformed());
    }
    only(&root, &["Owner", "AccessControlList"])?;
    let named = one(&root, "Owner")?.ok_or_else(malformed)?;
    only(named, &["ID", "DisplayName"])?;
    one(named, "DisplayName")?;
    let id = leaf(named, "ID")?.filter(|id| !id.is_empty()).ok_or_else(malformed)?;
    let list = one(&root, "AccessControlList")?.ok_or_else(malformed)?;
    only(list, &["Grant"])?;
    if list.children.len() > ACL_GRANTS_MAX {
        return Err(too_many());
    }
    if by_id(id, directory).is_none() {
        return Err(invalid_id(id));
    }
    let grants = list.children.iter().map(|grant| parse_grant(grant, directory)).collect::<Result<_, _>>()?;
    if id != owner {
        return Err(Error::new(Code::AccessDenied));
    }
    Ok(Acl { grants })
}

fn parse_grant(grant: &Element, directory: &Directory) -> Result<AclGrant, Error> {
    only(grant, &["Grantee", "Permission"])?;
    let permission = one(grant, "Permission")?.and_then(|name| Permission::parse(name.text.trim()));
    let grantee = one(grant, "Grantee")?.ok_or_else(malformed)?;
    let permission = permission.ok_or_else(malformed)?;
    // Some clients say more of a grantee than its type has.
    only(grantee, &["ID", "DisplayName", "URI", "EmailAddress"])?;
    one(grantee, "DisplayName")?;
    let text = |name| -> Result<&str, Error> { leaf(grantee, name)?.ok_or_else(malformed) };
    let grantee = match grantee.kind.as_deref() {
        Some(ACCOUNT) => {
            let id = text("ID")?;
            by_id(id, directory).ok_or_else(|| invalid_id(id))?
        }
        Some(GROUP) => {
            let uri = text("URI")?;
            let group = Group::parse(uri).map(Grantee::Group);
            group.ok_or_else(|| Error::invalid_argument("Invalid group uri", "Group/URI", uri))?
        }
        Some(EMAIL) => by_email(text("EmailAddress")?, directory)?,
        _ => return Err(malformed()),
    };
    Ok(AclGrant { grantee, permission })
}

fn one<'a>(element: &'a Element, name: &str) -> Result<Option<&'a Element>, Error> {
    element.at_most_one(name).map_err(|_| malformed())
}

/// The text of the only child of this name, blanks around it taken off.
fn leaf<'a>(element: &'a Element, name: &str) -> Result<Option<&'a str>, Error> {
    let found = one(element, name)?.map(Element::leaf).transpose();
    Ok(found.map_err(|_| malformed())?.map(str::trim))
}

fn only(element: &Element, names: &[&str]) -> Result<(), Error> {
    element.expect_only(names).map_err(|_| malformed())
}

fn invalid_id(id: &str) -> Error {
    Error::invalid_argument("Invalid id", "CanonicalUser/ID", id)
}

fn malformed() -> Error {
    Error::new(Code::MalformedACLError)
}

/// An ACL has 100 grants at most (S3 user guide); what AWS answers to more is not recorded.
pub(crate) fn too_many() -> Error {
    Error::with_message(Code::MalformedACLError, format!("An ACL has at most {ACL_GRANTS_MAX} grants"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::acl_headers::sample_directory;

    const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

    fn id(byte: &str) -> String {
        byte.repeat(32)
    }

    fn grant(kind: &str, inner: &str, permission: &str) -> String {
        let grantee = format!("<Grantee xmlns:xsi='x' xsi:type='{kind}'>{inner}</Grantee>");
        format!("<Grant>{grantee}<Permission>{permission}</Permission></Grant>")
    }

    fn document(owner: &str, grants: &str) -> String {
        let owner = format!("<Owner><ID>{owner}</ID><DisplayName>x</DisplayName></Owner>");
        format!("<AccessControlPolicy>{owner}<AccessControlList>{grants}</AccessControlList></AccessControlPolicy>")
    }

    fn read(body: &str) -> Result<Acl, String> {
        let read = parse(body.as_bytes(), &id("a1"), &sample_directory());
        read.map_err(|error| {
            let elements: Vec<String> = error.elements().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", error.code().name(), elements.join(" ")).trim_end().to_owned()
        })
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = sample_directory();
        let mut grants = Vec::new();
        for (permission, _) in Permission::ALL {
            grants.push(AclGrant::account(&id("b2"), permission));
            grants.extend(Group::ALL.map(|(group, _)| AclGrant::group(group, permission)));
        }
        for acl in [Acl { grants }, Acl::private(&id("a1")), Acl::default()] {
            let owner = id("a1");
            let written = render(Owner { id: &owner, display_name: "" }, &acl, &directory).finish();
            assert_eq!(read(&written), Ok(acl), "{written}");
        }
        let by_email = grant(EMAIL, "<EmailAddress>one@example.com</EmailAddress>", "READ");
        let expected = Acl { grants: vec![AclGrant::account(&id("a1"), Permission::Read)] };
        assert_eq!(read(&document(&id("a1"), &by_email)), Ok(expected));
    }

    #[test]
    fn the_document_is_aws_s() {
        let acl = Acl { grants: vec![AclGrant::group(Group::AllUsers, Permission::Read)] };
        let written = render(Owner { id: "o", display_name: "main" }, &acl, &sample_directory()).finish();
        let expected = "<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>o</ID>\
                        <DisplayName>main</DisplayName></Owner><AccessControlList><Grant><Grantee \
                        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
                        <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ\
                        </Permission></Grant></AccessControlList></AccessControlPolicy>";
        assert_eq!(written.split_once('\n').unwrap().1, expected);
    }

    #[test]
    fn what_is_refused() {
        let (own, malformed) = (id("a1"), "MalformedACLError");
        let uri = |uri: &str| format!("<URI>{uri}</URI>");
        let by_id = |id: &str| format!("<ID>{id}</ID>");
        for (body, expected) in [
            (String::new(), malformed),
            ("<AccessControlPolicy>".to_owned(), malformed),
            ("<AccessControlPolicy/>".to_owned(), malformed),
            (document(&own, "").replace("AccessControlPolicy", "Acl"), malformed),
            (document("", ""), malformed),
            (format!("<AccessControlPolicy><Owner><ID>{own}</ID></Owner></AccessControlPolicy>"), malformed),
            ("<AccessControlPolicy><AccessControlList/></AccessControlPolicy>".to_owned(), malformed),
            (document(&own, "<X/>"), malformed),
            (document(&own, "<Grant/>"), malformed),
            (document(&own, "<Grant><Permission>READ</Permission></Grant>"), malformed),
            (document(&own, &grant(ACCOUNT, &by_id(&own), "read")), malformed),
            (document(&own, &grant(ACCOUNT, &by_id(&own), "")), malformed),
            (document(&own, &grant(ACCOUNT, "", "READ")), malformed),
            (document(&own, &grant("User", &by_id(&own), "READ")), malformed),
            (document(&own, &grant(ACCOUNT, &by_id(&own), "READ").replace(" xsi:type='CanonicalUser'", "")), malformed),
            (
                document(&own, &grant(ACCOUNT, &by_id("x"), "READ")),
                "InvalidArgument ArgumentName=CanonicalUser/ID ArgumentValue=x",
            ),
            (document("x", ""), "InvalidArgument ArgumentName=CanonicalUser/ID ArgumentValue=x"),
            (
                document(&own, &grant(GROUP, &uri("http://x"), "READ")),
                "InvalidArgument ArgumentName=Group/URI ArgumentValue=http://x",
            ),
            (
                document(&own, &grant(EMAIL, "<EmailAddress>x@example.com</EmailAddress>", "READ")),
                "UnresolvableGrantByEmailAddress",
            ),
            (document(&id("b2"), ""), "AccessDenied"),
        ] {
            assert_eq!(read(&body), Err(expected.to_owned()), "{body}");
        }
        let many = |n: usize| read(&document(&own, &grant(GROUP, &uri(ALL_USERS), "READ").repeat(n))).map(drop);
        assert_eq!(many(ACL_GRANTS_MAX), Ok(()));
        assert_eq!(many(ACL_GRANTS_MAX + 1), Err(malformed.to_owned()));
    }
}
