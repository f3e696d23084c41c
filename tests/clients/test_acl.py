"""ACLs, ownership of objects, and requester pays, as real clients meet them: three accounts, and nobody."""

import http.client
import json
import os
import re
import subprocess
import time

import pytest

import sdk
from gateway import MAIN, OTHER, Caller, Strongroom, clean_environment
from sdk import body_of, refusal
from test_audit import records
from test_presigned import fetch

AWS_CLI_V2 = os.environ.get("AWS_CLI_V2")
ENFORCED, PREFERRED, WRITER = "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"
GROUPS = "http://acs.amazonaws.com/groups/"
ALL_USERS, WHO_SIGNS = GROUPS + "global/AllUsers", GROUPS + "global/AuthenticatedUsers"
NOBODY = "65a011a29cdf8ec533ec3d1ccaae921c"

THIRD = Caller("777788889999", "THIRDACCESSKEY000000", "third/Secret+Key000000000000000000000000")
# Users without policies.
MINE = Caller(MAIN.account, "MINEACCESSKEY0000000", "mine/Secret+Key0000000000000000000000000", "mine")
HERS = Caller(OTHER.account, "HERSACCESSKEY0000000", "hers/Secret+Key0000000000000000000000000", "hers")
IDS = {MAIN.account: "a1" * 32, OTHER.account: "b2" * 32, THIRD.account: "c3" * 32}


def listed():
    def account(root, name, *users):
        def key(who):
            return [{"id": who.access_key, "secret": who.secret_key}]

        users = [{"name": who.name, "access_keys": key(who)} for who in users]
        made = {"id": root.account, "canonical_id": IDS[root.account], "display_name": name, "user": users}
        return made | {"email": f"{name}@example.com", "access_keys": key(root)}

    return json.dumps([account(MAIN, "main", MINE), account(OTHER, "other", HERS), account(THIRD, "third")])


def started(directory, extra=""):
    environment = {"STRONGROOM_ACCOUNTS": listed()}
    return Strongroom(directory, extra=extra, environment=environment).start()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    gateway = started(tmp_path_factory.mktemp("acls"))
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]
    assert "panicked" not in gateway.log()


@pytest.fixture(scope="module")
def s3(gateway):
    return sdk.client(gateway)


@pytest.fixture(scope="module")
def other(gateway):
    return sdk.client(gateway, who=OTHER)


@pytest.fixture(scope="module")
def third(gateway):
    return sdk.client(gateway, who=THIRD)


def new_bucket(s3, ownership=WRITER, **args):
    """A bucket without a public access block, with the object `k`."""
    bucket = f"acls-{time.time_ns()}"
    s3.create_bucket(Bucket=bucket, ObjectOwnership=ownership, **args)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    return bucket


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


def let_in(s3, bucket, *actions):
    """The other account may do that by the bucket's policy."""
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER.account}, "Action": list(actions)}
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": resources}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def nobody(gateway, path, method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def grants(answer):
    """Owner, and what is granted to whom."""

    def name(grantee):
        return grantee.get("DisplayName") or grantee.get("ID") or grantee["URI"].removeprefix(GROUPS)

    return answer["Owner"]["ID"], [(name(grant["Grantee"]), grant["Permission"]) for grant in answer["Grants"]]


def denied(call, *args, **kwargs):
    got = refusal(call, *args, **kwargs)
    assert (got.status, got.code) == (403, "AccessDenied"), got
    return got.message


def test_canned_acls_of_buckets(s3, bucket):
    own = ("main", "FULL_CONTROL")
    for acl, granted in {
        "public-read": [own, ("global/AllUsers", "READ")],
        "public-read-write": [own, ("global/AllUsers", "READ"), ("global/AllUsers", "WRITE")],
        "authenticated-read": [own, ("global/AuthenticatedUsers", "READ")],
        "log-delivery-write": [own, ("s3/LogDelivery", "WRITE"), ("s3/LogDelivery", "READ_ACP")],
        "bucket-owner-full-control": [own],
        "private": [own],
    }.items():
        s3.put_bucket_acl(Bucket=bucket, ACL=acl)
        assert grants(s3.get_bucket_acl(Bucket=bucket)) == (IDS[MAIN.account], granted), acl


