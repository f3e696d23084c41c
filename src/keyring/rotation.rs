//! New generations of a key's material: on demand, by age, and their list.
//!
//! A rotation is decided from the key's record and committed on condition that it is still that record: however many
//! workers, gateways or callers ask for the same one, it happens once.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;

use super::call::{Call, service_event};
use super::ciphertext::material_id;
use super::keys::Operation;
use super::manage::{CHANGE_ATTEMPTS, Page};
use super::multi_region::{check_primary, not_primary};
use super::queue::{Due, put_key};
use super::record::{KeyPlace, KeyRecord, MaterialOrigin, MaterialRecord, RotationRecord};
use super::service::{KeyRing, ResolvedKey, wrong_origin};
use super::usage::wrong_spec;
use super::{Expiration, KeyOrigin, KeyState, KeyringError};
use crate::auth::{Grant, system};
use crate::index::Table;
use crate::sources::Timestamp;

/// RotateKeyOnDemand may be called this often in a key's life.
pub const ON_DEMAND_ROTATIONS_MAX: usize = 25;
/// Days between automatic rotations.
pub const ROTATION_PERIOD_DAYS: RangeInclusive<u32> = 90..=2560;
/// The period where none is given, and that of AWS managed keys, in days.
pub(super) const ROTATION_PERIOD_DEFAULT_DAYS: u32 = 365;
/// No rotation on demand so shortly before an automatic one (`ConflictException` in the service model).
const CONFLICT_WINDOW: Duration = Duration::from_secs(20 * 60);
/// A rotation that is later than this begins its schedule anew, as AWS does when an overdue key is enabled again; one
/// that merely waited for the worker keeps it.
const LATE: Duration = Duration::from_secs(86_400);

/// What GetKeyRotationStatus tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationStatus {
    /// Period in days and next date of automatic rotation; none: it is off, or suspended by a pending deletion.
    pub automatic: Option<(u32, Timestamp)>,
}

/// `KeyMaterialState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaterialState {
    /// Seals and opens.
    Current,
    /// Opens.
    NonCurrent,
    /// Imported for the next rotation.
    PendingRotation,
    /// Imported for the next rotation, but not into every replica yet.
    PendingImportAndRotation,
}

/// `RotationType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationKind {
    /// By age.
    Automatic,
    /// By RotateKeyOnDemand.
    OnDemand,
}

/// A row of ListKeyRotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// 64 hexadecimal digits.
    pub material_id: String,
    /// What the material is used for.
    pub state: MaterialState,
    /// When and how it became current; not of the first material nor of one that waits.
    pub rotated: Option<(Timestamp, RotationKind)>,
    /// Of imported material.
    pub import: Option<ImportedMaterial>,
}

/// What ListKeyRotations tells of imported material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedMaterial {
    /// `KeyMaterialDescription`.
    pub description: Option<String>,
    /// `ImportState`: `IMPORTED` instead of `PENDING_IMPORT`.
    pub present: bool,
    /// Whether and when it expires, of material that is present.
    pub expiration: Option<Expiration>,
}

impl MaterialState {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "CURRENT",
            Self::NonCurrent => "NON_CURRENT",
            Self::PendingRotation => "PENDING_ROTATION",
            Self::PendingImportAndRotation => "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
        }
    }
}

impl RotationKind {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "AUTOMATIC",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

impl RotationRecord {
    /// A schedule that begins now.
    pub(super) fn starting(period_days: u32, now: Timestamp, trusted: Timestamp) -> Self {
        let period = period(period_days);
        Self { period_days, next_ms: now.plus(period).0, next_trusted_ms: trusted.plus(period).0 }
    }

    /// Whether both clocks say that it is time.
    fn is_due(&self, now: Timestamp, trusted: Timestamp) -> bool {
        self.next_ms <= now.0 && self.next_trusted_ms <= trusted.0
    }

