"""Roles, managed policies, simulation and the account, as the programs of users ask for them."""

import json
import uuid

import boto3
import pytest

import programs
import sdk
from gateway import ALICE, MAIN, OTHER, REGION, Caller
from sdk import assert_refused

ACCOUNT = f"arn:aws:iam::{MAIN.account}:"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT + "root"}, "Action": "sts:AssumeRole"}],
}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
# Exactly this text: positions of statements are compared with it.
OWN_TEXT = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
    {"Sid": "Keep", "Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}
  ]
}"""


def document(*actions, effect="Allow", resource="*"):
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def iam(server):
    return sdk.client(server, "iam")


@pytest.fixture
def name():
    """Names of these tests are nobody else's."""
    return "p" + uuid.uuid4().hex[:12]


@pytest.fixture
def user(iam, name):
    """A user with an access key: its name, and who signs with the key."""
    iam.create_user(UserName=name, Path="/clients/")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield name, Caller(MAIN.account, key["AccessKeyId"], key["SecretAccessKey"], name)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    for policy in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
        iam.detach_user_policy(UserName=name, PolicyArn=policy["PolicyArn"])
    for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=policy)
    iam.delete_user(UserName=name)


def make_policy(iam, name, body, **more):
    return iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(body), **more)["Policy"]["Arn"]


def cut(text, start, end):
    """What stands between two positions of IAM's: lines and columns from 1."""
    lines = text.split("\n")
    places = [sum(len(line) + 1 for line in lines[: at["Line"] - 1]) + at["Column"] - 1 for at in (start, end)]
    return text[places[0] : places[1]]


def test_roles(iam, name):
    role = iam.create_role(
        RoleName=name,
        Path="/clients/",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Description="what for",
        MaxSessionDuration=7200,
        Tags=[{"Key": "Team", "Value": "red"}],
    )["Role"]
    assert role["Arn"] == f"{ACCOUNT}role/clients/{name}" and role["RoleId"].startswith("AROA")
    iam.get_waiter("role_exists").wait(RoleName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    got = iam.get_role(RoleName=name)["Role"]
    assert got["AssumeRolePolicyDocument"] == TRUST and got["MaxSessionDuration"] == 7200
    assert (got["Tags"], got["RoleLastUsed"]) == ([{"Key": "Team", "Value": "red"}], {})
    iam.update_role(RoleName=name, MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(TRUST))
    assert iam.update_role_description(RoleName=name, Description="new")["Role"]["Description"] == "new"
    nobody = {**TRUST, "Statement": [{**TRUST["Statement"][0], "Principal": {"AWS": ACCOUNT + "user/nobody"}}]}
    message = f'Invalid principal in policy: "AWS":"{ACCOUNT}user/nobody"'
    change = {"RoleName": name, "PolicyDocument": json.dumps(nobody)}
    assert_refused(lambda: iam.update_assume_role_policy(**change), 400, "MalformedPolicyDocument", message)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=OWN_TEXT)
    assert iam.get_role_policy(RoleName=name, PolicyName="own")["PolicyDocument"] == json.loads(OWN_TEXT)
    iam.attach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    assert_refused(lambda: iam.delete_role(RoleName=name), 409, "DeleteConflict")
    resource = boto3.resource("iam", **client_arguments(iam)).Role(name)
    assert [policy.policy_name for policy in resource.attached_policies.all()] == ["ReadOnlyAccess"]
    resource.detach_policy(PolicyArn=READ_ONLY)
    resource.Policy("own").delete()
    resource.delete()
    assert_refused(lambda: iam.get_role(RoleName=name), 404, "NoSuchEntity")


def client_arguments(client):
    """How another client of the same server and caller is made."""
    credentials = {"aws_access_key_id": MAIN.access_key, "aws_secret_access_key": MAIN.secret_key}
    return {"endpoint_url": client.meta.endpoint_url, "region_name": REGION, **credentials}


