//! Grants: additional leave to use one key, given to one principal, until it is retired or revoked.
//!
//! A change and its record of success are one commit. Grants are in force as soon as CreateGrant answers and no longer
//! when RetireGrant or RevokeGrant has: nothing is eventually so. Each member of a set of multi-Region keys has grants
//! of its own. What a grant says never changes; there is no call for it.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::KeyringError;
use super::call::{Call, Details, event_of, key_resource};
use super::keys::Operation;
use super::manage::{CHANGE_ATTEMPTS, Page, after};
use super::permission::not_allowed;
use super::record::KeyPlace;
use super::root::hex;
use super::service::{KeyRing, ResolvedKey, check_usable, foreign};
use super::usage::unless_dry;
use crate::audit::Event;
use crate::auth::Grant;
use crate::index::{Direction, KeyRange, RowBatch, Stored, Table, Tuple};
use crate::names::{AccountId, Region};
use crate::policy::{GrantPrincipal, KeyGrant, Subject};
use crate::sources::Timestamp;

#[cfg(test)]
pub(super) mod golden;
mod held;
mod record;
mod terms;
mod token;

use held::HeldGrants;
use record::{
    CountRecord, GrantRecord, NamedRecord, by_grantee, by_retiring, count_row, delete_rows, grant_row, grants_of_key,
    named_row, put_grant, read_fields, remove_grant,
};
pub use terms::{
    CONSTRAINT_PAIRS_MAX, CONSTRAINT_VALUE_MAX_CHARS, ContextConstraint, GrantOperation, GrantTerms, NewGrant, Party,
    Retirement,
};

/// Grants of one key (AWS's quota).
pub const GRANTS_PER_KEY_MAX: u32 = 50_000;
/// Rows read at once.
const PAGE: usize = 1_000;

/// What the process keeps for grants. All grants of a key share a count, which is why those who change them take turns.
#[derive(Default)]
pub(super) struct GrantParts {
    held: Mutex<HeldGrants>,
}

/// What CreateGrant answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedGrant {
    /// 64 hexadecimal digits; of an earlier grant if the request repeats the one that made it.
    pub id: String,
    /// Names the grant; another one on every call.
    pub token: String,
}

/// What gave leave to create a grant.
#[derive(Debug, Clone)]
pub enum Leave {
    /// A policy: any grant may be made.
    Policy,
    /// No policy, but one of these grants of the key: what is made may not go beyond all of them.
    Grants(Arc<[KeyGrant]>),
}

/// Who retires a grant.
#[derive(Debug, Clone, Copy)]
pub struct Retirer<'a> {
    /// Who asks.
    pub subject: Subject<'a>,
    /// Whether identity policies allow `kms:RetireGrant` to who asks. That they don't deny it is what the
    /// [`Grant`] stands for.
    pub delegated: bool,
}

/// Which grants of a key to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// The one with this id.
    pub id: Option<String>,
    /// Those of this grantee.
    pub grantee: Option<Party>,
}

/// A grant, as the listings tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantEntry {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The key's ARN.
    pub key_arn: String,
    /// When it was made.
    pub created: Timestamp,
    /// The account under which it was made.
    pub issuing_account: AccountId,
    /// What it says.
    pub terms: GrantTerms,
}

impl KeyRing {
    /// Makes a grant, unless a request with the same name and terms made it before. Grant: `kms:CreateGrant`.
    pub async fn create_grant(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        new: &NewGrant,
        leave: &Leave,
        dry_run: bool,
    ) -> Result<CreatedGrant, KeyringError> {
        grant.assert_covers("kms:CreateGrant", &key.metadata.arn);
        let place = KeyPlace::of(&key.metadata);
        let event = event_of(grant, "CreateGrant", call, vec![key_resource(&key.metadata)]);
        let _turn = self.turn(&place).await;
        for _ in 0..CHANGE_ATTEMPTS {
            match self.try_create_grant((grant, leave), &place, new, dry_run, &event).await {
                Ok(Some(id)) => {
                    let token = token::seal_token(self.rows().sealer(), &place, &id, self.sources());
                    return Ok(CreatedGrant { id, token });
                }
                Ok(None) => {}
                Err(error) => return self.conclude_refused(event, error).await,
            }
        }
        self.conclude_refused(event, KeyringError::Contention).await
    }

