"""Who may do what: users with policies, keys across accounts, S3's use of keys as its caller, the roles."""

import json
import subprocess

import pytest

import sdk
from gateway import BINARY, MAIN, Caller, Strongroom
from sdk import body_of, refusal

OTHER_ACCOUNT = "444455556666"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect, action, resource="*", **condition):
    made = {"Effect": effect, "Action": action, "Resource": resource}
    return made | ({"Condition": condition} if condition else {})


S3 = statement("Allow", "s3:*")
VIA_S3 = statement("Allow", "kms:*", StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"})

# Name, account, policies.
USERS = [
    ("s3only", MAIN.account, [policy(S3)]),
    ("kmsboth", MAIN.account, [policy(S3, statement("Allow", ["kms:GenerateDataKey", "kms:Decrypt"]))]),
    ("writer", MAIN.account, [policy(S3, statement("Allow", "kms:GenerateDataKey"))]),
    ("reader", MAIN.account, [policy(S3, statement("Allow", "kms:Decrypt"))]),
    ("via", MAIN.account, [policy(S3, VIA_S3)]),
    ("denied", MAIN.account, [policy(S3, statement("Allow", "kms:*"), statement("Deny", "kms:Decrypt"))]),
    ("home", MAIN.account, [policy(
        statement("Allow", "s3:*Object", "arn:aws:s3:::shelf/${aws:username}/*"),
        statement("Allow", "s3:ListBucket", "arn:aws:s3:::shelf", StringLike={"s3:prefix": "${aws:username}/*"}),
    )]),
    ("context", MAIN.account, [policy(S3, statement("Allow", "kms:*", StringLike={
        "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::shelf/context/*",
    }))]),
    ("bucketkeys", MAIN.account, [policy(S3, statement("Allow", "kms:*", StringEquals={
        "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::shelf",
    }))]),
    ("insecure", MAIN.account, [policy(S3), policy(
        statement("Deny", "s3:PutObject", Bool={"aws:SecureTransport": "false"}),
    )]),
    ("encrypts", MAIN.account, [policy(S3), policy(
        statement("Deny", "s3:PutObject", StringNotEquals={"s3:x-amz-server-side-encryption": "aws:kms"}),
    )]),
    ("admin", MAIN.account, ["strongroom:KeyAdministrator"]),
    ("user", MAIN.account, ["strongroom:KeyUser"]),
    ("auditor", MAIN.account, ["strongroom:Auditor"]),
    ("stranger", OTHER_ACCOUNT, [policy(S3, statement("Allow", "kms:*"))]),
]  # fmt: skip


def caller(name):
    account = next(account for user, account, _ in USERS if user == name)
    return Caller(account, f"{name.upper():Z<20}", f"{name}/Secret+Key", name)


def listed():
    """The accounts as STRONGROOM_ACCOUNTS takes them."""

    def user(name, policies):
        who = caller(name)
        return {"name": name, "access_keys": [{"id": who.access_key, "secret": who.secret_key}], "policies": policies}

    def account(account_id, keys):
        users = [user(name, policies) for name, owner, policies in USERS if owner == account_id]
        return {"id": account_id, "access_keys": keys, "user": users}

    root = [{"id": MAIN.access_key, "secret": MAIN.secret_key}]
    return json.dumps([account(MAIN.account, root), account(OTHER_ACCOUNT, [])])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    environment = {"STRONGROOM_ACCOUNTS": listed()}
    gateway = Strongroom(tmp_path_factory.mktemp("authorization"), environment=environment).start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]
    assert "panicked" not in gateway.log()


@pytest.fixture(scope="module")
def root(gateway):
    s3 = sdk.client(gateway)
    s3.create_bucket(Bucket="shelf")
    return s3


@pytest.fixture(scope="module")
def kms(gateway):
    return sdk.client(gateway, "kms")


@pytest.fixture(scope="module")
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def sealed(root, key):
    """SSE-KMS arguments; an object `sealed` lies under them."""
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    root.put_object(Bucket="shelf", Key="sealed", Body=b"content", **how)
    return how


def as_(gateway, name, service="s3"):
    return sdk.client(gateway, service, who=caller(name))


def arn_of(name):
    who = caller(name)
    return f"arn:aws:iam::{who.account}:user/{name}"


def none_allows(name, action, resource, layer="identity"):
    told = f"User: {arn_of(name)} is not authorized to perform: {action} on resource: {resource}"
    return f"{told} because no {layer}-based policy allows the {action} action"


