"""Users, access keys and groups, as administrators work with them: `aws iam`, boto3, and what the keys may do on S3
and KMS from the next request on.
"""

import functools
import http.client
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

import programs
import sdk
from gateway import MAIN, Caller
from sdk import refusal

S3_FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
INVALID = "The security token included in the request is invalid."
_number = itertools.count(1)


def name(what):
    return f"{what}-{next(_number)}"


def allowing(*actions, resource="*"):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def iam(server):
    return sdk.client(server, "iam")


@pytest.fixture
def user(iam):
    """The name of a new user, who is gone afterwards with all that was attached."""
    user = iam.create_user(UserName=name("user"))["User"]["UserName"]
    yield user
    remove(iam, user)


def remove(iam, user):
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    for policy in iam.list_user_policies(UserName=user)["PolicyNames"]:
        iam.delete_user_policy(UserName=user, PolicyName=policy)
    for policy in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
        iam.detach_user_policy(UserName=user, PolicyArn=policy["PolicyArn"])
    for group in iam.list_groups_for_user(UserName=user)["Groups"]:
        iam.remove_user_from_group(UserName=user, GroupName=group["GroupName"])
    iam.delete_user(UserName=user)


def new_key(iam, user):
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return Caller(MAIN.account, key["AccessKeyId"], key["SecretAccessKey"], user)


@pytest.mark.parametrize("program", ["v1", "v2"])
def test_aws_cli(server, s3, program):
    """From nothing to an object and back, each step a command."""
    program = programs.find("aws") if program == "v1" else programs.AWS_V2

    def aws(*words, who=MAIN, check=True):
        done = programs.run([program, *words], programs.aws_environment(server, who), check=check)
        if not check:
            return done
        return json.loads(done.stdout) if done.stdout.strip() else None

    iam = functools.partial(aws, "iam")
    user, group, bucket = name("cli"), name("cli-group"), name("cli-bucket")
    s3.create_bucket(Bucket=bucket)
    made = iam("create-user", "--user-name", user, "--path", "/people/", "--tags", "Key=team,Value=red")["User"]
    assert made["Arn"] == f"arn:aws:iam::111122223333:user/people/{user}"
    iam("wait", "user-exists", "--user-name", user)
    assert iam("get-user", "--user-name", user)["User"]["Tags"] == [{"Key": "team", "Value": "red"}]
    key = iam("create-access-key", "--user-name", user)["AccessKey"]
    who = Caller(MAIN.account, key["AccessKeyId"], key["SecretAccessKey"], user)
    assert aws("sts", "get-caller-identity", who=who)["Arn"] == made["Arn"]
    done = aws("s3", "ls", f"s3://{bucket}", who=who, check=False)
    assert done.returncode != 0 and "(AccessDenied)" in done.stderr and made["Arn"] in done.stderr

    iam("create-group", "--group-name", group)
    iam("attach-group-policy", "--group-name", group, "--policy-arn", S3_FULL)
    iam("add-user-to-group", "--group-name", group, "--user-name", user)
    assert [u["UserName"] for u in iam("get-group", "--group-name", group)["Users"]] == [user]
    programs.run([program, "s3", "cp", "-", f"s3://{bucket}/a"], programs.aws_environment(server, who), input="text")
    assert sdk.body_of(s3, bucket, "a") == b"text"

    policy = allowing("s3:GetObject", resource=f"arn:aws:s3:::{bucket}/*")
    iam("put-user-policy", "--user-name", user, "--policy-name", "read", "--policy-document", policy)
    assert iam("get-user-policy", "--user-name", user, "--policy-name", "read")["PolicyDocument"] == json.loads(policy)
    iam("remove-user-from-group", "--group-name", group, "--user-name", user)
    text = programs.run([program, "s3", "cp", f"s3://{bucket}/a", "-"], programs.aws_environment(server, who)).stdout
    assert text == "text"
    done = aws("s3", "rm", f"s3://{bucket}/a", who=who, check=False)
    assert done.returncode != 0 and "(AccessDenied)" in done.stderr

    # The rotation of the key.
    second = iam("create-access-key", "--user-name", user)["AccessKey"]
    iam("update-access-key", "--user-name", user, "--access-key-id", who.access_key, "--status", "Inactive")
    done = aws("sts", "get-caller-identity", who=who, check=False)
    assert done.returncode != 0 and "(InvalidClientTokenId)" in done.stderr and INVALID in done.stderr
    listed = iam("list-access-keys", "--user-name", user)["AccessKeyMetadata"]
    assert {key["AccessKeyId"]: key["Status"] for key in listed} == {
        who.access_key: "Inactive",
        second["AccessKeyId"]: "Active",
    }
    used = iam("get-access-key-last-used", "--access-key-id", who.access_key)
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == (user, "s3")
    used = iam("get-access-key-last-used", "--access-key-id", second["AccessKeyId"])["AccessKeyLastUsed"]
    assert used == {"ServiceName": "N/A", "Region": "N/A"}

    done = iam("delete-user", "--user-name", user, check=False)
    assert "(DeleteConflict)" in done.stderr and "must delete access keys first" in done.stderr
    for id in (who.access_key, second["AccessKeyId"]):
        iam("delete-access-key", "--user-name", user, "--access-key-id", id)
    iam("delete-user-policy", "--user-name", user, "--policy-name", "read")
    iam("delete-user", "--user-name", user)
    done = iam("get-user", "--user-name", user, check=False)
    assert "(NoSuchEntity)" in done.stderr and f"The user with name {user} cannot be found." in done.stderr
    iam("detach-group-policy", "--group-name", group, "--policy-arn", S3_FULL)
    iam("delete-group", "--group-name", group)


