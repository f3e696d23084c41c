//! Accounts as S3 shows them: `<Owner>` and `<Initiator>`.

use crate::auth::Directory;
use crate::names::AccountId;
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

    /// Writes `<element>`.
    pub(crate) fn write(&self, w: &mut Writer, element: &str) {
        w.node(element, |w| {
            w.leaf("ID", self.id);
            if !self.display_name.is_empty() {
                w.leaf("DisplayName", self.display_name);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountId, Directory, Owner, Writer};
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
    }
}
