//! Accounts as S3 shows them: `<Owner>` and `<Initiator>`.

use crate::auth::Directory;
use crate::names::AccountId;
use crate::objects::ObjectOwner;
use crate::policy::ANONYMOUS_ID;
use crate::wire::xml::Writer;

/// An owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// The canonical id.
    pub(crate) id: &'a str,
    /// Empty: none is shown.
    pub(crate) display_name: &'a str,
}

impl<'a> Owner<'a> {
    /// The account of that id; one that is no longer configured is shown by its account id.
    pub(crate) fn of(directory: &'a Directory, account: &'a AccountId) -> Self {
        match directory.account(account) {
            Some(account) => Self { id: account.canonical_id.as_str(), display_name: &account.display_name },
            None => Self { id: account.as_str(), display_name: "" },
        }
    }

    /// The account with that canonical id.
    pub(crate) fn of_canonical(directory: &'a Directory, id: &'a str) -> Self {
        let known = directory.accounts().find(|account| account.canonical_id.as_str() == id);
        Self { id, display_name: known.map_or("", |account| &account.display_name) }
    }

    /// Who owns an object that is not the bucket's owner's.
    pub(crate) fn of_object(directory: &'a Directory, owner: &'a ObjectOwner) -> Self {
        let ObjectOwner::Account(id) = owner else { return Self { id: ANONYMOUS_ID, display_name: "" } };
        match AccountId::parse(id).ok().and_then(|id| directory.account(&id)) {
            Some(account) => Self { id: account.canonical_id.as_str(), display_name: &account.display_name },
            None => Self { id, display_name: "" },
        }
    }

    /// Who began an upload, by the ARN: a root is shown as its account, others by their ARN and name.
    pub(crate) fn of_principal(directory: &'a Directory, arn: &'a str) -> Self {
        let mut fields = arn.splitn(6, ':').skip(4);
        let (account, name) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let of_root = || directory.account(&AccountId::parse(account).ok().filter(|_| name == "root")?);
        match of_root() {
            Some(account) => Self { id: account.canonical_id.as_str(), display_name: &account.display_name },
            None if account.is_empty() => Self { id: ANONYMOUS_ID, display_name: "" },
            None => Self { id: arn, display_name: name.rsplit('/').next().unwrap_or_default() },
        }
    }

    /// Writes `<element>`.
    pub(crate) fn write(&self, w: &mut Writer, element: &str) {
        w.node(element, |w| self.write_inside(w));
    }

    /// Writes what stands inside.
    pub(crate) fn write_inside(&self, w: &mut Writer) {
        w.leaf("ID", self.id);
        if !self.display_name.is_empty() {
            w.leaf("DisplayName", self.display_name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ANONYMOUS_ID, AccountId, Directory, ObjectOwner, Owner, Writer};
    use crate::auth::{Account, Seed};
    use crate::names::CanonicalId;

    #[test]
    fn known_and_forgotten_accounts() {
        let [known, forgotten] = ["111122223333", "444455556666"].map(|id| AccountId::parse(id).unwrap());
        let mut seed = Seed::default();
        seed.add_account(Account {
            id: known.clone(),
            canonical_id: CanonicalId::parse(&"a1".repeat(32)).unwrap(),
            display_name: "main & more".to_owned(),
            email: None,
        });
        let directory = Directory::from(std::sync::Arc::new(seed));
        let shown = |account: &AccountId| {
            let mut w = Writer::default();
            Owner::of(&directory, account).write(&mut w, "Owner");
            w.finish()
        };
        let id = "a1".repeat(32);
        assert_eq!(shown(&known), format!("<Owner><ID>{id}</ID><DisplayName>main &amp; more</DisplayName></Owner>"));
        assert_eq!(shown(&forgotten), "<Owner><ID>444455556666</ID></Owner>");
        let of_object = |owner: ObjectOwner| Owner::of_object(&directory, &owner).id.to_owned();
        assert_eq!(of_object(ObjectOwner::account(&known)), id);
        assert_eq!(of_object(ObjectOwner::account(&forgotten)), "444455556666");
        assert_eq!(of_object(ObjectOwner::Anonymous), ANONYMOUS_ID);
        for (arn, shown) in [
            ("arn:aws:iam::111122223333:root", (id.as_str(), "main & more")),
            ("arn:aws:iam::111122223333:user/alice", ("arn:aws:iam::111122223333:user/alice", "alice")),
            ("arn:aws:sts::111122223333:assumed-role/r/s", ("arn:aws:sts::111122223333:assumed-role/r/s", "s")),
            ("anonymous", (ANONYMOUS_ID, "")),
        ] {
            let owner = Owner::of_principal(&directory, arn);
            assert_eq!((owner.id, owner.display_name), shown, "{arn}");
        }
    }
}
