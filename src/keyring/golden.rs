//! The golden bytes of what the keyring stores and what clients keep of it. Those of the roots are in `fixtures/roots/`,
//! those of material in `fixtures/crypto/keys/`.

use super::ciphertext::{
    Sealer, material_id, open_ciphertext, parse_ciphertext, seal_ciphertext, unwrap_material, wrap_material,
};
use super::custom_store::CustomKeyRecord;
use super::grants;
use super::import_token::{self, IMPORT_TOKEN, Wrapping};
use super::keys::KeyOrigin;
use super::marker::Markers;
use super::queue::Due;
use super::record::*;
use super::root::{make_key_text, parse_key_text};
use super::token_key::TokenKey;
use super::{EncryptionContext, KeyState, OwnedKey, RootSecret, custom_store};
use crate::crypto::{Context, SecretBytes, SecretKey, StoreKey, WrappingKey};
use crate::golden::{Golden, check};
use crate::index::golden_row;
use crate::names::{AccountId, KeyKind, KeySpec, KeyUsage, Region, WrappingAlgorithm, WrappingKeySpec, hex};
use crate::sources::{Sources, Timestamp};

const NOW_MS: i64 = 1_795_608_000_000;
const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

const STATES: [KeyState; 8] = [
    KeyState::Enabled,
    KeyState::Disabled,
    KeyState::PendingDeletion,
    KeyState::PendingImport,
    KeyState::PendingReplicaDeletion,
    KeyState::Unavailable,
    KeyState::Creating,
    KeyState::Updating,
];
const ORIGINS: [KeyOrigin; 4] =
    [KeyOrigin::AwsKms, KeyOrigin::External, KeyOrigin::CloudHsm, KeyOrigin::ExternalKeyStore];

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_slice(&[byte; 32]).expect("32 bytes")
}

fn sources() -> Sources {
    Sources::seeded(7, Timestamp(NOW_MS))
}

fn owner() -> (Region, AccountId) {
    (Region::parse("us-east-1").expect("a Region"), AccountId::parse("111122223333").expect("an account"))
}

fn place(key_id: &str) -> KeyPlace {
    let (region, account) = owner();
    KeyPlace::new(&region, &account, key_id)
}

fn material() -> MaterialRecord {
    MaterialRecord {
        tag: [7; 16],
        created_ms: 5,
        origin: MaterialOrigin::OnDemand,
        wrapped: vec![1, 2],
        import: None,
        public_key: None,
    }
}

/// As the first version wrote it.
fn first_key() -> KeyRecord {
    KeyRecord {
        created_ms: NOW_MS,
        state: KeyState::PendingDeletion,
        deletion_ms: Some(1),
        description: "d".to_owned(),
        aws_managed: true,
        materials: vec![material()],
        aliases: vec!["alias/a".to_owned()],
        policy: Some("{}".to_owned()),
        tags: vec![("k".to_owned(), "v".to_owned())],
        rotation: None,
        deletion_trusted_ms: None,
        origin: None,
        pending_material: None,
        multi_region: None,
        pending_window_days: None,
        used_tokens: None,
        custom: None,
        kind: KeyKind::SYMMETRIC,
    }
}

/// With the fields that came with rotation, imports and multi-Region keys.
fn second_key() -> KeyRecord {
    let import = ImportRecord { description: Some("m".to_owned()), valid_to_ms: Some(9) };
    let imported =
        MaterialRecord { origin: MaterialOrigin::Initial, wrapped: vec![1], import: Some(import), ..material() };
    KeyRecord {
        created_ms: 1,
        state: KeyState::PendingReplicaDeletion,
        deletion_ms: None,
        description: String::new(),
        aws_managed: false,
        materials: Vec::new(),
        aliases: Vec::new(),
        policy: None,
        tags: Vec::new(),
        rotation: Some(RotationRecord { period_days: 90, next_ms: 2, next_trusted_ms: 3 }),
        deletion_trusted_ms: Some(4),
        origin: Some(KeyOrigin::External),
        pending_material: Some(imported),
        multi_region: Some(MultiRegionRecord { primary: "a-1".to_owned(), replicas: vec!["b-1".to_owned()] }),
        pending_window_days: Some(7),
        used_tokens: Some(vec![UsedToken { id: [8; 16], until_ms: 6 }]),
        custom: None,
        kind: KeyKind::SYMMETRIC,
    }
}