def test_users_of_s3(gateway, root, key):
    s3 = as_(gateway, "s3only")
    s3.put_object(Bucket="shelf", Key="plain", Body=b"x")
    assert body_of(s3, "shelf", "plain") == b"x"
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["shelf"]
    nobody = as_(gateway, "admin")
    got = refusal(nobody.list_buckets)
    told = f"User: {arn_of('admin')} is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy"
    assert (got.status, got.message) == (403, f"{told} allows the s3:ListAllMyBuckets action")
    got = refusal(nobody.put_object, Bucket="shelf", Key="k", Body=b"")
    assert got.message == none_allows("admin", "s3:PutObject", '"arn:aws:s3:::shelf/k"')
    got = refusal(as_(gateway, "stranger").get_object, Bucket="shelf", Key="plain")
    assert (got.status, got.code, got.message) == (403, "AccessDenied", "Access Denied")


def test_policy_variables_and_prefixes(gateway, root):
    s3 = as_(gateway, "home")
    s3.put_object(Bucket="shelf", Key="home/a", Body=b"x")
    assert refusal(s3.put_object, Bucket="shelf", Key="homely/a", Body=b"x").status == 403
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="shelf", Prefix="home/")["Contents"]] == ["home/a"]
    assert refusal(s3.list_objects_v2, Bucket="shelf").status == 403
    assert refusal(s3.list_objects_v2, Bucket="shelf", Prefix="").status == 403


def test_conditions_on_how_a_request_comes(gateway, root, key):
    got = refusal(as_(gateway, "insecure").put_object, Bucket="shelf", Key="k", Body=b"x")
    assert got.message.endswith("with an explicit deny in an identity-based policy"), got
    s3 = as_(gateway, "encrypts")
    assert refusal(s3.put_object, Bucket="shelf", Key="k", Body=b"x").status == 403
    s3.put_object(Bucket="shelf", Key="k", Body=b"x", ServerSideEncryption="aws:kms")


@pytest.mark.parametrize(
    "who, puts, gets",
    [("kmsboth", True, True), ("writer", True, False), ("reader", False, True), ("s3only", False, False)],
)
def test_s3_uses_keys_as_its_caller(gateway, root, key, sealed, who, puts, gets):
    s3 = as_(gateway, who)
    put = {"Bucket": "shelf", "Key": f"by-{who}", "Body": b"x"} | sealed
    copy = {"Bucket": "shelf", "Key": f"copy-{who}", "CopySource": "shelf/sealed"} | sealed
    get = {"Bucket": "shelf", "Key": "sealed"}
    upload = {"Bucket": "shelf", "Key": f"parts-{who}"} | sealed
    no_write = none_allows(who, "kms:GenerateDataKey", key)
    no_read = none_allows(who, "kms:Decrypt", key)
    s3.head_object(**get)
    for call, arguments, allowed, told in [
        (s3.put_object, put, puts, no_write),
        (s3.create_multipart_upload, upload, puts, no_write),
        (s3.get_object, get, gets, no_read),
        (s3.copy_object, copy, puts and gets, no_read if puts else no_write),
    ]:
        if allowed:
            call(**arguments)
        else:
            got = refusal(call, **arguments)
            assert (got.status, got.code, got.message) == (403, "AccessDenied", told)
    if not gets:
        assert refusal(s3.head_object, **get, ChecksumMode="ENABLED").status == 403
        assert refusal(s3.get_object_attributes, **get, ObjectAttributes=["ObjectSize"]).message == no_read


def test_parts_need_leave_to_decrypt(gateway, root, key, sealed):
    s3 = as_(gateway, "writer")
    upload = s3.create_multipart_upload(Bucket="shelf", Key="parts", **sealed)["UploadId"]
    part = {"Bucket": "shelf", "Key": "parts", "UploadId": upload, "PartNumber": 1}
    assert refusal(s3.upload_part, **part, Body=b"x").message == none_allows("writer", "kms:Decrypt", key)
    both = as_(gateway, "kmsboth")
    etag = both.upload_part(**part, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    both.complete_multipart_upload(Bucket="shelf", Key="parts", UploadId=upload, MultipartUpload=parts)


def test_update_object_encryption_asks_for_both_keys(gateway, root, sealed, key, kms):
    root.put_object(Bucket="shelf", Key="moved", Body=b"x", **sealed)
    other = kms.create_key()["KeyMetadata"]["Arn"]
    update = {"Bucket": "shelf", "Key": "moved", "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": other}}}
    got = refusal(as_(gateway, "kmsboth").update_object_encryption, **update)
    assert got.message == none_allows("kmsboth", "kms:ReEncryptFrom", key)
    as_(gateway, "via").update_object_encryption(**update)
    assert body_of(root, "shelf", "moved") == b"x"


