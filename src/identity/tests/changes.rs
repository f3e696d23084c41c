//! Changes that meet others, and what requests see of them.

use std::future::Future as _;
use std::task::Poll;

use super::*;
use crate::identity::limits::USERS_MAX;
use crate::index::Faults;
use crate::names::Region;

/// Counts of a managed policy: attached, boundary.
async fn counts(world: &World, arn: &str) -> (u32, u32) {
    match world.identities.managed_policy(&world.account, arn).await.unwrap() {
        Some(ManagedPolicy::Own(policy)) => (policy.attachments, policy.boundaries),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_policy_counts_from_the_next_request_on() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    world.create_group("Team").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    let none: [&str; 0] = [];
    assert_eq!(world.policies_of(&key).await, none);
    world.put_inline::<UserRecord>("Alice", "own", &allowing("s3:GetObject")).await.unwrap();
    assert_eq!(world.policies_of(&key).await, ["own"]);
    world.add_to_group("Alice", "Team").await.unwrap();
    world.put_inline::<GroupRecord>("Team", "team", &allowing("s3:PutObject")).await.unwrap();
    assert_eq!(world.policies_of(&key).await, ["own", "team"]);
    let arn = world.create_policy("Managed", "kms:Decrypt").await.unwrap();
    world.attach::<GroupRecord>("Team", &arn).await.unwrap();
    assert_eq!(world.policies_of(&key).await, ["own", "team", arn.as_str()]);
    world.remove_from_group("Alice", "Team").await.unwrap();
    assert_eq!(world.policies_of(&key).await, ["own"]);
    world.set_boundary("Alice", Some(&arn)).await.unwrap();
    let boundary = |found: &Identity| found.principal.boundary().map(|boundary| boundary.policy.text().to_owned());
    assert_eq!(boundary(&*world.find(&key, None).await.unwrap()), Some(allowing("kms:Decrypt")));

    // Another version of the policy that is the boundary.
    let grant = world.grant("iam:CreatePolicyVersion", arn.clone());
    let new = allowing("kms:Encrypt");
    let (_, _, draft) = world.identities.create_policy_version(&grant, &arn, &new, true).await.unwrap();
    draft.commit(&world.event()).await.unwrap();
    assert_eq!(boundary(&*world.find(&key, None).await.unwrap()), Some(new));
    world.set_boundary("Alice", None).await.unwrap();
    assert_eq!(boundary(&*world.find(&key, None).await.unwrap()), None);
    let text = "No permission boundary is set for user Alice.".to_owned();
    assert_eq!(world.set_boundary("Alice", None).await, Err(IdentityError::NoSuchEntity(text)));
}

/// Two gateways over one index: what one changes, the other sees with its next request.
#[tokio::test]
async fn another_gateway_sees_it_too() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    let (rows, audit, sources) =
        (world.fixture.rows.clone(), world.fixture.audit.clone(), world.fixture.sources.clone());
    let other = Identities::new(rows, audit, Arc::clone(world.identities.seed()), sources);
    let now = world.fixture.sources.now();
    let held = other.find(&key, None, now).await.unwrap();
    assert!(Arc::ptr_eq(&held, &other.find(&key, None, now).await.unwrap()));
    world.put_inline::<UserRecord>("Alice", "own", &allowing("s3:GetObject")).await.unwrap();
    assert_eq!(other.find(&key, None, now).await.unwrap().principal.identity_policies().len(), 1);
    let grant = world.user_grant("iam:UpdateAccessKey", "Alice");
    let disabled = world.identities.update_access_key(&grant, ("Alice", &key), false).await;
    world.commit(disabled).await.unwrap();
    assert_eq!(other.find(&key, None, now).await.err(), Some(FindError::Unknown));
}

