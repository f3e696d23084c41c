"""Object ownership of buckets; what it means for ACLs is in test_acl.py."""

import pytest

import sdk
from gateway import Strongroom
from sdk import refusal

ENFORCED, PREFERRED, WRITER = "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"


def ownership_of(s3, bucket):
    return s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"][0]["ObjectOwnership"]


def put_ownership(s3, bucket, ownership):
    rules = {"Rules": [{"ObjectOwnership": ownership}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)


def test_controls(s3, bucket):
    assert ownership_of(s3, bucket) == ENFORCED
    for ownership in (WRITER, PREFERRED, ENFORCED, WRITER):
        put_ownership(s3, bucket, ownership)
        assert ownership_of(s3, bucket) == ownership
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        s3.delete_bucket_ownership_controls(Bucket=bucket)
        got = refusal(s3.get_bucket_ownership_controls, Bucket=bucket)
        assert (got.status, got.code) == (404, "OwnershipControlsNotFoundError")
        assert got.message == "The bucket ownership controls were not found"
    put_ownership(s3, bucket, ENFORCED)
    assert sdk.body_of(s3, bucket, "k") == b"x"


@pytest.mark.parametrize("ownership", [ENFORCED, PREFERRED, WRITER])
def test_of_a_new_bucket(s3, ownership):
    bucket = f"owned-{ownership.lower()}"
    s3.create_bucket(Bucket=bucket, ObjectOwnership=ownership)
    assert ownership_of(s3, bucket) == ownership


def test_of_the_setting(tmp_path):
    gateway = Strongroom(tmp_path / "writer", extra='object_ownership = "ObjectWriter"').start()
    try:
        s3 = sdk.client(gateway)
        s3.create_bucket(Bucket="by-setting")
        s3.create_bucket(Bucket="by-header", ObjectOwnership=ENFORCED)
        assert (ownership_of(s3, "by-setting"), ownership_of(s3, "by-header")) == (WRITER, ENFORCED)
    finally:
        gateway.stop()
