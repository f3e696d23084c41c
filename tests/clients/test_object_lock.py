"""boto3: object lock. What is locked stays, whoever deletes it, whatever the clock says, and after kill -9."""

import datetime
import json
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import botocore.auth
import botocore.exceptions
import pytest

import sdk
from conftest import bucket_name
from gateway import ALICE
from sdk import MIB, assert_refused, blob, body_of, refusal, upload

LOCKED = (403, "AccessDenied", "Access Denied because object protected by object lock.")
DAY = datetime.timedelta(days=1)


def in_days(days):
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + DAY * days


def locked_bucket(s3, **default):
    name = bucket_name()
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    if default:
        set_default(s3, name, **default)
    return name


def set_default(s3, bucket, **default):
    configuration = {"ObjectLockEnabled": "Enabled"} | ({"Rule": {"DefaultRetention": default}} if default else {})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)


@pytest.fixture
def locked(s3):
    return locked_bucket(s3)


def retain(s3, bucket, key, mode, until, **more):
    s3.put_object_retention(Bucket=bucket, Key=key, Retention={"Mode": mode, "RetainUntilDate": until}, **more)


def test_the_configuration_of_a_bucket(s3, locked, bucket):
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    got = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert got == {"ObjectLockEnabled": "Enabled"}
    for default in ({"Mode": "GOVERNANCE", "Days": 30}, {"Mode": "COMPLIANCE", "Years": 7}):
        set_default(s3, locked, **default)
        got = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
        assert got["Rule"]["DefaultRetention"] == default
    set_default(s3, locked)
    assert "Rule" not in s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    # An existing bucket gets it once it is versioned; the token of former times is not needed.
    got = refusal(set_default, s3, bucket)
    assert (got.status, got.code) == (409, "InvalidBucketState")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}, Token="from-support"
    )
    got = refusal(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert (got.status, got.code) == (409, "InvalidBucketState")


@pytest.mark.parametrize("current", [True, False], ids=["current", "noncurrent"])
def test_a_locked_version_stays(s3, locked, current):
    until = in_days(1)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": "ON"}
    version = s3.put_object(Bucket=locked, Key="k", Body=b"kept", **lock)["VersionId"]
    if not current:
        s3.put_object(Bucket=locked, Key="k", Body=b"newer")
    named = {"Bucket": locked, "Key": "k", "VersionId": version}
    for got in (s3.head_object(**named), s3.get_object(**named)):
        assert {name: got[name] for name in lock} == lock
    assert s3.get_object_retention(**named)["Retention"] == {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    assert s3.get_object_legal_hold(**named)["LegalHold"] == {"Status": "ON"}
    for bypass in ({}, {"BypassGovernanceRetention": True}):
        assert_refused(lambda bypass=bypass: s3.delete_object(**named, **bypass), *LOCKED)
        got = s3.delete_objects(
            Bucket=locked, Delete={"Objects": [{"Key": "k", "VersionId": version}, {"Key": "other"}]}, **bypass
        )
        assert [(e["Key"], e["VersionId"], e["Code"], e["Message"]) for e in got["Errors"]] == [
            ("k", version, LOCKED[1], LOCKED[2])
        ]
        assert [d["Key"] for d in got["Deleted"]] == ["other"]
    # What does not destroy it is allowed.
    s3.put_object_tagging(**named, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.put_object(Bucket=locked, Key="k", Body=b"newest")
    s3.delete_object(Bucket=locked, Key="k")
    assert body_of(s3, locked, "k", VersionId=version) == b"kept"
    assert refusal(s3.delete_bucket, Bucket=locked).code == "BucketNotEmpty"
    s3.put_object_legal_hold(**named, LegalHold={"Status": "OFF"})
    assert_refused(lambda: s3.delete_object(**named), *LOCKED)


def test_a_lock_is_shown_to_those_who_may_ask_for_it(s3, server, locked):
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": in_days(1), "ObjectLockLegalHoldStatus": "ON"}
    s3.put_object(Bucket=locked, Key="k", Body=b"x", **lock)
    alice = sdk.client(server, who=ALICE)
    of_retention = {"ObjectLockMode", "ObjectLockRetainUntilDate"}
    for actions, expected in (
        ([], set()),
        (["s3:GetObjectRetention"], of_retention),
        (["s3:GetObjectLegalHold"], {"ObjectLockLegalHoldStatus"}),
        (["s3:GetObjectRetention", "s3:GetObjectLegalHold"], lock.keys()),
    ):
        who = {"AWS": f"arn:aws:iam::{ALICE.account}:user/alice"}
        resource = f"arn:aws:s3:::{locked}/*"
        allow = {"Effect": "Allow", "Principal": who, "Action": ["s3:GetObject", *actions], "Resource": resource}
        s3.put_bucket_policy(Bucket=locked, Policy=json.dumps({"Statement": allow}))
        for read in (alice.head_object, alice.get_object):
            assert read(Bucket=locked, Key="k").keys() & lock.keys() == expected, actions


def test_retentions_are_extended_and_governance_is_bypassed(s3, locked):
    version = s3.put_object(Bucket=locked, Key="k", Body=b"x")["VersionId"]
    named = {"Bucket": locked, "Key": "k", "VersionId": version}
    assert refusal(s3.get_object_retention, **named).code == "NoSuchObjectLockConfiguration"
    retain(s3, locked, "k", "GOVERNANCE", in_days(10))
    retain(s3, locked, "k", "GOVERNANCE", in_days(11))
    assert_refused(lambda: retain(s3, locked, "k", "GOVERNANCE", in_days(5)), *LOCKED)
    assert_refused(lambda: s3.put_object_retention(**named, Retention={}), *LOCKED)
    retain(s3, locked, "k", "GOVERNANCE", in_days(5), BypassGovernanceRetention=True)
    s3.put_object_retention(**named, Retention={}, BypassGovernanceRetention=True)
    assert refusal(s3.get_object_retention, **named).code == "NoSuchObjectLockConfiguration"
    retain(s3, locked, "k", "GOVERNANCE", in_days(5))
    assert_refused(lambda: s3.delete_object(**named), *LOCKED)
    s3.delete_object(**named, BypassGovernanceRetention=True)
    assert refusal(s3.get_object, **named).code == "NoSuchVersion"


def test_a_retention_ends(s3, locked):
    version = s3.put_object(
        Bucket=locked,
        Key="k",
        Body=b"x",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3),
    )["VersionId"]
    assert_refused(lambda: s3.delete_object(Bucket=locked, Key="k", VersionId=version), *LOCKED)
    time.sleep(3.5)
    s3.delete_object(Bucket=locked, Key="k", VersionId=version)


@pytest.mark.parametrize("way", ["put", "upload", "transfer", "copy", "presigned"])
def test_the_default_goes_with_every_way_to_write(s3, server, tmp_path, way):
    bucket = locked_bucket(s3, Mode="GOVERNANCE", Days=2)
    before = in_days(2)
    if way == "put":
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    elif way == "upload":
        upload(s3, bucket, "k", [blob(5 * MIB), b"rest"])
    elif way == "transfer":
        (tmp_path / "big").write_bytes(blob(20 * MIB))
        s3.upload_file(str(tmp_path / "big"), bucket, "k")
    elif way == "copy":
        s3.put_object(Bucket=bucket, Key="source", Body=b"x", ObjectLockLegalHoldStatus="ON")
        s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/source")
    else:
        digest = sdk.md5_b64(b"x")
        params = {"Bucket": bucket, "Key": "k", "ContentMD5": digest}
        signer = sdk.client(server, signature_version="s3v4")
        url = signer.generate_presigned_url("put_object", Params=params)
        request = urllib.request.Request(url, b"x", {"content-md5": digest}, method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
    got = s3.head_object(Bucket=bucket, Key="k")
    assert got["ObjectLockMode"] == "GOVERNANCE" and "ObjectLockLegalHoldStatus" not in got
    assert before <= got["ObjectLockRetainUntilDate"] <= in_days(2) + datetime.timedelta(seconds=2)
    assert_refused(lambda: s3.delete_object(Bucket=bucket, Key="k", VersionId=got["VersionId"]), *LOCKED)


def test_a_copy_and_an_upload_bring_their_own(s3, locked):
    until = in_days(3)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": "OFF"}
    s3.put_object(Bucket=locked, Key="source", Body=b"x")
    s3.copy_object(Bucket=locked, Key="copy", CopySource=f"{locked}/source", **lock)
    upload(s3, locked, "upload", [b"x"], create=lock)
    for key in ("copy", "upload"):
        got = s3.head_object(Bucket=locked, Key=key)
        assert {name: got[name] for name in lock} == lock, key


def test_deletions_race_with_locks(s3, server, locked):
    """Of a deletion and a lock at the same time one wins, and the other is told so."""
    outcomes = {"deleted": 0, "locked": 0}
    for number in range(30):
        key = f"k{number}"
        version = s3.put_object(Bucket=locked, Key=key, Body=b"x")["VersionId"]
        named, start, results = {"Bucket": locked, "Key": key, "VersionId": version}, threading.Barrier(2), {}

        def attempt(name, call, start=start, results=results):
            start.wait()
            try:
                call()
                results[name] = None
            except botocore.exceptions.ClientError as error:
                results[name] = error.response["Error"]["Code"]

        calls = {
            "delete": lambda named=named: s3.delete_object(**named),
            "lock": lambda named=named: s3.put_object_legal_hold(**named, LegalHold={"Status": "ON"}),
        }
        threads = [threading.Thread(target=attempt, args=item) for item in calls.items()]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        if results["lock"] is None:
            assert results["delete"] == "AccessDenied"
            assert body_of(s3, locked, key, VersionId=version) == b"x"
            outcomes["locked"] += 1
        else:
            assert results == {"delete": None, "lock": "NoSuchVersion"}
            outcomes["deleted"] += 1
    assert sum(outcomes.values()) == 30


def test_locks_survive_kill_9_and_a_clock_that_is_set_ahead(own_server, tmp_path):
    library = tmp_path / "wall_clock.so"
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    s3 = sdk.client(own_server)
    bucket = locked_bucket(s3)
    locks = {
        "compliance": {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": in_days(30)},
        "governance": {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": in_days(30)},
        "held": {"ObjectLockLegalHoldStatus": "ON"},
    }
    versions = {}
    for round_number, (key, lock) in enumerate(locks.items()):
        versions[key] = s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), **lock)["VersionId"]
        later = f"later{round_number}"
        versions[later] = s3.put_object(Bucket=bucket, Key=later, Body=later.encode())["VersionId"]
        s3.put_object_legal_hold(Bucket=bucket, Key=later, LegalHold={"Status": "ON"})
        own_server.kill()
        own_server.start()
        s3 = sdk.client(own_server)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"

    def check():
        for key, version in versions.items():
            assert_refused(lambda k=key, v=version: s3.delete_object(Bucket=bucket, Key=k, VersionId=v), *LOCKED)
            assert body_of(s3, bucket, key, VersionId=version) == key.encode()

    check()
    # Of two years the gateway trusts three days. Requests are signed by the wall clock: clients go ahead with it.
    own_server.kill()
    ahead = datetime.timedelta(days=730)
    own_server.environment |= {"LD_PRELOAD": library, "CLOCK_AHEAD_SECONDS": int(ahead.total_seconds())}
    own_server.start()
    with pytest.MonkeyPatch.context() as patch:
        original = botocore.auth.get_current_datetime
        patch.setattr(botocore.auth, "get_current_datetime", lambda **how: original(**how) + ahead)
        patch.setattr(botocore.crt.auth, "get_current_datetime", lambda **how: original(**how) + ahead)
        s3 = sdk.client(own_server)
        check()
    own_server.kill()
    own_server.environment.clear()
    own_server.start()
    s3 = sdk.client(own_server)
    check()
    s3.delete_object(Bucket=bucket, Key="governance", VersionId=versions["governance"], BypassGovernanceRetention=True)