#[tokio::test]
async fn a_renamed_user_keeps_what_it_has() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    world.create("Taken").await.unwrap();
    world.create_group("Team").await.unwrap();
    world.add_to_group("Alice", "Team").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    let arn = world.create_policy("P", "s3:GetObject").await.unwrap();
    world.attach::<UserRecord>("Alice", &arn).await.unwrap();
    world.set_boundary("Alice", Some(&arn)).await.unwrap();
    world.put_inline::<UserRecord>("Alice", "own", &allowing("s3:PutObject")).await.unwrap();
    let taken = IdentityError::EntityAlreadyExists("User with name taken already exists.".to_owned());
    assert_eq!(world.rename("Alice", "taken").await, Err(taken));
    let seeded = IdentityError::EntityAlreadyExists("User with name Seeded already exists.".to_owned());
    assert_eq!(world.rename("Alice", "Seeded").await, Err(seeded));

    // At last only the case: still the same row.
    let mut old = "Alice";
    for new in ["Bob", "BOB"] {
        world.rename(old, new).await.unwrap();
        let found = world.find(&key, None).await.unwrap();
        assert_eq!(found.principal.arn(), format!("arn:aws:iam::111122223333:user/{new}"));
        assert!(found.principal.boundary().is_some());
        assert_eq!(world.policies_of(&key).await, ["own", arn.as_str()]);
        let uses = [format!("User Permissions {new}"), format!("User Boundary {new}")];
        assert_eq!(world.attached_to(&arn).await, uses);
        let members = world.identities.group_members(&world.account, "Team", None, 10).await.unwrap();
        assert_eq!(members.into_iter().map(|(_, user)| user.name).collect::<Vec<_>>(), [new]);
        old = new;
    }
    assert_eq!(counts(&world, &arn).await, (1, 1));
    assert!(world.identities.user(&world.account, "Alice").await.is_err());
    assert_eq!(world.identities.state(&world.account).await.unwrap().users, 2);

    // All of it can be taken away under the new name.
    world.detach::<UserRecord>("BOB", &arn).await.unwrap();
    world.set_boundary("BOB", None).await.unwrap();
    world.remove_from_group("BOB", "Team").await.unwrap();
    assert_eq!(counts(&world, &arn).await, (0, 0));
    assert!(world.attached_to(&arn).await.is_empty());
    assert!(world.identities.group_members(&world.account, "Team", None, 10).await.unwrap().is_empty());
    let deleted = world.identities.delete_group(&world.group_grant("iam:DeleteGroup", "Team"), "Team").await;
    world.commit(deleted).await.unwrap();
}

#[tokio::test]
async fn a_renamed_group_keeps_what_it_has() {
    let world = World::new().await;
    world.create_group("Team").await.unwrap();
    world.create_group("Taken").await.unwrap();
    let mut keys = Vec::new();
    for user in ["Alice", "Bob"] {
        world.create(user).await.unwrap();
        world.add_to_group(user, "Team").await.unwrap();
        keys.push(world.create_key(user).await.unwrap().0);
    }
    let arn = world.create_policy("P", "s3:GetObject").await.unwrap();
    world.attach::<GroupRecord>("Team", &arn).await.unwrap();
    world.put_inline::<GroupRecord>("Team", "team", &allowing("s3:PutObject")).await.unwrap();
    let taken = IdentityError::EntityAlreadyExists("Group with name taken already exists.".to_owned());
    assert_eq!(world.rename_group("Team", "taken").await, Err(taken));
    let mut old = "Team";
    for new in ["Crew", "CREW"] {
        world.rename_group(old, new).await.unwrap();
        for key in &keys {
            assert_eq!(world.policies_of(key).await, ["team", arn.as_str()]);
        }
        assert_eq!(world.attached_to(&arn).await, [format!("Group Permissions {new}")]);
        let alice = world.identities.user(&world.account, "Alice").await.unwrap();
        assert_eq!(alice.groups, [new]);
        let members = world.identities.group_members(&world.account, new, None, 10).await.unwrap();
        assert_eq!(members.into_iter().map(|(_, user)| user.name).collect::<Vec<_>>(), ["Alice", "Bob"]);
        old = new;
    }
    // By pages.
    let first = world.identities.group_members(&world.account, "crew", None, 1).await.unwrap();
    assert_eq!(first[0].0, "alice");
    let second = world.identities.group_members(&world.account, "crew", Some("alice"), 5).await.unwrap();
    assert_eq!(second.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["bob"]);
    world.remove_from_group("Alice", "Crew").await.unwrap_err();
    world.remove_from_group("Alice", "CREW").await.unwrap();
    assert_eq!(world.identities.group(&world.account, "crew").await.unwrap().members, 1);
    assert!(world.identities.group(&world.account, "Team").await.is_err());
    assert_eq!(world.identities.state(&world.account).await.unwrap().groups, 2);
}

