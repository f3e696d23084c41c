"""boto3: lifecycle rules, and what they do once the days are over."""

import datetime
import time

import pytest

import sdk
from sdk import assert_refused, body_of, customer_key, refusal

OFTEN = {"STRONGROOM_LIFECYCLE_INTERVAL": "200ms"}
DEADLINE_SECONDS = 20


def rule(actions, name="r", **filters):
    return {"ID": name, "Status": "Enabled", "Filter": filters, **actions}


def put_rules(s3, bucket, *rules, **more):
    return s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)}, **more)


def wait_for(what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "the rules did nothing"
        time.sleep(0.1)


def versions(s3, bucket, key=""):
    listed = s3.list_object_versions(Bucket=bucket, Prefix=key)
    return [v["VersionId"] for v in listed.get("Versions", [])], [
        m["VersionId"] for m in listed.get("DeleteMarkers", [])
    ]


@pytest.fixture
def days(own_server):
    """A gateway whose lifecycle clock goes on by days."""

    class Days:
        def __init__(self):
            own_server.stop()
            own_server.environment.update(OFTEN)
            own_server.start()
            self.server, self.ahead = own_server, 0

        @property
        def s3(self):
            return sdk.client(self.server)

        def later(self, days, crash=False):
            self.server.kill() if crash else self.server.stop()
            self.ahead += days
            self.server.environment["STRONGROOM_LIFECYCLE_DAYS_AHEAD"] = str(self.ahead)
            self.server.start()
            return self.s3

    return Days()


def test_a_configuration_comes_back_as_it_was_set(s3, bucket):
    assert_refused(
        lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket),
        404,
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    )
    rules = [
        rule(
            {
                "Expiration": {"Days": 365},
                "Transitions": [
                    {"Days": 30, "StorageClass": "STANDARD_IA"},
                    {"Days": 90, "StorageClass": "GLACIER_IR"},
                ],
                "NoncurrentVersionTransitions": [
                    {"NoncurrentDays": 30, "StorageClass": "ONEZONE_IA", "NewerNoncurrentVersions": 2}
                ],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 60, "NewerNoncurrentVersions": 3},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
            name="prefix",
            Prefix="logs/",
        ),
        rule({"Expiration": {"Days": 1}}, name="tag", Tag={"Key": "k", "Value": "v"}),
        rule({"Expiration": {"Days": 1}}, name="larger", ObjectSizeGreaterThan=500),
        rule({"Expiration": {"ExpiredObjectDeleteMarker": True}}, name="markers", Prefix=""),
        rule(
            {"Expiration": {"Date": datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)}},
            name="and",
            And={
                "Prefix": "p",
                "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}],
                "ObjectSizeGreaterThan": 1,
                "ObjectSizeLessThan": 9,
            },
        ),
    ]
    put_rules(s3, bucket, *rules)
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert got["Rules"] == rules
    assert got["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    old = {"ID": "old", "Prefix": "x/", "Status": "Disabled", "Expiration": {"Days": 3}}
    answer = put_rules(s3, bucket, old, TransitionDefaultMinimumObjectSize="varies_by_storage_class")
    assert answer["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert (got["Rules"], got["TransitionDefaultMinimumObjectSize"]) == ([old], "varies_by_storage_class")
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert refusal(s3.get_bucket_lifecycle_configuration, Bucket=bucket).code == "NoSuchLifecycleConfiguration"
    s3.delete_bucket_lifecycle(Bucket=bucket)


def test_rules_without_an_id_get_one(s3, bucket):
    put_rules(s3, bucket, *[{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}] * 2)
    ids = {rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert len(ids) == 2 and all(len(name) == 48 for name in ids)


@pytest.mark.parametrize(
    "rules, code, message",
    [
        ([], "MalformedXML", None),
        (
            [rule({"Expiration": {"Days": 0}})],
            "InvalidArgument",
            "'Days' for Expiration action must be a positive integer",
        ),
        (
            [rule({"Expiration": {"Date": datetime.datetime(2030, 1, 1, 1)}})],
            "InvalidArgument",
            "'Date' must be at midnight GMT",
        ),
        (
            [rule({"Expiration": {"Days": 1}}), rule({"Expiration": {"Days": 2}})],
            "InvalidArgument",
            "Rule ID must be unique. Found same ID for more than one rule",
        ),
        ([rule({})], "InvalidRequest", "At least one action needs to be specified in a rule"),
        (
            [rule({"Expiration": {"Days": 1}}, name="x" * 256)],
            "InvalidArgument",
            "ID length should not exceed allowed limit of 255",
        ),
        (
            [rule({"Expiration": {"Days": 1}}, And={"Prefix": "a", "Tags": [{"Key": "k", "Value": "1"}] * 2})],
            "InvalidRequest",
            "Duplicate Tag Keys are not allowed.",
        ),
        ([{**rule({"Expiration": {"Days": 1}}), "Status": "enabled"}], "MalformedXML", None),
        ([rule({"Transitions": [{"Days": 1, "StorageClass": "DEEP_ARCHIVE"}]})], "InvalidStorageClass", None),
    ],
)
def test_bad_rules_are_refused_and_change_nothing(s3, module_bucket, rules, code, message):
    put_rules(s3, module_bucket, rule({"Expiration": {"Days": 9}}, Prefix="keep"))
    assert_refused(lambda: put_rules(s3, module_bucket, *rules), 400, code, message)
    kept = s3.get_bucket_lifecycle_configuration(Bucket=module_bucket)["Rules"]
    assert kept[0]["Expiration"] == {"Days": 9}
    s3.delete_bucket_lifecycle(Bucket=module_bucket)


def test_an_unknown_minimum_size_is_refused(s3, bucket):
    assert_refused(
        lambda: put_rules(s3, bucket, rule({"Expiration": {"Days": 1}}), TransitionDefaultMinimumObjectSize="value"),
        400,
        "InvalidRequest",
        "Invalid TransitionDefaultMinimumObjectSize found: value",
    )


def test_objects_of_every_encryption_expire_on_their_day(days):
    s3 = days.s3
    s3.create_bucket(Bucket="shelf")
    put_rules(s3, "shelf", rule({"Expiration": {"Days": 3}}, name="three days", Prefix="in/"))
    modes = {
        "sse-s3": {"ServerSideEncryption": "AES256"},
        "sse-kms": {"ServerSideEncryption": "aws:kms"},
        "dsse": {"ServerSideEncryption": "aws:kms:dsse"},
        "sse-c": customer_key(),
    }
    for name, mode in modes.items():
        for folder in ("in", "out"):
            put = s3.put_object(Bucket="shelf", Key=f"{folder}/{name}", Body=b"x" * 100_000, **mode)
            assert ("Expiration" in put) == (folder == "in")
    head = s3.head_object(Bucket="shelf", Key="in/sse-s3")
    today = head["LastModified"].replace(hour=0, minute=0, second=0)
    due = today + datetime.timedelta(days=4)
    assert head["Expiration"] == f'expiry-date="{due:%a, %d %b %Y} 00:00:00 GMT", rule-id="three%20days"'
    s3 = days.later(2)
    time.sleep(1)
    assert s3.list_objects_v2(Bucket="shelf")["KeyCount"] == 8
    s3 = days.later(2)
    wait_for(lambda: s3.list_objects_v2(Bucket="shelf")["KeyCount"] == 4)
    assert {entry["Key"] for entry in s3.list_objects_v2(Bucket="shelf")["Contents"]} == {f"out/{m}" for m in modes}
    assert body_of(s3, "shelf", "out/sse-c", **modes["sse-c"]) == b"x" * 100_000


def test_versions_become_few_and_markers_go(days):
    s3 = days.s3
    s3.create_bucket(Bucket="shelf")
    s3.put_bucket_versioning(Bucket="shelf", VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket="shelf", Key="k", Body=b"%d" % n)["VersionId"] for n in range(5)]
    keep_one = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}}
    put_rules(s3, "shelf", rule({"Expiration": {"Days": 10}, **keep_one}))
    s3 = days.later(3)
    wait_for(lambda: versions(s3, "shelf") == ([ids[4], ids[3]], []))
    s3 = days.later(10)
    wait_for(lambda: len(versions(s3, "shelf")[1]) == 1)
    assert refusal(s3.get_object, Bucket="shelf", Key="k").code == "NoSuchKey"
    all_of_them = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    put_rules(s3, "shelf", rule({"Expiration": {"ExpiredObjectDeleteMarker": True}, **all_of_them}))
    s3 = days.later(3)
    wait_for(lambda: versions(s3, "shelf")[0] == [])
    s3 = days.later(1)
    wait_for(lambda: versions(s3, "shelf") == ([], []))
    s3.delete_bucket(Bucket="shelf")