def test_paginators(iam, name):
    arns = [make_policy(iam, f"{name}-{n}", document("s3:GetObject"), Path=f"/{name}/") for n in range(5)]
    for n in range(5):
        iam.create_role(RoleName=f"{name}-{n}", Path=f"/{name}/", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.attach_role_policy(RoleName=f"{name}-{n}", PolicyArn=arns[0])
        iam.attach_role_policy(RoleName=f"{name}-0", PolicyArn=arns[n])

    def all_of(operation, found, **arguments):
        pages = list(iam.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}, **arguments))
        assert len(pages) == 3
        return [found(item) for page in pages for item in page[ITEMS[operation]]]

    ITEMS = {
        "list_policies": "Policies",
        "list_roles": "Roles",
        "list_attached_role_policies": "AttachedPolicies",
        "list_entities_for_policy": "PolicyRoles",
    }
    names = [f"{name}-{n}" for n in range(5)]
    assert all_of("list_policies", lambda p: p["PolicyName"], Scope="Local", PathPrefix=f"/{name}/") == names
    assert all_of("list_roles", lambda r: r["RoleName"], PathPrefix=f"/{name}/") == names
    assert all_of("list_attached_role_policies", lambda p: p["PolicyArn"], RoleName=f"{name}-0") == arns
    roles = all_of("list_entities_for_policy", lambda r: r["RoleName"], PolicyArn=arns[0], EntityFilter="Role")
    assert roles == names
    for n in range(5):
        for policy in iam.list_attached_role_policies(RoleName=f"{name}-{n}")["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=f"{name}-{n}", PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=f"{name}-{n}")
    for arn in arns:
        iam.delete_policy(PolicyArn=arn)


def test_the_default_version_counts_from_the_next_request_on(server, iam, s3, bucket, user, name):
    who, caller = user
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    arn = make_policy(iam, name, document("s3:GetObject"), Description="versions")
    iam.get_waiter("policy_exists").wait(PolicyArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    iam.attach_user_policy(UserName=who, PolicyArn=arn)
    theirs = sdk.client(server, "s3", caller)
    get, put = (lambda: theirs.get_object(Bucket=bucket, Key="k")), (lambda: theirs.put_object(Bucket=bucket, Key="k"))
    get()
    assert_refused(put, 403, "AccessDenied")
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document("s3:PutObject")))
    assert second["PolicyVersion"]["VersionId"] == "v2" and not second["PolicyVersion"]["IsDefaultVersion"]
    get()
    for default, allowed, refused in [("v2", put, get), ("v1", get, put), ("v2", put, get)]:
        iam.set_default_policy_version(PolicyArn=arn, VersionId=default)
        allowed()
        assert_refused(refused, 403, "AccessDenied")
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(version["VersionId"], version["IsDefaultVersion"]) for version in versions] == [
        ("v2", True),
        ("v1", False),
    ]
    got = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert got["Document"] == document("s3:GetObject")
    assert_refused(lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v2"), 409, "DeleteConflict")
    assert_refused(lambda: iam.delete_policy(PolicyArn=arn), 409, "DeleteConflict")
    iam.detach_user_policy(UserName=who, PolicyArn=arn)
    assert_refused(put, 403, "AccessDenied")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)


def test_a_boundary_limits_and_stays(server, iam, s3, bucket, user, name):
    who, caller = user
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    arn = make_policy(iam, name, document("s3:GetObject"))
    iam.put_user_policy(UserName=who, PolicyName="all", PolicyDocument=json.dumps(document("s3:*")))
    iam.put_user_permissions_boundary(UserName=who, PermissionsBoundary=arn)
    theirs = sdk.client(server, "s3", caller)
    theirs.get_object(Bucket=bucket, Key="k")
    refused = sdk.refusal(theirs.put_object, Bucket=bucket, Key="k")
    assert "because no permissions boundary allows the s3:PutObject action" in str(refused)
    assert iam.list_entities_for_policy(PolicyArn=arn, PolicyUsageFilter="PermissionsBoundary")["PolicyUsers"] == [
        {"UserName": who, "UserId": iam.get_user(UserName=who)["User"]["UserId"]}
    ]
    assert_refused(lambda: iam.delete_policy(PolicyArn=arn), 409, "DeleteConflict")
    iam.delete_user_permissions_boundary(UserName=who)
    theirs.put_object(Bucket=bucket, Key="k")
    iam.delete_policy(PolicyArn=arn)


