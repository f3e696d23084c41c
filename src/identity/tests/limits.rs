//! Limits: as many as there may be, and one more.

use super::*;
use crate::identity::limits::{ATTACHED_MAX, GROUPS_MAX, GROUPS_PER_USER_MAX, KEYS_PER_USER_MAX, TAGS_MAX, USERS_MAX};
use crate::policy::{PolicyQuota, ReadyMade, counted_chars};

fn full(what: &str, most: usize) -> Result<(), IdentityError> {
    Err(IdentityError::LimitExceeded(format!("Cannot exceed quota for {what}: {most}")))
}

/// The account has so many users and groups, as far as its counts say.
async fn fill(world: &World, users: usize, groups: usize) {
    let grant = world.user_grant("iam:CreateUser", "x");
    let mut draft = Draft::begin(&world.identities, &grant).await.unwrap();
    (draft.state.users, draft.state.groups) = (users as u32, groups as u32);
    draft.commit(&world.event()).await.unwrap();
}

#[tokio::test]
async fn users_and_groups_of_an_account() {
    let world = World::new().await;
    fill(&world, USERS_MAX - 1, GROUPS_MAX - 1).await;
    world.create("Last").await.unwrap();
    world.create_group("Last").await.unwrap();
    assert_eq!(world.create("More").await.map(drop), full("UsersPerAccount", USERS_MAX));
    assert_eq!(world.create_group("More").await, full("GroupsPerAccount", GROUPS_MAX));
    // A name that is taken is told as such.
    assert!(matches!(world.create("last").await, Err(IdentityError::EntityAlreadyExists(_))));
    let deleted = world.identities.delete_user(&world.user_grant("iam:DeleteUser", "Last"), "Last").await;
    world.commit(deleted).await.unwrap();
    let deleted = world.identities.delete_group(&world.group_grant("iam:DeleteGroup", "Last"), "Last").await;
    world.commit(deleted).await.unwrap();
    world.create("More").await.unwrap();
    world.create_group("More").await.unwrap();
}

#[tokio::test]
async fn groups_and_keys_of_a_user() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    for n in 0..=GROUPS_PER_USER_MAX {
        world.create_group(&format!("Group{n}")).await.unwrap();
    }
    for n in 0..GROUPS_PER_USER_MAX {
        world.add_to_group("Alice", &format!("Group{n}")).await.unwrap();
    }
    let (again, more) = ("group0", format!("Group{GROUPS_PER_USER_MAX}"));
    let grant = world.group_grant("iam:AddUserToGroup", "Group0");
    assert!(world.identities.add_user_to_group(&grant, again, "Alice").await.unwrap().is_none());
    assert_eq!(world.add_to_group("Alice", &more).await, full("GroupsPerUser", GROUPS_PER_USER_MAX));
    world.remove_from_group("Alice", "Group3").await.unwrap();
    world.add_to_group("Alice", &more).await.unwrap();
    for _ in 0..KEYS_PER_USER_MAX {
        world.create_key("Alice").await.unwrap();
    }
    assert_eq!(world.create_key("Alice").await.map(drop), full("AccessKeysPerUser", KEYS_PER_USER_MAX));
}

#[tokio::test]
async fn managed_policies() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    world.create_group("Team").await.unwrap();
    let mut arns = Vec::new();
    for n in 0..=ATTACHED_MAX {
        arns.push(world.create_policy(&format!("P{n}"), "s3:GetObject").await.unwrap());
    }
    let (more, arns) = arns.split_last().unwrap();
    for arn in arns {
        world.attach::<UserRecord>("Alice", arn).await.unwrap();
        world.attach::<GroupRecord>("Team", arn).await.unwrap();
    }
    assert_eq!(world.attach::<UserRecord>("Alice", more).await, full("PoliciesPerUser", ATTACHED_MAX));
    assert_eq!(world.attach::<GroupRecord>("Team", more).await, full("PoliciesPerGroup", ATTACHED_MAX));
    // Attached already: no more than before. A boundary does not count.
    world.attach::<UserRecord>("Alice", &arns[0]).await.unwrap();
    world.set_boundary("Alice", Some(more)).await.unwrap();
    assert_eq!(world.attached_to(&arns[0]).await, ["User Permissions Alice", "Group Permissions Team"]);
    assert_eq!(world.attached_to(more).await, ["User Boundary Alice"]);
}

