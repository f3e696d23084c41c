"""Accounts are apart from each other; a user without a policy may do nothing."""

import pytest

import sdk
from gateway import ALICE, OTHER
from sdk import refusal


@pytest.fixture(scope="module")
def mine(s3):
    s3.create_bucket(Bucket="mine-alone")
    s3.put_object(Bucket="mine-alone", Key="k", Body=b"x")
    return "mine-alone"


CALLS = {
    "get": lambda c, b: c.get_object(Bucket=b, Key="k"),
    "head": lambda c, b: c.head_object(Bucket=b, Key="k"),
    "absent": lambda c, b: c.get_object(Bucket=b, Key="absent"),
    "put": lambda c, b: c.put_object(Bucket=b, Key="k", Body=b"y"),
    "delete": lambda c, b: c.delete_object(Bucket=b, Key="k"),
    "list": lambda c, b: c.list_objects_v2(Bucket=b),
    "head bucket": lambda c, b: c.head_bucket(Bucket=b),
    "delete bucket": lambda c, b: c.delete_bucket(Bucket=b),
    "encryption": lambda c, b: c.get_bucket_encryption(Bucket=b),
    "upload": lambda c, b: c.create_multipart_upload(Bucket=b, Key="k"),
    "versioning": lambda c, b: c.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("who", [ALICE, OTHER], ids=["user", "other account"])
def test_refused(server, s3, mine, who, call):
    got = refusal(call, sdk.client(server, who=who), mine)
    assert got.status == 403 and got.code in ("AccessDenied", "403"), got
    assert sdk.body_of(s3, mine, "k") == b"x"


def test_copy_out_of_another_account(server, mine):
    other = sdk.client(server, who=OTHER)
    other.create_bucket(Bucket="others-own")
    assert refusal(other.copy_object, Bucket="others-own", Key="k", CopySource=f"{mine}/k").code == "AccessDenied"
    assert [b["Name"] for b in other.list_buckets()["Buckets"] if b["Name"] == mine] == []


def test_delete_many_reports_each(server, s3, mine):
    named = {"Objects": [{"Key": "k"}, {"Key": "k", "VersionId": "null"}, {"Key": "none"}]}
    actions = ["DeleteObject", "DeleteObjectVersion", "DeleteObject"]
    for who in (ALICE, OTHER):
        got = sdk.client(server, who=who).delete_objects(Bucket=mine, Delete=named | {"Quiet": True})
        assert [(e["Key"], e["Code"]) for e in got["Errors"]] == [(o["Key"], "AccessDenied") for o in named["Objects"]]
        for error, action in zip(got["Errors"], actions, strict=True):
            told = f's3:{action} on resource: "arn:aws:s3:::{mine}/{error["Key"]}" because no identity-based policy'
            # Other accounts are told nothing.
            assert told in error["Message"] if who is ALICE else error["Message"] == "Access Denied"
        assert "Deleted" not in got
    assert sdk.body_of(s3, mine, "k") == b"x"


@pytest.mark.parametrize(
    "method, path, query",
    [("GET", "/", ""), ("GET", "/mine-alone/k", ""), ("PUT", "/mine-alone/k", ""), ("GET", "/mine-alone", "acl")],
)
def test_anonymous(raw, mine, method, path, query):
    got = raw.send(raw.head_bytes(method, path, query, [("Host", raw.host), ("Content-Length", 0)]), method)
    assert (got.status, got.code) == (403, "AccessDenied"), got
    assert got.message == "Access Denied"