/// Each pair would do harm if both were done: only the first is.
#[tokio::test]
async fn two_administrators_at_once() {
    let world = World::new().await;
    for user in ["Alice", "Bob"] {
        world.create(user).await.unwrap();
    }
    world.create_group("Team").await.unwrap();
    let arn = world.create_policy("P", "s3:GetObject").await.unwrap();
    let ids = &world.identities;
    let lost = Some(IdentityError::Contention);

    // The user gets a key, a group or a policy while somebody deletes it.
    let make = world.user_grant("iam:CreateAccessKey", "Alice");
    let delete = world.user_grant("iam:DeleteUser", "Alice");
    let deleting = ids.delete_user(&delete, "Alice").await.unwrap();
    let (made, making) = ids.create_access_key(&make, "Alice").await.unwrap();
    deleting.commit(&world.event()).await.unwrap();
    assert_eq!(making.commit(&world.event()).await.err(), lost);
    assert_eq!(world.find(&made.entry.id, None).await.err(), Some(FindError::Unknown));
    assert!(matches!(ids.create_access_key(&make, "Alice").await.err(), Some(IdentityError::NoSuchEntity(_))));

    let add = world.group_grant("iam:AddUserToGroup", "Team");
    let deleting = ids.delete_user(&world.user_grant("iam:DeleteUser", "Bob"), "Bob").await.unwrap();
    let adding = ids.add_user_to_group(&add, "Team", "Bob").await.unwrap().unwrap();
    adding.commit(&world.event()).await.unwrap();
    assert_eq!(deleting.commit(&world.event()).await.err(), lost);

    // The group goes while somebody is put in; the policy while it is attached.
    world.remove_from_group("Bob", "Team").await.unwrap();
    let deleting = ids.delete_group(&world.group_grant("iam:DeleteGroup", "Team"), "Team").await.unwrap();
    let adding = ids.add_user_to_group(&add, "Team", "Bob").await.unwrap().unwrap();
    deleting.commit(&world.event()).await.unwrap();
    assert_eq!(adding.commit(&world.event()).await.err(), lost);
    let attach = world.user_grant("iam:AttachUserPolicy", "Bob");
    let deleting = ids.delete_policy(&world.grant("iam:DeletePolicy", arn.clone()), &arn).await.unwrap();
    let attaching = ids.attach_policy::<UserRecord>(&attach, "Bob", &arn).await.unwrap().unwrap();
    attaching.commit(&world.event()).await.unwrap();
    assert_eq!(deleting.commit(&world.event()).await.err(), lost);
    assert_eq!(counts(&world, &arn).await, (1, 0));

    // Both take the last free place, or the same name.
    let grant = world.user_grant("iam:CreateUser", "x");
    let mut draft = Draft::begin(ids, &grant).await.unwrap();
    draft.state.users = USERS_MAX as u32 - 1;
    draft.commit(&world.event()).await.unwrap();
    let new = |name: &str| NewUser { name: name.to_owned(), path: "/".to_owned(), boundary: None, tags: Vec::new() };
    let (_, first) = ids.create_user(&world.user_grant("iam:CreateUser", "C"), &new("C")).await.unwrap();
    let (_, second) = ids.create_user(&world.user_grant("iam:CreateUser", "D"), &new("D")).await.unwrap();
    first.commit(&world.event()).await.unwrap();
    assert_eq!(second.commit(&world.event()).await.err(), lost);
    assert_eq!(ids.state(&world.account).await.unwrap().users as usize, USERS_MAX);
}

/// Leave was asked for on a name that means another entity by now.
#[tokio::test]
async fn who_was_moved_is_asked_for_anew() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    world.create_group("Team").await.unwrap();
    let moved = world.grant("iam:DeleteUser", iam_arn(&world.account, "user", "/old/", "Alice"));
    let lost = Some(IdentityError::Contention);
    assert_eq!(world.identities.delete_user(&moved, "Alice").await.err(), lost);
    let moved = world.grant("iam:PutUserPolicy", iam_arn(&world.account, "user", "/old/", "Alice"));
    let text = allowing("s3:GetObject");
    assert_eq!(world.identities.put_inline_policy::<UserRecord>(&moved, "Alice", "p", &text).await.err(), lost);
    let moved = world.grant("iam:AddUserToGroup", iam_arn(&world.account, "group", "/old/", "Team"));
    assert_eq!(world.identities.add_user_to_group(&moved, "Team", "Alice").await.err(), lost);
}

