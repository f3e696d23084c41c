"""boto3: inventories, from the configuration to the files."""

import concurrent.futures
import csv
import gzip
import hashlib
import io
import json
import time

import pytest

import sdk
from sdk import assert_refused, body_of, refusal

DEADLINE_SECONDS = 20


def configuration(name, destination="lists", versions="Current", fields=("Size", "ETag"), **more):
    return {
        "Id": name,
        "IsEnabled": True,
        "IncludedObjectVersions": versions,
        "Schedule": {"Frequency": "Daily"},
        "OptionalFields": list(fields),
        "Destination": {
            "S3BucketDestination": {"Bucket": f"arn:aws:s3:::{destination}", "Format": "CSV", "Prefix": "to", **more}
        },
    }


def policy(source, destination):
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": f"arn:aws:s3:::{destination}/*",
                    "Condition": {
                        "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"},
                        "StringEquals": {
                            "aws:SourceAccount": "111122223333",
                            "s3:x-amz-acl": "bucket-owner-full-control",
                        },
                    },
                }
            ],
        }
    )


def wait_for(what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, "no list was made"
        time.sleep(0.1)
    return found


def keys(s3, prefix=""):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="lists", Prefix=prefix).get("Contents", [])]


def manifests(s3, name):
    """The manifests of an inventory that are complete: their checksum is there."""
    found = [key for key in keys(s3, f"to/shelf/{name}/2") if key.endswith("manifest.checksum")]
    return [key.replace("manifest.checksum", "manifest.json") for key in found]


def rows(s3, manifest_key):
    """The lines of a list, as a reader of the manifest gets them."""
    raw = body_of(s3, "lists", manifest_key)
    checksum = body_of(s3, "lists", manifest_key.replace("manifest.json", "manifest.checksum"))
    assert checksum.decode() == hashlib.md5(raw).hexdigest()
    manifest = json.loads(raw)
    lines = []
    for file in manifest["files"]:
        data = body_of(s3, "lists", file["key"])
        assert (len(data), hashlib.md5(data).hexdigest()) == (file["size"], file["MD5checksum"])
        lines += csv.reader(io.StringIO(gzip.decompress(data).decode()))
    columns = manifest["fileSchema"].split(", ")
    return [dict(zip(columns, line, strict=True)) for line in lines]


@pytest.fixture
def lists(own_server):
    """A gateway that looks often, with a bucket and one for its lists."""
    own_server.stop()
    own_server.environment["STRONGROOM_LIFECYCLE_INTERVAL"] = "200ms"
    own_server.start()
    s3 = sdk.client(own_server)
    for bucket in ("shelf", "lists"):
        s3.create_bucket(Bucket=bucket)
    return own_server


def test_configurations_come_back_as_they_were_set(s3, bucket):
    encryption = {"SSEKMS": {"KeyId": "arn:aws:kms:us-east-1:111122223333:key/k"}}
    first = configuration("a", versions="All", fields=("Size", "ObjectOwner"), Encryption=encryption)
    first["Filter"] = {"Prefix": "logs/"}
    second = configuration("b", AccountId="111122223333", Encryption={"SSES3": {}})
    for each in (second, first):
        s3.put_bucket_inventory_configuration(Bucket=bucket, Id=each["Id"], InventoryConfiguration=each)
    got = s3.get_bucket_inventory_configuration(Bucket=bucket, Id="a")
    assert got["InventoryConfiguration"] == first
    listed = s3.list_bucket_inventory_configurations(Bucket=bucket)
    assert (listed["InventoryConfigurationList"], listed["IsTruncated"]) == ([first, second], False)
    s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="a")
    missing = [s3.get_bucket_inventory_configuration, s3.delete_bucket_inventory_configuration]
    for call in missing:
        assert_refused(
            lambda call=call: call(Bucket=bucket, Id="a"),
            404,
            "NoSuchConfiguration",
            "The specified configuration does not exist.",
        )


def test_bad_configurations(s3, bucket):
    def put(name, each):
        return refusal(s3.put_bucket_inventory_configuration, Bucket=bucket, Id=name, InventoryConfiguration=each)

    got = put("other", configuration("a"))
    assert (got.status, got.code) == (400, "IdMismatch")
    bad = configuration("a")
    bad["Destination"]["S3BucketDestination"]["Bucket"] = "lists"
    got = put("a", bad)
    assert (got.status, got.code, got.message) == (400, "InvalidS3DestinationBucket", "Invalid bucket ARN.")
    for form in ("ORC", "Parquet"):
        assert put("a", configuration("a", Format=form)).code == "NotImplemented"


def test_a_list_of_all_versions(lists):
    s3 = sdk.client(lists)
    s3.put_bucket_policy(Bucket="lists", Policy=policy("shelf", "lists"))
    s3.put_bucket_versioning(Bucket="shelf", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="shelf", Key='a "b", c', Body=b"12345")
    s3.put_object(Bucket="shelf", Key="kms", Body=b"x", ServerSideEncryption="aws:kms", BucketKeyEnabled=True)
    s3.put_object(Bucket="shelf", Key="own", Body=b"x", **sdk.customer_key())
    marker = s3.delete_object(Bucket="shelf", Key='a "b", c')
    fields = ("Size", "LastModifiedDate", "ETag", "StorageClass", "EncryptionStatus", "BucketKeyStatus", "ObjectOwner")
    every = configuration("every", versions="All", fields=fields)
    s3.put_bucket_inventory_configuration(Bucket="shelf", Id="every", InventoryConfiguration=every)
    found = rows(s3, wait_for(lambda: manifests(s3, "every"))[0])
    assert [row["Key"] for row in found] == ["a+%22b%22%2C+c"] * 2 + ["kms", "own"]
    assert [row["VersionId"] for row in found[:2]] == [marker["VersionId"], first["VersionId"]]
    assert [(row["IsLatest"], row["IsDeleteMarker"]) for row in found[:2]] == [("true", "true"), ("false", "false")]
    assert (found[0]["Size"], found[1]["Size"], found[1]["ETag"]) == ("", "5", first["ETag"].strip('"'))
    assert [row["EncryptionStatus"] for row in found[1:]] == ["SSE-S3", "SSE-KMS", "SSE-C"]
    assert [row["BucketKeyStatus"] for row in found[1:]] == ["DISABLED", "ENABLED", "DISABLED"]
    assert all(row["ObjectOwner"] == "a1" * 32 for row in found[1:])
    links = [key for key in keys(s3) if key.endswith("symlink.txt")]
    assert links[0].startswith("to/shelf/every/hive/dt=")
    data = [key for key in keys(s3) if key.endswith(".csv.gz")]
    assert body_of(s3, "lists", links[0]).decode().split() == [f"s3://lists/{key}" for key in data]


def test_nothing_without_the_destinations_leave_and_once_a_day_with_it(lists):
    s3 = sdk.client(lists)
    s3.put_object(Bucket="shelf", Key="k", Body=b"x")
    s3.put_bucket_inventory_configuration(Bucket="shelf", Id="i", InventoryConfiguration=configuration("i"))
    wait_for(lambda: "an inventory could not be delivered" in lists.log())
    s3.put_bucket_policy(Bucket="lists", Policy=policy("other", "lists"))
    time.sleep(1)
    assert keys(s3) == []
    s3.put_bucket_policy(Bucket="lists", Policy=policy("shelf", "lists"))
    assert [row["Key"] for row in rows(s3, wait_for(lambda: manifests(s3, "i"))[0])] == ["k"]
    time.sleep(1)
    assert len(manifests(s3, "i")) == 1
    lists.kill()
    lists.environment["STRONGROOM_LIFECYCLE_DAYS_AHEAD"] = "1"
    lists.start()
    wait_for(lambda: len(manifests(s3, "i")) == 2)


def test_a_list_is_made_when_the_operator_asks_for_it(own_server):
    s3 = sdk.client(own_server)
    for bucket in ("shelf", "lists"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="shelf", Key="k", Body=b"x")
    off = configuration("i") | {"IsEnabled": False}
    s3.put_bucket_inventory_configuration(Bucket="shelf", Id="i", InventoryConfiguration=off)

    def fails(*args):
        done = own_server.command("inventory", "run", *args, check=False)
        assert done.returncode == 1, done
        return done.stderr

    assert "does not let the service of S3 write there" in fails("shelf", "i")
    s3.put_bucket_policy(Bucket="lists", Policy=policy("shelf", "lists"))
    place, rest = own_server.command("inventory", "run", "shelf", "i").stdout.strip().split(" ", 1)
    assert rest == "(1 objects in 1 files)"
    assert [row["Key"] for row in rows(s3, place.removeprefix("s3://lists/"))] == ["k"]
    s3.put_object(Bucket="shelf", Key="l", Body=b"x")
    made = json.loads(own_server.command("inventory", "run", "shelf", "i", "--json").stdout)
    assert (made["Bucket"], made["Files"], made["Objects"]) == ("lists", 1, 2)
    assert [row["Key"] for row in rows(s3, made["Manifest"])] == ["k", "l"]
    assert "has no inventory" in fails("shelf", "none")
    assert "there is no bucket" in fails("none", "i")
    own_server.stop()
    assert "no server runs on this data" in fails("shelf", "i")


def test_a_kill_in_the_middle_leaves_no_half_list(lists):
    s3 = sdk.client(lists)
    s3.put_bucket_policy(Bucket="lists", Policy=policy("shelf", "lists"))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: s3.put_object(Bucket="shelf", Key=f"{number:05}", Body=b"x"), range(1500)))
    for attempt in range(6):
        name = f"i{attempt}"
        s3.put_bucket_inventory_configuration(Bucket="shelf", Id=name, InventoryConfiguration=configuration(name))
        time.sleep(0.05 * attempt)
        lists.kill()
        lists.start()
    for attempt in range(6):
        (found,) = wait_for(lambda attempt=attempt: manifests(s3, f"i{attempt}"))
        assert [row["Key"] for row in rows(s3, found)] == [f"{number:05}" for number in range(1500)]
        data = keys(s3, f"to/shelf/i{attempt}/data/")
        assert data == [file["key"] for file in json.loads(body_of(s3, "lists", found))["files"]]


def test_lists_are_sealed_with_the_key_that_lets_s3_in(lists):
    s3, kms = sdk.client(lists), sdk.client(lists, "kms")
    s3.put_bucket_policy(Bucket="lists", Policy=policy("shelf", "lists"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    sealed = configuration("i", Encryption={"SSEKMS": {"KeyId": key}})
    s3.put_bucket_inventory_configuration(Bucket="shelf", Id="i", InventoryConfiguration=sealed)
    wait_for(lambda: "it cannot be encrypted there" in lists.log())
    assert keys(s3) == []
    document = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    document["Statement"].append(
        {
            "Sid": "Allow Amazon S3 use of the KMS key",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": ["kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "111122223333"},
                "ArnLike": {"aws:SourceARN": ["arn:aws:s3:::shelf"]},
            },
        }
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(document))
    found = wait_for(lambda: manifests(s3, "i"))
    head = s3.head_object(Bucket="lists", Key=found[0])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    assert rows(s3, found[0]) == []