def test_keys_open_s3_and_kms(server, iam, s3, kms, bucket, user):
    """What is given and taken counts from the next request on."""
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    who = new_key(iam, user)
    own_s3, own_kms = sdk.client(server, "s3", who), sdk.client(server, "kms", who)
    put = {"Bucket": bucket, "Key": "a", "Body": b"x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
    assert refusal(own_s3.put_object, **put).code == "AccessDenied"
    iam.attach_user_policy(UserName=user, PolicyArn=S3_FULL)
    got = refusal(own_s3.put_object, **put)
    assert got.code == "AccessDenied" and "kms:GenerateDataKey" in got.message, got
    iam.put_user_policy(
        UserName=user, PolicyName="key", PolicyDocument=allowing("kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt")
    )
    own_s3.put_object(**put)
    assert sdk.body_of(own_s3, bucket, "a") == b"x"
    sealed = own_kms.encrypt(KeyId=key_id, Plaintext=b"secret")["CiphertextBlob"]
    assert own_kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"

    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=S3_FULL)
    got = refusal(own_kms.decrypt, CiphertextBlob=sealed)
    assert got.code == "AccessDeniedException" and "no permissions boundary allows the kms:Decrypt" in got.message, got
    iam.delete_user_permissions_boundary(UserName=user)
    assert own_kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    iam.delete_user_policy(UserName=user, PolicyName="key")
    assert refusal(own_kms.decrypt, CiphertextBlob=sealed).code == "AccessDeniedException"
    assert refusal(own_s3.get_object, Bucket=bucket, Key="a").code == "AccessDenied"
    iam.detach_user_policy(UserName=user, PolicyArn=S3_FULL)
    assert refusal(own_s3.list_objects_v2, Bucket=bucket).code == "AccessDenied"