fn keys() -> Vec<Golden> {
    let kind = KeyKind::new(KeySpec::P256, KeyUsage::KeyAgreement).expect("a kind");
    let with_public = MaterialRecord { public_key: Some(vec![3].into()), ..material() };
    let asymmetric = KeyRecord { kind, materials: vec![with_public], ..first_key() };
    let custom = CustomKeyRecord { store_id: "s".to_owned(), xks_key_id: Some("x".to_owned()) };
    let of_proxy = KeyRecord { custom: Some(custom), origin: Some(KeyOrigin::ExternalKeyStore), ..first_key() };
    let row = |name: &str, record: &KeyRecord| golden_row(name, &place(ID).row(), record);
    let mut goldens = vec![
        row("key", &first_key()),
        row("asymmetric key", &asymmetric),
        row("key with rotation, import and Regions", &second_key()),
        row("key in a custom key store", &of_proxy),
    ];
    for state in STATES {
        goldens.push(row(&format!("key, {}", state.name()), &KeyRecord { state, ..first_key() }));
    }
    for origin in ORIGINS {
        let key = KeyRecord { origin: Some(origin), ..first_key() };
        goldens.push(row(&format!("key of origin {}", origin.name()), &key));
    }
    let automatic = MaterialRecord { origin: MaterialOrigin::Automatic, ..material() };
    goldens.push(row("key that rotated", &KeyRecord { materials: vec![material(), automatic], ..first_key() }));
    goldens
}

/// What else stands in the table of keys, and the aliases.
fn rows_about_keys() -> Vec<Golden> {
    let (region, account) = owner();
    let alias = AliasRecord { target_key_id: "id".to_owned(), created_ms: 1, updated_ms: 2 };
    let due = |place: &KeyPlace| DueRecord {
        region: place.region.as_str().to_owned(),
        account: place.account.as_str().to_owned(),
        key_id: place.key_id.clone(),
    };
    let clock = ClockRecord { trusted_ms: NOW_MS, wall_ms: NOW_MS + 1, first_ms: 3 };
    let used = LastUseRecord {
        operation: "Decrypt".to_owned(),
        at_ms: NOW_MS,
        event_id: "event".to_owned(),
        request_id: "request".to_owned(),
    };
    let mut goldens = vec![
        golden_row("alias", &alias_row(&region, &account, "alias/a"), &alias),
        golden_row("tombstone", &place(ID).tombstone_row(), &Tombstone { created_ms: 1, destroyed_ms: NOW_MS }),
        golden_row("owned key", &owned_row("sse-s3"), &OwnedRecord { materials: vec![material()] }),
        golden_row("clock", &clock_row(), &clock),
        golden_row("last use", &last_use_row(&place(ID).arn()), &used),
    ];
    for queue in [Due::Deletion, Due::Rotation, Due::Expiry] {
        for key_id in [ID, "mrk-1234abcd12ab34cd56ef1234567890ab"] {
            let (name, place) = (format!("{queue:?} of {key_id}"), place(key_id));
            goldens.push(golden_row(&name, &queue.row(Timestamp(NOW_MS), &place), &due(&place)));
        }
    }
    goldens
}

