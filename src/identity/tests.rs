//! Identities over an index in memory.

mod policies;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::audit::{Event, EventKind};
use crate::auth::{Account, CallerKind, Directory, Grant, Issuer, IssuerKind, Principal, Resource};
use crate::crypto::SecretBytes;
use crate::keyring::tests::Fixture;
use crate::names::{AccountId, CanonicalId, iam_arn};
use crate::policy::{NoContext, Target};

mod changes;
mod limits;

const ACCOUNT: &str = "111122223333";

struct World {
    fixture: Fixture,
    identities: Identities,
    account: AccountId,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new(1).await;
        let account = AccountId::parse(ACCOUNT).unwrap();
        let canonical_id = CanonicalId::of_account(&account);
        let mut seed = Seed::default();
        let listed = Account { id: account.clone(), canonical_id, display_name: String::new(), email: None };
        seed.add_account(listed.clone());
        let principal = seed.add_principal(Principal::user(&listed, "Seeded", Vec::new()));
        let secret = SecretBytes::new(b"secret".to_vec());
        assert!(seed.add_key("SEEDED".to_owned(), Identity { principal, secret }));
        let (rows, audit, sources) = (fixture.rows.clone(), fixture.audit.clone(), fixture.sources.clone());
        let identities = Identities::new(rows, audit, Arc::new(seed), sources);
        Self { fixture, identities, account }
    }

    fn grant(&self, action: &'static str, arn: String) -> Grant {
        let resource = Resource { arn, owner: self.account.clone() };
        self.fixture.access.authorize(action, resource, &Target::Account, &NoContext).unwrap()
    }

    fn user_grant(&self, action: &'static str, name: &str) -> Grant {
        self.grant(action, iam_arn(&self.account, "user", "/", name))
    }

    fn event(&self) -> Event {
        Event {
            access: self.fixture.access.clone(),
            source: "iam.amazonaws.com",
            name: "Test",
            kind: EventKind::ApiCall,
            request: Value::Null,
            response: Value::Null,
            additional: Value::Null,
            error: None,
            read_only: false,
            management: true,
            resources: Vec::new(),
            via_s3: false,
            recipient: self.account.clone(),
        }
    }

    async fn commit(&self, draft: Result<Draft<'_>, IdentityError>) -> Result<(), IdentityError> {
        draft?.commit(&self.event()).await.map(drop)
    }

    async fn create(&self, name: &str) -> Result<UserRecord, IdentityError> {
        let new = NewUser { name: name.to_owned(), path: "/".to_owned(), boundary: None, tags: Vec::new() };
        let grant = self.user_grant("iam:CreateUser", name);
        let (user, draft) = self.identities.create_user(&grant, &new).await?;
        draft.commit(&self.event()).await?;
        Ok(user)
    }

    async fn create_key(&self, user: &str) -> Result<(String, String), IdentityError> {
        let grant = self.user_grant("iam:CreateAccessKey", user);
        let (key, draft) = self.identities.create_access_key(&grant, user).await?;
        draft.commit(&self.event()).await?;
        Ok((key.entry.id, String::from_utf8(key.secret.expose().to_vec()).unwrap()))
    }

    fn group_grant(&self, action: &'static str, name: &str) -> Grant {
        self.grant(action, iam_arn(&self.account, "group", "/", name))
    }

    async fn create_group(&self, name: &str) -> Result<(), IdentityError> {
        let grant = self.group_grant("iam:CreateGroup", name);
        let (_, draft) = self.identities.create_group(&grant, name, "/").await?;
        draft.commit(&self.event()).await.map(drop)
    }

    async fn add_to_group(&self, user: &str, group: &str) -> Result<(), IdentityError> {
        let grant = self.group_grant("iam:AddUserToGroup", group);
        match self.identities.add_user_to_group(&grant, group, user).await? {
            Some(draft) => draft.commit(&self.event()).await.map(drop),
            None => Ok(()),
        }
    }

    async fn remove_from_group(&self, user: &str, group: &str) -> Result<(), IdentityError> {
        let grant = self.group_grant("iam:RemoveUserFromGroup", group);
        let draft = self.identities.remove_user_from_group(&grant, group, user).await;
        self.commit(draft).await
    }

    /// A managed policy that allows one action: its ARN.
    async fn create_policy(&self, name: &str, action: &str) -> Result<String, IdentityError> {
        let arn = iam_arn(&self.account, "policy", "/", name);
        let grant = self.grant("iam:CreatePolicy", arn.clone());
        let document = allowing(action);
        let (path, name) = ("/".to_owned(), name.to_owned());
        let new = NewPolicy { name, path, document, description: None, tags: Vec::new() };
        let (_, draft) = self.identities.create_policy(&grant, &new).await?;
        draft.commit(&self.event()).await.map(|_| arn)
    }

    fn holder_grant<H: PolicyHolder>(&self, action: &'static str, name: &str) -> Grant {
        self.grant(action, iam_arn(&self.account, H::WORD, "/", name))
    }

    async fn attach<H: PolicyHolder>(&self, name: &str, arn: &str) -> Result<(), IdentityError> {
        let grant = self.holder_grant::<H>("iam:Attach", name);
        match self.identities.attach_policy::<H>(&grant, name, arn).await? {
            Some(draft) => draft.commit(&self.event()).await.map(drop),
            None => Ok(()),
        }
    }

    async fn detach<H: PolicyHolder>(&self, name: &str, arn: &str) -> Result<(), IdentityError> {
        let grant = self.holder_grant::<H>("iam:Detach", name);
        let draft = self.identities.detach_policy::<H>(&grant, name, arn).await;
        self.commit(draft).await
    }

    async fn put_inline<H: PolicyHolder>(&self, name: &str, policy: &str, text: &str) -> Result<(), IdentityError> {
        let grant = self.holder_grant::<H>("iam:Put", name);
        let draft = self.identities.put_inline_policy::<H>(&grant, name, policy, text).await;
        self.commit(draft).await
    }

    async fn set_boundary(&self, user: &str, arn: Option<&str>) -> Result<(), IdentityError> {
        let grant = self.user_grant("iam:PutUserPermissionsBoundary", user);
        match self.identities.set_boundary::<UserRecord>(&grant, user, arn).await? {
            Some(draft) => draft.commit(&self.event()).await.map(drop),
            None => Ok(()),
        }
    }

    /// UpdateUser with another name.
    async fn rename(&self, old: &str, new: &str) -> Result<(), IdentityError> {
        let grants = (self.user_grant("iam:UpdateUser", old), self.user_grant("iam:UpdateUser", new));
        let renamed = self.identities.update_user(&grants.0, &grants.1, old, (Some(new), None)).await;
        self.commit(renamed).await
    }

    /// UpdateGroup with another name.
    async fn rename_group(&self, old: &str, new: &str) -> Result<(), IdentityError> {
        let grants = (self.group_grant("iam:UpdateGroup", old), self.group_grant("iam:UpdateGroup", new));
        let renamed = self.identities.update_group(&grants.0, &grants.1, old, (Some(new), None)).await;
        self.commit(renamed).await
    }

    /// What the policy with this ARN is attached to: use and name.
    async fn attached_to(&self, arn: &str) -> Vec<String> {
        let all = self.identities.attachments(&self.account, arn, None, 100).await.unwrap();
        all.into_iter().map(|(_, to, using, name)| format!("{to:?} {using:?} {name}")).collect()
    }

    /// Names of the policies of who signs with a key.
    async fn policies_of(&self, key: &str) -> Vec<String> {
        let found = self.find(key, None).await.unwrap();
        found.principal.identity_policies().iter().map(|policy| policy.name.to_string()).collect()
    }

    async fn find(&self, key: &str, token: Option<&str>) -> Result<Arc<Identity>, FindError> {
        self.identities.find(key, token, self.fixture.sources.now()).await
    }

    /// A session of the user's own.
    fn session(&self, user: &UserRecord) -> NewSession {
        let (kind, name) = (IssuerKind::User, Some(user.name.clone()));
        let issuer = Issuer { kind, arn: user.arn(&self.account), id: user.id.clone(), name };
        NewSession {
            account: self.account.clone(),
            of: SessionOf::Caller,
            issuer,
            seconds: 900,
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive_tags: Vec::new(),
            source_identity: None,
            federated_provider: None,
        }
    }
}

