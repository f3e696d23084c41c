"""strongroom user, key, role and policy against a real process: what they do, what they print, how they fail."""

import json
import re
import subprocess

import pytest

import sdk
from gateway import ALICE, BINARY, MAIN, OTHER, Caller, Strongroom, clean_environment
from sdk import refusal

READ_REPORTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::desk/reports/*"}],
}


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A gateway for the tests of this module, which make users that others need not see."""
    gateway = Strongroom(tmp_path_factory.mktemp("office")).start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]


def strongroom(server, *args, who=MAIN, code=0, endpoint=None, environment=None, stdin=None):
    """Runs a command as an administrator would; gives standard output, or standard error if it is to fail."""
    keys = {"AWS_ACCESS_KEY_ID": who.access_key, "AWS_SECRET_ACCESS_KEY": who.secret_key} if who else {}
    url = {"AWS_ENDPOINT_URL": endpoint or server.endpoint, "HOME": server.directory}
    env = clean_environment(**url | keys | (environment or {}))
    command = [BINARY, *map(str, args)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, cwd=server.directory, timeout=60, input=stdin
    )
    assert done.returncode == code, f"{args} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def told(server, *args, **more):
    return json.loads(strongroom(server, *args, "--output", "json", **more))


def document(server, name, content):
    path = server.directory / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def made(server, name, *args):
    key = told(server, "user", "create", name, *args)["AccessKey"]
    return Caller(MAIN.account, key["AccessKeyId"], key["SecretAccessKey"], name)


def test_a_user_with_a_profile_to_paste(office):
    sdk.client(office, "iam").create_group(GroupName="staff")
    printed = strongroom(
        office, "user", "create", "carol", "--policy", "AmazonS3ReadOnlyAccess", "--group", "staff", "--path", "/t/"
    )
    credentials, config = printed.split("# For ~/.aws/config:")
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": document(office, "credentials", credentials),
        "AWS_CONFIG_FILE": document(office, "config", config),
    }
    assert f"endpoint_url = {office.endpoint}" in config and "[profile carol]" in config
    # The profile works as it was printed, with these commands too.
    refused = strongroom(office, "user", "list", "--profile", "carol", who=None, code=1, environment=files)
    assert "user/t/carol is not authorized to perform: iam:ListUsers" in refused
    assert re.search(r"Request id: [A-Z0-9]{16}\n.*strongroom policy explain [A-Z0-9]{16}", refused)
    shown = told(office, "user", "show", "carol")
    assert shown["User"]["Arn"] == "arn:aws:iam::111122223333:user/t/carol"
    assert [group["GroupName"] for group in shown["Groups"]] == ["staff"]
    assert [policy["PolicyName"] for policy in shown["AttachedPolicies"]] == ["AmazonS3ReadOnlyAccess"]
    assert shown["AccessKeys"][0]["AccessKeyLastUsed"]["ServiceName"] == "iam"
    text = strongroom(office, "user", "show", "carol")
    assert "groups    staff" in text and "Active" in text
    assert "carol" in strongroom(office, "user", "list")
    assert "nothing was deleted" in strongroom(office, "user", "delete", "carol", code=2)
    gone = strongroom(office, "user", "delete", "carol", "--yes").splitlines()
    assert gone[-1] == "deleted: user carol" and "deleted: membership in staff" in gone and len(gone) == 4
    assert "cannot be found" in strongroom(office, "user", "show", "carol", code=1)


def test_what_is_wrong_is_found_before_anything_is_made(office):
    for wrong in (["--policy", "no-such-policy"], ["--policy", "arn:aws:iam::aws:policy/Nope"], ["--group", "nobody"]):
        strongroom(office, "user", "create", "dave", *wrong, code=1)
    assert "cannot be found" in strongroom(office, "user", "show", "dave", code=1)
    # A user of the settings is shown, and stays.
    assert "there is no such" not in strongroom(office, "user", "show", "alice")
    assert "alice" in strongroom(office, "user", "create", "alice", code=1)


def test_a_half_made_user_is_told(office):
    """One who may make users, and give them no key."""
    rights = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["iam:CreateUser", "iam:AttachUserPolicy", "iam:GetPolicy"], "Resource": "*"}
        ],
    }
    strongroom(office, "policy", "create", "makers", document(office, "makers.json", rights))
    maker = made(office, "maker", "--policy", "makers")
    said = strongroom(office, "user", "create", "erin", "--policy", "key-user", who=maker, code=1)
    assert "User erin was made and has: policy arn:aws:iam::aws:policy/KeyUser. Missing: an access key" in said
    assert "    strongroom key create erin\n" in said and "strongroom user delete erin --yes" in said
    assert "AKIA" in strongroom(office, "key", "create", "erin")


def test_keys_are_rotated(office):
    old = made(office, "frank")
    rotated = told(office, "key", "rotate", "frank")
    assert rotated["OldAccessKeyIds"] == [old.access_key]
    new = rotated["AccessKey"]["AccessKeyId"]
    said = strongroom(office, "key", "rotate", "frank", code=1)
    assert "2 access keys, which is the most" in said and old.access_key in said
    assert strongroom(office, "key", "whose", old.access_key).startswith(
        f"{old.access_key} is frank's; last used: never"
    )
    sts = sdk.client(office, "sts", old)
    sts.get_caller_identity()
    assert strongroom(office, "key", "disable", old.access_key) == f"{old.access_key} of frank is disabled\n"
    assert refusal(sts.get_caller_identity).code == "InvalidClientTokenId"
    said = strongroom(office, "user", "list", who=old, code=1)
    assert f"does not know the access key {old.access_key} of the environment, or it is disabled" in said
    strongroom(office, "key", "enable", old.access_key)
    sts.get_caller_identity()
    assert "last used: 20" in strongroom(office, "key", "delete", old.access_key, code=2)
    strongroom(office, "key", "delete", old.access_key, "--yes")
    listed = told(office, "key", "list", "frank")["AccessKeyMetadata"]
    assert [(key["AccessKeyId"], key["Status"]) for key in listed] == [(new, "Active")]
    assert "cannot be found" in strongroom(office, "key", "whose", "AKIANOSUCHKEY0000000", code=1)


def test_policies_and_their_versions(office):
    file = document(office, "reports.json", READ_REPORTS)
    strongroom(office, "policy", "create", "reports", file, "--description", "Reads reports")
    listed = told(office, "policy", "list", "--scope", "own")["Policies"]
    assert "reports" in [policy["PolicyName"] for policy in listed]
    assert "AdministratorAccess" in strongroom(office, "policy", "list", "--scope", "ready-made")
    for _ in range(4):
        strongroom(office, "policy", "update", "reports", "-", stdin=json.dumps(READ_REPORTS))
    said = strongroom(office, "policy", "update", "reports", file, code=1)
    assert "has 5 versions" in said and "v1 of 20" in said
    assert strongroom(office, "policy", "update", "reports", file, "--prune").strip().endswith("is now v6")
    made(office, "grace")
    strongroom(office, "policy", "attach", "reports", "--user", "grace")
    shown = told(office, "policy", "show", "reports")
    assert shown["PolicyVersion"]["Document"] == READ_REPORTS and shown["PolicyUsers"][0]["UserName"] == "grace"
    assert json.loads(strongroom(office, "policy", "show", "reports", "--version", "v2")) == READ_REPORTS
    strongroom(office, "policy", "detach", "reports", "--user", "grace")
    assert "NoSuchEntity" in strongroom(office, "policy", "detach", "reports", "--user", "grace", code=1)
    assert "is no JSON" in strongroom(office, "policy", "create", "x", document(office, "x", "{"), code=1)
    assert "MalformedPolicyDocument" in strongroom(office, "policy", "create", "x", document(office, "x", "{}"), code=1)
    strongroom(office, "policy", "attach", "reports", code=2)
    strongroom(office, "policy", "attach", "reports", "--user", "a", "--role", "b", code=2)


def test_a_role_is_made_and_assumed(office):
    strongroom(
        office, "role", "create", "deputy", "--trust", MAIN.account, "--external-id", "x1", "--policy", "auditor"
    )
    rights = {"Effect": "Allow", "Action": ["sts:AssumeRole", "iam:GetRole"], "Resource": "*"}
    file = document(office, "assume.json", {"Version": "2012-10-17", "Statement": rights})
    strongroom(office, "policy", "create", "assume", file)
    heidi = made(office, "heidi", "--policy", "assume")
    assert "sts:ExternalId" in strongroom(office, "role", "show", "deputy")
    assert "deputy" in strongroom(office, "role", "list")
    assert "sts:AssumeRole" in strongroom(office, "role", "assume", "deputy", who=heidi, code=1)
    arguments = ["role", "assume", "deputy", "--external-id", "x1", "--session-name", "tuesday", "--duration", "900"]
    process = told(office, *arguments, who=heidi)
    assert process["Version"] == 1 and process["Expiration"].endswith("Z")
    exports = dict(re.findall(r"^export (\w+)=(.*)$", strongroom(office, *arguments, who=heidi), re.MULTILINE))
    assert set(exports) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    # The session works with these commands too.
    said = strongroom(office, "user", "create", "mallory", who=None, environment=exports, code=1)
    assert "assumed-role/deputy/tuesday is not authorized to perform: iam:CreateUser" in said
    assert "is no account" in strongroom(office, "role", "create", "r", "--trust", "everybody", code=2)
    assert "policy/Auditor" in strongroom(office, "role", "delete", "deputy", code=2)
    strongroom(office, "role", "delete", "deputy", "--yes")


@pytest.fixture(scope="module")
def desk(office):
    """A bucket that several may read, each in another way."""
    s3 = sdk.client(office)
    s3.create_bucket(Bucket="desk")
    s3.delete_public_access_block(Bucket="desk")
    s3.put_object(Bucket="desk", Key="reports/1", Body=b"x")
    file = document(office, "part.json", READ_REPORTS)
    strongroom(office, "policy", "create", "part", file)
    made(office, "ivan", "--policy", "part")
    made(office, "judy", "--policy", "AmazonS3ReadOnlyAccess")
    deny = {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{MAIN.account}:user/judy"}}
    allow = {"Effect": "Allow", "Principal": {"AWS": OTHER.account}}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            deny | {"Sid": "NotJudy", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::desk/secret/*"},
            allow
            | {
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::desk/*",
                "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
            },
        ],
    }
    s3.put_bucket_policy(Bucket="desk", Policy=json.dumps(policy))
    return "desk"


def test_who_can_read_this_bucket(office, desk):
    strongroom(office, "role", "create", "reader", "--trust", MAIN.account, "--policy", "AmazonS3ReadOnlyAccess")

    def decisions(*args):
        found = told(office, "policy", "who-can", *args)["Principals"]
        return {row["Who"]: {r["EvalResourceName"]: r["EvalDecision"] for r in row["Results"]} for row in found}

    whole, reports, secret = (f"arn:aws:s3:::desk/{part}" for part in ("*", "reports/*", "secret/*"))
    who = decisions("read", desk)
    assert who["user ivan"] == {whole: "implicitDeny", reports: "allowed"}
    assert who["user judy"] == {whole: "allowed", secret: "explicitDeny"}
    assert who["role reader"] == {whole: "allowed"}
    assert who[f"root of {MAIN.account}"] == {whole: "allowed"}
    assert who["user alice"] == {whole: "implicitDeny"}
    assert who[f"account {OTHER.account}"] == {whole: "implicitDeny"}
    here = decisions("read", desk, "--context", "aws:SourceIp=192.0.2.7")
    assert here[f"account {OTHER.account}"] == {whole: "allowed"}
    text = strongroom(office, "policy", "who-can", "read", desk, "--only-allowed")
    assert re.search(r"account 444455556666 +depends on aws:SourceIp", text) and "user alice" not in text
    assert re.search(r"user judy +yes +policy AmazonS3ReadOnlyAccess", text)
    # What the table says is so.
    s3 = sdk.client(office, who=ALICE)
    assert refusal(s3.get_object, Bucket=desk, Key="reports/1").code == "AccessDenied"
    assert "NoSuchBucket" in strongroom(office, "policy", "who-can", "read", "no-such-bucket", code=1)
    assert "is no action" in strongroom(office, "policy", "who-can", "open", desk, code=2)
    assert "is not authorized to perform: s3:GetBucketPolicy" in strongroom(
        office, "policy", "who-can", "read", desk, who=ALICE, code=1
    )


def test_who_may_use_a_key(office):
    key = sdk.client(office, "kms").create_key()["KeyMetadata"]["Arn"]
    made(office, "kim", "--policy", "key-user")
    rows = told(office, "policy", "who-can", "kms:Decrypt", key)["Principals"]
    by_name = {row["Who"]: row["Results"][0]["EvalDecision"] for row in rows}
    assert (by_name["user kim"], by_name["user alice"]) == ("allowed", "implicitDeny")


def explained(office, request_id, *args):
    settings = ["--config", office.settings]
    return strongroom(office, "policy", "explain", request_id, *settings, *args)


def test_a_denial_is_explained(office, desk):
    leo = made(office, "leo", "--policy", "AmazonS3ReadOnlyAccess")
    got = refusal(sdk.client(office, who=leo).put_object, Bucket=desk, Key="new", Body=b"x")
    said = explained(office, got.response["ResponseMetadata"]["RequestId"])
    assert "user leo (arn:aws:iam::111122223333:user/leo)" in said and "called PutObject of s3.amazonaws.com" in said
    assert "Why: no identity-based policy allowed s3:PutObject on arn:aws:s3:::desk/new\n" in said
    assert "Now: it would still be denied: no policy allows it" in said
    assert "strongroom policy attach POLICY --user leo" in said
    strongroom(office, "policy", "attach", "AmazonS3FullAccess", "--user", "leo")
    said = explained(office, got.response["ResponseMetadata"]["RequestId"])
    assert "Now: it would be allowed, by policy AmazonS3FullAccess" in said

    judy = made(office, "judy2")
    got = refusal(sdk.client(office, "iam", judy).create_user, UserName="x")
    assert "Why: no identity-based policy allowed iam:CreateUser" in explained(
        office, got.response["ResponseMetadata"]["RequestId"]
    )


def test_strangers_are_told_nothing_and_the_administrator_all(office, desk):
    got = refusal(sdk.client(office, who=OTHER).delete_object, Bucket=desk, Key="reports/1")
    assert got.message == "Access Denied" and "policy" not in json.dumps(got.response["Error"])
    request_id = got.response["ResponseMetadata"]["RequestId"]
    said = explained(office, request_id)
    assert "Why: no resource-based policy allowed s3:DeleteObject on arn:aws:s3:::desk/reports/1" in said
    record = json.loads(explained(office, request_id, "--output", "json"))["Record"]
    assert record["additionalEventData"]["denial"] == {
        "action": "s3:DeleteObject",
        "resource": "arn:aws:s3:::desk/reports/1",
        "decision": "implicitDeny",
        "policyType": "resource-based policy",
    }
    # An explicit denial names its statement.
    judy = told(office, "key", "create", "judy")["AccessKey"]
    judy = Caller(MAIN.account, judy["AccessKeyId"], judy["SecretAccessKey"])
    got = refusal(sdk.client(office, who=judy).get_object, Bucket=desk, Key="secret/1")
    said = explained(office, got.response["ResponseMetadata"]["RequestId"])
    assert 'Why: statement 1 ("NotJudy") of the resource-based policy denied s3:GetObject' in said
    assert "no policy that allows outweighs one that denies" in said
    # What was allowed, and what is not known.
    request_id = sdk.client(office).list_buckets()["ResponseMetadata"]["RequestId"]
    assert "It was allowed and done" in explained(office, request_id)
    args = ["policy", "explain", "NOSUCHREQUEST", "--config", office.settings]
    assert "the trail has no record of request NOSUCHREQUEST" in strongroom(office, *args, code=1)


def test_a_key_that_s3_may_not_use_is_explained(office):
    key = sdk.client(office, "kms").create_key()["KeyMetadata"]["Arn"]
    sdk.client(office).create_bucket(Bucket="sealed-desk")
    nick = made(office, "nick", "--policy", "AmazonS3FullAccess")
    sealing = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    got = refusal(sdk.client(office, who=nick).put_object, Bucket="sealed-desk", Key="k", Body=b"x", **sealing)
    said = explained(office, got.response["ResponseMetadata"]["RequestId"])
    assert f"Why: no identity-based policy allowed kms:GenerateDataKey on {key}" in said


def test_without_server_or_credentials(office, tls_server):
    said = strongroom(office, "user", "list", endpoint="http://127.0.0.1:9", code=1)
    assert "no server answers at http://127.0.0.1:9" in said and "strongroom serve" in said
    said = strongroom(office, "user", "list", who=None, code=2)
    assert "there are no credentials to sign with" in said and "--profile" in said
    said = strongroom(office, "user", "list", "--profile", "nobody", code=2)
    assert 'there is no profile "nobody" in' in said
    wrong = Caller(MAIN.account, MAIN.access_key, "wrong")
    said = strongroom(office, "user", "list", who=wrong, code=1)
    assert "The secret access key of the environment is not that of MAINACCESSKEY0000000" in said
    said = strongroom(office, "user", "list", endpoint="http://gate.example.com", code=2)
    assert "plain http" in said
    said = strongroom(office, "user", "list", endpoint=tls_server.endpoint, code=1)
    assert "no TLS session" in said and "--ca-file" in said
    listed = strongroom(office, "user", "list", "--ca-file", tls_server.tls[2], endpoint=tls_server.endpoint)
    assert "user/alice" in listed
    # The server of the settings, without any variable.
    keys = {"AWS_ENDPOINT_URL": ""}
    assert "user/alice" in strongroom(office, "user", "list", "--config", office.settings, environment=keys)


def test_calls_are_in_the_trail_as_the_api_has_them(own_server):
    strongroom(own_server, "user", "create", "olga", "--policy", "auditor")
    strongroom(own_server, "user", "create", "pat", who=ALICE, code=1)
    own_server.stop()
    lines = own_server.command("audit", "export", "-").stdout
    records = [json.loads(line)["record"] for line in lines.splitlines()]
    seen = [(r["eventName"], r.get("errorCode")) for r in records if r["eventSource"] == "iam.amazonaws.com"]
    assert seen == [
        ("GetPolicy", None),
        ("CreateUser", None),
        ("AttachUserPolicy", None),
        ("CreateAccessKey", None),
        ("CreateUser", "AccessDenied"),
    ]
    denied = next(r for r in records if r.get("errorCode"))
    assert denied["additionalEventData"]["denial"]["action"] == "iam:CreateUser"
    assert "SecretAccessKey" not in lines
    # A stopped server's trail is read in its directory.
    assert "Now: this could not be asked" in explained(own_server, denied["requestID"])
