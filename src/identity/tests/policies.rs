//! Roles and managed policies: versions, counts, what is attached, limits, races.

use super::*;
use crate::identity::limits::{ATTACHED_MAX, POLICIES_MAX, POLICY_VERSIONS_MAX, ROLES_MAX};
use crate::policy::ReadyMade;

const READ: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;
const WRITE: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Put*","Resource":"*"}}"#;
const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

fn arn(kind: &str, path: &str, name: &str) -> String {
    iam_arn(&AccountId::parse(ACCOUNT).unwrap(), kind, path, name)
}

impl World {
    async fn make_policy(&self, name: &str) -> Result<String, IdentityError> {
        let new = NewPolicy {
            name: name.to_owned(),
            path: "/".to_owned(),
            document: READ.to_owned(),
            description: None,
            tags: Vec::new(),
        };
        let arn = arn("policy", "/", name);
        let (_, draft) = self.identities.create_policy(&self.grant("iam:CreatePolicy", arn.clone()), &new).await?;
        draft.commit(&self.event()).await?;
        Ok(arn)
    }

    async fn make_role(&self, path: &str, name: &str, boundary: Option<&str>) -> Result<RoleRecord, IdentityError> {
        let new = NewRole {
            name: name.to_owned(),
            path: path.to_owned(),
            trust: "{}".to_owned(),
            description: None,
            max_session_seconds: 3600,
            boundary: boundary.map(str::to_owned),
            tags: Vec::new(),
        };
        let grant = self.grant("iam:CreateRole", arn("role", path, name));
        let (role, draft) = self.identities.create_role(&grant, &new).await?;
        draft.commit(&self.event()).await?;
        Ok(role)
    }

    async fn add_version(&self, policy: &str, document: &str, default: bool) -> Result<u32, IdentityError> {
        let grant = self.grant("iam:CreatePolicyVersion", policy.to_owned());
        let made = self.identities.create_policy_version(&grant, policy, document, default).await?;
        let (_, version, draft) = made;
        draft.commit(&self.event()).await?;
        Ok(version.number)
    }

    async fn set_default(&self, policy: &str, number: u32) -> Result<(), IdentityError> {
        let grant = self.grant("iam:SetDefaultPolicyVersion", policy.to_owned());
        self.commit(self.identities.set_default_policy_version(&grant, policy, number).await).await
    }

    async fn delete_version(&self, policy: &str, number: u32) -> Result<(), IdentityError> {
        let grant = self.grant("iam:DeletePolicyVersion", policy.to_owned());
        self.commit(self.identities.delete_policy_version(&grant, policy, number).await).await
    }

    async fn delete_policy(&self, policy: &str) -> Result<(), IdentityError> {
        let grant = self.grant("iam:DeletePolicy", policy.to_owned());
        self.commit(self.identities.delete_policy(&grant, policy).await).await
    }

    /// Whether something changed.
    async fn attach_to<H: PolicyHolder>(&self, kind: &str, name: &str, policy: &str) -> Result<bool, IdentityError> {
        let grant = self.grant("iam:Attach", arn(kind, "/", name));
        let draft = self.identities.attach_policy::<H>(&grant, name, policy).await?;
        match draft {
            Some(draft) => draft.commit(&self.event()).await.map(|_| true),
            None => Ok(false),
        }
    }

    async fn detach_from<H: PolicyHolder>(&self, kind: &str, name: &str, policy: &str) -> Result<(), IdentityError> {
        let grant = self.grant("iam:Detach", arn(kind, "/", name));
        self.commit(self.identities.detach_policy::<H>(&grant, name, policy).await).await
    }

    async fn bound<H: Bounded>(&self, kind: &str, name: &str, policy: Option<&str>) -> Result<bool, IdentityError> {
        let grant = self.grant("iam:Bound", arn(kind, "/", name));
        match self.identities.set_boundary::<H>(&grant, name, policy).await? {
            Some(draft) => draft.commit(&self.event()).await.map(|_| true),
            None => Ok(false),
        }
    }

    async fn record(&self, policy: &str) -> PolicyRecord {
        match self.identities.policy(&self.account, policy).await.unwrap() {
            ManagedPolicy::Own(record) => record,
            ManagedPolicy::ReadyMade(_) => panic!("{policy} is the account's own"),
        }
    }

    /// What it is attached to, and as what.
    async fn uses(&self, policy: &str) -> Vec<(AttachedTo, PolicyUse, String)> {
        let all = self.identities.attachments(&self.account, policy, None, 100).await.unwrap();
        all.into_iter().map(|(_, to, using, name)| (to, using, name)).collect()
    }

