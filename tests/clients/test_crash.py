"""kill -9 under load, again and again: an acknowledged write is whole, every other is whole or absent, and what follows
from an acknowledged one comes to pass.
"""

import os
import random
import threading
import time

import pytest

import sdk
from crash_load import (
    BUCKET,
    HERE,
    LOGS,
    QUEUE,
    SET,
    THERE,
    VAULT,
    Configurations,
    Locks,
    Objects,
    Tags,
    locks,
    log_objects,
    versions_of,
)
from gateway import Strongroom
from modes import CUSTOMER
from sdk import MIB, blob, body_of
from test_access_logs import FIELDS, LINE, policy
from test_notifications import target
from test_replication import configure, make_role, rule

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))
SEED = int(os.environ.get("CRASH_SEED", "20261125"))
# What follows from a change comes at once, or after a rest of what had failed.
FOLLOWS_SECONDS = 60
OFTEN = {
    "STRONGROOM_ACCESS_LOG_INTERVAL": "200ms",
    "STRONGROOM_LIFECYCLE_INTERVAL": "300ms",
    # Whatever a rule may delete after a day is due at once.
    "STRONGROOM_LIFECYCLE_DAYS_AHEAD": "3",
}


@pytest.fixture
def busy_server(tmp_path, hook):
    """A gateway that tells, replicates, logs and lets rules delete what they may, all at once."""
    gateway = Strongroom(tmp_path / "own", extra=target(QUEUE, hook.url), environment=dict(OFTEN)).start()
    s3 = sdk.client(gateway)
    for name in (BUCKET, HERE, THERE, SET, LOGS):
        s3.create_bucket(Bucket=name)
    s3.create_bucket(Bucket=VAULT, ObjectLockEnabledForBucket=True)
    for name in (HERE, THERE, SET):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_policy(Bucket=LOGS, Policy=policy("*", LOGS))
    events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"]
    told = {"QueueConfigurations": [{"Id": "all", "QueueArn": QUEUE, "Events": events}]}
    logged = {"LoggingEnabled": {"TargetBucket": LOGS, "TargetPrefix": "requests/"}}
    for name in (BUCKET, HERE):
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=told)
        s3.put_bucket_logging(Bucket=name, BucketLoggingStatus=logged)
    key = sdk.client(gateway, "kms").create_key()["KeyMetadata"]["Arn"]
    kms = {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "destination": {"EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
    }
    configure(s3, make_role(gateway), rule(THERE, markers=True, **kms), bucket=HERE)
    due = {"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    expiry = {"Rules": [{"ID": "all", "Status": "Enabled", "Filter": {}, **due}]}
    s3.put_bucket_lifecycle_configuration(Bucket=VAULT, LifecycleConfiguration=expiry)
    yield gateway
    if gateway.process:
        gateway.kill()


def check_listing(s3, workers):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    listed = {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}
    expected = {k: content[0] for w in workers for k, content in w.known.items() if content is not None}
    assert listed == expected


def check_events(hook, workers):
    """The event of each acknowledged request has arrived."""
    wanted = set().union(*(worker.told for worker in workers))

    def arrived(records):
        return wanted <= {record["responseElements"]["x-amz-request-id"] for record in records}

    records = hook.wait(arrived, FOLLOWS_SECONDS)
    print(f"{len(wanted)} acknowledged changes, {len(records)} events")


def check_replicas(s3):
    """All that is in one bucket is in the other, with its tags."""
    deadline = time.monotonic() + FOLLOWS_SECONDS
    while (here := versions_of(s3, HERE)) != (there := versions_of(s3, THERE)):
        assert time.monotonic() < deadline, f"not replicated: {here ^ there}"
        time.sleep(0.2)
    for key, version, marker in here:
        if marker:
            continue
        head = s3.head_object(Bucket=HERE, Key=key, VersionId=version)
        while head["ReplicationStatus"] == "PENDING" and time.monotonic() < deadline:
            time.sleep(0.1)
            head = s3.head_object(Bucket=HERE, Key=key, VersionId=version)
        assert head["ReplicationStatus"] == "COMPLETED", (key, version, head)
        body = body_of(s3, HERE, key, VersionId=version)
        assert body == body_of(s3, THERE, key, VersionId=version), (key, version)
    print(f"{len(here)} versions replicated")


def check_logs(s3):
    """Every log is whole, and no request is in two of them."""
    seen = set()
    for name in log_objects(s3):
        for line in body_of(s3, LOGS, name).decode().splitlines():
            fields = LINE.fullmatch(line)
            assert fields, f"{name}: {line}"
            entry = dict(zip(FIELDS, fields.groups(), strict=True))
            line_of = (entry["requestid"], entry["operation"], entry["key"])
            assert line_of not in seen, line
            seen.add(line_of)
    assert seen
    print(f"{len(seen)} lines of access logs")


def test_crash(busy_server, hook):
    print(f"seed {SEED}: CRASH_SEED repeats it")
    dice = random.Random(SEED)
    workers = [Objects(f"w{n}") for n in range(4)] + [Tags("t0"), Tags("t1"), Locks("l0"), Locks("l1")]
    workers.append(Configurations("c0"))
    for round_number in range(ROUNDS):
        stop = threading.Event()
        workers = [worker.begin(busy_server, dice.getrandbits(64), stop) for worker in workers]
        time.sleep(dice.uniform(0.3, 1.2))
        busy_server.kill()
        stop.set()
        for worker in workers:
            worker.join(30)
            assert not worker.is_alive()
            assert worker.fault is None, f"{worker.label}: {worker.fault}"
        busy_server.start()
        for worker in workers:
            worker.settle(everything=round_number == ROUNDS - 1)
        s3 = sdk.client(busy_server)
        check_listing(s3, [worker for worker in workers if isinstance(worker, Objects)])
    print({worker.label: worker.acknowledged for worker in workers})
    assert all(worker.acknowledged > ROUNDS for worker in workers), "there was hardly any load"
    check_events(hook, workers)
    check_replicas(s3)
    check_logs(s3)
    held = [state for worker in workers if isinstance(worker, Locks) for state in worker.known.values()]
    assert sum(locks(state) for state in held) > ROUNDS and None in held, "locks were not tried"
    assert busy_server.stop() == 0
    busy_server.command("scrub")
    busy_server.command("audit", "verify")
    assert "panicked" not in busy_server.log()


def test_an_upload_survives_a_crash(own_server):
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket=BUCKET)
    upload_id = s3.create_multipart_upload(Bucket=BUCKET, Key="k", **CUSTOMER)["UploadId"]
    args = dict(Bucket=BUCKET, Key="k", UploadId=upload_id)
    parts = [blob(5 * MIB, 1), blob(5 * MIB, 2), b"end"]
    listed = []
    for number, part in enumerate(parts, 1):
        listed.append(
            {"PartNumber": number, "ETag": s3.upload_part(PartNumber=number, Body=part, **args, **CUSTOMER)["ETag"]}
        )
        own_server.kill()
        own_server.start()
    assert [p["Size"] for p in s3.list_parts(**args)["Parts"]] == [len(p) for p in parts]
    s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **args)
    own_server.kill()
    own_server.start()
    assert sdk.body_of(s3, BUCKET, "k", **CUSTOMER) == b"".join(parts)


def test_key_states_survive_a_crash(own_server):
    s3, kms = sdk.client(own_server), sdk.client(own_server, "kms")
    s3.create_bucket(Bucket=BUCKET)
    key = kms.create_key()["KeyMetadata"]
    s3.put_object(
        Bucket=BUCKET,
        Key="k",
        Body=b"x",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key["KeyId"],
        BucketKeyEnabled=True,
    )
    kms.disable_key(KeyId=key["KeyId"])
    own_server.kill()
    own_server.start()
    assert sdk.refusal(s3.get_object, Bucket=BUCKET, Key="k").code == "KMS.DisabledException"
    kms.enable_key(KeyId=key["KeyId"])
    own_server.kill()
    own_server.start()
    assert sdk.body_of(s3, BUCKET, "k") == b"x"
    own_server.stop()
    verified = own_server.command("audit", "verify")
    events = own_server.command("audit", "list").stdout
    for event in ("CreateKey", "DisableKey", "EnableKey", "GenerateDataKey", "Decrypt"):
        assert event in events, (event, verified.stdout)
