//! Completing a multipart upload: judged purely, then one commit.

use super::record::{
    BodyRecord, ChecksumRecord, Content, Current, Garbage, Id, Layout, ObjectRecord, PartRecord, Place, garbage_row,
    id_row, object_row,
};
use super::versions::NewVersion;
use super::{
    Attributes, Bucket, ChecksumKind, CompletePart, CompleteUpload, OBJECT_MAX_BYTES, ObjectInfo, Objects,
    ObjectsError, PART_MIN_BYTES, Upload, UploadId, WriteCondition,
};
use crate::auth::Grant;
use crate::crypto::{Checksum, ChecksumAlgorithm, Digester, combine_full_object, md5};
use crate::index::{RowBatch, Stored, Table};
use crate::names::{ObjectKey, hex, object_arn};
use crate::rules::notification::EventName;
use crate::sources::Timestamp;
use crate::sse::Mode;

impl Objects {
    /// Makes the object out of the parts, in one commit. `grant`: `s3:PutObject`.
    pub async fn complete_upload(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        upload: &Upload,
        complete: CompleteUpload,
    ) -> Result<ObjectInfo, ObjectsError> {
        let key: &ObjectKey = &upload.key;
        grant.assert_covers("s3:PutObject", &object_arn(&bucket.name, key));
        let stored = self.all_parts(&upload.id.0).await?;
        let chosen = match choose_parts(&complete.parts, &stored) {
            Ok(chosen) => chosen,
            // Its parts go with the upload: another Complete or an Abort was faster.
            Err(error) => return Err(self.gone_or(bucket, upload, error).await),
        };
        let parts: Vec<PartRecord> = chosen.iter().map(|(_, part)| part.value.clone()).collect();
        let plain_len = check_sizes(&parts, complete.declared_len)?;
        let checksum = judge_checksum(upload.checksum, upload.envelope.mode, &complete, &parts)?;
        let content_id: Id = self.sources.random();
        let content = Content { id: content_id, place: Place::Parts, sealing_id: upload.holder_id, sealed_crc: 0 };
        let count = u32::try_from(parts.len()).expect("parts are limited to 10,000");
        let body = BodyRecord {
            plain_len,
            etag: self.composite_etag(&parts, count),
            meta: upload.meta.clone(),
            checksum,
            envelope: upload.envelope.clone(),
            content,
            parts: Some(count),
            upload: Some(upload.id.0),
        };
        let layout = Layout { parts };
        let new = NewVersion {
            by: grant.access().clone(),
            event: EventName::CREATED_COMPLETE,
            holder_id: upload.holder_id,
            attributes: Attributes { replica: complete.replica, ..upload.attributes.clone() },
            body,
        };
        let (now, id) = (self.sources.now(), upload.id.0);
        let extra = |batch: &mut RowBatch<'_>| {
            batch.expect_unchanged(Table::Upload, upload.row.clone(), &upload.stamp);
            batch.delete(Table::Upload, upload.row.clone());
            for (row, part) in &chosen {
                batch.expect_unchanged(Table::Part, row.clone(), &part.stamp);
                batch.delete(Table::Part, row.clone());
            }
            // Parts that were not named, or come late, are swept.
            batch.put(garbage_row(Timestamp(now.0), &id), &Garbage::Upload(id));
            batch.put(id_row(&content_id), &layout);
        };
        let condition = WriteCondition { began_over: Some(upload.began_over), ..complete.condition };
        match self.commit_version(bucket, key, new, &condition, &extra).await {
            Ok(record) => self.info_of(bucket, key, record),
            // The upload went meanwhile, or a part was replaced again and again.
            Err(ObjectsError::Contention) => Err(self.gone_or(bucket, upload, ObjectsError::Contention).await),
            Err(error) => Err(error),
        }
    }

    /// That the upload is gone, if it is, or else `error`.
    async fn gone_or(&self, bucket: &Bucket, upload: &Upload, error: ObjectsError) -> ObjectsError {
        self.upload(bucket, &upload.key, upload.id).await.err().unwrap_or(error)
    }

    /// What an upload has become, if it was completed of these parts and is still the key's current version: for a
    /// client that did not hear the answer and asks again, which AWS answers as it did before. `grant`: `s3:PutObject`.
    pub async fn completed_upload(
        &self,
        grant: &Grant,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        named: &[CompletePart],
    ) -> Result<ObjectInfo, ObjectsError> {
        grant.assert_covers("s3:PutObject", &object_arn(&bucket.name, key));
        let record = self.made_of(bucket, key, id).await?;
        let content = &record.body.as_ref().ok_or(ObjectsError::NoSuchUpload)?.content;
        let parts = self.layout(content).await?.parts;
        let same = named.iter().map(|p| (p.part_number, &p.etag)).eq(parts.iter().map(|p| (p.number, &p.etag)));
        if same { self.info_of(bucket, key, record) } else { Err(ObjectsError::NoSuchUpload) }
    }

    /// The key's current version, if it was made of this upload.
    pub(super) async fn made_of(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
    ) -> Result<ObjectRecord, ObjectsError> {
        let current = self.rows.load::<Current>(&object_row(&bucket.id, key)).await?.map(|current| current.value.0);
        current
            .filter(|record| record.body.as_ref().is_some_and(|body| body.upload == Some(id.0)))
            .ok_or(ObjectsError::NoSuchUpload)
    }

    /// MD5 of the parts' MD5s and `-N`, or random bytes where parts have no MD5.
    fn composite_etag(&self, parts: &[PartRecord], count: u32) -> String {
        let digests: Option<Vec<u8>> = parts.iter().map(|p| p.md5).collect::<Option<Vec<_>>>().map(|d| d.concat());
        let digest = digests.map_or_else(|| self.sources.random(), |digests| md5(&digests));
        format!("{}-{count}", hex(&digest))
    }
}

