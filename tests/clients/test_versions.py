"""boto3: versioning."""

import pytest

from sdk import assert_refused, body_of, refusal


@pytest.fixture
def versioned(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    return bucket


def test_versions_and_markers(s3, versioned):
    ids = [s3.put_object(Bucket=versioned, Key="k", Body=b"%d" % n)["VersionId"] for n in range(3)]
    assert len(set(ids)) == 3 and "null" not in ids
    for n, version in enumerate(ids):
        assert body_of(s3, versioned, "k", VersionId=version) == b"%d" % n
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"] is True
    got = refusal(s3.get_object, Bucket=versioned, Key="k")
    assert (got.status, got.code) == (404, "NoSuchKey")
    assert got.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert_refused(
        lambda: s3.get_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"]),
        405,
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
    )
    assert_refused(
        lambda: s3.copy_object(
            Bucket=versioned, Key="c", CopySource={"Bucket": versioned, "Key": "k", "VersionId": marker["VersionId"]}
        ),
        400,
        "InvalidRequest",
        "The source of a copy request may not specifically refer to a delete marker by version id.",
    )
    listed = s3.list_object_versions(Bucket=versioned)
    assert [(v["VersionId"], v["IsLatest"]) for v in listed["Versions"]] == [(v, False) for v in reversed(ids)]
    assert [(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [(marker["VersionId"], True)]
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    assert_refused(
        lambda: s3.delete_bucket(Bucket=versioned),
        409,
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
    )
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert body_of(s3, versioned, "k") == b"2"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[2])
    assert body_of(s3, versioned, "k") == b"1"


def test_null_version(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"enabled")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert body_of(s3, bucket, "k", VersionId="null") == b"before"
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"suspended").get("VersionId") in (None, "null")
    assert body_of(s3, bucket, "k", VersionId="null") == b"suspended"
    assert body_of(s3, bucket, "k", VersionId=new) == b"enabled"
    versions = [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]]
    assert versions == ["null", new]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True and marker["VersionId"] == "null"
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == [new]


def test_version_ids_that_are_none(s3, versioned):
    s3.put_object(Bucket=versioned, Key="k", Body=b"x")
    assert_refused(
        lambda: s3.get_object(Bucket=versioned, Key="k", VersionId="nonsense"),
        400,
        "InvalidArgument",
        "Invalid version id specified",
    )
    other = s3.put_object(Bucket=versioned, Key="other", Body=b"x")["VersionId"]
    got = refusal(s3.get_object, Bucket=versioned, Key="k", VersionId=other)
    assert (got.status, got.code) == (404, "NoSuchVersion")


def test_pages_of_versions(s3, versioned):
    expected = []
    for key in ("a", "b/1", "b/2", "c"):
        ids = [s3.put_object(Bucket=versioned, Key=key, Body=b"x")["VersionId"] for _ in range(3)]
        expected += [(key, version) for version in reversed(ids)]
    for size in (1, 2, 5, 1000):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
        assert [(v["Key"], v["VersionId"]) for page in pages for v in page.get("Versions", [])] == expected, size
    rolled = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [c["Prefix"] for c in rolled["CommonPrefixes"]] == ["b/"] and len(rolled["Versions"]) == 6
    assert_refused(
        lambda: s3.list_object_versions(Bucket=versioned, VersionIdMarker=expected[0][1]),
        400,
        "InvalidArgument",
        "A version-id marker cannot be specified without a key marker.",
    )


def test_copying_a_version(s3, versioned):
    first = s3.put_object(Bucket=versioned, Key="k", Body=b"first")["VersionId"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"second")
    got = s3.copy_object(Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": first})
    assert got["CopySourceVersionId"] == first and got["VersionId"] != first
    assert body_of(s3, versioned, "k") == b"first"


def test_deleting_many_versions(s3, versioned):
    ids = [s3.put_object(Bucket=versioned, Key="k", Body=b"x")["VersionId"] for _ in range(3)]
    got = s3.delete_objects(
        Bucket=versioned, Delete={"Objects": [{"Key": "k", "VersionId": v} for v in ids[:2]] + [{"Key": "k"}]}
    )
    assert sorted(d.get("VersionId", "") for d in got["Deleted"]) == sorted(ids[:2] + [""])
    assert [d["DeleteMarker"] for d in got["Deleted"] if "DeleteMarkerVersionId" in d] == [True]
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket=versioned)["Versions"]] == [ids[2]]


def test_wrong_configurations(raw, bucket):
    for body, code in (
        (b"<VersioningConfiguration/>", "IllegalVersioningConfigurationException"),
        (b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "MalformedXML"),
        (b"<Versioning", "MalformedXML"),
    ):
        got = raw.request("PUT", f"/{bucket}", "versioning", body=body)
        assert (got.status, got.code) == (400, code), got