/// A document that allows an action on everything.
fn allowing(action: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}).to_string()
}

#[tokio::test]
async fn keys_come_and_go() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    let (key, secret) = world.create_key("Alice").await.unwrap();
    let found = world.find(&key, None).await.unwrap();
    assert_eq!(found.principal.kind(), &CallerKind::User { name: "Alice".to_owned() });
    assert_eq!(found.secret.expose(), secret.as_bytes());
    assert_eq!(world.find(&key, Some("token")).await.err(), Some(FindError::InvalidToken));
    assert_eq!(world.find("AKIAUNKNOWN", None).await.err(), Some(FindError::Unknown));

    // Held until it changes, and no longer.
    assert!(Arc::ptr_eq(&found, &world.find(&key, None).await.unwrap()));
    let update = world.user_grant("iam:UpdateAccessKey", "Alice");
    let disabled = world.identities.update_access_key(&update, ("Alice", &key), false).await;
    world.commit(disabled).await.unwrap();
    assert_eq!(world.find(&key, None).await.err(), Some(FindError::Unknown));
    let enabled = world.identities.update_access_key(&update, ("Alice", &key), true).await;
    world.commit(enabled).await.unwrap();
    assert!(world.find(&key, None).await.is_ok());

    let (second, _) = world.create_key("Alice").await.unwrap();
    let full = IdentityError::LimitExceeded("Cannot exceed quota for AccessKeysPerUser: 2".to_owned());
    assert_eq!(world.create_key("Alice").await.err(), Some(full));
    let delete_user = world.user_grant("iam:DeleteUser", "Alice");
    let conflict = world.identities.delete_user(&delete_user, "Alice").await.err();
    let text = "Cannot delete entity, must delete access keys first.".to_owned();
    assert_eq!(conflict, Some(IdentityError::DeleteConflict(text)));
    for id in [&key, &second] {
        let delete = world.user_grant("iam:DeleteAccessKey", "Alice");
        let deleted = world.identities.delete_access_key(&delete, ("Alice", id)).await;
        world.commit(deleted).await.unwrap();
        assert_eq!(world.find(id, None).await.err(), Some(FindError::Unknown));
    }
    let deleted = world.identities.delete_user(&delete_user, "Alice").await;
    world.commit(deleted).await.unwrap();
    assert_eq!(world.identities.state(&world.account).await.unwrap().users, 0);
    assert!(world.identities.user(&world.account, "Alice").await.is_err());
}

