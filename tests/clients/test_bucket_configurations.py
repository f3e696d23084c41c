"""boto3: what a bucket is configured to do and this server only keeps; ABAC; buckets that are made with tags."""

import json

import pytest

import sdk
from conftest import bucket_name
from gateway import ALICE
from sdk import assert_refused, refusal

TAG = {"Key": "a", "Value": "1"}
OTHER = {"Key": "b", "Value": ""}
FILTERS = [{"Prefix": "logs/"}, {"Tag": TAG}, {"And": {"Prefix": "x", "Tags": [TAG]}}, {"And": {"Tags": [TAG, OTHER]}}]


def analytics(export=False, **more):
    destination = {"Format": "CSV", "BucketAccountId": "111122223333", "Bucket": "arn:aws:s3:::target", "Prefix": "p"}
    data = {"OutputSchemaVersion": "V_1", "Destination": {"S3BucketDestination": destination}}
    return {"StorageClassAnalysis": {"DataExport": data} if export else {}} | more


def tiering(**more):
    tiers = [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}, {"Days": 180, "AccessTier": "DEEP_ARCHIVE_ACCESS"}]
    return {"Status": "Enabled", "Tierings": tiers} | more


KINDS = {
    "analytics": (
        "bucket_analytics_configuration",
        "AnalyticsConfiguration",
        [analytics(), analytics(export=True)] + [analytics(Filter=one) for one in FILTERS],
    ),
    "metrics": (
        "bucket_metrics_configuration",
        "MetricsConfiguration",
        [{}] + [{"Filter": one} for one in FILTERS],
    ),
    "tiering": (
        "bucket_intelligent_tiering_configuration",
        "IntelligentTieringConfiguration",
        [tiering(), tiering(Status="Disabled")] + [tiering(Filter=one) for one in FILTERS],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_configurations_by_id_come_back_as_they_were_put(s3, bucket, kind):
    operation, name, values = KINDS[kind]
    put, get, delete = (getattr(s3, f"{verb}_{operation}") for verb in ("put", "get", "delete"))
    listed = getattr(s3, f"list_{operation}s")
    assert f"{name}List" not in listed(Bucket=bucket)
    expected = {}
    for number, value in enumerate(values):
        one = f"{number:02}.A-b_"
        expected[one] = {"Id": one} | value
        put(**{"Bucket": bucket, "Id": one, name: expected[one]})
        got = get(Bucket=bucket, Id=one)[name]
        # An empty analysis is an empty element, which boto3 shows as a map or leaves out.
        assert {"StorageClassAnalysis": {}} | got == {"StorageClassAnalysis": {}} | expected[one]
    page = listed(Bucket=bucket)
    assert page["IsTruncated"] is False and [one["Id"] for one in page[f"{name}List"]] == list(expected)
    # One is replaced, not merged.
    first, last = min(expected), max(expected)
    put(**{"Bucket": bucket, "Id": first, name: expected[last] | {"Id": first}})
    assert get(Bucket=bucket, Id=first)[name] == expected[last] | {"Id": first}
    for one in expected:
        delete(Bucket=bucket, Id=one)
    got = refusal(get, Bucket=bucket, Id=first)
    assert (got.status, got.code, got.message) == (
        404,
        "NoSuchConfiguration",
        "The specified configuration does not exist.",
    )
    assert refusal(delete, Bucket=bucket, Id=first).code == "NoSuchConfiguration"
    s3.delete_bucket(Bucket=bucket)


def test_pages_of_a_hundred_and_a_thousand_at_most(s3, bucket):
    for number in range(1000):
        one = f"m{number:04}"
        s3.put_bucket_metrics_configuration(Bucket=bucket, Id=one, MetricsConfiguration={"Id": one})
    got = refusal(s3.put_bucket_metrics_configuration, Bucket=bucket, Id="more", MetricsConfiguration={"Id": "more"})
    assert (got.status, got.code) == (400, "TooManyConfigurations")
    s3.put_bucket_metrics_configuration(Bucket=bucket, Id="m0999", MetricsConfiguration={"Id": "m0999"})
    seen, token = [], {}
    while True:
        page = s3.list_bucket_metrics_configurations(Bucket=bucket, **token)
        seen += [one["Id"] for one in page["MetricsConfigurationList"]]
        assert page.get("ContinuationToken") == token.get("ContinuationToken")
        if not page["IsTruncated"]:
            break
        assert len(page["MetricsConfigurationList"]) == 100
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert seen == [f"m{number:04}" for number in range(1000)]
    # A token is good in its own bucket and for its own kind.
    assert refusal(s3.list_bucket_analytics_configurations, Bucket=bucket, **token).code == "InvalidArgument"
    s3.delete_bucket(Bucket=bucket)


def test_acceleration(s3, bucket):
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": status})
        assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == status


def test_tags_decide_once_abac_is_on(s3, server):
    name = bucket_name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": [{"Key": "team", "Value": "blue"}]})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "team", "Value": "blue"}]
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ALICE.account}:user/alice"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": allow}))
    alice = sdk.client(server, who=ALICE)
    assert s3.get_bucket_abac(Bucket=name)["AbacStatus"] == {"Status": "Disabled"}
    assert refusal(alice.put_object, Bucket=name, Key="k", Body=b"x").code == "AccessDenied"
    s3.put_bucket_abac(Bucket=name, AbacStatus={"Status": "Enabled"})
    assert s3.get_bucket_abac(Bucket=name)["AbacStatus"] == {"Status": "Enabled"}
    alice.put_object(Bucket=name, Key="k", Body=b"x")
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "team", "Value": "red"}]})
    assert refusal(alice.put_object, Bucket=name, Key="k", Body=b"x").code == "AccessDenied"


def test_what_is_archived_nowhere(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER_IR")
    assert_refused(
        lambda: s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1}),
        403,
        "InvalidObjectState",
        "Restore is not allowed for the object's current storage class",
    )
    for archive in ("GLACIER", "DEEP_ARCHIVE"):
        assert_refused(
            lambda archive=archive: s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass=archive),
            400,
            "InvalidStorageClass",
        )
    got = refusal(
        s3.select_object_content,
        Bucket=bucket,
        Key="k",
        Expression="SELECT * FROM S3Object",
        ExpressionType="SQL",
        InputSerialization={"CSV": {}},
        OutputSerialization={"CSV": {}},
    )
    assert (got.status, got.code) == (405, "MethodNotAllowed")
    assert refusal(s3.get_object_torrent, Bucket=bucket, Key="k").code == "MethodNotAllowed"
