//! The golden bytes of grants: their rows, those they are found by, and the tokens that name them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::record::KeyPlace;
use super::super::token_key::TokenKey;
use super::record::*;
use super::terms::{ContextConstraint, GrantOperation, GrantTerms, Party};
use super::token::{GRANT_TOKEN, open_under, seal_under};
use crate::golden::Golden;
use crate::index::golden_row;
use crate::sources::Sources;

const ACCOUNT: &str = "111122223333";

pub(in crate::keyring) fn goldens(place: &KeyPlace, sources: &Sources) -> Vec<Golden> {
    let pair = || [("k".to_owned(), "v".to_owned())].into();
    let terms = GrantTerms {
        grantee: Party::Principal("arn:aws:iam::111122223333:user/a".to_owned()),
        retiring: Some(Party::Service("s3.amazonaws.com".to_owned())),
        operations: vec![GrantOperation::Decrypt, GrantOperation::Decapsulate],
        context: Some(ContextConstraint::Subset(pair())),
        source_arn: Some("arn:aws:s3:::b".to_owned()),
        name: Some("n".to_owned()),
    };
    let equals = Some(ContextConstraint::Equals(pair()));
    let plain = GrantTerms { retiring: None, context: equals, source_arn: None, name: None, ..terms.clone() };
    let all = GrantTerms { operations: GrantOperation::ALL.to_vec(), ..terms.clone() };
    let record =
        |terms: &GrantTerms| GrantRecord { created_ms: 5, issuing_account: ACCOUNT.to_owned(), terms: terms.clone() };
    let rows = GrantRows::of(place, "grant", &record(&terms));
    let [grantee, retiring] = &rows.found_by[..] else { panic!("one row a party") };
    let key = TokenKey::for_tests(GRANT_TOKEN, 1, sources);
    let sealed = STANDARD.decode(seal_under(&key, place, "grant", sources)).expect("base64");
    let token = Golden::of(
        "grant token",
        &(place.clone(), "grant".to_owned()),
        |_| sealed,
        move |bytes| open_under(&key, bytes).expect("it opens"),
    );
    vec![
        golden_row("grant", &rows.record, &record(&terms)),
        golden_row("grant of every operation", &rows.record, &record(&all)),
        golden_row("grant, least", &rows.record, &record(&plain)),
        golden_row("grant by grantee", grantee, &FoundBy {}),
        golden_row("grant by retiring principal", retiring, &FoundBy {}),
        golden_row("grant by name", &rows.named.expect("it has a name"), &NamedRecord { grant_id: "grant".to_owned() }),
        golden_row("grants of a key", &count_row(place), &CountRecord { grants: 7 }),
        token,
    ]
}