def test_rotation(server, iam, user):
    """A second key, then the first is put away; each service refuses it at once, in its own words."""
    iam.attach_user_policy(UserName=user, PolicyArn=READ_ONLY)
    first, second = new_key(iam, user), new_key(iam, user)
    got = refusal(iam.create_access_key, UserName=user)
    assert (got.status, got.code, got.message) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    calls = {
        "s3": ("list_buckets", "InvalidAccessKeyId"),
        "kms": ("list_keys", "UnrecognizedClientException"),
        "iam": ("get_user", "InvalidClientTokenId"),
        "sts": ("get_caller_identity", "InvalidClientTokenId"),
    }
    of_first = {service: getattr(sdk.client(server, service, first), call) for service, (call, _) in calls.items()}
    of_second = {service: getattr(sdk.client(server, service, second), call) for service, (call, _) in calls.items()}

    def answers(clients):
        for service, (_, code) in calls.items():
            try:
                clients[service]()
                got = None
            except ClientError as error:
                got = error.response["Error"]["Code"]
            assert got in (None, code)
            yield got is None

    assert all(answers(of_first)) and all(answers(of_second))
    for status in ("Inactive", "Active", "Inactive"):
        iam.update_access_key(UserName=user, AccessKeyId=first.access_key, Status=status)
        assert set(answers(of_first)) == {status == "Active"}
        assert all(answers(of_second))
    iam.delete_access_key(UserName=user, AccessKeyId=first.access_key)
    assert not any(answers(of_first)) and all(answers(of_second))
    # The user is removed while its key signs.
    remove(iam, user)
    assert not any(answers(of_second))
    iam.create_user(UserName=user)
    assert not any(answers(of_second))


def test_keys_of_oneself(server, iam, user):
    """Without a name it is the caller's own."""
    arn = iam.get_user(UserName=user)["User"]["Arn"]
    iam.put_user_policy(
        UserName=user, PolicyName="own", PolicyDocument=allowing("iam:*AccessKey*", "iam:GetUser", resource=arn)
    )
    own = sdk.client(server, "iam", new_key(iam, user))
    assert own.get_user()["User"]["Arn"] == arn
    made = own.create_access_key()["AccessKey"]
    assert made["UserName"] == user
    assert len(own.list_access_keys()["AccessKeyMetadata"]) == 2
    own.delete_access_key(AccessKeyId=made["AccessKeyId"])
    got = refusal(own.create_access_key, UserName="alice")
    assert got.code == "AccessDenied" and got.message.startswith(f"User: {arn} is not authorized to perform"), got
    root = iam.get_user()["User"]
    assert (root["Arn"], root["UserId"]) == ("arn:aws:iam::111122223333:root", "111122223333")
    assert [key["AccessKeyId"] for key in iam.list_access_keys()["AccessKeyMetadata"]] == [MAIN.access_key]
    assert refusal(iam.create_access_key, UserName="alice").code == "UnmodifiableEntity"


def test_paginators_and_waiters(server, iam):
    path = f"/{name('page')}/"
    users = sorted(name("page-user") for _ in range(7))
    group = name("page-group")
    iam.create_group(GroupName=group, Path=path)
    for user in users:
        iam.create_user(UserName=user, Path=path)
        iam.add_user_to_group(GroupName=group, UserName=user)
    iam.get_waiter("user_exists").wait(UserName=users[0], WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix=path, PaginationConfig={"PageSize": 3}))
    assert [len(page["Users"]) for page in pages] == [3, 3, 1]
    assert [user["UserName"] for page in pages for user in page["Users"]] == users
    everyone = [u["UserName"] for p in iam.get_paginator("list_users").paginate() for u in p["Users"]]
    assert {*users, "alice", "app"} <= set(everyone) and len(everyone) == len(set(everyone))
    pages = list(iam.get_paginator("get_group").paginate(GroupName=group, PaginationConfig={"PageSize": 2}))
    assert [user["UserName"] for page in pages for user in page["Users"]] == users
    pages = iam.get_paginator("list_groups").paginate(PathPrefix=path)
    assert [group["GroupName"] for page in pages for group in page["Groups"]] == [group]
    pages = iam.get_paginator("list_groups_for_user").paginate(UserName=users[0])
    assert [group["GroupName"] for page in pages for group in page["Groups"]] == [group]
    tags = [{"Key": f"key-{n}", "Value": str(n)} for n in range(9)]
    iam.tag_user(UserName=users[0], Tags=tags)
    pages = iam.get_paginator("list_user_tags").paginate(UserName=users[0], PaginationConfig={"PageSize": 4})
    assert [tag for page in pages for tag in page["Tags"]] == tags
    for n in range(3):
        iam.put_user_policy(UserName=users[0], PolicyName=f"p{n}", PolicyDocument=allowing("s3:ListBucket"))
    iam.attach_user_policy(UserName=users[0], PolicyArn=READ_ONLY)
    pages = iam.get_paginator("list_user_policies").paginate(UserName=users[0], PaginationConfig={"PageSize": 2})
    assert [policy for page in pages for policy in page["PolicyNames"]] == ["p0", "p1", "p2"]
    pages = iam.get_paginator("list_attached_user_policies").paginate(UserName=users[0])
    assert [p["PolicyArn"] for page in pages for p in page["AttachedPolicies"]] == [READ_ONLY]
    new_key(iam, users[0])
    pages = list(iam.get_paginator("list_access_keys").paginate(UserName=users[0], PaginationConfig={"PageSize": 1}))
    assert [len(page["AccessKeyMetadata"]) for page in pages] == [1]
    got = refusal(iam.delete_group, GroupName=group)
    assert (got.status, got.code) == (409, "DeleteConflict")
    for user in users:
        remove(iam, user)
    iam.delete_group(GroupName=group)