/// A user that the settings got later: who signs is theirs.
#[tokio::test]
async fn the_settings_come_first() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    let listed = world.identities.seed().account(&world.account).unwrap().clone();
    let mut seed = Seed::default();
    seed.add_account(listed.clone());
    seed.add_principal(Principal::user(&listed, "alice", Vec::new()));
    let (rows, audit, sources) =
        (world.fixture.rows.clone(), world.fixture.audit.clone(), world.fixture.sources.clone());
    let later = Identities::new(rows, audit, Arc::new(seed), sources);
    assert_eq!(later.find(&key, None, world.fixture.sources.now()).await.err(), Some(FindError::Unknown));
    let users = later.users(&world.account, None, 10).await.unwrap();
    assert_eq!(users.into_iter().map(|(_, user)| user.name).collect::<Vec<_>>(), ["alice"]);
    assert!(world.find(&key, None).await.is_ok());
}

/// The user is never in the group while the group may do something. Nobody may ever see it so, whenever the changes come
/// in between the reads of a request.
#[tokio::test]
async fn an_identity_is_of_one_time() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    world.create_group("Team").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    let (mut reads, mut ended) = (0, false);
    while !ended {
        world.add_to_group("Alice", "Team").await.unwrap();
        world.fixture.index.set_faults(Faults { yield_reads: true, ..Faults::default() });
        let mut finding = Box::pin(world.find(&key, None));
        for _ in 0..reads {
            ended = ended || std::future::poll_fn(|cx| Poll::Ready(finding.as_mut().poll(cx).is_ready())).await;
        }
        world.fixture.index.set_faults(Faults::default());
        world.remove_from_group("Alice", "Team").await.unwrap();
        world.put_inline::<GroupRecord>("Team", "all", &allowing("*")).await.unwrap();
        if !ended {
            let found = finding.await.unwrap();
            assert_eq!(found.principal.identity_policies().len(), 0, "changed behind {reads} reads");
        }
        let grant = world.group_grant("iam:DeleteGroupPolicy", "Team");
        let deleted = world.identities.delete_inline_policy::<GroupRecord>(&grant, "Team", "all").await;
        world.commit(deleted).await.unwrap();
        reads += 1;
    }
    assert!(reads > 6, "{reads}");
}

#[tokio::test]
async fn uses_are_noted_and_written_down() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    let (ids, region) = (&world.identities, Region::parse("eu-central-1").unwrap());
    assert_eq!(ids.last_use(&key).await.unwrap(), None);
    assert_eq!(ids.write_uses().await.unwrap(), 0);
    let at = world.fixture.sources.now();
    let last = |service: &str| Some(LastUse { at, service: service.to_owned(), region: "eu-central-1".to_owned() });
    for service in ["s3", "kms"] {
        ids.0.uses.note_id(&key, service, &region, at);
    }
    assert_eq!(ids.last_use(&key).await.unwrap(), last("kms"));

    // What could not be written is not forgotten.
    world.fixture.index.set_faults(Faults { full_in: Some(1), ..Faults::default() });
    assert!(ids.write_uses().await.is_err());
    world.fixture.index.set_faults(Faults::default());
    assert_eq!(ids.last_use(&key).await.unwrap(), last("kms"));
    assert_eq!(ids.write_uses().await.unwrap(), 1);
    assert_eq!(ids.write_uses().await.unwrap(), 0);
    assert_eq!(ids.last_use(&key).await.unwrap(), last("kms"));

    // One of the settings too; and nothing is left of a key that is deleted, used before or not.
    ids.0.uses.note_id("SEEDED", "iam", &region, at);
    ids.0.uses.note_id(&key, "s3", &region, at);
    let grant = world.user_grant("iam:DeleteAccessKey", "Alice");
    let deleted = ids.delete_access_key(&grant, ("Alice", &key)).await;
    world.commit(deleted).await.unwrap();
    assert_eq!(ids.write_uses().await.unwrap(), 1);
    assert_eq!(ids.last_use(&key).await.unwrap(), None);
    assert_eq!(ids.last_use("SEEDED").await.unwrap(), last("iam"));
    assert_eq!(ids.key_owner("SEEDED").await.unwrap(), Some((world.account.clone(), Some("Seeded".to_owned()))));
    assert_eq!(ids.key_owner(&key).await.unwrap(), None);
}