#[tokio::test]
async fn names_are_the_same_in_either_case_and_those_of_the_settings_are_taken() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    for taken in ["alice", "ALICE", "Alice", "seeded"] {
        let text = format!("User with name {taken} already exists.");
        assert_eq!(world.create(taken).await.err(), Some(IdentityError::EntityAlreadyExists(text)));
    }
    assert_eq!(world.identities.user(&world.account, "aLICE").await.unwrap().name, "Alice");
    let delete = world.user_grant("iam:DeleteUser", "Seeded");
    let refused = world.identities.delete_user(&delete, "seeded").await.err();
    assert!(matches!(refused, Some(IdentityError::Unmodifiable(_))), "{refused:?}");
    let names = world.identities.users(&world.account, None, 10).await.unwrap();
    assert_eq!(names.into_iter().map(|(_, user)| user.name).collect::<Vec<_>>(), ["Alice", "Seeded"]);
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_told() {
    let world = World::new().await;
    let grant = world.user_grant("iam:CreateUser", "Alice");
    let first = Draft::begin(&world.identities, &grant).await.unwrap();
    let second = Draft::begin(&world.identities, &grant).await.unwrap();
    first.commit(&world.event()).await.unwrap();
    assert_eq!(second.commit(&world.event()).await.err(), Some(IdentityError::Contention));
    assert_eq!(world.identities.state(&world.account).await.unwrap().changes, 1);
}