    async fn try_create_grant(
        &self,
        (grant, leave): (&Grant, &Leave),
        place: &KeyPlace,
        new: &NewGrant,
        dry_run: bool,
        event: &Event,
    ) -> Result<Option<String>, KeyringError> {
        let key = self.load(place).await?;
        check_usable(&key.value, place, Operation::Grant)?;
        new.check_kind(key.value.kind)?;
        let mut batch = self.rows().batch();
        // Changes of the state, and the end of the key, which takes all its grants along, come before or after.
        batch.expect_unchanged(Table::Key, place.row(), &key.stamp);
        self.check_leave(&mut batch, (grant, leave), place, new).await?;
        let caller = grant.access().caller().account();
        let issuing_account = caller.unwrap_or(&place.account).as_str();
        let shown = |id: &str| Event { response: json!({ "grantId": id, "keyId": place.arn() }), ..event.clone() };
        if let Some(row) = named_row(place, issuing_account, new.terms())
            && let Some(earlier) = self.rows().load::<NamedRecord>(&row).await?
        {
            let id = unless_dry(dry_run, Ok(earlier.value.grant_id))?;
            self.record(&shown(&id)).await?;
            return Ok(Some(id));
        }
        let count = self.grant_count(place).await?;
        if count.as_ref().is_some_and(|count| count.value.grants >= GRANTS_PER_KEY_MAX) {
            // AWS's text is not recorded.
            let text = format!("{} has {GRANTS_PER_KEY_MAX} grants, which is the limit", place.arn());
            return Err(KeyringError::LimitExceeded(text));
        }
        let id = unless_dry(dry_run, Ok(hex(&self.sources().random::<32>())))?;
        let (created_ms, issuing_account) = (self.sources().now().0, issuing_account.to_owned());
        let record = GrantRecord { created_ms, issuing_account, terms: new.terms().clone() };
        put_grant(&mut batch, place, &id, &record, count.as_ref());
        Ok(self.commit(batch, &shown(&id)).await?.map(|()| id))
    }

    /// Who may create grants by other grants alone may pass on what one of those allows, and nothing more.
    async fn check_leave(
        &self,
        batch: &mut RowBatch<'_>,
        (grant, leave): (&Grant, &Leave),
        place: &KeyPlace,
        new: &NewGrant,
    ) -> Result<(), KeyringError> {
        let Leave::Grants(parents) = leave else { return Ok(()) };
        for parent in &**parents {
            let row = grant_row(place, parent.id());
            let Some(parent) = self.rows().load::<GrantRecord>(&row).await? else { continue };
            let terms = &parent.value.terms;
            if terms.operations.contains(&GrantOperation::CreateGrant) && new.terms().is_within(terms) {
                // A parent that is revoked meanwhile gives nothing on.
                batch.expect_unchanged(Table::Grant, row, &parent.stamp);
                return Ok(());
            }
        }
        Err(not_allowed(grant, place))
    }

    /// Removes a grant. Grant: `kms:RevokeGrant`.
    pub async fn revoke_grant(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        id: &str,
        dry_run: bool,
    ) -> Result<(), KeyringError> {
        grant.assert_covers("kms:RevokeGrant", &key.metadata.arn);
        let event = event_of(grant, "RevokeGrant", call, vec![key_resource(&key.metadata)]);
        self.end_grant(&KeyPlace::of(&key.metadata), id, event, |_| unless_dry(dry_run, Ok(()))).await
    }

    /// Removes a grant if what it says of the retirer allows that. Grant: `kms:RetireGrant`, which stands for no more
    /// than that no policy denies it.
    pub async fn retire_grant(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        id: &str,
        by: &Retirer<'_>,
        dry_run: bool,
    ) -> Result<(), KeyringError> {
        grant.assert_covers("kms:RetireGrant", &key.metadata.arn);
        let place = KeyPlace::of(&key.metadata);
        let event = event_of(grant, "RetireGrant", call, vec![key_resource(&key.metadata)]);
        let event = Event { additional: json!({ "grantId": id }), ..event };
        self.end_grant(&place, id, event, |record| {
            let accounts = [record.issuing_account.as_str(), place.account.as_str()];
            match record.terms.retirement(accounts, &by.subject) {
                Retirement::Allowed => unless_dry(dry_run, Ok(())),
                Retirement::IfDelegated if by.delegated => unless_dry(dry_run, Ok(())),
                Retirement::IfDelegated | Retirement::Refused => Err(not_allowed(grant, &place)),
            }
        })
        .await
    }