def test_an_explicit_deny_wins(gateway, root, sealed, key):
    s3 = as_(gateway, "denied")
    s3.put_object(Bucket="shelf", Key="by-denied", Body=b"x", **sealed)
    got = refusal(s3.get_object, Bucket="shelf", Key="by-denied")
    told = f"User: {arn_of('denied')} is not authorized to perform: kms:Decrypt on resource: {key}"
    assert got.message == f"{told} with an explicit deny in an identity-based policy"


def test_only_through_s3(gateway, root, sealed, key):
    """kms:ViaService: the same permission opens an object and no ciphertext."""
    s3 = as_(gateway, "via")
    s3.put_object(Bucket="shelf", Key="by-via", Body=b"x", **sealed)
    assert body_of(s3, "shelf", "by-via") == b"x"
    direct = as_(gateway, "via", "kms")
    for call in (direct.generate_data_key, direct.generate_data_key_without_plaintext):
        assert refusal(call, KeyId=key, KeySpec="AES_256").code == "AccessDeniedException"


def test_the_encryption_context_of_s3(gateway, root, sealed, key):
    s3 = as_(gateway, "context")
    s3.put_object(Bucket="shelf", Key="context/a", Body=b"x", **sealed)
    assert body_of(s3, "shelf", "context/a") == b"x"
    assert refusal(s3.put_object, Bucket="shelf", Key="elsewhere", Body=b"x", **sealed).status == 403
    assert (
        refusal(s3.put_object, Bucket="shelf", Key="context/b", Body=b"x", BucketKeyEnabled=True, **sealed).status
        == 403
    )
    buckets = as_(gateway, "bucketkeys")
    buckets.put_object(Bucket="shelf", Key="context/b", Body=b"x", BucketKeyEnabled=True, **sealed)
    assert body_of(buckets, "shelf", "context/b") == b"x"
    assert refusal(buckets.get_object, Bucket="shelf", Key="context/a").status == 403