    /// Sets the counts of the account, which no other way reaches its limits in a test.
    async fn count(&self, set: impl FnOnce(&mut AccountState)) {
        let mut draft = Draft::begin(&self.identities, &self.user_grant("iam:Count", "x")).await.unwrap();
        set(&mut draft.state);
        draft.commit(&self.event()).await.unwrap();
    }
}

fn conflict(text: &str) -> Result<(), IdentityError> {
    Err(IdentityError::DeleteConflict(text.to_owned()))
}

#[tokio::test]
async fn versions_of_a_policy() {
    let world = World::new().await;
    let policy = world.make_policy("P").await.unwrap();
    for number in 2..=5 {
        assert_eq!(world.add_version(&policy, WRITE, false).await, Ok(number));
    }
    let full = world.add_version(&policy, WRITE, false).await;
    assert!(matches!(full, Err(IdentityError::LimitExceeded(_))), "{full:?}");
    assert_eq!(world.record(&policy).await.versions.len(), POLICY_VERSIONS_MAX);
    assert_eq!(world.identities.state(&world.account).await.unwrap().policy_versions, 5);

    let default = conflict("Cannot delete the default version of a policy.");
    assert_eq!(world.delete_version(&policy, 1).await, default);
    world.set_default(&policy, 4).await.unwrap();
    world.delete_version(&policy, 1).await.unwrap();
    world.delete_version(&policy, 5).await.unwrap();
    assert!(matches!(world.delete_version(&policy, 5).await, Err(IdentityError::NoSuchEntity(_))));
    assert!(matches!(world.set_default(&policy, 5).await, Err(IdentityError::NoSuchEntity(_))));
    // A number is never used again.
    assert_eq!(world.add_version(&policy, READ, true).await, Ok(6));
    let record = world.record(&policy).await;
    assert_eq!(record.versions.iter().map(|version| version.number).collect::<Vec<_>>(), [2, 3, 4, 6]);
    assert_eq!((record.default_version, record.last_version), (6, 6));
    for (number, text) in [(1, None), (4, Some(WRITE)), (5, None), (6, Some(READ))] {
        let found = world.identities.document(&world.account, &record, number).await.unwrap();
        assert_eq!(found.as_deref(), text, "v{number}");
    }

    assert!(matches!(world.delete_policy(&policy).await, Err(IdentityError::DeleteConflict(_))));
    for number in [2, 3, 4] {
        world.delete_version(&policy, number).await.unwrap();
    }
    world.delete_policy(&policy).await.unwrap();
    let state = world.identities.state(&world.account).await.unwrap();
    assert_eq!((state.policies, state.policy_versions), (0, 0));
    let left = world.identities.entities::<DocumentRecord>(&world.account, &["P"], None, 10).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_a_policy_is_attached_to_keeps_it() {
    let world = World::new().await;
    let policy = world.make_policy("P").await.unwrap();
    world.create("Alice").await.unwrap();
    world.make_role("/", "App", Some(&policy)).await.unwrap();
    let group = world.grant("iam:CreateGroup", arn("group", "/", "Staff"));
    let (_, draft) = world.identities.create_group(&group, "Staff", "/").await.unwrap();
    draft.commit(&world.event()).await.unwrap();

    assert_eq!(world.attach_to::<UserRecord>("user", "Alice", &policy).await, Ok(true));
    assert_eq!(world.attach_to::<UserRecord>("user", "Alice", &policy).await, Ok(false));
    assert_eq!(world.attach_to::<GroupRecord>("group", "Staff", &policy).await, Ok(true));
    assert_eq!(world.bound::<UserRecord>("user", "Alice", Some(&policy)).await, Ok(true));
    assert_eq!(world.bound::<UserRecord>("user", "Alice", Some(&policy)).await, Ok(false));
    let record = world.record(&policy).await;
    assert_eq!((record.attachments, record.boundaries), (2, 2));
    use {AttachedTo::*, PolicyUse::*};
    let name = str::to_owned;
    let expected = vec![
        (User, Permissions, name("Alice")),
        (User, Boundary, name("Alice")),
        (Group, Permissions, name("Staff")),
        (Role, Boundary, name("App")),
    ];
    assert_eq!(world.uses(&policy).await, expected);

    let attached = conflict("Cannot delete a policy attached to entities.");
    assert_eq!(world.delete_policy(&policy).await, attached);
    world.detach_from::<UserRecord>("user", "Alice", &policy).await.unwrap();
    world.detach_from::<GroupRecord>("group", "Staff", &policy).await.unwrap();
    assert!(matches!(
        world.detach_from::<GroupRecord>("group", "Staff", &policy).await,
        Err(IdentityError::NoSuchEntity(_))
    ));
    // As a boundary it can't be deleted either.
    assert_eq!(world.delete_policy(&policy).await, attached);
    assert_eq!(world.bound::<UserRecord>("user", "Alice", None).await, Ok(true));
    assert!(matches!(world.bound::<UserRecord>("user", "Alice", None).await, Err(IdentityError::NoSuchEntity(_))));
    assert_eq!(world.delete_policy(&policy).await, attached);
    // With a role goes what it was bounded by.
    let delete = world.grant("iam:DeleteRole", arn("role", "/", "App"));
    world.commit(world.identities.delete_role(&delete, "App").await).await.unwrap();
    assert_eq!(world.uses(&policy).await, []);
    world.delete_policy(&policy).await.unwrap();
}

#[tokio::test]
async fn a_role_with_policies_stays() {
    let world = World::new().await;
    world.make_role("/", "App", None).await.unwrap();
    let put = world.grant("iam:PutRolePolicy", arn("role", "/", "App"));
    world.commit(world.identities.put_inline_policy::<RoleRecord>(&put, "App", "own", READ).await).await.unwrap();
    world.attach_to::<RoleRecord>("role", "App", READ_ONLY).await.unwrap();
    let delete = world.grant("iam:DeleteRole", arn("role", "/", "App"));
    let refused = |text: &str| conflict(&format!("Cannot delete entity, must {text} first."));
    assert_eq!(world.commit(world.identities.delete_role(&delete, "App").await).await, refused("delete policies"));
    let drop = world.grant("iam:DeleteRolePolicy", arn("role", "/", "App"));
    world.commit(world.identities.delete_inline_policy::<RoleRecord>(&drop, "App", "own").await).await.unwrap();
    assert_eq!(world.commit(world.identities.delete_role(&delete, "App").await).await, refused("detach all policies"));
    world.detach_from::<RoleRecord>("role", "App", READ_ONLY).await.unwrap();
    world.commit(world.identities.delete_role(&delete, "App").await).await.unwrap();
    assert_eq!(world.identities.state(&world.account).await.unwrap().roles, 0);
    assert_eq!(world.uses(READ_ONLY).await, []);
}

#[tokio::test]
async fn the_default_version_and_the_boundary_count_from_the_next_request_on() {
    let world = World::new().await;
    let policy = world.make_policy("P").await.unwrap();
    world.create("Alice").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    world.attach_to::<UserRecord>("user", "Alice", &policy).await.unwrap();
    let texts = async || -> (Vec<String>, Option<String>) {
        let found = world.find(&key, None).await.unwrap();
        let policies = found.principal.identity_policies().iter().map(|policy| policy.policy.text().to_owned());
        (policies.collect(), found.principal.boundary().map(|boundary| boundary.policy.text().to_owned()))
    };
    assert_eq!(texts().await, (vec![READ.to_owned()], None));
    assert_eq!(world.add_version(&policy, WRITE, false).await, Ok(2));
    assert_eq!(texts().await, (vec![READ.to_owned()], None));
    world.set_default(&policy, 2).await.unwrap();
    assert_eq!(texts().await, (vec![WRITE.to_owned()], None));
    world.bound::<UserRecord>("user", "Alice", Some(&policy)).await.unwrap();
    assert_eq!(texts().await, (vec![WRITE.to_owned()], Some(WRITE.to_owned())));
    world.set_default(&policy, 1).await.unwrap();
    assert_eq!(texts().await, (vec![READ.to_owned()], Some(READ.to_owned())));

    // Another policy of the same name has nothing of the old one.
    world.bound::<UserRecord>("user", "Alice", None).await.unwrap();
    world.detach_from::<UserRecord>("user", "Alice", &policy).await.unwrap();
    world.delete_version(&policy, 2).await.unwrap();
    world.delete_policy(&policy).await.unwrap();
    assert_eq!(texts().await, (Vec::new(), None));
    world.make_policy("P").await.unwrap();
    assert_eq!(world.add_version(&policy, WRITE, true).await, Ok(2));
    world.attach_to::<UserRecord>("user", "Alice", &policy).await.unwrap();
    assert_eq!(texts().await, (vec![WRITE.to_owned()], None));
}

#[tokio::test]
async fn limits() {
    let world = World::new().await;
    world.make_role("/", "App", None).await.unwrap();
    for n in 0..ATTACHED_MAX {
        let policy = world.make_policy(&format!("P{n}")).await.unwrap();
        assert_eq!(world.attach_to::<RoleRecord>("role", "App", &policy).await, Ok(true));
    }
    let quota = |what: &str, max: usize| IdentityError::LimitExceeded(format!("Cannot exceed quota for {what}: {max}"));
    let one_more = world.attach_to::<RoleRecord>("role", "App", READ_ONLY).await;
    assert_eq!(one_more, Err(quota("PoliciesPerRole", ATTACHED_MAX)));
    // What is attached already is no fault at the limit.
    assert_eq!(world.attach_to::<RoleRecord>("role", "App", &arn("policy", "/", "P0")).await, Ok(false));
    for (policy, refused) in [
        (arn("policy", "/", "none"), "NoSuchEntity"),
        (arn("policy", "/path/", "P0"), "NoSuchEntity"),
        ("arn:aws:iam::444455556666:policy/P0".to_owned(), "NoSuchEntity"),
        ("arn:aws:iam::aws:policy/None".to_owned(), "NoSuchEntity"),
        (arn("role", "/", "App"), "InvalidInput"),
        ("AdministratorAccess".to_owned(), "InvalidInput"),
    ] {
        let error = format!("{:?}", world.attach_to::<RoleRecord>("role", "App", &policy).await.unwrap_err());
        assert!(error.starts_with(refused), "{policy}: {error}");
    }
    world.count(|state| state.roles = ROLES_MAX as u32).await;
    assert_eq!(world.make_role("/", "More", None).await.err(), Some(quota("RolesPerAccount", ROLES_MAX)));
    world.count(|state| state.policies = POLICIES_MAX as u32).await;
    assert_eq!(world.make_policy("More").await.err(), Some(quota("PoliciesPerAccount", POLICIES_MAX)));
    let taken = IdentityError::EntityAlreadyExists("Role with name APP already exists.".to_owned());
    assert_eq!(world.make_role("/path/", "APP", None).await.err(), Some(taken));
}

#[tokio::test]
async fn races() {
    let world = World::new().await;
    let policy = world.make_policy("P").await.unwrap();
    world.make_role("/", "App", None).await.unwrap();
    let (delete, attach) =
        (world.grant("iam:DeletePolicy", policy.clone()), world.grant("iam:AttachRolePolicy", arn("role", "/", "App")));
    // One deletes what the other attaches: whoever commits first, the other is told.
    let deletes = world.identities.delete_policy(&delete, &policy).await.unwrap();
    let attaches = world.identities.attach_policy::<RoleRecord>(&attach, "App", &policy).await.unwrap().unwrap();
    attaches.commit(&world.event()).await.unwrap();
    assert_eq!(deletes.commit(&world.event()).await.err(), Some(IdentityError::Contention));
    assert!(matches!(world.delete_policy(&policy).await, Err(IdentityError::DeleteConflict(_))));
    // Two versions at once: no number twice.
    let version = world.grant("iam:CreatePolicyVersion", policy.clone());
    let first = world.identities.create_policy_version(&version, &policy, READ, false).await.unwrap();
    let second = world.identities.create_policy_version(&version, &policy, WRITE, false).await.unwrap();
    assert_eq!((first.1.number, second.1.number), (2, 2));
    first.2.commit(&world.event()).await.unwrap();
    assert_eq!(second.2.commit(&world.event()).await.err(), Some(IdentityError::Contention));

    // A role of the same name at another place, since leave was asked for: leave has to be asked for again.
    let old = world.make_role("/old/", "Moved", None).await.unwrap();
    let grants = ["iam:DeleteRole", "iam:UpdateRole", "iam:PutRolePolicy"];
    let [delete, update, put] = grants.map(|action| world.grant(action, old.arn(&world.account)));
    world.commit(world.identities.delete_role(&delete, "Moved").await).await.unwrap();
    world.make_role("/new/", "Moved", None).await.unwrap();
    let told = Some(IdentityError::Contention);
    assert_eq!(world.identities.delete_role(&delete, "Moved").await.err(), told);
    assert_eq!(world.identities.update_role(&update, "Moved", RoleChange::default()).await.err(), told);
    let put = world.identities.put_inline_policy::<RoleRecord>(&put, "Moved", "p", READ).await;
    assert_eq!(put.err(), told);
}

#[tokio::test]
async fn where_policies_come_from() {
    let world = World::new().await;
    let policy = world.make_policy("P").await.unwrap();
    world.create("Alice").await.unwrap();
    let put = world.user_grant("iam:PutUserPolicy", "Alice");
    world.commit(world.identities.put_inline_policy::<UserRecord>(&put, "Alice", "own", WRITE).await).await.unwrap();
    let group = world.grant("iam:CreateGroup", arn("group", "/", "Staff"));
    let (_, draft) = world.identities.create_group(&group, "Staff", "/").await.unwrap();
    draft.commit(&world.event()).await.unwrap();
    world.attach_to::<GroupRecord>("group", "Staff", READ_ONLY).await.unwrap();
    let add = world.grant("iam:AddUserToGroup", arn("group", "/", "Staff"));
    let added = world.identities.add_user_to_group(&add, "Staff", "Alice").await.unwrap();
    added.unwrap().commit(&world.event()).await.unwrap();
    world.attach_to::<UserRecord>("user", "Alice", &policy).await.unwrap();
    world.bound::<UserRecord>("user", "Alice", Some(&policy)).await.unwrap();

    let sourced = async |arn: &str| world.identities.sourced_policies(&world.account, arn).await;
    let found = sourced(&arn("user", "/", "Alice")).await.unwrap().unwrap();
    let shown = |sourced: &SourcedPolicy| format!("{} {}", sourced.policy.source.text(), sourced.policy.attached.name);
    let all: Vec<String> = found.identity.iter().map(shown).collect();
    assert_eq!(all, ["user user_Alice_own", "user-managed P", "aws-managed ReadOnlyAccess"]);
    assert_eq!(found.boundary.as_ref().map(shown).as_deref(), Some("user-managed P"));
    for (asked, answer) in [
        (arn("user", "/path/", "Alice"), Err(IdentityError::absent("user", "Alice"))),
        (arn("user", "/", "alice"), Err(IdentityError::absent("user", "alice"))),
        (arn("role", "/", "none"), Err(IdentityError::absent("role", "none"))),
        (arn("policy", "/", "P"), Ok(false)),
        ("arn:aws:iam::444455556666:user/Alice".to_owned(), Ok(false)),
        (arn("user", "/", "Seeded"), Ok(true)),
        (arn("group", "/", "Staff"), Ok(true)),
    ] {
        assert_eq!(sourced(&asked).await.map(|found| found.is_some()), answer, "{asked}");
    }
}

#[tokio::test]
async fn users_of_the_settings_count_where_policies_come_with_the_program() {
    let world = World::new().await;
    let mut seed = Seed::default();
    let listed = world.identities.seed().account(&world.account).unwrap().clone();
    seed.add_account(listed.clone());
    let auditor = ReadyMade::by_arn("arn:aws:iam::aws:policy/Auditor").unwrap();
    seed.add_principal(Principal::user(&listed, "Ann", vec![auditor.attached()]));
    let (rows, audit, sources) =
        (world.fixture.rows.clone(), world.fixture.audit.clone(), world.fixture.sources.clone());
    let identities = Identities::new(rows, audit, Arc::new(seed), sources);
    let arn = auditor.arn();
    assert_eq!(identities.count_attachments(&world.account, &arn).await, Ok((1, 0)));
    assert_eq!(identities.count_attachments(&world.account, READ_ONLY).await, Ok((0, 0)));
    let users = identities.seed_users_with(&world.account, &arn);
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Ann"]);
    assert_eq!(identities.seed_user_count(&world.account), 1);
    assert_eq!(identities.seed_user_count(&AccountId::parse("444455556666").unwrap()), 0);
}

#[tokio::test]
async fn an_account_has_one_alias() {
    let world = World::new().await;
    let (create, delete) =
        (world.grant("iam:CreateAccountAlias", "*".into()), world.grant("iam:DeleteAccountAlias", "*".into()));
    for alias in ["acme", "acme-2"] {
        world.commit(world.identities.create_account_alias(&create, alias).await).await.unwrap();
        assert_eq!(world.identities.state(&world.account).await.unwrap().aliases, [alias]);
    }
    let again = world.identities.create_account_alias(&create, "acme-2").await.err();
    assert!(matches!(again, Some(IdentityError::EntityAlreadyExists(_))), "{again:?}");
    let gone = world.identities.delete_account_alias(&delete, "acme").await.err();
    assert!(matches!(gone, Some(IdentityError::NoSuchEntity(_))), "{gone:?}");
    world.commit(world.identities.delete_account_alias(&delete, "acme-2").await).await.unwrap();
    assert!(world.identities.state(&world.account).await.unwrap().aliases.is_empty());
}
