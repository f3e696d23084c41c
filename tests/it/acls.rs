//! Owners and ACLs of the object store while others change the bucket.

use serde_json::Value;

use strongroom::names::bucket_arn;
use strongroom::objects::{
    Attributes, Bucket, NewUpload, ObjectAccess, ObjectMeta, ObjectOwner, ObjectOwnership, ObjectsError, PutObject,
    Standing, Versioning, WriteCondition,
};
use strongroom::policy::{Acl, AclGrant, Group, Permission, PublicAccessBlock};
use strongroom::sse::Requested;

use crate::stack::{Stack, key, payload};

const OWNER: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

fn public() -> Option<Acl> {
    Some(Acl { grants: vec![AclGrant::group(Group::AllUsers, Permission::Read)] })
}

fn of_another() -> Option<ObjectAccess> {
    Some(ObjectAccess { owner: Some(ObjectOwner::Account("444455556666".to_owned())), acl: public() })
}

async fn set_ownership(stack: &Stack, bucket: &Bucket, to: ObjectOwnership) -> Result<Bucket, ObjectsError> {
    let grant = stack.grant("s3:PutBucketOwnershipControls", bucket_arn(&bucket.name));
    let event = stack.event("PutBucketOwnershipControls", Value::Null);
    stack.objects.set_ownership(&grant, &bucket.name, Some(to), OWNER, &event).await?;
    Ok(stack.bucket(bucket.name.as_str()).await)
}

async fn set_acl(stack: &Stack, seen: &Bucket, acl: Option<Acl>) -> Result<(), ObjectsError> {
    let grant = stack.grant("s3:PutBucketAcl", bucket_arn(&seen.name));
    let event = stack.event("PutBucketAcl", Value::Null);
    stack.objects.set_bucket_acl(&grant, seen, acl, &event).await.map(drop)
}

async fn with_acls(stack: &Stack) -> Bucket {
    let bucket = stack.create_bucket("shared", Versioning::Never).await;
    set_ownership(stack, &bucket, ObjectOwnership::ObjectWriter).await.unwrap()
}

async fn put(stack: &Stack, bucket: &Bucket, name: &str, access: Option<ObjectAccess>) {
    let (key, meta, condition) = (key(name), ObjectMeta::default(), WriteCondition::default());
    let sse = stack.objects.sse();
    let asked = Requested::SseS3;
    let plan = sse.plan(&stack.access(), (&bucket.name, &key), &bucket.owner, &bucket.encryption, asked).await;
    let attributes = Attributes { access, lock: None, ..Attributes::default() };
    let put = PutObject { bucket, key: &key, meta, plan: plan.unwrap(), condition, attributes };
    stack.objects.put(&stack.object_grant("s3:PutObject", bucket, &key), put, payload(b"data")).await.unwrap();
}

async fn standing(stack: &Stack, bucket: &Bucket, name: &str) -> Standing {
    stack.objects.standing(bucket, &key(name), None).await.unwrap()
}

#[tokio::test]
async fn acls_and_ownership_of_a_bucket_exclude_each_other() {
    let stack = Stack::new(1).await;
    let on = with_acls(&stack).await;
    set_acl(&stack, &on, public()).await.unwrap();
    assert_eq!(stack.bucket("shared").await.acl, public());
    let off = ObjectOwnership::BucketOwnerEnforced;
    assert_eq!(set_ownership(&stack, &on, off).await.unwrap_err(), ObjectsError::BucketHasAcl);
    // One that grants to the owner alone is no obstacle, and comes back with ACLs.
    let own = Some(Acl { grants: vec![AclGrant::account(OWNER, Permission::Read)] });
    set_acl(&stack, &on, own.clone()).await.unwrap();
    let off = set_ownership(&stack, &on, off).await.unwrap();
    assert!(!off.acls_on() && off.acl == own);
    // It was judged while ACLs were on.
    assert_eq!(set_acl(&stack, &on, public()).await, Err(ObjectsError::Contention));
    let on = set_ownership(&stack, &on, ObjectOwnership::BucketOwnerPreferred).await.unwrap();
    let block = PublicAccessBlock { block_public_acls: true, ..PublicAccessBlock::default() };
    let grant = stack.grant("s3:PutBucketPublicAccessBlock", bucket_arn(&on.name));
    let event = stack.event("PutBucketPublicAccessBlock", Value::Null);
    stack.objects.set_public_access_block(&grant, &on.name, Some(block), &event).await.unwrap();
    assert_eq!(set_acl(&stack, &on, public()).await, Err(ObjectsError::Contention));
    assert_eq!(stack.bucket("shared").await.acl, own);
}

