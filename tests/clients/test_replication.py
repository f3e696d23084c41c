"""Replication: to buckets of the same gateway and of another one, encrypted in every way, through kills of both sides."""

import hashlib
import json
import time

import pytest
from botocore.exceptions import ClientError

import sdk
from gateway import MAIN, OTHER, Strongroom
from modes import CUSTOMER, OTHER_CUSTOMER
from receiver import Receiver
from sdk import MIB, blob, refusal

QUEUE = "arn:aws:sqs:us-east-1:111122223333:failures"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
EVERYTHING = ["s3:GetObjectVersion*", "s3:Replicate*", "s3:ObjectOwnerOverrideToBucketOwner", "kms:*"]


def make_role(server, name="replicator", actions=EVERYTHING, trust=TRUST):
    iam = sdk.client(server, "iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(allow))
    return role


def make_bucket(s3, name):
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def rule(to="there", **more):
    destination = {"Bucket": f"arn:aws:s3:::{to}"} | more.pop("destination", {})
    markers = {"Status": "Enabled" if more.pop("markers", False) else "Disabled"}
    basic = {"ID": to, "Priority": 1, "Status": "Enabled", "Filter": {}, "DeleteMarkerReplication": markers}
    return basic | {"Destination": destination} | more


def configure(s3, role, *rules, bucket="here"):
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration={"Role": role, "Rules": list(rules)})


def status(s3, key, bucket="here", **more):
    return s3.head_object(Bucket=bucket, Key=key, **more).get("ReplicationStatus")


def wait(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.1)


def settled(s3, key, wanted="COMPLETED", seconds=60, **more):
    wait(lambda: status(s3, key, **more) != "PENDING", seconds)
    assert status(s3, key, **more) == wanted


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """One gateway with two versioned buckets and a role: for tests that use keys of their own."""
    server = Strongroom(tmp_path_factory.mktemp("pair")).start()
    s3 = sdk.client(server)
    make_bucket(s3, "here"), make_bucket(s3, "there")
    role = make_role(server)
    key = sdk.client(server, "kms").create_key()["KeyMetadata"]["Arn"]
    kms = {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "destination": {"EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
    }
    configure(s3, role, rule(markers=True, **kms))
    yield server, s3, key, role
    server.kill()


def test_a_replica_is_the_source_with_its_id_and_all_that_it_says(pair):
    _, s3, _, _ = pair
    said = {
        "ContentType": "text/x",
        "CacheControl": "no-store",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"a": "b", "c": "d"},
        "Tagging": "k=v&l=w",
        "ChecksumAlgorithm": "SHA256",
    }
    put = s3.put_object(Bucket="here", Key="full", Body=b"hello", **said)
    settled(s3, "full")
    source = s3.get_object(Bucket="here", Key="full", ChecksumMode="ENABLED")
    replica = s3.get_object(Bucket="there", Key="full", ChecksumMode="ENABLED")
    assert (source.pop("ReplicationStatus"), replica.pop("ReplicationStatus")) == ("COMPLETED", "REPLICA")
    assert source.pop("Body").read() == replica.pop("Body").read() == b"hello"
    source.pop("ResponseMetadata"), replica.pop("ResponseMetadata")
    assert replica == source and replica["VersionId"] == put["VersionId"] and replica["TagCount"] == 2
    tags = s3.get_object_tagging(Bucket="there", Key="full")["TagSet"]
    assert tags == s3.get_object_tagging(Bucket="here", Key="full")["TagSet"] and len(tags) == 2


@pytest.mark.parametrize("mode", ["aws:kms", "aws:kms:dsse"])
@pytest.mark.parametrize("size", [0, 128 * 1024])
def test_kms_is_wrapped_anew_under_the_rules_key(pair, mode, size):
    _, s3, key, _ = pair
    name, body = f"{mode}-{size}", blob(size, mode)
    source = s3.put_object(Bucket="here", Key=name, Body=body, ServerSideEncryption=mode)
    settled(s3, name)
    replica = s3.get_object(Bucket="there", Key=name)
    assert (replica["ServerSideEncryption"], replica["SSEKMSKeyId"]) == (mode, key)
    assert replica["SSEKMSKeyId"] != source["SSEKMSKeyId"] and replica["Body"].read() == body