    async fn end_grant(
        &self,
        place: &KeyPlace,
        id: &str,
        event: Event,
        check: impl Fn(&GrantRecord) -> Result<(), KeyringError>,
    ) -> Result<(), KeyringError> {
        let _turn = self.turn(place).await;
        for _ in 0..CHANGE_ATTEMPTS {
            match self.try_end_grant(place, id, &event, &check).await {
                Ok(Some(())) => return Ok(()),
                Ok(None) => {}
                Err(error) => {
                    let (event, error) = untold(place, event, error);
                    return self.conclude_refused(event, error).await;
                }
            }
        }
        self.conclude_refused(event, KeyringError::Contention).await
    }

    async fn try_end_grant(
        &self,
        place: &KeyPlace,
        id: &str,
        event: &Event,
        check: &impl Fn(&GrantRecord) -> Result<(), KeyringError>,
    ) -> Result<Option<()>, KeyringError> {
        check_grant_id(id)?;
        let key = self.load(place).await?;
        check_usable(&key.value, place, Operation::Read)?;
        let stored = self.rows().load::<GrantRecord>(&grant_row(place, id)).await?;
        // AWS's text is not recorded.
        let stored = stored.ok_or_else(|| KeyringError::NotFound(format!("Grant ID {id} does not exist")))?;
        check(&stored.value)?;
        let count = self.grant_count(place).await?;
        let mut batch = self.rows().batch();
        remove_grant(&mut batch, place, id, &stored, count.as_ref());
        let event = Event { response: json!({ "keyId": place.arn() }), ..event.clone() };
        self.commit(batch, &event).await
    }

    async fn grant_count(&self, place: &KeyPlace) -> Result<Option<Stored<CountRecord>>, KeyringError> {
        Ok(self.rows().load(&count_row(place)).await?)
    }

    /// Puts the removal of all grants of a key that is destroyed into the batch that does so. The key waits for its
    /// deletion, and has since it was read: nobody has added a grant.
    pub(super) async fn delete_grants(&self, batch: &mut RowBatch<'_>, place: &KeyPlace) -> Result<(), KeyringError> {
        let prefix = grants_of_key(place).build();
        let mut range = KeyRange::prefix(&prefix);
        loop {
            let grants = self.rows().list::<GrantRecord>(&range, PAGE, Direction::Forward).await?;
            for (row, grant) in &grants {
                let [id] = read_fields(&row[prefix.len()..])?;
                delete_rows(batch, place, &id, &grant.value);
            }
            match grants.last() {
                Some((last, _)) if grants.len() == PAGE => range.start = after(last.to_vec()),
                Some(_) | None => break,
            }
        }
        batch.delete(Table::Grant, count_row(place));
        Ok(())
    }

    /// The key's ARN and the id of the grant that a token names; it may be gone.
    pub fn grant_of_token(&self, token: &str) -> Result<(String, String), KeyringError> {
        let (place, id) = token::open_token(self.rows().sealer(), token)?;
        Ok((place.arn(), id))
    }

    /// Grants of a key, in the order of their ids. Grant: `kms:ListGrants`. Pages: items at most, and where to go on.
    pub async fn list_grants(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        filter: &GrantFilter,
        paging: (usize, Option<&str>),
    ) -> Result<Page<GrantEntry>, KeyringError> {
        grant.assert_covers("kms:ListGrants", &key.metadata.arn);
        let event = event_of(grant, "ListGrants", call, vec![key_resource(&key.metadata)]);
        let page = self.page_of_grants(&KeyPlace::of(&key.metadata), filter, paging).await;
        self.conclude(event, page.map(|page| (page, Details::default()))).await
    }