def test_canned_acls_of_objects(s3, other, bucket):
    let_in(s3, bucket, "s3:PutObject", "s3:PutObjectAcl")
    own = ("other", "FULL_CONTROL")
    for acl, granted in {
        None: [own],
        "private": [own],
        "public-read": [own, ("global/AllUsers", "READ")],
        "authenticated-read": [own, ("global/AuthenticatedUsers", "READ")],
        "bucket-owner-read": [own, ("main", "READ")],
        "bucket-owner-full-control": [own, ("main", "FULL_CONTROL")],
        "aws-exec-read": [own, ("6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c", "READ")],
    }.items():
        args = {"ACL": acl} if acl else {}
        other.put_object(Bucket=bucket, Key="theirs", Body=b"x", **args)
        assert grants(other.get_object_acl(Bucket=bucket, Key="theirs")) == (IDS[OTHER.account], granted), acl


def test_grants_in_every_form(s3, other, third, bucket):
    s3.put_object_acl(
        Bucket=bucket,
        Key="k",
        GrantRead=f'id="{IDS[OTHER.account]}", emailAddress=third@example.com',
        GrantReadACP=f"uri={WHO_SIGNS}",
        GrantFullControl=f"id={IDS[MAIN.account]}",
    )
    acl = s3.get_object_acl(Bucket=bucket, Key="k")
    granted = [("main", "FULL_CONTROL"), ("other", "READ"), ("third", "READ"), (WHO_SIGNS[len(GROUPS) :], "READ_ACP")]
    assert grants(acl) == (IDS[MAIN.account], granted)
    for who in (other, third):
        assert body_of(who, bucket, "k") == b"content"
        assert grants(who.get_object_acl(Bucket=bucket, Key="k"))[1] == granted
        denied(who.put_object_acl, Bucket=bucket, Key="k", ACL="private")
    # As it is read it can be written, by e-mail too, which is told by id afterwards.
    policy = {"Owner": acl["Owner"], "Grants": acl["Grants"]}
    email = {"Type": "AmazonCustomerByEmail", "EmailAddress": "Third@Example.com"}
    policy["Grants"].append({"Grantee": email, "Permission": "WRITE_ACP"})
    s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=policy)
    assert grants(s3.get_object_acl(Bucket=bucket, Key="k"))[1] == [*granted, ("third", "WRITE_ACP")]
    third.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    for who in (other, third):
        assert denied(who.get_object, Bucket=bucket, Key="k") == "Access Denied"
    s3.put_bucket_acl(
        Bucket=bucket, GrantRead="emailAddress=other@example.com", GrantWriteACP=f"id={IDS[THIRD.account]}"
    )
    assert [entry["Key"] for entry in other.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
    denied(third.list_objects_v2, Bucket=bucket)
    third.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": acl["Owner"], "Grants": []})
    denied(other.list_objects_v2, Bucket=bucket)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == []
    assert body_of(s3, bucket, "k") == b"content"


def test_what_is_refused(s3, raw_acl, bucket):
    object_ = {"Bucket": bucket, "Key": "k"}

    def told(**acl):
        got = refusal(s3.put_object_acl, **object_, **acl)
        error = got.response["Error"]
        return got.status, got.code, got.message or "", error.get("ArgumentName"), error.get("ArgumentValue")

    invalid = (400, "InvalidArgument")
    assert told(GrantWrite='fakekey="1234"') == (
        *invalid, "Argument format not recognized", "x-amz-grant-write", 'fakekey="1234"',
    )  # fmt: skip
    assert told(GrantWrite='id="wrong-id"') == (*invalid, "Invalid id", "id", "wrong-id")
    unknown = "d4" * 32
    assert told(GrantWrite=f"id={unknown}") == (*invalid, "Invalid id", "id", unknown)
    fake = GROUPS + "s3/FakeGroup"
    assert told(GrantWrite=f"uri={fake}") == (*invalid, "Invalid group uri", "uri", fake)
    got = told(GrantRead="emailAddress=nobody@example.com")
    assert got[1:3] == (
        "UnresolvableGrantByEmailAddress", "The email address you provided does not match any account on record.",
    )  # fmt: skip
    both = told(ACL="private", GrantRead=f"id={IDS[OTHER.account]}")
    assert both[1:3] == ("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    assert told(ACL="fake-acl") == (*invalid, "", "x-amz-acl", "fake-acl")
    owner = {"ID": IDS[MAIN.account]}
    assert told(ACL="private", AccessControlPolicy={"Owner": owner, "Grants": []})[1:3] == (
        "UnexpectedContent", "This request does not support content",
    )  # fmt: skip
    schema = "The XML you provided was not well-formed or did not validate against our published schema"
    for policy in ({}, {"Owner": owner}, {"Owner": {}, "Grants": []}):
        assert told(AccessControlPolicy=policy)[:3] == (400, "MalformedACLError", schema), policy
    one = {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ"}
    for grant in (one | {"Permission": "read"}, one | {"Grantee": {"Type": "User", "ID": owner["ID"]}}):
        assert told(AccessControlPolicy={"Owner": owner, "Grants": [grant]})[1] == "MalformedACLError", grant
    assert told(AccessControlPolicy={"Owner": owner, "Grants": [one] * 101})[1] == "MalformedACLError"
    s3.put_object_acl(**object_, AccessControlPolicy={"Owner": owner, "Grants": [one] * 100})
    wrong = {"Grantee": {"Type": "CanonicalUser", "ID": "x"}, "Permission": "READ"}
    assert told(AccessControlPolicy={"Owner": owner, "Grants": [wrong]}) == (
        *invalid, "Invalid id", "CanonicalUser/ID", "x",
    )  # fmt: skip
    assert told(AccessControlPolicy={"Owner": {"ID": IDS[OTHER.account]}, "Grants": []})[:2] == (403, "AccessDenied")
    for path in (f"/{bucket}/k", f"/{bucket}"):
        status, code, answer = raw_acl(path)
        assert (status, code) == (400, "MissingSecurityHeader"), answer
        assert "<MissingHeaderName>x-amz-acl</MissingHeaderName>" in answer
    got = refusal(s3.get_object_acl, Bucket=bucket, Key="absent")
    assert (got.status, got.code) == (404, "NoSuchKey")


@pytest.fixture
def raw_acl(gateway):
    """Sends a PUT of an ACL that holds none."""
    signer = sdk.client(gateway, signature_version="s3v4")

    def send(path):
        bucket, _, key = path.strip("/").partition("/")
        operation = "put_object_acl" if key else "put_bucket_acl"
        url = signer.generate_presigned_url(operation, Params={"Bucket": bucket} | ({"Key": key} if key else {}))
        answer = fetch(url, "PUT")
        text = answer.body.decode()
        return answer.status, re.search("<Code>(.*?)</Code>", text)[1], text

    return send


def test_anonymous_reads(gateway, s3, other, bucket):
    hers = sdk.client(gateway, who=HERS)
    assert nobody(gateway, f"/{bucket}/k")[0] == 403
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert nobody(gateway, f"/{bucket}/k") == (200, b"content")
    assert nobody(gateway, f"/{bucket}/k", "HEAD")[0] == 200
    assert nobody(gateway, f"/{bucket}/k?acl")[0] == 403
    assert nobody(gateway, f"/{bucket}")[0] == 403
    assert nobody(gateway, f"/{bucket}/absent")[0] == 403
    assert body_of(other, bucket, "k") == b"content"
    # Her own account would have to allow it too, although everyone may; in the owner's account that is enough.
    denied(hers.get_object, Bucket=bucket, Key="k")
    assert body_of(sdk.client(gateway, who=MINE), bucket, "k") == b"content"
    s3.put_object(Bucket=bucket, Key="k", Body=b"another")
    assert nobody(gateway, f"/{bucket}/k")[0] == 403
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert nobody(gateway, f"/{bucket}")[0] == 200
    assert nobody(gateway, f"/{bucket}/k")[0] == 403
    status, answer = nobody(gateway, f"/{bucket}/absent")
    assert (status, b"NoSuchKey" in answer) == (404, True)


def test_anonymous_writes(gateway, s3, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert nobody(gateway, f"/{bucket}/left", "PUT", b"x")[0] == 200
    listing = s3.list_objects(Bucket=bucket)["Contents"]
    assert {entry["Key"]: entry["Owner"]["ID"] for entry in listing} == {"k": IDS[MAIN.account], "left": NOBODY}
    denied(s3.get_object, Bucket=bucket, Key="left")
    assert nobody(gateway, f"/{bucket}/k", "PUT", b"x")[0] == 403
    assert nobody(gateway, f"/{bucket}/k", "DELETE")[0] == 403
    handed = {"x-amz-acl": "bucket-owner-full-control"}
    assert nobody(gateway, f"/{bucket}/left?acl", "PUT", headers=handed)[0] == 200
    assert body_of(s3, bucket, "left") == b"x"
    assert nobody(gateway, f"/{bucket}/left", "DELETE")[0] == 204


def test_versions_have_acls_of_their_own(gateway, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="v", Body=b"first", ACL="public-read")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="v", Body=b"second")["VersionId"]
    assert nobody(gateway, f"/{bucket}/v")[0] == 403
    assert nobody(gateway, f"/{bucket}/v?versionId={first}") == (200, b"first")
    assert nobody(gateway, f"/{bucket}/v?versionId={second}")[0] == 403
    s3.put_object_acl(Bucket=bucket, Key="v", VersionId=first, ACL="private")
    s3.put_object_acl(Bucket=bucket, Key="v", ACL="public-read")
    assert nobody(gateway, f"/{bucket}/v?versionId={first}")[0] == 403
    assert nobody(gateway, f"/{bucket}/v") == (200, b"second")
    of = {
        version: grants(s3.get_object_acl(Bucket=bucket, Key="v", VersionId=version))[1] for version in (first, second)
    }
    assert (len(of[first]), len(of[second])) == (1, 2)
    s3.delete_object(Bucket=bucket, Key="v")
    assert refusal(s3.get_object_acl, Bucket=bucket, Key="v").status == 405
    assert nobody(gateway, f"/{bucket}/v")[0] == 403
    s3.delete_object(Bucket=bucket, Key="v", VersionId=second)


def test_objects_of_another_account(gateway, s3, other, bucket):
    let_in(s3, bucket, "s3:*")
    other.put_object(Bucket=bucket, Key="theirs", Body=b"theirs")
    for call in (s3.get_object, s3.head_object, s3.get_object_acl, s3.get_object_tagging):
        got = refusal(call, Bucket=bucket, Key="theirs")
        assert got.status == 403, got
    denied(s3.copy_object, Bucket=bucket, Key="copy", CopySource=f"{bucket}/theirs")
    assert body_of(other, bucket, "theirs") == b"theirs"
    assert body_of(other, bucket, "k") == b"content"
    owners = {"k": IDS[MAIN.account], "theirs": IDS[OTHER.account]}
    pages = [
        s3.list_objects(Bucket=bucket)["Contents"],
        s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"],
        s3.list_object_versions(Bucket=bucket)["Versions"],
    ]
    for page in pages:
        assert {entry["Key"]: entry["Owner"]["ID"] for entry in page} == owners
    other.put_object_acl(Bucket=bucket, Key="theirs", ACL="bucket-owner-read")
    assert body_of(s3, bucket, "theirs") == b"theirs"
    denied(s3.get_object_acl, Bucket=bucket, Key="theirs")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/theirs", TaggingDirective="REPLACE")
    assert grants(s3.get_object_acl(Bucket=bucket, Key="copy"))[0] == IDS[MAIN.account]
    s3.delete_object(Bucket=bucket, Key="theirs")
    # With ACLs off all is the bucket owner's; with ACLs on again it is as it was.
    other.put_object(Bucket=bucket, Key="theirs", Body=b"theirs")
    for ownership, status in ((ENFORCED, 200), (WRITER, 403)):
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
        if status == 200:
            assert body_of(s3, bucket, "theirs") == b"theirs"
            assert grants(s3.get_object_acl(Bucket=bucket, Key="theirs"))[1] == [("main", "FULL_CONTROL")]
            other.put_object(Bucket=bucket, Key="meanwhile", Body=b"x")
        else:
            denied(s3.get_object, Bucket=bucket, Key="theirs")
    assert body_of(s3, bucket, "meanwhile") == b"x"


def test_what_is_handed_over(s3, other):
    bucket = new_bucket(s3, PREFERRED)
    let_in(s3, bucket, "s3:PutObject", "s3:PutObjectAcl")
    full = {"ACL": "bucket-owner-full-control"}
    other.put_object(Bucket=bucket, Key="put", Body=b"x", **full)
    sdk.upload(other, bucket, "parts", [b"x"], create=full)
    other.put_object(Bucket=bucket, Key="kept", Body=b"x")
    other.put_object_acl(Bucket=bucket, Key="kept", **full)
    owners = {entry["Key"]: entry["Owner"]["ID"] for entry in s3.list_objects(Bucket=bucket)["Contents"]}
    mine, theirs = IDS[MAIN.account], IDS[OTHER.account]
    assert owners == {"k": mine, "put": mine, "parts": mine, "kept": theirs}
    denied(other.get_object, Bucket=bucket, Key="put")
    assert body_of(s3, bucket, "kept") == b"x"


def test_uploads_of_another_account(s3, other, bucket):
    let_in(s3, bucket, "s3:PutObject", "s3:PutObjectAcl")
    begun = other.create_multipart_upload(Bucket=bucket, Key="u", ACL="bucket-owner-read")["UploadId"]
    upload = s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]
    assert (upload["Initiator"]["ID"], upload["Owner"]["ID"]) == (IDS[OTHER.account],) * 2
    assert other.list_parts(Bucket=bucket, Key="u", UploadId=begun)["Owner"]["ID"] == IDS[OTHER.account]
    part = {"Bucket": bucket, "Key": "u", "UploadId": begun}
    etag = other.upload_part(**part, PartNumber=1, Body=b"part")["ETag"]
    # Whoever completes it, the object is whose upload it was.
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    owner, granted = grants(other.get_object_acl(Bucket=bucket, Key="u"))
    assert (owner, granted) == (IDS[OTHER.account], [("other", "FULL_CONTROL"), ("main", "READ")])
    mine = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    denied(other.abort_multipart_upload, Bucket=bucket, Key="u", UploadId=mine)
    theirs = other.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    other.abort_multipart_upload(Bucket=bucket, Key="u", UploadId=theirs)


def test_acls_off(s3, bucket):
    bucket = new_bucket(s3, ENFORCED)
    owner = {"ID": IDS[MAIN.account]}
    full = {"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"}
    for call, args in [
        (s3.put_bucket_acl, {"ACL": "private"}),
        (s3.put_bucket_acl, {"AccessControlPolicy": {"Owner": owner, "Grants": [full]}}),
        (s3.put_object_acl, {"Key": "k", "ACL": "public-read"}),
        (s3.put_object, {"Key": "k", "ACL": "authenticated-read"}),
        (s3.put_object, {"Key": "k", "GrantRead": f"id={IDS[OTHER.account]}"}),
        (s3.copy_object, {"Key": "c", "CopySource": f"{bucket}/k", "ACL": "public-read"}),
        (s3.create_multipart_upload, {"Key": "k", "ACL": "public-read"}),
    ]:
        got = refusal(call, Bucket=bucket, **args)
        expected = (400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
        assert (got.status, got.code, got.message) == expected, args
    for args in (
        {"ACL": "bucket-owner-full-control"},
        {"AccessControlPolicy": {"Owner": owner, "Grants": [full]}},
    ):
        s3.put_object_acl(Bucket=bucket, Key="k", **args)
    for answer in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        assert grants(answer) == (IDS[MAIN.account], [("main", "FULL_CONTROL")])


def test_ownership_and_a_bucket_s_acl(s3, bucket):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    rules = {"Rules": [{"ObjectOwnership": ENFORCED}]}
    expected = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
    got = refusal(s3.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=rules)
    assert (got.status, got.code, got.message) == (400, "InvalidBucketAclWithObjectOwnership", expected)
    got = refusal(s3.create_bucket, Bucket="granted", ACL="public-read")
    assert (got.status, got.code, got.message) == (400, "InvalidBucketAclWithObjectOwnership", expected)
    got = refusal(s3.create_bucket, Bucket="granted", ACL="public-read", ObjectOwnership=WRITER)
    expected = "Bucket cannot have public ACLs set with BlockPublicAccess enabled"
    assert (got.status, got.code, got.message) == (400, "InvalidBucketAclWithBlockPublicAccessError", expected)
    granted = new_bucket(s3, GrantWrite=f"id={IDS[OTHER.account]}", GrantFullControl="emailAddress=main@example.com")
    assert grants(s3.get_bucket_acl(Bucket=granted))[1] == [("main", "FULL_CONTROL"), ("other", "WRITE")]
    # In us-east-1 a bucket that is made again has the ACL that it is made with.
    s3.create_bucket(Bucket=granted, ObjectOwnership=WRITER)
    assert grants(s3.get_bucket_acl(Bucket=granted))[1] == [("main", "FULL_CONTROL")]
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)


def test_the_switches_of_a_block(gateway, s3, bucket):
    def block(**on):
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=on)

    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    block(BlockPublicAcls=True)
    assert nobody(gateway, f"/{bucket}/k")[0] == 200
    for call, action, args in [
        (s3.put_object_acl, "s3:PutObjectAcl", {"Key": "k", "ACL": "public-read"}),
        (s3.put_object, "s3:PutObject", {"Key": "k", "ACL": "authenticated-read"}),
        (s3.put_bucket_acl, "s3:PutBucketAcl", {"GrantRead": f"uri={ALL_USERS}"}),
    ]:
        arn = f"arn:aws:s3:::{bucket}" + (f"/{args['Key']}" if "Key" in args else "")
        told = f"User: arn:aws:iam::{MAIN.account}:root is not authorized to perform: {action} on resource: "
        told += f'"{arn}" because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access.'
        assert denied(call, Bucket=bucket, **args) == told
    s3.put_object(Bucket=bucket, Key="fine", Body=b"x", ACL="bucket-owner-read")
    block(IgnorePublicAcls=True)
    assert nobody(gateway, f"/{bucket}/k")[0] == 403
    s3.put_object(Bucket=bucket, Key="ignored", Body=b"x", ACL="public-read")
    assert nobody(gateway, f"/{bucket}/ignored")[0] == 403
    s3.delete_public_access_block(Bucket=bucket)
    assert nobody(gateway, f"/{bucket}/ignored") == (200, b"x")


def test_expected_owners(s3, other, bucket):
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    for expected, call in [
        (MAIN.account, body_of(other, bucket, "k", ExpectedBucketOwner=MAIN.account)),
        (MAIN.account, s3.get_bucket_acl(Bucket=bucket, ExpectedBucketOwner=MAIN.account)),
    ]:
        assert call, expected
    for call, args in [
        (other.get_object, {"Key": "k"}),
        (s3.get_bucket_acl, {}),
        (s3.put_bucket_acl, {"ACL": "private"}),
    ]:
        denied(call, Bucket=bucket, ExpectedBucketOwner=OTHER.account, **args)
    target = new_bucket(other)
    copy = {"Bucket": target, "Key": "c", "CopySource": f"{bucket}/k", "TaggingDirective": "REPLACE"}
    denied(other.copy_object, **copy, ExpectedSourceBucketOwner=OTHER.account)
    other.copy_object(**copy, ExpectedSourceBucketOwner=MAIN.account, ExpectedBucketOwner=OTHER.account)


def test_requester_pays(gateway, s3, other, bucket):
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    let_in(s3, bucket, "s3:GetObject", "s3:ListBucket", "s3:PutObject")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    pays = {"RequestPayer": "requester"}
    for call, args in [
        (other.get_object, {"Key": "k"}),
        (other.list_objects_v2, {}),
        (other.put_object, {"Key": "theirs", "Body": b"x"}),
    ]:
        denied(call, Bucket=bucket, **args)
        assert call(Bucket=bucket, **args, **pays)["RequestCharged"] == "requester"
    assert "RequestCharged" not in s3.get_object(Bucket=bucket, Key="k")
    assert nobody(gateway, f"/{bucket}/k", headers={"x-amz-request-payer": "requester"})[0] == 403
    signer = sdk.client(gateway, who=OTHER, signature_version="s3v4")
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"} | pays)
    answer = fetch(url, headers={"x-amz-request-payer": "requester"})
    assert (answer.status, answer.body) == (200, b"content"), answer
    target = new_bucket(other)
    copy = {"Bucket": target, "Key": "c", "CopySource": f"{bucket}/k", "TaggingDirective": "REPLACE"}
    denied(other.copy_object, **copy)
    assert other.copy_object(**copy, **pays)["RequestCharged"] == "requester"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    other.get_object(Bucket=bucket, Key="k")


def test_a_site_that_begins_as_before_2023(tmp_path):
    """Also that all of it is there after a restart, and in the trail."""
    extra = 'object_ownership = "ObjectWriter"\nblock_public_access = false'
    gateway = started(tmp_path / "old", extra)
    try:
        s3 = sdk.client(gateway)
        s3.create_bucket(Bucket="old", ACL="public-read")
        s3.put_object(Bucket="old", Key="k", Body=b"x", ACL="public-read")
        assert nobody(gateway, "/old")[0] == 200
        s3.put_bucket_acl(Bucket="old", GrantRead=f"id={IDS[OTHER.account]}")
        gateway.stop()
        gateway.start()
        assert nobody(gateway, "/old/k") == (200, b"x")
        assert nobody(gateway, "/old")[0] == 403
        sdk.client(gateway, who=OTHER).list_objects_v2(Bucket="old")
    finally:
        gateway.stop()
    made, put = [record for record in records(gateway) if record["eventName"] in ("CreateBucket", "PutBucketAcl")]
    assert made["requestParameters"]["x-amz-acl"] == "public-read"
    grant = put["requestParameters"]["AccessControlPolicy"]["AccessControlList"]["Grant"]
    assert grant == [{"Grantee": {"xsi:type": "CanonicalUser", "ID": IDS[OTHER.account]}, "Permission": "READ"}]


@pytest.mark.skipif(not AWS_CLI_V2, reason="AWS_CLI_V2 names the program")
def test_aws_cli(gateway, bucket):
    def aws(*arguments):
        keys = {"AWS_ACCESS_KEY_ID": MAIN.access_key, "AWS_SECRET_ACCESS_KEY": MAIN.secret_key}
        environment = clean_environment(**keys, AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")
        command = [AWS_CLI_V2, "--endpoint-url", gateway.endpoint, "--output", "json", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout if done.returncode == 0 else done.stderr

    at = ("--bucket", bucket)
    assert aws("s3api", "put-object-acl", *at, "--key", "k", "--acl", "public-read") == ""
    assert nobody(gateway, f"/{bucket}/k") == (200, b"content")
    grant = ("--grant-full-control", "emailaddress=main@example.com", "--grant-read", f"uri={ALL_USERS}")
    assert aws("s3api", "put-bucket-acl", *at, *grant) == ""
    acl = json.loads(aws("s3api", "get-bucket-acl", *at))
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL", "READ"]
    again = json.dumps({"Owner": acl["Owner"], "Grants": acl["Grants"][:1]})
    assert aws("s3api", "put-bucket-acl", *at, "--access-control-policy", again) == ""
    assert nobody(gateway, f"/{bucket}")[0] == 403
    controls = "Rules=[{ObjectOwnership=BucketOwnerEnforced}]"
    assert aws("s3api", "put-bucket-ownership-controls", *at, "--ownership-controls", controls) == ""
    told = aws("s3api", "put-object-acl", *at, "--key", "k", "--acl", "public-read")
    assert "(AccessControlListNotSupported)" in told and "The bucket does not allow ACLs" in told
    payer = ("--request-payment-configuration", "Payer=Requester")
    assert aws("s3api", "put-bucket-request-payment", *at, *payer) == ""
    assert json.loads(aws("s3api", "get-bucket-request-payment", *at)) == {"Payer": "Requester"}


def test_a_grant_to_write_is_no_leave_over_what_came_meanwhile(gateway, s3, other, bucket):
    """A body may be long in coming; what somebody else has written by its end stays theirs."""
    s3.put_bucket_acl(Bucket=bucket, GrantWrite=f"id={IDS[OTHER.account]}", GrantFullControl=f"id={IDS[MAIN.account]}")
    signer = sdk.client(gateway, who=OTHER, signature_version="s3v4")
    url = signer.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "new"})
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.putrequest("PUT", url.split(str(gateway.port), 1)[1])
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"first")
        time.sleep(0.3)
        s3.put_object(Bucket=bucket, Key="new", Body=b"mine")
        connection.send(b"later")
        answer = connection.getresponse()
        assert answer.status == 403 and b"<Code>AccessDenied</Code>" in answer.read()
    finally:
        connection.close()
    assert body_of(s3, bucket, "new") == b"mine"
    # Over what is its own, and over nothing, it may.
    for _ in range(2):
        other.put_object(Bucket=bucket, Key="theirs", Body=b"x", ACL="bucket-owner-full-control")
    assert refusal(other.put_object, Bucket=bucket, Key="new", Body=b"x").status == 403
