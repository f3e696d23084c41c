"""Bucket policies and public access blocks, as real clients meet them."""

import http.client
import json
import os
import subprocess
import time

import pytest

import sdk
from gateway import ALICE, MAIN, OTHER, Strongroom, clean_environment
from sdk import body_of, refusal
from test_audit import records
from test_presigned import fetch

AWS_CLI_V2 = os.environ.get("AWS_CLI_V2")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    gateway = Strongroom(tmp_path_factory.mktemp("policies")).start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]
    assert "panicked" not in gateway.log()


@pytest.fixture(scope="module")
def s3(gateway):
    return sdk.client(gateway, signature_version="s3v4")


@pytest.fixture
def bucket(s3):
    """A bucket that may be made public, with the object `k`."""
    bucket = f"bucket-{time.time_ns()}"
    s3.create_bucket(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    return bucket


def statement(effect, action, resource, principal="*", **condition):
    made = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource}
    return made | ({"Condition": condition} if condition else {})


def put(s3, bucket, *statements, **args):
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy, **args)
    return policy


def objects_of(bucket):
    return f"arn:aws:s3:::{bucket}/*"


def anonymous(gateway, path, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request(method, path, body=body)
        got = connection.getresponse()
        return got.status, got.read()
    finally:
        connection.close()


def test_a_policy_is_kept_and_told(s3, bucket):
    got = refusal(s3.get_bucket_policy, Bucket=bucket)
    assert (got.status, got.code, got.message) == (404, "NoSuchBucketPolicy", "The bucket policy does not exist")
    assert got.response["Error"]["BucketName"] == bucket
    policy = put(s3, bucket, statement("Deny", "s3:*", objects_of(bucket), Bool={"aws:SecureTransport": "true"}))
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": False}
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    assert refusal(s3.get_bucket_policy, Bucket=bucket).code == "NoSuchBucketPolicy"
    for bad, message in [
        ("policy", "Policies must be valid JSON and the first byte must be '{'"),
        ("{}", "Missing required field Statement"),
    ]:
        got = refusal(s3.put_bucket_policy, Bucket=bucket, Policy=bad)
        assert (got.status, got.code, got.message) == (400, "MalformedPolicy", message)
    s3.delete_object(Bucket=bucket, Key="k")
    put(s3, bucket, statement("Deny", "s3:GetObject", objects_of(bucket)))
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert refusal(s3.get_bucket_policy, Bucket=bucket).code == "NoSuchBucketPolicy"


def test_a_public_bucket_and_its_block(gateway, s3, bucket):
    assert anonymous(gateway, f"/{bucket}/k")[0] == 403
    public = statement("Allow", "s3:GetObject", objects_of(bucket))
    put(s3, bucket, public)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}
    assert anonymous(gateway, f"/{bucket}/k") == (200, b"content")
    assert anonymous(gateway, f"/{bucket}/missing")[0] == 403
    assert anonymous(gateway, f"/{bucket}/new", "PUT", b"x")[0] == 403
    assert anonymous(gateway, f"/{bucket}?policy")[0] == 403
    block = {
        name: True for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    assert anonymous(gateway, f"/{bucket}/k")[0] == 403
    assert body_of(s3, bucket, "k") == b"content"
    got = refusal(put, s3, bucket, public)
    told = "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
    assert (got.status, got.code) == (403, "AccessDenied")
    assert got.message.endswith(told)
    s3.delete_public_access_block(Bucket=bucket)
    assert refusal(s3.get_public_access_block, Bucket=bucket).code == "NoSuchPublicAccessBlockConfiguration"
    assert anonymous(gateway, f"/{bucket}/k")[0] == 200


def test_new_buckets_are_blocked(s3):
    bucket = f"bucket-{time.time_ns()}"
    s3.create_bucket(Bucket=bucket)
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(block) == 4
    assert all(block.values())
    assert refusal(put, s3, bucket, statement("Allow", "s3:GetObject", objects_of(bucket))).code == "AccessDenied"


def test_two_accounts(gateway, s3, bucket):
    other = sdk.client(gateway, who=OTHER)
    assert refusal(other.get_object, Bucket=bucket, Key="k").message == "Access Denied"
    everything = [f"arn:aws:s3:::{bucket}", objects_of(bucket)]
    put(s3, bucket, statement("Allow", "s3:*", everything, {"AWS": OTHER.account}))
    assert body_of(other, bucket, "k") == b"content"
    assert refusal(other.get_object, Bucket=bucket, Key="missing").code == "NoSuchKey"
    other.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    own = f"own-{time.time_ns()}"
    other.create_bucket(Bucket=own)
    other.copy_object(Bucket=own, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert body_of(other, own, "copy") == b"content"
    assert refusal(other.get_bucket_policy, Bucket=bucket).status == 405
    assert refusal(other.delete_bucket_policy, Bucket=bucket).status == 405
    got = refusal(put, s3, bucket, statement("Allow", "s3:*", everything, {"AWS": "999999999999"}))
    assert (got.code, got.message) == ("MalformedPolicy", "Invalid principal in policy")
    alice = sdk.client(gateway, who=ALICE)
    assert refusal(alice.get_object, Bucket=bucket, Key="k").status == 403
    put(
        s3,
        bucket,
        statement("Allow", "s3:GetObject", objects_of(bucket), {"AWS": f"arn:aws:iam::{MAIN.account}:user/alice"}),
    )
    assert body_of(alice, bucket, "k") == b"content"
    assert refusal(other.get_object, Bucket=bucket, Key="k").status == 403


def test_presigned_urls_under_a_policy(gateway, s3, bucket):
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert fetch(url).status == 200
    put(s3, bucket, statement("Deny", "s3:*", objects_of(bucket), NumericGreaterThan={"s3:signatureAge": "600000"}))
    assert fetch(url).status == 200
    for condition in [
        {"StringEquals": {"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"}},
        {"StringEquals": {"s3:authType": "REST-QUERY-STRING"}},
        {"NumericGreaterThanEquals": {"s3:signatureAge": "0"}},
    ]:
        put(s3, bucket, statement("Deny", "s3:*", objects_of(bucket), **condition))
        assert fetch(url).status == 403, condition
        assert body_of(s3, bucket, "k") == b"content"


def test_tls_only(gateway, s3, bucket):
    everything = [f"arn:aws:s3:::{bucket}", objects_of(bucket)]
    put(s3, bucket, statement("Deny", "s3:*", everything, Bool={"aws:SecureTransport": "false"}))
    got = refusal(s3.get_object, Bucket=bucket, Key="k")
    assert got.status == 403
    assert got.message.endswith("with an explicit deny in a resource-based policy")
    assert refusal(s3.list_objects_v2, Bucket=bucket).status == 403
    s3.delete_bucket_policy(Bucket=bucket)
    assert body_of(s3, bucket, "k") == b"content"


def test_encryption_is_demanded(gateway, s3, bucket):
    keys = [sdk.client(gateway, "kms").create_key()["KeyMetadata"] for _ in range(2)]
    arn, other = keys[0]["Arn"], keys[1]["Arn"]
    kms = {"ServerSideEncryption": "aws:kms"}
    put(
        s3,
        bucket,
        statement(
            "Deny", "s3:PutObject", objects_of(bucket), StringNotEquals={"s3:x-amz-server-side-encryption": "aws:kms"}
        ),
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    # What the bucket would do anyway is not what the request says.
    assert refusal(s3.put_object, Bucket=bucket, Key="x", Body=b"").status == 403
    assert refusal(s3.put_object, Bucket=bucket, Key="x", Body=b"", ServerSideEncryption="AES256").status == 403
    s3.put_object(Bucket=bucket, Key="x", Body=b"", **kms)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **kms)
    named = {"Bucket": bucket, "Key": "parts", "UploadId": upload["UploadId"]}
    first = s3.upload_part(**named, PartNumber=1, Body=b"a" * (5 << 20))
    copied = s3.upload_part_copy(**named, PartNumber=2, CopySource={"Bucket": bucket, "Key": "k"})
    parts = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": copied["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert refusal(s3.create_multipart_upload, Bucket=bucket, Key="parts").status == 403

    key_id = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    put(s3, bucket, statement("Deny", "s3:PutObject", objects_of(bucket), StringNotEquals={key_id: arn}))
    sdk.client(gateway, "kms").create_alias(AliasName=f"alias/{bucket}", TargetKeyId=arn)
    for name in (arn, keys[0]["KeyId"], f"alias/{bucket}"):
        s3.put_object(Bucket=bucket, Key="x", Body=b"", **kms, SSEKMSKeyId=name)
    assert refusal(s3.put_object, Bucket=bucket, Key="x", Body=b"", **kms, SSEKMSKeyId=other).status == 403
    assert refusal(s3.put_object, Bucket=bucket, Key="x", Body=b"", **kms).status == 403


def test_sse_c_is_forbidden(s3, bucket):
    algorithm = "s3:x-amz-server-side-encryption-customer-algorithm"
    put(s3, bucket, statement("Deny", "s3:PutObject", objects_of(bucket), Null={algorithm: "false"}))
    headers = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"0123456789abcdef0123456789abcdef"}
    got = refusal(s3.put_object, Bucket=bucket, Key="x", Body=b"", **headers)
    assert got.message.endswith("with an explicit deny in a resource-based policy")
    s3.put_object(Bucket=bucket, Key="x", Body=b"")


def test_tags(gateway, s3, bucket):
    public = statement("Allow", "s3:GetObject", objects_of(bucket), StringEquals={"s3:ExistingObjectTag/open": "yes"})
    fixed = statement(
        "Deny", "s3:PutObjectTagging", objects_of(bucket), StringEquals={"s3:RequestObjectTag/open": "maybe"}
    )
    put(s3, bucket, public, fixed)
    assert anonymous(gateway, f"/{bucket}/k")[0] == 403
    tags = lambda value: {"TagSet": [{"Key": "open", "Value": value}]}  # noqa: E731
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags("yes"))
    assert anonymous(gateway, f"/{bucket}/k")[0] == 200
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=tags("maybe")).status == 403
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"", Tagging="open=maybe").status == 403
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert anonymous(gateway, f"/{bucket}/k")[0] == 403