def test_a_bucket_key_in_memory_outlives_no_permission(gateway, root, kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": True}
    s3 = as_(gateway, "kmsboth")
    s3.put_object(Bucket="shelf", Key="kept", Body=b"x", **how)
    assert body_of(s3, "shelf", "kept") == b"x"
    account = f"arn:aws:iam::{MAIN.account}:root"
    everything = {"Sid": "root", "Principal": {"AWS": account}} | statement("Allow", "kms:*")
    deny = {"Principal": {"AWS": arn_of("kmsboth")}} | statement("Deny", ["kms:Decrypt", "kms:GenerateDataKey"])
    kms.put_key_policy(KeyId=key, Policy=policy(everything, deny))
    got = refusal(s3.get_object, Bucket="shelf", Key="kept")
    assert got.message.endswith(f"kms:Decrypt on resource: {key} with an explicit deny in a resource-based policy")
    assert refusal(s3.put_object, Bucket="shelf", Key="kept", Body=b"y", **how).status == 403
    kms.put_key_policy(KeyId=key, Policy=policy(everything))
    assert body_of(s3, "shelf", "kept") == b"x"


def test_the_managed_key(gateway, root, kms):
    """Whoever may use S3 may use it through S3, and nobody may otherwise."""
    s3 = as_(gateway, "s3only")
    s3.put_object(Bucket="shelf", Key="managed", Body=b"x", ServerSideEncryption="aws:kms")
    assert body_of(s3, "shelf", "managed") == b"x"
    managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    for who in (kms, as_(gateway, "user", "kms")):
        got = refusal(who.generate_data_key, KeyId=managed, KeySpec="AES_256")
        assert got.code == "AccessDeniedException" and "no resource-based policy" in got.message, got
    assert refusal(kms.put_key_policy, KeyId=managed, Policy=policy()).code.startswith(("Access", "Malformed"))


def test_keys_of_another_account(gateway, root, kms):
    stranger = as_(gateway, "stranger", "kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    hidden = refusal(stranger.encrypt, KeyId=key, Plaintext=b"x")
    absent = refusal(stranger.encrypt, KeyId=key[:-4] + "0000", Plaintext=b"x")
    assert hidden.message == absent.message and "does not exist in this Region" in hidden.message
    everything = {"Principal": {"AWS": MAIN.account}} | statement("Allow", "kms:*")
    shared = {"Principal": {"AWS": OTHER_ACCOUNT}} | statement(
        "Allow", ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"]
    )
    kms.put_key_policy(KeyId=key, Policy=policy(everything, shared))
    blob = stranger.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert stranger.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    s3 = as_(gateway, "stranger")
    s3.create_bucket(Bucket="strangers")
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(Bucket="strangers", Key="k", Body=b"x", **how)
    assert body_of(s3, "strangers", "k") == b"x"
    kms.put_key_policy(KeyId=key, Policy=policy(everything))
    got = refusal(s3.get_object, Bucket="strangers", Key="k")
    assert (got.status, got.code) == (403, "AccessDenied") and "kms:Decrypt on this resource because" in got.message


def test_nobody_locks_itself_out(kms):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    alone = policy({"Principal": {"AWS": arn_of("admin")}} | statement("Allow", "kms:*"))
    got = refusal(kms.put_key_policy, KeyId=key, Policy=alone)
    assert got.code == "MalformedPolicyDocumentException"
    assert got.message == "The new key policy will not allow you to update the key policy in the future."
    kms.put_key_policy(KeyId=key, Policy=alone, BypassPolicyLockoutSafetyCheck=True)
    assert refusal(kms.get_key_policy, KeyId=key).code == "AccessDeniedException"


def test_each_refusal_is_one_record(tmp_path):
    gateway = Strongroom(tmp_path / "own", environment={"STRONGROOM_ACCOUNTS": listed()}).start()
    try:
        root, kms = sdk.client(gateway), sdk.client(gateway, "kms")
        root.create_bucket(Bucket="shelf")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        root.put_object(Bucket="shelf", Key="k", Body=b"x", **how)
        s3 = as_(gateway, "s3only")
        assert refusal(s3.put_object, Bucket="shelf", Key="no", Body=b"x", **how).status == 403
        assert refusal(s3.get_object, Bucket="shelf", Key="k").status == 403
        assert refusal(as_(gateway, "s3only", "kms").disable_key, KeyId=key).code == "AccessDeniedException"
        assert refusal(as_(gateway, "admin").list_buckets).status == 403
    finally:
        gateway.stop()
    exported = gateway.command("audit", "export", "-").stdout.splitlines()
    records = [json.loads(line)["record"] for line in exported]
    refused = [record for record in records if record.get("errorCode")]
    assert [(r["eventName"], r["errorCode"], r["userIdentity"]["userName"]) for r in refused] == [
        # The key module's record and that of the call that asked it.
        ("GenerateDataKey", "AccessDenied", "s3only"),
        ("PutObject", "AccessDenied", "s3only"),
        ("Decrypt", "AccessDenied", "s3only"),
        ("GetObject", "AccessDenied", "s3only"),
        ("DisableKey", "AccessDenied", "s3only"),
        ("ListBuckets", "AccessDenied", "admin"),
    ]
    for record, arn in zip(refused[:4:2], ["arn:aws:s3:::shelf/no", "arn:aws:s3:::shelf/k"], strict=True):
        assert record["userIdentity"]["invokedBy"] == "AWS Internal"
        assert [resource["ARN"] for resource in record["resources"]] == [key]
        assert record["requestParameters"]["encryptionContext"] == {"aws:s3:arn": arn}
    for record, key_name in zip(refused[1:4:2], ["no", "k"], strict=True):
        assert record["eventCategory"] == "Data"
        assert record["requestParameters"]["key"] == key_name


def test_roles(gateway, kms):
    admin, user, auditor = (as_(gateway, who, "kms") for who in ("admin", "user", "auditor"))
    key = admin.create_key()["KeyMetadata"]["KeyId"]
    blob = user.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert user.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    for who in (admin, auditor):
        assert "explicit deny" in refusal(who.decrypt, CiphertextBlob=blob).message
    assert auditor.describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key
    for who in (user, auditor):
        assert refusal(who.disable_key, KeyId=key).code == "AccessDeniedException"
    admin.disable_key(KeyId=key)


def test_roles_are_printed():
    def strongroom(*arguments):
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, check=True, timeout=60).stdout

    assert [line.split()[0] for line in strongroom("roles").splitlines()] == [
        "key-administrator",
        "key-user",
        "auditor",
    ]
    document = json.loads(strongroom("roles", "print", "key-user"))
    assert document["Version"] == "2012-10-17"
    assert 'policies = ["strongroom:Auditor"]' in strongroom("roles", "print", "auditor", "--toml")


@pytest.mark.parametrize(
    "policies, told",
    [
        (["{}"], "account \"111122223333\": user \"s3only\": policy 1: "),
        ([policy(S3), "[]"], "user \"s3only\": policy 2: Syntax errors in policy."),
        ([policy(S3 | {"Principal": "*"})], "policy 1: Policy document should not specify a principal."),
        (["strongroom:Root"], "no policy is called \"strongroom:Root\"; there are strongroom:KeyAdministrator, "),
    ],
)  # fmt: skip
def test_a_malformed_policy_refuses_the_start(tmp_path, policies, told):
    accounts = [{"id": MAIN.account, "user": [{"name": "s3only", "policies": policies}]}]
    gateway = Strongroom(tmp_path / "own", environment={"STRONGROOM_ACCOUNTS": json.dumps(accounts)})
    done = gateway.command("config", "check", check=False)
    assert done.returncode == 2 and told in done.stderr, done.stderr
