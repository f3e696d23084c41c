//! Grants in the form that policies see, held from one use of a key to the next.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::policy::KeyGrant;

/// Grants held at most, of all keys and callers together: about a KiB each with constraints. More than one key can
/// have, so that the grants of any key fit.
const GRANTS_HELD_MAX: usize = 100_000;

/// Which grants of a key concern which caller.
#[derive(Debug, Default)]
pub(super) struct HeldGrants {
    /// By key and caller, with the state of the key's grants that they are from.
    lists: HashMap<Vec<u8>, (Bytes, Arc<[KeyGrant]>)>,
    /// An empty list counts as one.
    held: usize,
}

impl HeldGrants {
    /// What is held, if the key's grants are still in this state.
    pub(super) fn find(&self, who: &[u8], state: &Bytes) -> Option<Arc<[KeyGrant]>> {
        let (held_state, grants) = self.lists.get(who)?;
        (held_state == state).then(|| Arc::clone(grants))
    }

    pub(super) fn hold(&mut self, who: Vec<u8>, state: Bytes, grants: &Arc<[KeyGrant]>) {
        if self.held + weight(grants) > GRANTS_HELD_MAX {
            self.lists.clear();
            self.held = 0;
        }
        self.held += weight(grants);
        if let Some((_, replaced)) = self.lists.insert(who, (state, Arc::clone(grants))) {
            self.held -= weight(&replaced);
        }
    }
}

fn weight(grants: &[KeyGrant]) -> usize {
    grants.len().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(count: usize) -> Arc<[KeyGrant]> {
        let grant = KeyGrant::new("id", "111122223333", ["Decrypt"], None).unwrap();
        vec![grant; count].into()
    }

    #[test]
    fn another_state_is_another_list() {
        let mut held = HeldGrants::default();
        let (old, new) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
        held.hold(b"a".to_vec(), old.clone(), &grants(1));
        assert_eq!(held.find(b"a", &old).map(|list| list.len()), Some(1));
        assert!(held.find(b"a", &new).is_none());
        assert!(held.find(b"b", &old).is_none());
        held.hold(b"a".to_vec(), new.clone(), &grants(0));
        assert!(held.find(b"a", &old).is_none());
        assert_eq!(held.find(b"a", &new).map(|list| list.len()), Some(0));
        assert_eq!(held.held, 1);
    }

    #[test]
    fn bounded_in_count() {
        let mut held = HeldGrants::default();
        let state = Bytes::from_static(b"1");
        for who in 0..5_u8 {
            held.hold(vec![who], state.clone(), &grants(30_000));
        }
        assert_eq!((held.lists.len(), held.held), (2, 60_000), "the fourth had no room");
        held.hold(vec![9], state.clone(), &grants(100_000));
        assert_eq!((held.lists.len(), held.held), (1, 100_000));
        assert!(held.find(&[9], &state).is_some());
    }
}
