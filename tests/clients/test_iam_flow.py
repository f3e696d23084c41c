"""One flow, with boto3 and both versions of the AWS CLI: a user, a policy, its keys used on S3 and KMS, keys rotated, a
role assumed with a session policy, a denial, and its explanation by simulation and by request id.
"""

import json
import re

import botocore.exceptions
import pytest

import programs
import sdk
from gateway import MAIN, REGION, Strongroom, clean_environment

S3_FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"


class Denied(Exception):
    """A call was refused: code and message."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Boto3:
    def __init__(self, server, directory):
        self.server, self.directory = server, directory

    def call(self, service, operation, who, **parameters):
        session = sdk.new_session(*who)
        client = session.client(service, endpoint_url=self.server.endpoint)
        try:
            return getattr(client, operation.replace("-", "_"))(**parameters)
        except botocore.exceptions.ClientError as error:
            raise Denied(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error

    def put(self, who, bucket, key, text):
        return self.call("s3", "put-object", who, Bucket=bucket, Key=key, Body=text.encode())

    def get(self, who, bucket, key):
        return self.call("s3", "get-object", who, Bucket=bucket, Key=key)["Body"].read().decode()


class AwsCli:
    """Any operation by `--cli-input-json`, which has the same parameters as boto3."""

    def __init__(self, program, server, directory):
        self.program, self.server, self.directory = program, server, directory

    def run(self, words, who):
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        keys = {name: value for name, value in zip(names, who, strict=False) if value}
        environment = clean_environment(AWS_ENDPOINT_URL=self.server.endpoint, AWS_REGION=REGION, **keys)
        environment |= {"AWS_DEFAULT_REGION": REGION, "AWS_DEFAULT_OUTPUT": "json"}
        done = programs.run([self.program, *words], environment, check=False)
        if done.returncode:
            found = re.search(r"An error occurred \((\w+)\) when calling the \w+ operation: ?(.*)", done.stderr)
            assert found, done.stderr
            raise Denied(found[1], found[2])
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def call(self, service, operation, who, **parameters):
        service = "s3api" if service == "s3" else service
        return self.run([service, operation, "--cli-input-json", json.dumps(parameters)], who)

    def put(self, who, bucket, key, text):
        body = self.directory / "body"
        body.write_text(text)
        return self.run(["s3api", "put-object", "--bucket", bucket, "--key", key, "--body", body], who)

    def get(self, who, bucket, key):
        self.run(["s3api", "get-object", "--bucket", bucket, "--key", key, self.directory / "got"], who)
        return (self.directory / "got").read_text()


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, resource):
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Of its own: it is looked into for the request id of a denial."""
    server = Strongroom(tmp_path_factory.mktemp("flow")).start()
    yield server
    assert server.stop() == 0, server.log()[-2000:]


@pytest.fixture(params=["boto3", "aws v1", "aws v2"])
def client(request, gateway, tmp_path):
    if request.param == "boto3":
        return Boto3(gateway, tmp_path)
    return AwsCli(programs.find("aws") if request.param == "aws v1" else programs.AWS_V2, gateway, tmp_path)


def new_key(client, root, user):
    key = client.call("iam", "create-access-key", root, UserName=user)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_from_a_new_user_to_an_explained_denial(client, gateway, request):
    tag = re.sub(r"\W", "", request.node.callspec.id)
    root, user, bucket = (MAIN.access_key, MAIN.secret_key), f"dev-{tag}", f"flow-{tag.lower()}"
    client.call("s3", "create-bucket", root, Bucket=bucket)
    key = client.call("kms", "create-key", root)["KeyMetadata"]["Arn"]

    arn = client.call("iam", "create-user", root, UserName=user)["User"]["Arn"]
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")
    roles = allow("sts:AssumeRole", "*")
    policy = document(objects, allow("kms:GenerateDataKey", key), roles)
    made = client.call("iam", "create-policy", root, PolicyName=user, PolicyDocument=policy)["Policy"]["Arn"]
    first = new_key(client, root, user)
    with pytest.raises(Denied) as denied:
        client.put(first, bucket, "a", "too early")
    assert denied.value.code == "AccessDenied"
    client.call("iam", "attach-user-policy", root, UserName=user, PolicyArn=made)

    # The next request counts it.
    client.put(first, bucket, "a", "what was written")
    assert client.get(first, bucket, "a") == "what was written"
    assert client.call("kms", "generate-data-key", first, KeyId=key, KeySpec="AES_256")["KeyId"] == key
    assert client.call("sts", "get-caller-identity", first)["Arn"] == arn

    second = new_key(client, root, user)
    named = {"UserName": user, "AccessKeyId": first[0]}
    client.call("iam", "update-access-key", root, **named, Status="Inactive")
    with pytest.raises(Denied) as denied:
        client.get(first, bucket, "a")
    assert denied.value.code == "InvalidAccessKeyId"
    client.call("iam", "delete-access-key", root, **named)
    assert client.get(second, bucket, "a") == "what was written"
    used = client.call("iam", "get-access-key-last-used", root, AccessKeyId=second[0])
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == (user, "s3")

    trust = document({"Effect": "Allow", "Principal": {"AWS": MAIN.account}, "Action": "sts:AssumeRole"})
    role = client.call("iam", "create-role", root, RoleName=f"role-{tag}", AssumeRolePolicyDocument=trust)["Role"][
        "Arn"
    ]
    client.call("iam", "attach-role-policy", root, RoleName=f"role-{tag}", PolicyArn=S3_FULL)
    narrow = document(allow("s3:GetObject", "*"))
    taken = {"RoleArn": role, "RoleSessionName": "work", "Policy": narrow, "DurationSeconds": 900}
    given = client.call("sts", "assume-role", second, **taken)["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert client.get(session, bucket, "a") == "what was written"
    with pytest.raises(Denied) as denied:
        client.put(session, bucket, "b", "more than the session may")
    told = f"User: arn:aws:sts::{MAIN.account}:assumed-role/role-{tag}/work is not authorized to perform: s3:PutObject"
    assert denied.value.code == "AccessDenied" and denied.value.message.startswith(told)
    assert denied.value.message.endswith("because no session policy allows the s3:PutObject action")

    # As things are, by simulation; as they were, by the request id in the server's log.
    what = {"ActionNames": ["s3:GetObject", "s3:DeleteObject"], "ResourceArns": [f"arn:aws:s3:::{bucket}/a"]}
    results = client.call("iam", "simulate-principal-policy", root, PolicySourceArn=arn, **what)["EvaluationResults"]
    assert [result["EvalDecision"] for result in results] == ["allowed", "implicitDeny"]
    assert results[0]["MatchedStatements"][0]["SourcePolicyId"] == user
    lines = [line for line in gateway.log().splitlines() if 'error="AccessDenied"' in line and "PutObject" in line]
    request_id = re.search(r'request_id="(\w+)"', lines[-1])[1]
    keys = {"AWS_ACCESS_KEY_ID": root[0], "AWS_SECRET_ACCESS_KEY": root[1], "AWS_ENDPOINT_URL": gateway.endpoint}
    explained = gateway.command("policy", "explain", request_id, **keys).stdout
    assert "session policy" in explained and f"arn:aws:s3:::{bucket}/b" in explained, explained