type StoredPart = (Vec<u8>, Stored<PartRecord>);

/// The parts that Complete names, checked for order, presence and ETag.
fn choose_parts<'a>(named: &[CompletePart], stored: &'a [StoredPart]) -> Result<Vec<&'a StoredPart>, ObjectsError> {
    if named.windows(2).any(|pair| pair[0].part_number >= pair[1].part_number) {
        return Err(ObjectsError::InvalidPartOrder);
    }
    let choose = |part: &CompletePart| {
        let invalid = || ObjectsError::InvalidPart { part_number: part.part_number, etag: part.etag.clone() };
        let at = stored.binary_search_by_key(&part.part_number, |(_, s)| s.value.number).map_err(|_| invalid())?;
        let found = &stored[at];
        if found.1.value.etag == part.etag { Ok(found) } else { Err(invalid()) }
    };
    named.iter().map(choose).collect()
}

fn check_sizes(parts: &[PartRecord], declared: Option<u64>) -> Result<u64, ObjectsError> {
    let all_but_last = parts.split_last().map_or(&[][..], |(_, rest)| rest);
    if let Some(small) = all_but_last.iter().find(|p| p.plain_len < PART_MIN_BYTES) {
        let (part_number, plain_len, etag) = (small.number, small.plain_len, small.etag.clone());
        return Err(ObjectsError::PartTooSmall { part_number, plain_len, etag });
    }
    let total = parts.iter().map(|p| p.plain_len).sum();
    if total > OBJECT_MAX_BYTES {
        return Err(ObjectsError::TooLarge { proposed: total, limit: OBJECT_MAX_BYTES });
    }
    match declared {
        Some(declared) if declared != total => Err(ObjectsError::SizeMismatch { declared, computed: total }),
        _ => Ok(total),
    }
}

/// The object's checksum, by the upload's algorithm and type; all that Complete says of checksums is checked.
fn judge_checksum(
    upload: Option<(ChecksumAlgorithm, ChecksumKind)>,
    mode: Mode,
    complete: &CompleteUpload,
    parts: &[PartRecord],
) -> Result<Option<ChecksumRecord>, ObjectsError> {
    if let Some(kind) = complete.checksum_kind {
        match upload {
            Some((_, expected)) if expected == kind => {}
            None if kind == ChecksumKind::FullObject => {}
            Some((_, ChecksumKind::FullObject)) => return Err(ObjectsError::ChecksumTypeMismatch("FULL_OBJECT")),
            Some((_, ChecksumKind::Composite)) => return Err(ObjectsError::ChecksumTypeMismatch("COMPOSITE")),
            None => return Err(ObjectsError::ChecksumTypeMismatch("null")),
        }
    }
    check_part_checksums(upload, &complete.parts, parts)?;
    let kind = upload.map_or(ChecksumKind::FullObject, |(_, kind)| kind);
    let (algorithm, values) = match upload {
        Some((algorithm, _)) => match part_values(algorithm, parts) {
            Some(values) => (algorithm, values),
            None => return Ok(None),
        },
        // The client named none: AWS's default, whatever the parts came with. SSE-C uploads get none.
        None if mode == Mode::SseC => return Ok(None),
        None => {
            let values = parts.iter().map(|p| (p.plain_crc.to_be_bytes().to_vec(), p.plain_len)).collect();
            (ChecksumAlgorithm::Crc64Nvme, values)
        }
    };
    let computed = match kind {
        ChecksumKind::FullObject => combine_full_object(algorithm, &values),
        ChecksumKind::Composite => {
            let mut digester = Digester::new(algorithm);
            values.iter().for_each(|(value, _)| digester.update(value));
            Some(digester.finish())
        }
    };
    let Some(computed) = computed else { return Ok(None) };
    if let Some(claimed) = complete.checksum.as_ref().filter(|claimed| **claimed != computed) {
        return Err(ObjectsError::ObjectChecksumMismatch(claimed.algorithm));
    }
    let count = u32::try_from(parts.len()).ok().filter(|_| kind == ChecksumKind::Composite);
    Ok(Some(ChecksumRecord::new(&computed, kind, count)))
}

/// The parts' values of one algorithm with their lengths; none if a part has another or none.
fn part_values(algorithm: ChecksumAlgorithm, parts: &[PartRecord]) -> Option<Vec<(Vec<u8>, u64)>> {
    parts
        .iter()
        .map(|part| {
            let checksum = part.checksum.as_ref()?.checksum()?;
            (checksum.algorithm == algorithm).then_some((checksum.value, part.plain_len))
        })
        .collect()
}

fn check_part_checksums(
    upload: Option<(ChecksumAlgorithm, ChecksumKind)>,
    named: &[CompletePart],
    parts: &[PartRecord],
) -> Result<(), ObjectsError> {
    for (named, part) in named.iter().zip(parts) {
        let stored: Option<Checksum> = part.checksum.as_ref().and_then(ChecksumRecord::checksum);
        match (&named.checksum, upload) {
            (None, Some((algorithm, ChecksumKind::Composite))) => {
                return Err(ObjectsError::PartChecksumMissing { part_number: part.number, algorithm });
            }
            (Some(claimed), _) if stored.as_ref() != Some(claimed) => {
                let (part_number, algorithm) = (part.number, claimed.algorithm);
                // As recorded: another part than the one that is there, but for a checksum that the upload is not of.
                return Err(match upload {
                    Some((expected, _)) if expected != algorithm => {
                        ObjectsError::PartChecksumMismatch { part_number, algorithm }
                    }
                    _ => ObjectsError::InvalidPart { part_number, etag: named.etag.clone() },
                });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