@pytest.mark.parametrize("size", [0, 1, 128 * 1024])
def test_an_object_under_a_customers_key_opens_with_that_key_at_the_replica(pair, size):
    """silo 109: the destination's default encrypts nothing a second time."""
    _, s3, _, _ = pair
    name, body = f"customer-{size}", blob(size, "c")
    s3.put_object(Bucket="here", Key=name, Body=body, **CUSTOMER)
    settled(s3, name, **CUSTOMER)
    replica = s3.get_object(Bucket="there", Key=name, **CUSTOMER)
    assert replica["Body"].read() == body and replica["ReplicationStatus"] == "REPLICA"
    assert refusal(s3.get_object, Bucket="there", Key=name, **OTHER_CUSTOMER).status == 403
    assert refusal(s3.get_object, Bucket="there", Key=name).status == 400
    # And it outlives its source.
    version = s3.head_object(Bucket="here", Key=name, **CUSTOMER)["VersionId"]
    s3.delete_object(Bucket="here", Key=name, VersionId=version)
    assert s3.get_object(Bucket="there", Key=name, **CUSTOMER)["Body"].read() == body


def upload(s3, key, parts, bucket="here", **mode):
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key, **mode)["UploadId"]
    customer = mode if "SSECustomerKey" in mode else {}
    done = []
    for number, data in parts:
        answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=begun, PartNumber=number, Body=data, **customer)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=begun, MultipartUpload={"Parts": done}, **customer
    )


@pytest.mark.parametrize("mode", [{}, {"ServerSideEncryption": "aws:kms"}, CUSTOMER], ids=["s3", "kms", "customer"])
def test_parts_survive(pair, mode):
    """ceph 52248 and silo 119: part lengths are those of the plaintext, and each part is found by itself."""
    _, s3, _, _ = pair
    parts = [(2, blob(5 * MIB, "a")), (7, blob(5 * MIB + 3, "b")), (9, b"end")]
    name, read = f"parts-{len(mode)}", mode if "SSECustomerKey" in mode else {}
    done = upload(s3, name, parts, **mode)
    settled(s3, name, **read)
    for number, (_, data) in enumerate(parts, 1):
        part = s3.get_object(Bucket="there", Key=name, PartNumber=number, **read)
        assert (part["ContentLength"], part["PartsCount"]) == (len(data), 3) and part["Body"].read() == data
    head = s3.head_object(Bucket="there", Key=name, **read)
    assert head["ETag"] == done["ETag"] and head["ContentLength"] == sum(len(data) for _, data in parts)
    ranged = s3.get_object(Bucket="there", Key=name, Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}", **read)
    assert ranged["Body"].read() == parts[0][1][-2:] + parts[1][1][:2]


def test_delete_markers_follow_and_deletions_of_versions_do_not(pair):
    _, s3, _, _ = pair
    version = s3.put_object(Bucket="here", Key="gone", Body=b"x")["VersionId"]
    settled(s3, "gone")
    marker = s3.delete_object(Bucket="here", Key="gone")["VersionId"]
    wait(lambda: s3.list_object_versions(Bucket="there", Prefix="gone").get("DeleteMarkers"))
    (there,) = s3.list_object_versions(Bucket="there", Prefix="gone")["DeleteMarkers"]
    assert (there["VersionId"], there["IsLatest"]) == (marker, True)
    s3.delete_object(Bucket="here", Key="gone", VersionId=marker)
    s3.delete_object(Bucket="here", Key="gone", VersionId=version)
    s3.put_object(Bucket="here", Key="behind", Body=b"x")
    settled(s3, "behind")
    listed = s3.list_object_versions(Bucket="there", Prefix="gone")
    assert [v["VersionId"] for v in listed["Versions"]] == [version] and len(listed["DeleteMarkers"]) == 1


def test_versions_stand_in_the_order_in_which_they_were_written(pair):
    _, s3, _, _ = pair
    written = [s3.put_object(Bucket="here", Key="many", Body=b"%d" % n)["VersionId"] for n in range(12)]

    def there():
        return [v["VersionId"] for v in s3.list_object_versions(Bucket="there", Prefix="many").get("Versions", [])]

    wait(lambda: len(there()) == 12)
    assert there() == written[::-1]
    assert s3.get_object(Bucket="there", Key="many")["Body"].read() == b"11"


