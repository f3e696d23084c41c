//! What the index keeps of grants. Fields may be added, never renumbered.
//!
//! A grant has one record, and up to three more rows from which it is found: by grantee, by who may retire it, by name
//! and terms. They are written and removed with it, in the same commit. What they lead to is the record, which says
//! itself whom it names: a row that somebody put into the index gives nobody a grant.

use super::super::KeyringError;
use super::super::record::{INTERNAL, KeyPlace, owner_tuple};
use super::terms::GrantTerms;
use crate::crypto::sha256;
use crate::index::{Record, RowBatch, Stored, Table, Tuple, TupleReader};
use crate::names::Region;

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct GrantRecord {
    /// Milliseconds since the epoch.
    #[n(0)]
    pub(super) created_ms: i64,
    /// The account under which it was made.
    #[n(1)]
    pub(super) issuing_account: String,
    #[n(2)]
    pub(super) terms: GrantTerms,
}

/// How many grants a key has; no row: none. Every change of a key's grants writes or removes it, so that its sealed
/// bytes, which never repeat, also stand for the state that the grants are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct CountRecord {
    #[n(0)]
    pub(super) grants: u32,
}

/// A row whose key says it all.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct FoundBy {}

/// Which grant has a name, with the terms and the issuing account that the row's key stands for.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(super) struct NamedRecord {
    #[n(0)]
    pub(super) grant_id: String,
}

impl Record for GrantRecord {
    const TABLE: Table = Table::Grant;
}

impl Record for CountRecord {
    const TABLE: Table = Table::Grant;
}

impl Record for FoundBy {
    const TABLE: Table = Table::Grant;
}

impl Record for NamedRecord {
    const TABLE: Table = Table::Grant;
}

/// Start of the rows of a key's grants.
pub(super) fn grants_of_key(place: &KeyPlace) -> Tuple {
    owner_tuple(&place.region, &place.account).bytes(place.key_id.as_bytes())
}

/// The row of a grant.
pub(super) fn grant_row(place: &KeyPlace, id: &str) -> Vec<u8> {
    grants_of_key(place).bytes(id.as_bytes()).build()
}

/// The row of a key's [`CountRecord`].
pub(super) fn count_row(place: &KeyPlace) -> Vec<u8> {
    internal(b"count", place).build()
}

/// Start of the rows of those grants of a key whose grantee has this [`crate::policy::GrantPrincipal::name`].
pub(super) fn by_grantee(place: &KeyPlace, grantee: &str) -> Tuple {
    internal(b"grantee", place).bytes(grantee.as_bytes())
}

/// Start of the rows of the grants in a Region that the principal of this [`super::terms::Party::name`] may retire.
/// What follows in their keys: account, key id, grant id.
pub(super) fn by_retiring(region: &Region, retiring: &str) -> Tuple {
    Tuple::new().bytes(INTERNAL).bytes(b"retiring").bytes(region.as_str().as_bytes()).bytes(retiring.as_bytes())
}

/// The row of the grant that a request with these terms made; none without a name. The order of the operations is no
/// part of it.
pub(super) fn named_row(place: &KeyPlace, issuing_account: &str, terms: &GrantTerms) -> Option<Vec<u8>> {
    let name = terms.name.as_deref()?;
    let mut terms = terms.clone();
    terms.operations.sort_unstable();
    let encoded = minicbor::to_vec((issuing_account, &terms)).expect("encoding into memory does not fail");
    Some(internal(b"named", place).bytes(name.as_bytes()).id(&sha256(&encoded)).build())
}

fn internal(kind: &[u8], place: &KeyPlace) -> Tuple {
    let (region, account) = (place.region.as_str().as_bytes(), place.account.as_str().as_bytes());
    Tuple::new().bytes(INTERNAL).bytes(kind).bytes(region).bytes(account).bytes(place.key_id.as_bytes())
}

/// All rows of a grant.
pub(super) struct GrantRows {
    pub(super) record: Vec<u8>,
    pub(super) found_by: Vec<Vec<u8>>,
    pub(super) named: Option<Vec<u8>>,
}

impl GrantRows {
    pub(super) fn of(place: &KeyPlace, id: &str, record: &GrantRecord) -> Self {
        let GrantTerms { grantee, retiring, .. } = &record.terms;
        let mut found_by = vec![by_grantee(place, &grantee.name()).bytes(id.as_bytes()).build()];
        if let Some(retiring) = retiring {
            let start = by_retiring(&place.region, &retiring.name());
            let key = start.bytes(place.account.as_str().as_bytes()).bytes(place.key_id.as_bytes());
            found_by.push(key.bytes(id.as_bytes()).build());
        }
        let named = named_row(place, &record.issuing_account, &record.terms);
        Self { record: grant_row(place, id), found_by, named }
    }
}

/// Puts a grant with all its rows, and one more into the count of its key's, which was read as `count`.
pub(super) fn put_grant(
    batch: &mut RowBatch<'_>,
    place: &KeyPlace,
    id: &str,
    record: &GrantRecord,
    count: Option<&Stored<CountRecord>>,
) {
    let rows = GrantRows::of(place, id, record);
    batch.put(rows.record, record);
    for row in rows.found_by {
        batch.put(row, &FoundBy {});
    }
    if let Some(row) = rows.named {
        batch.expect_absent(Table::Grant, row.clone());
        batch.put(row, &NamedRecord { grant_id: id.to_owned() });
    }
    put_count(batch, place, count, count.map_or(0, |count| count.value.grants) + 1);
}