def test_renamed(server, iam, s3, bucket, user):
    """A user and its group get other names, and keep what they have."""
    group = name("group")
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="list", PolicyDocument=allowing("s3:ListBucket"))
    iam.add_user_to_group(GroupName=group, UserName=user)
    own = sdk.client(server, "s3", new_key(iam, user))
    own.list_objects_v2(Bucket=bucket)
    iam.update_group(GroupName=group, NewGroupName=group.upper(), NewPath="/g/")
    iam.update_group(GroupName=group, NewGroupName=f"{group}-x")
    iam.update_user(UserName=user, NewUserName=f"{user}-x", NewPath="/u/")
    own.list_objects_v2(Bucket=bucket)
    got = refusal(own.put_object, Bucket=bucket, Key="a")
    assert f"arn:aws:iam::111122223333:user/u/{user}-x" in got.message, got
    assert iam.list_group_policies(GroupName=f"{group}-x")["PolicyNames"] == ["list"]
    document = iam.get_group_policy(GroupName=f"{group}-x", PolicyName="list")["PolicyDocument"]
    assert document == json.loads(allowing("s3:ListBucket"))
    iam.delete_group_policy(GroupName=f"{group}-x", PolicyName="list")
    assert refusal(own.list_objects_v2, Bucket=bucket).code == "AccessDenied"
    iam.update_user(UserName=f"{user}-x", NewUserName=user)
    iam.remove_user_from_group(GroupName=f"{group}-x", UserName=user)
    iam.delete_group(GroupName=f"{group}-x")