def test_replicas_are_not_replicated_again(pair):
    server, s3, _, role = pair
    make_bucket(s3, "third")
    configure(s3, role, rule("third"), bucket="there")
    s3.put_object(Bucket="here", Key="once", Body=b"x")
    settled(s3, "once")
    s3.put_object(Bucket="there", Key="own", Body=b"x")
    settled(s3, "own", bucket="there")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="third").get("Contents", [])]
    assert keys == ["own"]
    s3.delete_bucket_replication(Bucket="there")


def test_what_can_not_be_configured(pair):
    server, s3, _, role = pair
    s3.create_bucket(Bucket="plain")

    def refused(to, bucket):
        got = refusal(configure, s3, role, rule(to), bucket=bucket)
        assert (got.status, got.code) == (400, "InvalidRequest")
        return got.message

    text = "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
    assert refused("there", "plain") == text
    assert refused("plain", "there") == "Destination bucket must have versioning enabled."
    assert refused("nowhere", "there") == "Destination bucket must exist."
    assert refusal(configure, s3, "role", rule("here"), bucket="there").code == "InvalidArgument"
    foreign = rule("there")
    foreign["Destination"]["Account"] = "444455556666"
    got = refusal(configure, s3, role, foreign, bucket="here")
    assert (got.code, "must match the destination bucket owner" in got.message) == ("InvalidArgument", True)
    assert refusal(s3.get_bucket_replication, Bucket="there").code == "ReplicationConfigurationNotFoundError"
    shown = s3.get_bucket_replication(Bucket="here")["ReplicationConfiguration"]
    assert shown["Role"] == role and shown["Rules"][0]["ID"] == "there"
    other = sdk.client(server, who=OTHER)
    assert refusal(other.get_bucket_replication, Bucket="here").code == "AccessDenied"


def test_versioning_stays_on_while_a_bucket_is_replicated(pair):
    _, s3, _, _ = pair
    got = refusal(s3.put_bucket_versioning, Bucket="here", VersioningConfiguration={"Status": "Suspended"})
    assert (got.status, got.code) == (409, "InvalidBucketState")
    assert got.message.startswith("A replication configuration is present on this bucket")
    assert s3.get_bucket_versioning(Bucket="here")["Status"] == "Enabled"


def test_without_leave_it_fails_and_that_is_told(tmp_path):
    hook = Receiver().start()
    target = f'[[notification_targets]]\narn = "{QUEUE}"\nurl = "{hook.url}"\n'
    server = Strongroom(tmp_path / "own", extra=target).start()
    s3 = sdk.client(server)
    make_bucket(s3, "here"), make_bucket(s3, "there")
    blind = make_role(server, "blind", ["s3:Replicate*"])
    configure(s3, blind, rule())
    queue = {"Id": "q", "QueueArn": QUEUE, "Events": ["s3:Replication:*"]}
    s3.put_bucket_notification_configuration(Bucket="here", NotificationConfiguration={"QueueConfigurations": [queue]})
    version = s3.put_object(Bucket="here", Key="k", Body=b"x")["VersionId"]
    settled(s3, "k", "FAILED", 90)
    (record,) = hook.wait_for(1)
    assert record["eventName"] == "Replication:OperationFailedReplication" and record["eventVersion"] == "2.2"
    assert record["s3"]["object"]["versionId"] == version
    assert "Contents" not in s3.list_objects_v2(Bucket="there")
    server.kill()
    hook.stop()


def test_kill_and_kill_again_every_version_is_there_once(own_server):
    s3 = sdk.client(own_server)
    make_bucket(s3, "here"), make_bucket(s3, "there")
    role = make_role(own_server)
    configure(s3, role, rule(markers=True))
    for round in range(4):
        for number in range(20):
            s3.put_object(Bucket="here", Key=f"k{number % 7}", Body=b"%d %d" % (round, number))
            if number % 6 == 5:
                s3.delete_object(Bucket="here", Key=f"k{number % 7}")
        own_server.kill()
        own_server.start()
        s3 = sdk.client(own_server)

    def versions(bucket):
        page = s3.list_object_versions(Bucket=bucket)
        kinds = page.get("Versions", []) + page.get("DeleteMarkers", [])
        return sorted((v["Key"], v["VersionId"], v["IsLatest"], v.get("Size")) for v in kinds)

    wait(lambda: len(versions("there")) >= len(versions("here")))
    assert versions("there") == versions("here")