def test_uploads_are_given_up_and_classes_change(days):
    s3 = days.s3
    s3.create_bucket(Bucket="shelf")
    actions = {
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
    }
    put_rules(s3, "shelf", rule(actions, name="a"))
    upload = s3.create_multipart_upload(Bucket="shelf", Key="u")
    assert upload["AbortRuleId"] == "a"
    parts = s3.list_parts(Bucket="shelf", Key="u", UploadId=upload["UploadId"])
    assert parts["AbortDate"] == upload["AbortDate"] and parts["AbortRuleId"] == "a"
    s3.put_object(Bucket="shelf", Key="large", Body=bytes(131072))
    s3.put_object(Bucket="shelf", Key="small", Body=bytes(131071))
    s3 = days.later(3)
    wait_for(lambda: "Uploads" not in s3.list_multipart_uploads(Bucket="shelf"))
    s3 = days.later(28)
    wait_for(lambda: s3.head_object(Bucket="shelf", Key="large").get("StorageClass") == "STANDARD_IA")
    assert "StorageClass" not in s3.head_object(Bucket="shelf", Key="small")
    assert body_of(s3, "shelf", "large") == bytes(131072)


def test_kill_in_a_pass_loses_nothing_and_the_next_goes_on(days):
    s3 = days.s3
    s3.create_bucket(Bucket="shelf")
    count = 600
    for n in range(count):
        s3.put_object(Bucket="shelf", Key=f"old/{n:04}", Body=b"x")
    s3.put_object(Bucket="shelf", Key="stays", Body=b"stays")
    put_rules(s3, "shelf", rule({"Expiration": {"Days": 1}}, Prefix="old/"))
    s3 = days.later(3)
    for _ in range(20):
        left = s3.list_objects_v2(Bucket="shelf")["KeyCount"]
        if left == 1:
            break
        s3 = days.later(0, crash=True)
    wait_for(lambda: s3.list_objects_v2(Bucket="shelf")["KeyCount"] == 1)
    assert body_of(s3, "shelf", "stays") == b"stays"


def test_the_clock_of_tests_is_warned_of(days):
    days.later(1)
    wait_for(lambda: "lifecycle_days_ahead is for tests" in days.server.log())


def test_a_client_of_the_older_form(s3, bucket):
    """PutBucketLifecycle of older models: `Prefix` in the rule, one transition."""
    old = {
        "ID": "old",
        "Prefix": "logs/",
        "Status": "Enabled",
        "Transition": {"Days": 30, "StorageClass": "STANDARD_IA"},
        "Expiration": {"Days": 365},
    }
    s3.put_bucket_lifecycle(Bucket=bucket, LifecycleConfiguration={"Rules": [old]})
    assert s3.get_bucket_lifecycle(Bucket=bucket)["Rules"] == [old]