#[tokio::test]
async fn what_is_committed_after_acls_are_off_is_the_bucket_owners() {
    let stack = Stack::new(2).await;
    let on = with_acls(&stack).await;
    put(&stack, &on, "before", of_another()).await;
    let (object, meta) = (key("upload"), ObjectMeta::default());
    let grant = stack.object_grant("s3:PutObject", &on, &object);
    let sse = stack.objects.sse();
    let plan = sse.plan(&stack.access(), (&on.name, &object), &on.owner, &on.encryption, Requested::SseS3).await;
    let initiator = Some("arn:aws:iam::444455556666:root".to_owned());
    let (plan, attributes) = (plan.unwrap(), Attributes { access: of_another(), ..Attributes::default() });
    let new =
        NewUpload { bucket: &on, key: &object, meta, plan, checksum: None, attributes, initiator: initiator.clone() };
    let upload = stack.objects.create_upload(&grant, new).await.unwrap();
    let found = stack.objects.upload(&on, &object, upload.id).await.unwrap();
    assert_eq!((found.attributes.access, found.initiator), (of_another(), initiator));
    let part = stack.put_part(&on, &upload, (1, b"part"), None).await.unwrap();
    let off = set_ownership(&stack, &on, ObjectOwnership::BucketOwnerEnforced).await.unwrap();
    // The writer has seen ACLs that are on: its commit finds them off.
    put(&stack, &on, "after", of_another()).await;
    stack.complete(&off, &upload, &[part]).await.unwrap();
    assert_eq!(off.in_force(of_another().as_ref()), None);
    for (name, expected) in [("before", of_another()), ("after", None), ("upload", None)] {
        assert_eq!(standing(&stack, &off, name).await, Standing::Object(expected), "{name}");
    }
    assert_eq!(standing(&stack, &off, "absent").await, Standing::Absent);
}

#[tokio::test]
async fn an_acl_is_for_the_version_that_it_was_judged_for() {
    let stack = Stack::new(3).await;
    let bucket = with_acls(&stack).await;
    put(&stack, &bucket, "k", of_another()).await;
    let info = stack.head(&bucket, &key("k")).await.unwrap();
    let grant = stack.object_grant("s3:PutObjectAcl", &bucket, &key("k"));
    stack.objects.set_object_acl(&grant, &bucket, &info, None).await.unwrap();
    let private = of_another().map(|access| ObjectAccess { acl: None, ..access });
    assert_eq!(standing(&stack, &bucket, "k").await, Standing::Object(private), "the owner stays");
    put(&stack, &bucket, "k", None).await;
    stack.objects.set_object_acl(&grant, &bucket, &info, public()).await.unwrap();
    assert_eq!(standing(&stack, &bucket, "k").await, Standing::Object(None), "another object took its place");
    let info = stack.head(&bucket, &key("k")).await.unwrap();
    stack.objects.set_object_acl(&grant, &bucket, &info, public()).await.unwrap();
    let stack = stack.crash().await;
    let expected = Some(ObjectAccess { owner: None, acl: public() });
    assert_eq!(standing(&stack, &bucket, "k").await, Standing::Object(expected));
}