@pytest.fixture
def far(tmp_path):
    """Two gateways: the first replicates to the second."""
    second = Strongroom(tmp_path / "second").start()
    secret = tmp_path / "secret"
    secret.write_text(MAIN.secret_key + "\n")
    secret.chmod(0o600)
    extra = (
        f'[[replication_targets]]\nbucket = "arn:aws:s3:::there"\naccounts = ["{MAIN.account}"]\n'
        f'endpoint = "{second.endpoint}"\n'
        f'region = "us-east-1"\naccess_key_id = "{MAIN.access_key}"\nsecret_access_key_file = "{secret}"\n'
    )
    first = Strongroom(tmp_path / "first", extra=extra).start()
    here, there = sdk.client(first), sdk.client(second)
    make_bucket(here, "here"), make_bucket(there, "there")
    yield first, second, here, there
    first.kill()
    second.kill()


def test_another_gateway_gets_objects_parts_tags_and_markers(far):
    first, second, here, there = far
    key = sdk.client(second, "kms").create_key()["KeyMetadata"]["Arn"]
    kms = {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "destination": {"EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
    }
    configure(here, make_role(first), rule(markers=True, **kms))
    odd = "a b/+ü?&=%2F"
    here.put_object(Bucket="here", Key=odd, Body=b"hello", ContentType="text/x", Metadata={"a": "b"}, Tagging="k=v%20w")
    here.put_object(Bucket="here", Key="kms", Body=blob(400_000, "k"), ServerSideEncryption="aws:kms")
    parts = [(3, blob(5 * MIB, "a")), (4, b"end")]
    done = upload(here, "parts", parts)
    for name in (odd, "kms", "parts"):
        settled(here, name)
    got = there.get_object(Bucket="there", Key=odd)
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/x", {"a": "b"})
    assert there.get_object_tagging(Bucket="there", Key=odd)["TagSet"] == [{"Key": "k", "Value": "v w"}]
    got = there.get_object(Bucket="there", Key="kms")
    assert got["Body"].read() == blob(400_000, "k") and got["SSEKMSKeyId"] == key
    assert there.head_object(Bucket="there", Key="parts")["ETag"] == done["ETag"]
    part = there.get_object(Bucket="there", Key="parts", PartNumber=1)
    assert (part["ContentLength"], part["PartsCount"]) == (5 * MIB, 2)
    assert hashlib.sha256(part["Body"].read()).digest() == hashlib.sha256(parts[0][1]).digest()
    here.delete_object(Bucket="here", Key="kms")
    wait(lambda: there.list_object_versions(Bucket="there", Prefix="kms").get("DeleteMarkers"))


def test_a_gateway_that_was_away_gets_all_when_it_is_back_and_no_junk_stays(far):
    first, second, here, there = far
    configure(here, make_role(first), rule())
    second.kill()
    names = [f"k{number}" for number in range(10)]
    for name in names:
        here.put_object(Bucket="here", Key=name, Body=name.encode())
    body = [(1, blob(5 * MIB, "1")), (2, blob(5 * MIB, "2")), (3, blob(3 * MIB, "3"))]
    upload(here, "large", body)
    first.kill()
    first.start()
    second.start()
    here, there = sdk.client(first), sdk.client(second)
    for _kill in range(3):
        time.sleep(1.2)
        first.kill()
        first.start()
        here = sdk.client(first)
    for name in [*names, "large"]:
        settled(here, name, seconds=120)
    assert all(there.get_object(Bucket="there", Key=name)["Body"].read() == name.encode() for name in names)
    assert there.get_object(Bucket="there", Key="large")["Body"].read() == b"".join(data for _, data in body)
    wait(lambda: "Uploads" not in there.list_multipart_uploads(Bucket="there"))


def test_a_customers_key_can_not_go_elsewhere(far):
    first, _, here, there = far
    configure(here, make_role(first), rule())
    here.put_object(Bucket="here", Key="c", Body=b"x", **CUSTOMER)
    settled(here, "c", "FAILED", 90, **CUSTOMER)
    with pytest.raises(ClientError):
        there.head_object(Bucket="there", Key="c")