/// What is sealed under material and under the store key.
fn sealed() -> Vec<Golden> {
    let sources = sources();
    let store_key = || StoreKey::new(secret(2), [4; 16]);
    let context = || -> EncryptionContext {
        [("aws:s3:arn", "arn:aws:s3:::b/k"), ("a", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    };
    let sealer = Sealer { key_id: ID.to_owned(), generation: [3; 16] };
    let ciphertext = Golden::of(
        "ciphertext",
        &(sealer.clone(), "plain".to_owned()),
        |_| seal_ciphertext(&secret(1), &sealer, &context(), b"plain", &sources),
        move |bytes| {
            let plain = open_ciphertext(&secret(1), &context(), bytes).expect("it opens");
            (parse_ciphertext(bytes).expect("a ciphertext"), String::from_utf8_lossy(plain.expose()).into_owned())
        },
    );
    let material = SecretBytes::new(vec![1; 32]);
    let wrapped = Golden::of(
        "wrapped material",
        &hex(&[1; 32]),
        |_| wrap_material(&store_key(), ID, &[3; 16], &material, &sources),
        move |bytes| hex(unwrap_material(&store_key(), ID, &[3; 16], bytes).expect("it opens").expose()),
    );
    let id = Golden::of("material id", &(), |()| material_id(ID, &[3; 16]).into_bytes(), |_| ());
    let owned = || OwnedKey::for_tests([5; 16], secret(6), Sources::seeded(7, Timestamp(NOW_MS)));
    let bound = || Context::new().with("bucket", "b");
    let object_key = Golden::of(
        "object key of SSE-S3",
        &"plain".to_owned(),
        |plain| owned().wrap(&bound(), plain.as_bytes()),
        move |bytes| {
            let opened = owned().unwrap(&bound(), bytes).expect("it opens");
            String::from_utf8_lossy(opened.expose()).into_owned()
        },
    );
    vec![ciphertext, wrapped, id, object_key]
}

/// What clients hold for a while, and the file of a root.
fn held_by_others() -> Vec<Golden> {
    let scope = ["ListKeys", "111122223333"];
    let markers = || Markers::new(secret(1));
    let marker = Golden::of(
        "page marker",
        &"last".to_owned(),
        |last| markers().render(&scope, last).into_bytes(),
        move |bytes| markers().parse(&scope, &String::from_utf8_lossy(bytes)).expect("it is ours"),
    );
    let import = || TokenKey::for_tests(IMPORT_TOKEN, 1, &sources());
    let wrapping = Wrapping { algorithm: WrappingAlgorithm::AesKeyWrapSha256, spec: WrappingKeySpec::Rsa2048 };
    let fixture = include_str!("../../fixtures/crypto/keys/RSA_2048.txt");
    let pkcs8 = fixture.lines().find_map(|line| line.strip_prefix("stored: ")).expect("a key");
    let key = WrappingKey::parse(wrapping.spec, &crate::golden::unhex(pkcs8)).expect("a key");
    let arn = place(ID).arn();
    let made = import_token::seal_token(&import(), &arn, wrapping, &key, &sources());
    let (valid_to, public) = (made.valid_to, hex(&made.public_key));
    let token = Golden::of(
        "import token",
        &(valid_to, wrapping.algorithm, public),
        |_| made.token,
        move |bytes| {
            let opened = import_token::open_token(&import(), &arn, bytes, Timestamp(NOW_MS)).expect("it opens");
            (opened.valid_to, opened.algorithm, hex(opened.key.public_key()))
        },
    );
    let root = RootSecret::of_key(secret(1));
    let file = Golden::of(
        "root key file",
        &root.id().to_string(),
        |_| make_key_text(&root).expose().to_vec(),
        |bytes| parse_key_text(bytes).expect("a root").id().to_string(),
    );
    vec![marker, token, file]
}

#[test]
fn golden() {
    let stores = custom_store::golden::goldens();
    let grants = grants::golden::goldens(&place(ID), &sources());
    let all: Vec<Golden> =
        [keys(), rows_about_keys(), sealed(), held_by_others(), stores, grants].into_iter().flatten().collect();
    check("keyring", &all);
}