    /// The schedule after a rotation.
    fn after_rotation(self, now: Timestamp, trusted: Timestamp) -> Self {
        if now.since(Timestamp(self.next_ms)) > LATE {
            return Self::starting(self.period_days, now, trusted);
        }
        Self::starting(self.period_days, Timestamp(self.next_ms), Timestamp(self.next_trusted_ms))
    }
}

fn period(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}

impl KeyRing {
    /// Turns automatic rotation on, or changes its period: the next one is a period from now. Without a period one that
    /// is set stays. Grant: `kms:EnableKeyRotation`.
    pub async fn enable_rotation(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        period_days: Option<u32>,
    ) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:EnableKeyRotation", Operation::ConfigureRotation, call, key, |change| {
            check_automatic(&change.record, change.place, "EnableKeyRotation")?;
            let set = change.record.rotation.map(|rotation| rotation.period_days);
            let days = period_days.or(set).unwrap_or(ROTATION_PERIOD_DEFAULT_DAYS);
            if set != Some(days) {
                change.record.rotation = Some(RotationRecord::starting(days, change.now, change.trusted));
            }
            Ok(((), serde_json::Value::Null))
        })
        .await
    }

    /// Grant: `kms:DisableKeyRotation`.
    pub async fn disable_rotation(&self, grant: &Grant, call: &Call, key: &ResolvedKey) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:DisableKeyRotation", Operation::ConfigureRotation, call, key, |change| {
            check_automatic(&change.record, change.place, "DisableKeyRotation")?;
            change.record.rotation = None;
            Ok(((), serde_json::Value::Null))
        })
        .await
    }

    /// Grant: `kms:GetKeyRotationStatus`.
    pub async fn rotation_status(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
    ) -> Result<RotationStatus, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        self.read_key(grant, "kms:GetKeyRotationStatus", call, key, |record| {
            check_rotatable(record, &place, "GetKeyRotationStatus")?;
            let running = record.rotation.filter(|_| !record.state.is_going());
            let automatic = running.map(|rotation| (rotation.period_days, Timestamp(rotation.next_ms)));
            Ok(RotationStatus { automatic })
        })
        .await
    }

    /// Gives the key new material; what older generations sealed still opens. With origin EXTERNAL the new material is
    /// that which was imported for it. The automatic schedule stays. Grant: `kms:RotateKeyOnDemand`.
    pub async fn rotate_on_demand(&self, grant: &Grant, call: &Call, key: &ResolvedKey) -> Result<(), KeyringError> {
        self.change_key(grant, "kms:RotateKeyOnDemand", Operation::Rotate, call, key, |change| {
            let (record, place, now) = (&mut change.record, change.place, change.now);
            check_rotatable(record, place, "RotateKeyOnDemand")?;
            if record.is_replica(place) {
                return Err(not_primary(place));
            }
            let next = record.rotation.map(|rotation| Timestamp(rotation.next_ms));
            if next.is_some_and(|next| next <= now.plus(CONFLICT_WINDOW)) {
                let text = "The request was rejected because an automatic rotation of this key is currently in progress \
                            or scheduled to begin within the next 20 minutes.";
                return Err(KeyringError::Conflict(text.to_owned()));
            }
            let rotated = record.materials.iter().filter(|m| m.origin == MaterialOrigin::OnDemand).count();
            if rotated >= ON_DEMAND_ROTATIONS_MAX {
                return Err(KeyringError::LimitExceeded(format!(
                    "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations \
                     can be performed for this key: {}",
                    place.arn()
                )));
            }
            let material = match record.origin() {
                KeyOrigin::AwsKms => self.new_material(&place.key_id, MaterialOrigin::OnDemand),
                KeyOrigin::External => {
                    let everywhere = change.others.iter().all(|(_, other)| other.value.has_pending());
                    let pending = record.pending_material.take_if(|m| everywhere && m.is_present());
                    let pending = pending.ok_or_else(|| nothing_pending(place))?;
                    MaterialRecord { created_ms: now.0, origin: MaterialOrigin::OnDemand, ..pending }
                }
                KeyOrigin::CloudHsm | KeyOrigin::ExternalKeyStore => return Err(wrong_origin(record, place)),
            };
            record.materials.push(material);
            Ok(((), json!({ "keyId": place.arn() })))
        })
        .await
    }

    /// The generations of a key, oldest first; with `all`, also the first one and one that waits for its rotation.
    /// Grant: `kms:ListKeyRotations`.
    pub async fn list_rotations(
        &self,
        grant: &Grant,
        call: &Call,
        key: &ResolvedKey,
        all: bool,
        page: (usize, Option<&str>),
    ) -> Result<Page<Rotation>, KeyringError> {
        let place = KeyPlace::of(&key.metadata);
        let (limit, marker) = page;
        let scope = ["ListKeyRotations", &key.metadata.arn, if all { "all" } else { "rotations" }];
        let complete = self.is_pending_everywhere(&place).await;
        self.read_key(grant, "kms:ListKeyRotations", call, key, |record| {
            check_rotatable(record, &place, "ListKeyRotations")?;
            let mut rotations = record.rotations(&place, complete?);
            rotations.retain(|rotation| all || rotation.rotated.is_some());
            if let Some(marker) = marker {
                let last = self.markers().parse(&scope, marker)?;
                let at = rotations.iter().position(|rotation| rotation.material_id == last);
                rotations.drain(..=at.ok_or(KeyringError::InvalidMarker)?);
            }
            Ok(self.page(&scope, rotations, limit, |rotation| &rotation.material_id))
        })
        .await
    }

    /// Whether material that waits for its rotation was imported into all members of the key's set.
    async fn is_pending_everywhere(&self, place: &KeyPlace) -> Result<bool, KeyringError> {
        let stored = self.load(place).await?;
        let others = self.others(place, &stored.value).await?;
        Ok(stored.value.has_pending() && others.iter().all(|(_, other)| other.value.has_pending()))
    }

    /// Gives new material to the keys whose time has come. To be called every few minutes. Returns how many were
    /// rotated.
    pub async fn rotate_due_keys(&self) -> Result<usize, KeyringError> {
        self.work_off(Due::Rotation).await
    }

    /// Whether the key was rotated by this call.
    pub(super) async fn rotate_if_due(&self, place: &KeyPlace) -> Result<bool, KeyringError> {
        for _ in 0..CHANGE_ATTEMPTS {
            let Some(stored) = self.rows().load::<KeyRecord>(&place.row()).await? else { return Ok(false) };
            let (now, trusted) = (self.sources().now(), self.trusted_now().await?);
            let before = &stored.value;
            let Some(rotation) = before.rotation.filter(|rotation| rotation.is_due(now, trusted)) else {
                return Ok(false);
            };
            if before.state != KeyState::Enabled || before.is_replica(place) {
                return Ok(false);
            }
            let others = self.others(place, before).await?;
            let mut record = before.clone();
            record.materials.push(self.new_material(&place.key_id, MaterialOrigin::Automatic));
            record.rotation = Some(rotation.after_rotation(now, trusted));
            let metadata = record.metadata(place);
            let details = json!({ "keyId": place.key_id, "rotationType": RotationKind::Automatic.name() });
            let event =
                service_event(&system("key-rotation", place.region.clone(), now), "RotateKey", &metadata, details);
            let mut batch = self.rows().batch();
            batch.expect_unchanged(Table::Key, place.row(), &stored.stamp);
            put_key(&mut batch, place, Some(before), &record);
            self.synchronize(&mut batch, before, &record, &others);
            if self.commit(batch, &event).await?.is_some() {
                return Ok(true);
            }
        }
        Err(KeyringError::Contention)
    }
}

