//! When access keys and roles were used last. Requests note it in memory; a job writes it down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::ids::IdOf;
use super::record::{AccessKeyRecord, UseRecord, key_row, use_row};
use super::{Identities, IdentityError};
use crate::auth::{Caller, IssuerKind};
use crate::names::Region;
use crate::sources::Timestamp;

/// Keys and roles noted between two writes; more are left out until there is room again.
const NOTED_MAX: usize = 10_000;

/// A use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// E.g. `s3`.
    pub service: String,
    /// E.g. `us-east-1`.
    pub region: String,
}

/// Uses that are not written yet, by the id of a key or the unique id of a role.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<String, LastUse>>);

impl Uses {
    pub(super) fn note(&self, caller: &Caller, service: &str, region: &Region, now: Timestamp) {
        let issuer = caller.principal().session().map(|session| &session.issuer);
        let id = match issuer {
            Some(issuer) if issuer.kind == IssuerKind::Role => &issuer.id,
            // AWS tells no last use of the credentials of GetSessionToken.
            Some(_) => return,
            None => match caller.access_key_id() {
                Some(id) => id,
                None => return,
            },
        };
        self.note_id(id, service, region, now);
    }

    pub(super) fn note_id(&self, id: &str, service: &str, region: &Region, now: Timestamp) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = noted.get_mut(id) {
            last.at = now;
            if last.service != service {
                service.clone_into(&mut last.service);
            }
            if last.region != region.as_str() {
                region.as_str().clone_into(&mut last.region);
            }
        } else if noted.len() < NOTED_MAX {
            let last = LastUse { at: now, service: service.to_owned(), region: region.to_string() };
            noted.insert(id.to_owned(), last);
        }
    }

    fn noted(&self, id: &str) -> Option<LastUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn all(&self) -> HashMap<String, LastUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what is `written`, but for what was used again meanwhile.
    fn forget(&self, written: &HashMap<String, LastUse>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|id, last| written.get(id) != Some(last));
    }
}

impl Identities {
    /// The last use of an access key, or of a role by its unique id.
    pub async fn last_use(&self, id: &str) -> Result<Option<LastUse>, IdentityError> {
        if let Some(noted) = self.0.uses.noted(id) {
            return Ok(Some(noted));
        }
        let stored = self.rows().load::<UseRecord>(&use_row(id)).await?;
        Ok(stored.map(|stored| {
            let UseRecord { at_ms, service, region } = stored.value;
            LastUse { at: Timestamp(at_ms), service, region }
        }))
    }

    /// Writes the uses down that were noted since the last time. Returns how many. They stay noted until that has
    /// succeeded, so what is lost with the process is at most what was noted since.
    pub async fn write_uses(&self) -> Result<usize, IdentityError> {
        let noted = self.0.uses.all();
        let (mut batch, mut written) = (self.rows().batch(), 0);
        for (id, last) in &noted {
            if self.is_gone(id).await? {
                continue;
            }
            let record = UseRecord { at_ms: last.at.0, service: last.service.clone(), region: last.region.clone() };
            batch.put(use_row(id), &record);
            written += 1;
        }
        if written > 0 {
            self.rows().commit(batch).await?;
        }
        self.0.uses.forget(&noted);
        Ok(written)
    }

    /// Whether there was an access key of this id that is deleted: nothing would ever delete the row of its last use.
    async fn is_gone(&self, id: &str) -> Result<bool, IdentityError> {
        if !IdOf::AccessKey.fits(id) || self.seed().identity(id).is_some() {
            return Ok(false);
        }
        Ok(self.rows().load::<AccessKeyRecord>(&key_row(id)).await?.is_none())
    }
}