    async fn page_of_grants(
        &self,
        place: &KeyPlace,
        filter: &GrantFilter,
        paging: (usize, Option<&str>),
    ) -> Result<Page<GrantEntry>, KeyringError> {
        let grantee = filter.grantee.as_ref().map(Party::parse).transpose()?;
        let (arn, name) = (place.arn(), grantee.as_ref().map_or("", GrantPrincipal::name));
        if let Some(id) = &filter.id {
            check_grant_id(id)?;
            let found = self.grant_entry(place, id).await?;
            let of_grantee = |found: &GrantEntry| grantee.is_none() || found.terms.grantee.parse().ok() == grantee;
            return Ok(Page { items: found.filter(of_grantee).into_iter().collect(), next_marker: None });
        }
        let start = if name.is_empty() { grants_of_key(place) } else { by_grantee(place, name) };
        let rests = self.page_of_rests(start, &["ListGrants", &arn, name], paging).await?;
        let mut items = Vec::new();
        for rest in &rests.items {
            let [id] = read_fields(rest.as_bytes())?;
            items.extend(self.grant_entry(place, &id).await?);
        }
        Ok(Page { items, next_marker: rests.next_marker })
    }

    /// Grants on any account's keys in the call's Region that `retiring` may retire. Grant:
    /// `kms:ListRetirableGrants` on the principal. Pages: items at most, and where to go on.
    pub async fn list_retirable_grants(
        &self,
        grant: &Grant,
        call: &Call,
        retiring: &Party,
        paging: (usize, Option<&str>),
    ) -> Result<Page<GrantEntry>, KeyringError> {
        grant.assert_covers("kms:ListRetirableGrants", retiring.text());
        let event = event_of(grant, "ListRetirableGrants", call, Vec::new());
        let page = self.page_of_retirable(&grant.access().facts().region, retiring, paging).await;
        self.conclude(event, page.map(|page| (page, Details::default()))).await
    }

    async fn page_of_retirable(
        &self,
        region: &Region,
        retiring: &Party,
        paging: (usize, Option<&str>),
    ) -> Result<Page<GrantEntry>, KeyringError> {
        let retiring = retiring.parse()?;
        let scope = ["ListRetirableGrants", region.as_str(), retiring.name()];
        let rests = self.page_of_rests(by_retiring(region, retiring.name()), &scope, paging).await?;
        let mut items = Vec::new();
        for rest in &rests.items {
            let [account, key_id, id] = read_fields(rest.as_bytes())?;
            let account = AccountId::parse(&account)
                .map_err(|_| KeyringError::Internal(format!("a row of grants names the account {account}")))?;
            items.extend(self.grant_entry(&KeyPlace::new(region, &account, &key_id), &id).await?);
        }
        Ok(Page { items, next_marker: rests.next_marker })
    }

    /// A page of the rows that begin with `start`: what follows in their keys. A grant that goes before its record is
    /// read is not on the page, which ends where it does all the same.
    async fn page_of_rests(
        &self,
        start: Tuple,
        scope: &[&str],
        (limit, marker): (usize, Option<&str>),
    ) -> Result<Page<String>, KeyringError> {
        let prefix = start.build();
        let mut range = KeyRange::prefix(&prefix);
        if let Some(marker) = marker {
            let behind = self.markers().parse(scope, marker)?;
            range.start = after([&prefix, behind.as_bytes()].concat());
        }
        let rows = self.rows().engine().scan(Table::Grant, &range, limit + 1, Direction::Forward).await?;
        let rest = |row: &[u8]| String::from_utf8(row[prefix.len()..].to_vec());
        let rests = rows.iter().map(|(row, _)| rest(row)).collect::<Result<Vec<_>, _>>();
        let rests = rests.map_err(|_| KeyringError::Internal("a row of grants is not text".to_owned()))?;
        Ok(self.page(scope, rests, limit, |rest| rest))
    }

