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
