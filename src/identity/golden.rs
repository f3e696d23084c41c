//! The golden bytes of identities: their rows, and the tokens of their sessions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::draft::{PolicyUse, attachment_row};
use super::record::*;
use super::session::{SESSION_TOKEN, SessionContent, decode, encode};
use crate::crypto::Context;
use crate::golden::{Golden, check};
use crate::index::golden_row;
use crate::keyring::TokenKey;
use crate::names::AccountId;
use crate::sources::{Sources, Timestamp};

fn tag() -> Tag {
    Tag { key: "Key".to_owned(), value: "value".to_owned() }
}

fn inline() -> InlinePolicy {
    InlinePolicy { name: "inline".to_owned(), document: "{}".to_owned() }
}

fn arn() -> String {
    "arn:aws:iam::111122223333:policy/P".to_owned()
}

fn content() -> SessionContent {
    SessionContent {
        access_key_id: "ASIA".to_owned(),
        secret: "secret".to_owned(),
        account: "111122223333".to_owned(),
        of: 1,
        name: "session".to_owned(),
        issuer: 3,
        issuer_name: "Role".to_owned(),
        issuer_id: "AROA".to_owned(),
        policies: vec!["{}".to_owned()],
        policy_arns: vec![arn()],
        tags: vec![tag()],
        transitive_tags: vec!["Key".to_owned()],
        source_identity: Some("somebody".to_owned()),
        federated_provider: Some("arn:aws:iam::111122223333:oidc-provider/issuer.example.com".to_owned()),
        issued_ms: 5,
        expires_ms: 6,
    }
}

fn entities(account: &AccountId) -> Vec<Golden> {
    let text = str::to_owned;
    let keys = vec![AccessKeyEntry { id: text("AKIA"), active: true, created_ms: 6 }];
    let user = UserRecord {
        name: text("Alice"),
        path: text("/a/"),
        id: text("AIDA"),
        created_ms: 5,
        groups: vec![text("Group")],
        attached: vec![arn()],
        inline: vec![inline()],
        boundary: Some(arn()),
        tags: vec![tag()],
        keys,
    };
    let group = GroupRecord {
        name: text("Group"),
        path: text("/"),
        id: text("AGPA"),
        created_ms: 5,
        attached: vec![arn()],
        inline: vec![inline()],
        members: 1,
    };
    let state = AccountState {
        changes: 9,
        users: 1,
        groups: 2,
        roles: 3,
        policies: 4,
        providers: 5,
        policy_versions: 6,
        aliases: vec![text("alias")],
    };
    let document = DocumentRecord { document: text("{}") };
    let attachment = attachment_row(account, &arn(), Some((AttachedTo::Role, PolicyUse::Boundary)), "Role");
    vec![
        golden_row("account", &row::<AccountState>(account, &[]), &state),
        golden_row("user", &row::<UserRecord>(account, &["Alice"]), &user),
        golden_row("user, least", &row::<UserRecord>(account, &["a"]), &UserRecord::default()),
        golden_row("group", &row::<GroupRecord>(account, &["Group"]), &group),
        golden_row("policy version", &row::<DocumentRecord>(account, &["P", "2"]), &document),
        golden_row("member", &row::<MemberRecord>(account, &["Group", "Alice"]), &MemberRecord { user: text("Alice") }),
        golden_row("attachment", &attachment, &AttachmentRecord { name: text("Role") }),
    ]
}

fn roles_and_policies(account: &AccountId) -> Vec<Golden> {
    let text = str::to_owned;
    let role = RoleRecord {
        name: text("Role"),
        path: text("/"),
        id: text("AROA"),
        created_ms: 5,
        description: Some(text("what for")),
        max_session_seconds: 3600,
        trust: text("{}"),
        attached: vec![arn()],
        inline: vec![inline()],
        boundary: Some(arn()),
        tags: vec![tag()],
    };
    let policy = PolicyRecord {
        name: text("P"),
        path: text("/"),
        id: text("ANPA"),
        created_ms: 5,
        updated_ms: 6,
        description: Some(text("what for")),
        default_version: 2,
        last_version: 2,
        versions: vec![PolicyVersion { number: 2, created_ms: 6 }],
        tags: vec![tag()],
        attachments: 3,
        boundaries: 2,
    };
    let provider = ProviderRecord {
        url: text("issuer.example.com/path"),
        client_ids: vec![text("client")],
        thumbprints: vec!["ab".repeat(20)],
        created_ms: 5,
        tags: vec![tag()],
    };
    vec![
        golden_row("role", &row::<RoleRecord>(account, &["Role"]), &role),
        golden_row("role, least", &row::<RoleRecord>(account, &["r"]), &RoleRecord::default()),
        golden_row("policy", &row::<PolicyRecord>(account, &["P"]), &policy),
        golden_row("provider", &row::<ProviderRecord>(account, &["issuer.example.com/path"]), &provider),
    ]
}

#[test]
fn golden() {
    let account = AccountId::parse("111122223333").expect("an account id");
    let text = str::to_owned;
    let key =
        AccessKeyRecord { account: account.to_string(), user: text("alice"), secret: text("secret"), active: true };
    let last = UseRecord { at_ms: 7, service: text("s3"), region: text("us-east-1") };
    let sources = Sources::seeded(1, Timestamp(0));
    let token_key = TokenKey::for_tests(SESSION_TOKEN, 1, &sources);
    let sealed = STANDARD.encode(token_key.seal(&Context::new(), &encode(&content()), &sources));
    let token = Golden::of(
        "session token",
        &content(),
        |_| sealed.into_bytes(),
        move |token| {
            let token = STANDARD.decode(token).expect("base64");
            decode(token_key.open(&Context::new(), &token).expect("it opens").expose()).expect("a session")
        },
    );
    let mut goldens = entities(&account);
    goldens.extend(roles_and_policies(&account));
    goldens.extend([
        golden_row("access key", &key_row("AKIA"), &key),
        golden_row("last use", &use_row("AKIA"), &last),
        token,
    ]);
    check("identity", &goldens);
}