def test_deciding_statements(iam, user):
    who, _ = user
    iam.put_user_policy(UserName=who, PolicyName="own", PolicyDocument=OWN_TEXT)
    iam.attach_user_policy(UserName=who, PolicyArn=READ_ONLY)
    arn = iam.get_user(UserName=who)["User"]["Arn"]
    results = iam.simulate_principal_policy(
        PolicySourceArn=arn,
        ActionNames=["s3:GetObject", "s3:DeleteObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::photos/cat.jpg"],
    )["EvaluationResults"]
    assert [result["EvalDecision"] for result in results] == ["allowed", "explicitDeny", "implicitDeny"]
    assert [len(result["MatchedStatements"]) for result in results] == [2, 1, 0]
    for result, sid in [(results[0], "Read"), (results[1], "Keep")]:
        matched = result["MatchedStatements"][0]
        assert matched["SourcePolicyId"] == f"user_{who}_own"
        text = cut(OWN_TEXT, matched["StartPosition"], matched["EndPosition"])
        assert json.loads(text.lstrip(", \n"))["Sid"] == sid
        specific = result["ResourceSpecificResults"]
        assert [one["EvalResourceName"] for one in specific] == ["arn:aws:s3:::photos/cat.jpg"]
        assert specific[0]["MatchedStatements"][0] == matched
    assert results[0]["MatchedStatements"][1]["SourcePolicyId"] == "ReadOnlyAccess"
    actions = [f"s3:GetObject{part}" for part in ("", "Acl", "Tagging", "Version", "Retention")]
    paginator = iam.get_paginator("simulate_principal_policy")
    pages = list(paginator.paginate(PolicySourceArn=arn, ActionNames=actions, PaginationConfig={"PageSize": 2}))
    assert [[one["EvalActionName"] for one in page["EvaluationResults"]] for page in pages] == [
        actions[:2],
        actions[2:4],
        actions[4:],
    ]


def test_simulations_of_policies_given(iam):
    tls = {**document("s3:*", effect="Deny")["Statement"][0], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    policies = [json.dumps(document("s3:*")), json.dumps({"Version": "2012-10-17", "Statement": [tls]})]
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=policies)["ContextKeyNames"] == [
        "aws:SecureTransport"
    ]

    def decided(secure):
        entry = {"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": [secure], "ContextKeyType": "boolean"}
        (result,) = iam.simulate_custom_policy(
            PolicyInputList=policies, ActionNames=["s3:PutObject"], ContextEntries=[entry] if secure else []
        )["EvaluationResults"]
        return result["EvalDecision"], [one["SourcePolicyId"] for one in result["MatchedStatements"]], result

    assert decided("true")[:2] == ("allowed", ["PolicyInputList.1"])
    assert decided("false")[:2] == ("explicitDeny", ["PolicyInputList.2"])
    assert decided(None)[2]["MissingContextValues"] == ["aws:SecureTransport"]


def test_simulation_and_request_agree(server, iam, s3, bucket, user):
    """What a simulation says of a user is what a request of it gets."""
    who, caller = user
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    iam.put_user_policy(UserName=who, PolicyName="own", PolicyDocument=OWN_TEXT)
    theirs = sdk.client(server, "s3", caller)
    arn = iam.get_user(UserName=who)["User"]["Arn"]
    for action, call in [
        ("s3:GetObject", lambda: theirs.get_object(Bucket=bucket, Key="k")),
        ("s3:PutObject", lambda: theirs.put_object(Bucket=bucket, Key="k")),
        ("s3:DeleteObject", lambda: theirs.delete_object(Bucket=bucket, Key="k")),
    ]:
        (result,) = iam.simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=[action], ResourceArns=[f"arn:aws:s3:::{bucket}/k"]
        )["EvaluationResults"]
        if result["EvalDecision"] == "allowed":
            call()
        else:
            assert_refused(call, 403, "AccessDenied")


def test_authorization_details(iam, user, name):
    who, _ = user
    arn = make_policy(iam, name, document("s3:GetObject"), Description="details")
    iam.attach_user_policy(UserName=who, PolicyArn=arn)
    iam.put_user_policy(UserName=who, PolicyName="own", PolicyDocument=OWN_TEXT)
    lists = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"]
    found = {key: [] for key in lists}
    for page in iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 3}):
        assert sum(len(page[key]) for key in lists) <= 3
        for key in lists:
            found[key].extend(page[key])
    users = {one["UserName"]: one for one in found["UserDetailList"]}
    assert "alice" in users, "users of the settings are shown"
    assert users[who]["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": json.loads(OWN_TEXT)}]
    assert users[who]["AttachedManagedPolicies"] == [{"PolicyName": name, "PolicyArn": arn}]
    policies = {one["Arn"]: one for one in found["Policies"]}
    assert policies[arn]["AttachmentCount"] == 1
    (version,) = policies[arn]["PolicyVersionList"]
    assert version["Document"] == document("s3:GetObject") and version["IsDefaultVersion"]
    assert READ_ONLY in policies
    only = iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])
    assert not only["UserDetailList"] and arn in [one["Arn"] for one in only["Policies"]]
    iam.detach_user_policy(UserName=who, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)