def test_refusals(iam, user):
    """The SDK knows each error by its class."""
    errors = iam.exceptions
    for error, call, args in [
        (errors.EntityAlreadyExistsException, iam.create_user, {"UserName": user.upper()}),
        (errors.NoSuchEntityException, iam.get_user, {"UserName": "nobody"}),
        (errors.NoSuchEntityException, iam.attach_user_policy, {"UserName": user, "PolicyArn": READ_ONLY + "X"}),
        (
            errors.MalformedPolicyDocumentException,
            iam.put_user_policy,
            {"UserName": user, "PolicyName": "p", "PolicyDocument": "no policy"},
        ),
        (
            errors.LimitExceededException,
            iam.put_user_policy,
            {
                "UserName": user,
                "PolicyName": "p",
                "PolicyDocument": allowing("s3:GetObject", resource="arn:aws:s3:::" + "x" * 3000),
            },
        ),
        (
            errors.InvalidInputException,
            iam.tag_user,
            {"UserName": user, "Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
        ),
        (errors.UnmodifiableEntityException, iam.delete_user, {"UserName": "alice"}),
    ]:
        with pytest.raises(error):
            call(**args)
    got = refusal(iam.create_user, UserName="no/slash")
    assert (got.status, got.code) == (400, "ValidationError")
    assert got.message.startswith("1 validation error detected: Value 'no/slash' at 'userName' failed"), got


def test_two_administrators_at_once(server, iam):
    """Of all who make the same user one succeeds; of all who take the last key one does."""
    user = name("race")
    clients = [sdk.client(server, "iam") for _ in range(6)]

    def outcomes(call, **args):
        def attempt(client):
            try:
                getattr(client, call)(**args)
            except ClientError as error:
                return error.response["Error"]["Code"]
            return "done"

        with ThreadPoolExecutor(len(clients)) as pool:
            return sorted(pool.map(attempt, clients))

    assert outcomes("create_user", UserName=user) == ["EntityAlreadyExists"] * 5 + ["done"]
    assert outcomes("create_access_key", UserName=user) == ["LimitExceeded"] * 4 + ["done"] * 2
    remove(iam, user)


def test_stored_and_recorded(own_server):
    """What was made is there after a restart; its record is there once, and the secret nowhere."""
    iam = sdk.client(own_server, "iam")
    iam.create_user(UserName="dave", Tags=[{"Key": "team", "Value": "red"}])
    iam.attach_user_policy(UserName="dave", PolicyArn=READ_ONLY)
    who = new_key(iam, "dave")
    sdk.client(own_server, "sts", who).get_caller_identity()
    assert own_server.stop() == 0
    own_server.start()
    iam = sdk.client(own_server, "iam")
    assert sdk.client(own_server, "iam", who).get_user()["User"]["Tags"] == [{"Key": "team", "Value": "red"}]
    iam.update_access_key(UserName="dave", AccessKeyId=who.access_key, Status="Inactive")
    own_server.kill()
    own_server.start()
    got = refusal(sdk.client(own_server, "sts", who).get_caller_identity)
    assert (got.status, got.code, got.message) == (403, "InvalidClientTokenId", INVALID)
    own_server.stop()
    exported = own_server.command("audit", "export", "-").stdout
    events = [json.loads(line)["record"] for line in exported.splitlines()]
    made = [e for e in events if e.get("eventName") == "CreateAccessKey"]
    assert [e["responseElements"]["accessKey"]["accessKeyId"] for e in made] == [who.access_key]
    assert who.secret_key not in exported and who.secret_key not in own_server.log()
    for file in own_server.data.rglob("*"):
        assert not file.is_file() or who.secret_key.encode() not in file.read_bytes(), file


def test_a_user_who_is_removed_while_a_request_runs(server, s3, iam):
    """What was allowed when it began comes to its end; nothing begins any more, nor does a session or a URL of then."""
    user, bucket = name("leaver"), name("leaver-bucket")
    s3.create_bucket(Bucket=bucket)
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=allowing("s3:*"))
    who = new_key(iam, user)
    theirs = sdk.client(server, who=who)
    given = sdk.client(server, "sts", who=who).get_session_token()["Credentials"]
    session = sdk.new_session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    later = session.client("s3", endpoint_url=server.endpoint, region_name="us-east-1")
    url = theirs.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "begun"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest("PUT", url.split(str(server.port), 1)[1])
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"first")
        assert later.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
        remove(iam, user)
        connection.send(b"later")
        assert connection.getresponse().status == 200
    finally:
        connection.close()
    assert sdk.body_of(s3, bucket, "begun") == b"firstlater"
    for client in (theirs, later):
        assert refusal(client.list_objects_v2, Bucket=bucket).code == "InvalidAccessKeyId"
    # Another user of the same name is another one.
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=allowing("s3:*"))
    assert refusal(later.list_objects_v2, Bucket=bucket).code == "InvalidAccessKeyId"
    remove(iam, user)