impl KeyRecord {
    fn has_pending(&self) -> bool {
        self.pending_material.as_ref().is_some_and(MaterialRecord::is_present)
    }

    fn rotations(&self, place: &KeyPlace, pending_everywhere: bool) -> Vec<Rotation> {
        let current = self.materials.last().map(|material| material.tag);
        let state = |material: &MaterialRecord| match &self.pending_material {
            Some(pending) if pending.tag == material.tag && pending_everywhere => MaterialState::PendingRotation,
            Some(pending) if pending.tag == material.tag => MaterialState::PendingImportAndRotation,
            _ if current == Some(material.tag) => MaterialState::Current,
            _ => MaterialState::NonCurrent,
        };
        let rotated = |material: &MaterialRecord| {
            let kind = match material.origin {
                MaterialOrigin::Initial => return None,
                MaterialOrigin::OnDemand => RotationKind::OnDemand,
                MaterialOrigin::Automatic => RotationKind::Automatic,
            };
            Some((Timestamp(material.created_ms), kind))
        };
        let import = |material: &MaterialRecord| ImportedMaterial {
            description: material.import.as_ref().and_then(|import| import.description.clone()),
            present: material.is_present(),
            expiration: material.is_present().then(|| material.valid_to().map_or(Expiration::Never, Expiration::At)),
        };
        let rotation = |material: &MaterialRecord| Rotation {
            material_id: material_id(&place.key_id, &material.tag),
            state: state(material),
            rotated: rotated(material),
            import: (self.origin() == KeyOrigin::External).then(|| import(material)),
        };
        self.all_materials().map(rotation).collect()
    }
}

/// Rotation is for symmetric encryption keys.
fn check_rotatable(record: &KeyRecord, place: &KeyPlace, operation: &str) -> Result<(), KeyringError> {
    if record.origin().is_custom() {
        return Err(wrong_origin(record, place));
    }
    if record.kind.is_symmetric() {
        return Ok(());
    }
    Err(KeyringError::Unsupported(wrong_spec(place, record.kind, operation)))
}

/// Automatic rotation is for those whose material is made here, and ruled by the primary key of a set.
fn check_automatic(record: &KeyRecord, place: &KeyPlace, operation: &str) -> Result<(), KeyringError> {
    check_rotatable(record, place, operation)?;
    if record.origin() != KeyOrigin::AwsKms {
        return Err(wrong_origin(record, place));
    }
    if record.multi_region.is_some() { check_primary(record, place) } else { Ok(()) }
}

fn nothing_pending(place: &KeyPlace) -> KeyringError {
    let text = format!("No available key material pending rotation for the key: {}.", place.arn());
    KeyringError::InvalidState(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_kept_unless_it_was_missed() {
        const DAY: i64 = 86_400_000;
        let rotation = RotationRecord { period_days: 90, next_ms: 200 * DAY, next_trusted_ms: 190 * DAY };
        let cases = [(200 * DAY, 290 * DAY), (201 * DAY, 290 * DAY), (201 * DAY + 1, 291 * DAY + 1)];
        for (now, next) in cases {
            let after = rotation.after_rotation(Timestamp(now), Timestamp(now - 10 * DAY));
            assert_eq!(after, RotationRecord { period_days: 90, next_ms: next, next_trusted_ms: next - 10 * DAY });
        }
        for (now, trusted, due) in [(200, 190, true), (200, 189, false), (199, 500, false)] {
            assert_eq!(rotation.is_due(Timestamp(now * DAY), Timestamp(trusted * DAY)), due, "{now} {trusted}");
        }
    }
}