/// Removes a grant with all its rows, and one from the count of its key's.
pub(super) fn remove_grant(
    batch: &mut RowBatch<'_>,
    place: &KeyPlace,
    id: &str,
    grant: &Stored<GrantRecord>,
    count: Option<&Stored<CountRecord>>,
) {
    batch.expect_unchanged(Table::Grant, grant_row(place, id), &grant.stamp);
    delete_rows(batch, place, id, &grant.value);
    put_count(batch, place, count, count.map_or(0, |count| count.value.grants.saturating_sub(1)));
}

/// Removes a grant with all its rows, whatever became of it since it was read.
pub(super) fn delete_rows(batch: &mut RowBatch<'_>, place: &KeyPlace, id: &str, record: &GrantRecord) {
    let rows = GrantRows::of(place, id, record);
    for row in rows.found_by.into_iter().chain(rows.named).chain([rows.record]) {
        batch.delete(Table::Grant, row);
    }
}

fn put_count(batch: &mut RowBatch<'_>, place: &KeyPlace, before: Option<&Stored<CountRecord>>, after: u32) {
    let row = count_row(place);
    match before {
        Some(before) => batch.expect_unchanged(Table::Grant, row.clone(), &before.stamp),
        None => batch.expect_absent(Table::Grant, row.clone()),
    }
    match after {
        0 => batch.delete(Table::Grant, row),
        grants => batch.put(row, &CountRecord { grants }),
    }
}

/// The fields that follow the start of a row's key; it has no others.
pub(super) fn read_fields<const N: usize>(rest: &[u8]) -> Result<[String; N], KeyringError> {
    let malformed = || KeyringError::Internal(format!("a row of grants has a malformed key: {}", rest.escape_ascii()));
    let mut reader = TupleReader::new(rest);
    let fields: [Option<String>; N] =
        std::array::from_fn(|_| reader.bytes().and_then(|field| String::from_utf8(field).ok()));
    if !reader.is_empty() || fields.iter().any(Option::is_none) {
        return Err(malformed());
    }
    Ok(fields.map(Option::unwrap_or_default))
}

#[cfg(test)]
mod tests {
    use super::super::super::root::hex;
    use super::super::terms::{ContextConstraint, GrantOperation, Party};
    use super::*;
    use crate::names::AccountId;

    fn terms() -> GrantTerms {
        GrantTerms {
            grantee: Party::Principal("arn:aws:iam::111122223333:user/a".to_owned()),
            retiring: Some(Party::Service("s3.amazonaws.com".to_owned())),
            operations: vec![GrantOperation::Decrypt, GrantOperation::Decapsulate],
            context: Some(ContextConstraint::Subset([("k".to_owned(), "v".to_owned())].into())),
            source_arn: Some("arn:aws:s3:::b".to_owned()),
            name: Some("n".to_owned()),
        }
    }

    /// The numbers of the operations are stored.
    #[test]
    fn operations_have_the_numbers_of_their_places() {
        for (place, operation) in GrantOperation::ALL.iter().enumerate() {
            assert_eq!(hex(&minicbor::to_vec(operation).unwrap()), format!("{place:02x}"), "{operation:?}");
        }
    }

    #[test]
    fn names_are_of_one_key_and_one_set_of_terms() {
        let (region, account) = (Region::parse("us-east-1").unwrap(), AccountId::parse("111122223333").unwrap());
        let [one, other] = ["one", "other"].map(|id| KeyPlace::new(&region, &account, id));
        let row = |place, issuing, terms: &GrantTerms| named_row(place, issuing, terms).unwrap();
        let first = row(&one, "111122223333", &terms());
        let turned = GrantTerms { operations: terms().operations.into_iter().rev().collect(), ..terms() };
        assert_eq!(row(&one, "111122223333", &turned), first);
        let fewer = GrantTerms { operations: vec![GrantOperation::Decrypt], ..terms() };
        let renamed = GrantTerms { name: Some("m".to_owned()), ..terms() };
        for (place, issuing, terms) in [
            (&other, "111122223333", terms()),
            (&one, "444455556666", terms()),
            (&one, "111122223333", fewer),
            (&one, "111122223333", renamed),
            (&one, "111122223333", GrantTerms { source_arn: None, ..terms() }),
            (&one, "111122223333", GrantTerms { retiring: None, ..terms() }),
        ] {
            assert_ne!(row(place, issuing, &terms), first, "{terms:?}");
        }
        assert_eq!(named_row(&one, "111122223333", &GrantTerms { name: None, ..terms() }), None);
    }

    #[test]
    fn fields_that_are_none() {
        let rest = Tuple::new().bytes(b"a").bytes(b"b").build();
        assert_eq!(read_fields::<2>(&rest), Ok(["a".to_owned(), "b".to_owned()]));
        assert!(read_fields::<1>(&rest).is_err());
        assert!(read_fields::<3>(&rest).is_err());
        assert!(read_fields::<1>(&Tuple::new().bytes(&[0xff]).build()).is_err());
    }
}