def test_each_key_of_a_list_is_asked_for(s3, bucket):
    s3.put_object(Bucket=bucket, Key="kept", Body=b"")
    put(s3, bucket, statement("Deny", "s3:DeleteObject", f"arn:aws:s3:::{bucket}/kept"))
    got = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "kept"}]})
    assert [deleted["Key"] for deleted in got["Deleted"]] == ["k"]
    assert [(error["Key"], error["Code"]) for error in got["Errors"]] == [("kept", "AccessDenied")]


def test_changes_are_on_record(own_server):
    s3, bucket = sdk.client(own_server), "recorded"
    s3.create_bucket(Bucket=bucket)
    put(s3, bucket, statement("Deny", "s3:GetObject", objects_of(bucket)))
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert anonymous(own_server, f"/{bucket}?policy", "DELETE")[0] == 403
    own_server.stop()
    found = [r for r in records(own_server) if (r["requestParameters"] or {}).get("bucketName") == bucket][1:]
    assert [(record["eventName"], record.get("errorCode")) for record in found] == [
        ("PutBucketPolicy", None),
        ("PutBucketPublicAccessBlock", None),
        ("DeleteBucketPolicy", "AccessDenied"),
    ]
    assert found[0]["requestParameters"]["bucketPolicy"]["Statement"][0]["Action"] == "s3:GetObject"
    assert found[1]["requestParameters"]["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True


@pytest.mark.skipif(not AWS_CLI_V2, reason="AWS_CLI_V2 names the program")
def test_aws_cli(gateway, s3, bucket, tmp_path):
    environment = clean_environment(
        AWS_ACCESS_KEY_ID=MAIN.access_key, AWS_SECRET_ACCESS_KEY=MAIN.secret_key, AWS_DEFAULT_REGION="us-east-1"
    )

    def aws(*args):
        command = [
            AWS_CLI_V2,
            "--endpoint-url",
            gateway.endpoint,
            "--output",
            "json",
            "s3api",
            *args,
            "--bucket",
            bucket,
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    policy = tmp_path / "policy.json"
    policy.write_text(
        json.dumps({"Version": "2012-10-17", "Statement": statement("Deny", "s3:PutObject", objects_of(bucket))})
    )
    aws("put-bucket-policy", "--policy", f"file://{policy}")
    assert json.loads(aws("get-bucket-policy")["Policy"]) == json.loads(policy.read_text())
    assert aws("get-bucket-policy-status") == {"PolicyStatus": {"IsPublic": False}}
    aws("put-public-access-block", "--public-access-block-configuration", "BlockPublicPolicy=true")
    assert aws("get-public-access-block")["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True
    aws("delete-public-access-block")
    aws("delete-bucket-policy")