#[tokio::test]
async fn a_session_lives_until_it_expires_or_its_user_goes() {
    let world = World::new().await;
    let alice = world.create("Alice").await.unwrap();
    let mut new = world.session(&alice);
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    new.policies = vec![policy.to_string()];
    let made = world.identities.new_session(&new).unwrap();
    let (key, token) = (made.access_key_id.as_str(), std::str::from_utf8(made.token.expose()).unwrap());
    let found = world.find(key, Some(token)).await.unwrap();
    assert_eq!(found.secret.expose(), made.secret.expose());
    let session = found.principal.session().expect("a session");
    assert_eq!((session.policies.len(), session.expires), (1, made.expires));
    assert_eq!(world.find(key, None).await.err(), Some(FindError::Unknown));
    assert_eq!(world.find("ASIAOTHER", Some(token)).await.err(), Some(FindError::Unknown));
    assert_eq!(world.find("AKIAOTHER", Some(token)).await.err(), Some(FindError::InvalidToken));
    let other = world.identities.new_session(&new).unwrap();
    let other = std::str::from_utf8(other.token.expose()).unwrap();
    assert_eq!(world.find(key, Some(other)).await.err(), Some(FindError::Unknown));
    for at in 0..token.len() {
        let mut altered = token.as_bytes().to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(world.find(key, Some(&altered)).await.err(), Some(FindError::InvalidToken), "character {at}");
    }

    // A restart knows it, since it is stored nowhere.
    let seed = Arc::clone(world.identities.seed());
    let (rows, audit, sources) =
        (world.fixture.rows.clone(), world.fixture.audit.clone(), world.fixture.sources.clone());
    let again = Identities::new(rows, audit, seed, sources);
    assert!(again.find(key, Some(token), world.fixture.sources.now()).await.is_ok());

    // Another user of the same name has none of it.
    let delete = world.user_grant("iam:DeleteUser", "Alice");
    let deleted = world.identities.delete_user(&delete, "Alice").await;
    world.commit(deleted).await.unwrap();
    assert_eq!(world.find(key, Some(token)).await.err(), Some(FindError::Unknown));
    world.create("Alice").await.unwrap();
    assert_eq!(world.find(key, Some(token)).await.err(), Some(FindError::Unknown));
    world.fixture.sources.advance(Duration::from_secs(900));
    assert_eq!(world.find(key, Some(token)).await.err(), Some(FindError::Expired));
}

#[tokio::test]
async fn principals_of_policies() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    let directory = Directory::new(Arc::clone(world.identities.seed()), Arc::new(world.identities.clone()));
    for (named, known) in [
        ("arn:aws:iam::111122223333:user/Alice", true),
        ("arn:aws:iam::111122223333:user/alice", false),
        ("arn:aws:iam::111122223333:user/path/Alice", false),
        ("arn:aws:iam::111122223333:user/Seeded", true),
        ("arn:aws:iam::444455556666:user/Alice", false),
        ("arn:aws:iam::111122223333:role/Alice", false),
        ("arn:aws:sts::111122223333:assumed-role/Alice/x", false),
        ("arn:aws:sts::111122223333:federated-user/x", true),
        ("arn:aws:sts::444455556666:federated-user/x", false),
        ("arn:aws:iam::111122223333:user/", false),
    ] {
        assert_eq!(directory.first_unknown([named]).await.unwrap().is_none(), known, "{named}");
    }
}

/// A Deny on a tag of the user can't be escaped by a session that has other tags.
#[tokio::test]
async fn a_federated_user_has_the_tags_of_its_user() {
    let world = World::new().await;
    let tags = ["tier", "team"].map(|key| Tag { key: key.to_owned(), value: "low".to_owned() }).to_vec();
    let new = NewUser { name: "Alice".to_owned(), path: "/".to_owned(), boundary: None, tags };
    let made = world.identities.create_user(&world.user_grant("iam:CreateUser", "Alice"), &new).await;
    let (user, draft) = made.unwrap_or_else(|error| panic!("{error}"));
    world.commit(Ok(draft)).await.unwrap();
    let of = SessionOf::FederatedUser { name: "guest".to_owned() };
    let own = vec![Tag { key: "Team".to_owned(), value: "red".to_owned() }];
    let session = world.identities.new_session(&NewSession { of, tags: own, ..world.session(&user) }).unwrap();
    let token = std::str::from_utf8(session.token.expose()).unwrap();
    let found = world.find(&session.access_key_id, Some(token)).await.unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(found.principal.tags(), [pair("tier", "low"), pair("Team", "red")]);
}