def test_the_account(server, iam):
    shape = iam.meta.service_model.shape_for("summaryKeyType")
    summary = iam.get_account_summary()["SummaryMap"]
    assert sorted(summary) == sorted(shape.enum)
    assert (summary["UsersQuota"], summary["GroupsPerUserQuota"], summary["AccountAccessKeysPresent"]) == (5000, 10, 1)
    other = sdk.client(server, "iam", OTHER)
    assert other.get_account_summary()["SummaryMap"]["Users"] == 0
    for alias in ["acme", "acme-2"]:
        other.create_account_alias(AccountAlias=alias)
        assert other.list_account_aliases()["AccountAliases"] == [alias]
    other.delete_account_alias(AccountAlias="acme-2")
    assert other.list_account_aliases()["AccountAliases"] == []


def test_nobody_looks_without_leave(server, iam, name):
    theirs = sdk.client(server, "iam", ALICE)
    arn = make_policy(iam, name, document("s3:GetObject"))
    for call in [
        lambda: theirs.get_policy(PolicyArn=arn),
        lambda: theirs.get_policy(PolicyArn=arn + "-none"),
        theirs.list_policies,
        lambda: theirs.get_role(RoleName="none"),
        theirs.get_account_summary,
        theirs.get_account_authorization_details,
        lambda: theirs.simulate_principal_policy(PolicySourceArn=ACCOUNT + "user/alice", ActionNames=["s3:GetObject"]),
    ]:
        assert_refused(call, 403, "AccessDenied")
    # Another account sees nothing of it.
    other = sdk.client(server, "iam", OTHER)
    assert_refused(lambda: other.get_policy(PolicyArn=arn), 404, "NoSuchEntity")
    iam.delete_policy(PolicyArn=arn)


@pytest.mark.parametrize("program", ["v1", "v2"])
def test_aws_cli(server, iam, name, program, tmp_path):
    aws = programs.find("aws") if program == "v1" else programs.AWS_V2
    (tmp_path / "trust.json").write_text(json.dumps(TRUST))
    (tmp_path / "policy.json").write_text(OWN_TEXT)

    def run(*arguments, check=True):
        done = programs.run([aws, "iam", *arguments], programs.aws_environment(server, MAIN), check=check)
        return json.loads(done.stdout) if done.stdout.strip() else done.stderr

    run("create-role", "--role-name", name, "--assume-role-policy-document", f"file://{tmp_path}/trust.json")
    run("wait", "role-exists", "--role-name", name)
    policy = ["create-policy", "--policy-name", name, "--policy-document", f"file://{tmp_path}/policy.json"]
    arn = run(*policy, "--tags", "Key=Team,Value=red")["Policy"]["Arn"]
    run("attach-role-policy", "--role-name", name, "--policy-arn", arn)
    entities = run("list-entities-for-policy", "--policy-arn", arn)
    assert [role["RoleName"] for role in entities["PolicyRoles"]] == [name]
    version = ["--policy-arn", arn, "--version-id", "v1"]
    assert run("get-policy-version", *version)["PolicyVersion"]["Document"] == json.loads(OWN_TEXT)
    simulate = ["simulate-principal-policy", "--policy-source-arn", f"{ACCOUNT}role/{name}", "--action-names"]
    (result,) = run(*simulate, "s3:DeleteObject")["EvaluationResults"]
    assert (result["EvalDecision"], result["MatchedStatements"][0]["SourcePolicyId"]) == ("explicitDeny", name)
    details = run("get-account-authorization-details", "--filter", "Role", "--max-items", "1000")
    assert name in [role["RoleName"] for role in details["RoleDetailList"]]
    assert "(DeleteConflict)" in run("delete-policy", "--policy-arn", arn, check=False)
    run("detach-role-policy", "--role-name", name, "--policy-arn", arn)
    run("delete-policy", "--policy-arn", arn)
    run("delete-role", "--role-name", name)
    assert "(NoSuchEntity)" in run("get-role", "--role-name", name, check=False)
