//! The identities that IAM keeps: users with their access keys, groups, roles, managed policies, identity providers, and
//! the temporary credentials of STS.
//!
//! # How it is kept
//!
//! All of an account lies in [`Table::Identity`](crate::index::Table::Identity) under the account's id, a kind and a
//! name in lower case: IAM's names are the same in either case. Inline policies, tags and the names of what is attached
//! stand in the row of their user, group or role; the documents of managed policies in rows of their own, one a version.
//! Access keys lie by their id in [`Table::AccessKey`](crate::index::Table::AccessKey), for a request names nothing
//! else.
//!
//! One row counts an account's changes ([`record::AccountState`]). **Every change goes through [`Draft`]**, which reads
//! that row first and replaces it under the condition that nobody else has: what a draft has read is what the change was
//! decided from, so that limits, names and "nothing is attached any more" hold when it commits, and of two
//! administrators one is told [`IdentityError::Contention`]; the protocol tries again.
//!
//! What a request needs of its sender is loaded once for each value of that row (`cache`): a request reads the row and
//! compares. A change hence counts for the next request, on every gateway over the same index.
//!
//! Accounts and users of the settings are the [`Seed`]: shown, and never changed here.

mod aliases;
mod cache;
mod draft;
mod error;
#[cfg(test)]
mod golden;
mod groups;
mod holders;
mod ids;
mod keys;
pub mod limits;
mod load;
pub mod oidc;
mod policies;
mod providers;
mod record;
mod roles;
mod session;
mod sourced;
#[cfg(test)]
mod tests;
mod users;
mod uses;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use draft::{Draft, PolicyUse};
pub use error::IdentityError;
pub use holders::{Bounded, Named, PolicyHolder, Tagged, check_tag_count, inline_absent};
pub use keys::NewAccessKey;
pub use load::ManagedPolicy;
pub use policies::NewPolicy;
pub use providers::{NewProvider, provider_absent, provider_url};
pub use record::{
    AccessKeyEntry, AccountState, AttachedTo, DocumentRecord, Entity, GroupRecord, InlinePolicy, MemberRecord,
    PolicyRecord, PolicyVersion, ProviderRecord, RoleRecord, Tag, UserRecord,
};
pub use roles::{NewRole, RoleChange};
pub use session::{NewSession, SessionOf, TemporaryCredentials};
pub use sourced::{Origin, SourcedPolicies, SourcedPolicy};
pub use users::NewUser;
pub use uses::LastUse;

use crate::audit::Audit;
use crate::auth::{Caller, FindError, Identity, Seed, StoredIdentities};
use crate::index::Rows;
use crate::keyring::{Lines, Markers};
use crate::names::{AccountId, Region};
use crate::sources::{Sources, Timestamp};

/// Parts markers of IAM's lists from others. Frozen as long as markers are out.
const MARKER_LABEL: &[u8] = b"strongroom iam marker key v1";

/// The identities of a gateway. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct Identities(Arc<Parts>);

struct Parts {
    rows: Rows,
    audit: Audit,
    seed: Arc<Seed>,
    sources: Sources,
    markers: Markers,
    lines: Lines,
    cache: cache::Cache,
    uses: uses::Uses,
}

impl Identities {
    /// Over the rows of a gateway and the accounts of its settings.
    pub fn new(rows: Rows, audit: Audit, seed: Arc<Seed>, sources: Sources) -> Self {
        let markers = Markers::new(rows.sealer().derive_constant(MARKER_LABEL));
        let (cache, uses) = (cache::Cache::default(), uses::Uses::default());
        let lines = Lines::default();
        Self(Arc::new(Parts { rows, audit, seed, sources, markers, lines, cache, uses }))
    }

    /// Accounts and users of the settings.
    pub fn seed(&self) -> &Arc<Seed> {
        &self.0.seed
    }

    fn rows(&self) -> &Rows {
        &self.0.rows
    }

    fn audit(&self) -> &Audit {
        &self.0.audit
    }

    fn sources(&self) -> &Sources {
        &self.0.sources
    }

    /// The turn of a change of an account. All changes of one account are decided from one row, so that of several at
    /// once all but one would be decided anew: they take turns, and lose to other gateways alone.
    pub(crate) async fn turn(&self, account: &AccountId) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.lines.turn(account.as_str()).await
    }

    /// The marker behind `last` in the list that `scope` names: the operation, the account and what narrows the list.
    pub fn marker(&self, scope: &[&str], last: &str) -> String {
        self.0.markers.render(scope, last)
    }

    /// What a marker stands for, if it was given out for this list.
    pub fn parse_marker(&self, scope: &[&str], marker: &str) -> Result<String, IdentityError> {
        let parsed = self.0.markers.parse(scope, marker);
        parsed.map_err(|_| IdentityError::InvalidInput("Invalid Marker.".to_owned()))
    }
}

impl StoredIdentities for Identities {
    fn find<'a>(
        &'a self,
        access_key_id: &'a str,
        token: Option<&'a str>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<Identity>, FindError>> {
        Box::pin(self.find_identity(access_key_id, token, now))
    }

    fn knows<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move { self.knows_principal(arn).await.map_err(|error| error.to_string()) })
    }

    fn used(&self, caller: &Caller, service: &str, region: &Region, now: Timestamp) {
        self.0.uses.note(caller, service, region, now);
    }
}