#[tokio::test]
async fn inline_policies_and_tags() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    world.create_group("Team").await.unwrap();
    let base = allowing("s3:GetObject");
    let of_length = |chars: usize| {
        let sid = "s".repeat(chars - counted_chars(&base) - "\"Sid\":\"\",".len());
        let text = base.replace("\"Action\"", &format!("\"Sid\":\"{sid}\",\"Action\""));
        assert_eq!(counted_chars(&text), chars);
        format!("  {text}\n")
    };
    let too_long = |quota: PolicyQuota, name: &str| Err(IdentityError::LimitExceeded(quota.message(name)));
    let (user, group) = (PolicyQuota::UserInline.limit_chars(), PolicyQuota::GroupInline.limit_chars());
    let rest = counted_chars(&base);
    world.put_inline::<UserRecord>("Alice", "a", &of_length(user - rest)).await.unwrap();
    world.put_inline::<UserRecord>("Alice", "b", &base).await.unwrap();
    let put = world.put_inline::<UserRecord>("Alice", "b", &of_length(rest + 20)).await;
    assert_eq!(put, too_long(PolicyQuota::UserInline, "Alice"));
    // One that is replaced does not count any more.
    world.put_inline::<UserRecord>("Alice", "a", &base).await.unwrap();
    world.put_inline::<UserRecord>("Alice", "b", &of_length(user - rest)).await.unwrap();
    world.put_inline::<GroupRecord>("Team", "a", &of_length(group)).await.unwrap();
    let put = world.put_inline::<GroupRecord>("Team", "b", &base).await;
    assert_eq!(put, too_long(PolicyQuota::GroupInline, "Team"));

    let tags = |keys: std::ops::Range<usize>| -> Vec<Tag> {
        keys.map(|n| Tag { key: format!("Key{n}"), value: n.to_string() }).collect()
    };
    let grant = world.user_grant("iam:TagUser", "Alice");
    let tagged = world.identities.tag::<UserRecord>(&grant, "Alice", &tags(0..TAGS_MAX)).await;
    world.commit(tagged).await.unwrap();
    let more = world.identities.tag::<UserRecord>(&grant, "Alice", &tags(TAGS_MAX..TAGS_MAX + 1)).await;
    assert_eq!(world.commit(more).await, full("TagsPerResource", TAGS_MAX));
    let other_case = [Tag { key: "KEY7".to_owned(), value: "seven".to_owned() }];
    let replaced = world.identities.tag::<UserRecord>(&grant, "Alice", &other_case).await;
    world.commit(replaced).await.unwrap();
    let user = world.identities.user(&world.account, "Alice").await.unwrap();
    assert_eq!((user.tags.len(), &user.tags[7]), (TAGS_MAX, &other_case[0]));
    let keys = ["kEY7".to_owned(), "unheard".to_owned()];
    let removed = world.identities.untag::<UserRecord>(&grant, "Alice", &keys).await;
    world.commit(removed).await.unwrap();
    assert_eq!(world.identities.user(&world.account, "Alice").await.unwrap().tags.len(), TAGS_MAX - 1);
}

#[tokio::test]
async fn ready_made_policies_are_attached_like_others() {
    let world = World::new().await;
    world.create("Alice").await.unwrap();
    let (key, _) = world.create_key("Alice").await.unwrap();
    let arn = ReadyMade::find("key-user").unwrap().arn();
    world.attach::<UserRecord>("Alice", &arn).await.unwrap();
    assert_eq!(world.policies_of(&key).await, [arn.clone()]);
    world.set_boundary("Alice", Some(&arn)).await.unwrap();
    assert_eq!(world.identities.count_attachments(&world.account, &arn).await.unwrap(), (1, 1));
    world.set_boundary("Alice", None).await.unwrap();
    world.detach::<UserRecord>("Alice", &arn).await.unwrap();
    assert_eq!(world.identities.count_attachments(&world.account, &arn).await.unwrap(), (0, 0));
}