    async fn grant_entry(&self, place: &KeyPlace, id: &str) -> Result<Option<GrantEntry>, KeyringError> {
        let Some(stored) = self.rows().load::<GrantRecord>(&grant_row(place, id)).await? else { return Ok(None) };
        let GrantRecord { created_ms, issuing_account, terms } = stored.value;
        let issuing_account = AccountId::parse(&issuing_account)
            .map_err(|_| KeyringError::Internal(format!("grant {id} was made by the account {issuing_account}")))?;
        let (id, key_arn, created) = (id.to_owned(), place.arn(), Timestamp(created_ms));
        Ok(Some(GrantEntry { id, key_arn, created, issuing_account, terms }))
    }

    /// The grants of `key` that name `subject`, its role or its account: what a decision on the key needs as
    /// [`crate::policy::Target::Key`]'s `grants`. To be asked again for every decision.
    ///
    /// Costs one read of the index for a key without grants, and one where nothing changed since the same subject used
    /// the key; else one scan for each name of the subject and one read for each of its grants.
    pub async fn grants_of(&self, key: &ResolvedKey, subject: &Subject<'_>) -> Result<Arc<[KeyGrant]>, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        let row = count_row(&place);
        // The row is written anew with every change of the key's grants, by whichever gateway.
        let Some(state) = self.rows().engine().get(Table::Grant, &row).await? else { return Ok(Arc::default()) };
        let who =
            GrantPrincipal::names_for(subject).fold(Tuple::new().bytes(&row), |tuple, n| tuple.bytes(n.as_bytes()));
        let who = who.build();
        if let Some(grants) = self.held_grants().find(&who, &state) {
            return Ok(grants);
        }
        let mut grants = Vec::new();
        for name in GrantPrincipal::names_for(subject) {
            self.collect_grants(&place, name, &mut grants).await?;
        }
        let grants: Arc<[KeyGrant]> = grants.into();
        // A change in between is in the list already; the state it is held under is then not found again.
        self.held_grants().hold(who, state, &grants);
        Ok(grants)
    }

    async fn collect_grants(&self, place: &KeyPlace, name: &str, into: &mut Vec<KeyGrant>) -> Result<(), KeyringError> {
        let prefix = by_grantee(place, name).build();
        let mut range = KeyRange::prefix(&prefix);
        loop {
            let rows = self.rows().engine().scan(Table::Grant, &range, PAGE, Direction::Forward).await?;
            for (row, _) in &rows {
                let [id] = read_fields(&row[prefix.len()..])?;
                let stored = self.rows().load::<GrantRecord>(&grant_row(place, &id)).await?;
                into.extend(stored.and_then(|stored| stored.value.terms.to_key_grant(&id)));
            }
            match rows.last() {
                Some((last, _)) if rows.len() == PAGE => range.start = after(last.to_vec()),
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn held_grants(&self) -> std::sync::MutexGuard<'_, HeldGrants> {
        self.grants().held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_grant_id(text: &str) -> Result<(), KeyringError> {
    let hex = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    hex.then_some(()).ok_or(KeyringError::InvalidGrantId)
}

#[cfg(test)]
pub(super) async fn count(keyring: &KeyRing, place: &KeyPlace) -> u32 {
    keyring.grant_count(place).await.unwrap().map_or(0, |count| count.value.grants)
}

#[cfg(test)]
pub(super) async fn set_count(keyring: &KeyRing, place: &KeyPlace, grants: u32) {
    let mut batch = keyring.rows().batch();
    batch.put(count_row(place), &CountRecord { grants });
    keyring.rows().commit(batch).await.unwrap();
}

/// A refusal as another account's caller is told it: neither answer nor record says whether there is such a key or
/// grant. Its own account's are told as they are.
fn untold(place: &KeyPlace, event: Event, error: KeyringError) -> (Event, KeyringError) {
    let tells = matches!(
        error,
        KeyringError::Denied(_)
            | KeyringError::NotFound(_)
            | KeyringError::InvalidGrantId
            | KeyringError::InvalidState(_)
            | KeyringError::PendingDeletion(_)
    );
    if !tells || event.access.caller().account().is_none_or(|account| *account == place.account) {
        return (event, error);
    }
    let error = foreign(&event.access, if event.name == "RetireGrant" { "kms:RetireGrant" } else { "kms:RevokeGrant" });
    (Event { resources: Vec::new(), additional: Value::Null, ..event }, error)
}
