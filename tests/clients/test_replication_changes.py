"""Replication of what is changed after a version was written: tags, ACLs, locks; one way, both ways, elsewhere, through
kills.
"""

import datetime
import json
import threading
import time
import urllib.request

import pytest

import sdk
from gateway import MAIN, Strongroom, free_port
from modes import CUSTOMER
from sdk import MIB, blob
from test_replication import configure, make_role, rule, settled, status, upload, wait

LEAVE = [
    "s3:GetObjectVersion*",
    "s3:Replicate*",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:BypassGovernance*",
    "kms:*",
]
BOTH_WAYS = {"SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}}}


def in_days(days):
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return now + datetime.timedelta(days=days)


def make_vault(s3, name, acls=True):
    """A bucket with versioning and object lock, and ACLs that count."""
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    if acls:
        rules = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=rules)
        s3.delete_public_access_block(Bucket=name)


def tag(s3, bucket, key, value, **more):
    tags = {"TagSet": [{"Key": "k", "Value": value}]} if value is not None else {"TagSet": []}
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=tags, **more)


def tags(s3, bucket, key, **more):
    return {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket=bucket, Key=key, **more)["TagSet"]}


def is_held(s3, bucket, key):
    """None: that was never said."""
    said = s3.head_object(Bucket=bucket, Key=key).get("ObjectLockLegalHoldStatus")
    return said and said == "ON"


def groups(s3, bucket, key):
    grants = s3.get_object_acl(Bucket=bucket, Key=key)["Grants"]
    return {grant["Grantee"].get("URI", "").rsplit("/")[-1] for grant in grants} - {""}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    server = Strongroom(tmp_path_factory.mktemp("changes")).start()
    s3 = sdk.client(server)
    make_vault(s3, "here"), make_vault(s3, "there")
    role = make_role(server, actions=LEAVE)
    configure(s3, role, rule(markers=True))
    yield server, s3, role
    server.kill()


def test_tags_locks_and_acls_that_are_set_later_are_at_the_replica(pair):
    _, s3, _ = pair
    version = s3.put_object(Bucket="here", Key="later", Body=b"x", Tagging="k=first")["VersionId"]
    settled(s3, "later")

    def follows(change, seen):
        change()
        wait(lambda: status(s3, "later") == "COMPLETED" and seen())
        assert status(s3, "later", bucket="there") == "REPLICA"

    here = {"Bucket": "here", "Key": "later"}
    there = {"Bucket": "there", "Key": "later", "VersionId": version}
    follows(lambda: tag(s3, "here", "later", "second"), lambda: tags(s3, "there", "later") == {"k": "second"})
    follows(lambda: s3.delete_object_tagging(**here), lambda: tags(s3, "there", "later") == {})
    follows(
        lambda: s3.put_object_legal_hold(**here, LegalHold={"Status": "ON"}),
        lambda: s3.head_object(**there).get("ObjectLockLegalHoldStatus") == "ON",
    )
    follows(
        lambda: s3.put_object_legal_hold(**here, LegalHold={"Status": "OFF"}),
        lambda: s3.head_object(**there).get("ObjectLockLegalHoldStatus") == "OFF",
    )
    for days, bypass in [(5, False), (9, False), (2, True)]:
        until = in_days(days)
        follows(
            lambda until=until, bypass=bypass: s3.put_object_retention(
                **here,
                Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
                **({"BypassGovernanceRetention": True} if bypass else {}),
            ),
            lambda until=until: s3.head_object(**there).get("ObjectLockRetainUntilDate") == until,
        )
    follows(
        lambda: s3.put_object_acl(**here, ACL="public-read"),
        lambda: groups(s3, "there", "later") == {"AllUsers"},
    )
    follows(lambda: s3.put_object_acl(**here, ACL="private"), lambda: groups(s3, "there", "later") == set())
    versions = s3.list_object_versions(Bucket="there", Prefix="later")["Versions"]
    assert [v["VersionId"] for v in versions] == [version]


@pytest.mark.parametrize(
    "mode", [{}, {"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms:dsse"}, CUSTOMER]
)
def test_changes_of_an_object_of_every_encryption_follow_without_its_key(pair, mode):
    server, s3, role = pair
    name = f"mode-{mode.get('ServerSideEncryption', len(mode))}"
    read = mode if "SSECustomerKey" in mode else {}
    key = sdk.client(server, "kms").create_key()["KeyMetadata"]["Arn"]
    kms = {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "destination": {"EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
    }
    configure(s3, role, rule(markers=True, **kms))
    s3.put_object(Bucket="here", Key=name, Body=blob(100_000), **mode)
    settled(s3, name, **read)
    # Tags need no key, of KMS or of the customer.
    tag(s3, "here", name, "later")
    wait(lambda: tags(s3, "there", name) == {"k": "later"})
    settled(s3, name, **read)
    assert s3.get_object(Bucket="there", Key=name, **read)["Body"].read() == blob(100_000)


def test_old_versions_change_too_and_a_thousand_changes_end_in_the_last(pair):
    _, s3, _ = pair
    old = s3.put_object(Bucket="here", Key="many", Body=b"old")["VersionId"]
    new = s3.put_object(Bucket="here", Key="many", Body=b"new")["VersionId"]

    def storm(version, count):
        for number in range(count):
            tag(s3, "here", "many", str(number), VersionId=version)

    # Against one another and against the worker.
    threads = [threading.Thread(target=storm, args=(version, 60)) for version in (old, new, old)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tag(s3, "here", "many", "last-of-old", VersionId=old)
    tag(s3, "here", "many", "last-of-new", VersionId=new)
    for version in (old, new):
        wait(lambda version=version: status(s3, "many", VersionId=version) == "COMPLETED")
    assert tags(s3, "there", "many", VersionId=old) == {"k": "last-of-old"}
    assert tags(s3, "there", "many", VersionId=new) == {"k": "last-of-new"}


def test_both_ways_come_to_rest_with_the_same_on_both_sides(own_server):
    s3 = sdk.client(own_server)
    make_vault(s3, "here"), make_vault(s3, "there")
    role = make_role(own_server, actions=LEAVE)
    configure(s3, role, rule(**BOTH_WAYS))
    configure(s3, role, rule("here", **BOTH_WAYS), bucket="there")
    versions = {
        name: s3.put_object(Bucket=bucket, Key=name, Body=b"x")["VersionId"]
        for name, bucket in [("a", "here"), ("b", "there")]
    }
    settled(s3, "a"), settled(s3, "b", bucket="there")
    for name, source, replica in [("a", "here", "there"), ("b", "there", "here")]:
        tag(s3, replica, name, "at-the-replica")
        wait(lambda source=source, name=name: tags(s3, source, name) == {"k": "at-the-replica"})
        s3.put_object_legal_hold(Bucket=source, Key=name, LegalHold={"Status": "OFF"})
        wait(lambda replica=replica, name=name: is_held(s3, replica, name) is False)
        s3.put_object_legal_hold(Bucket=replica, Key=name, LegalHold={"Status": "ON"})
        wait(lambda source=source, name=name: is_held(s3, source, name))
        settled(s3, name, "REPLICA", bucket=replica)

    # Both sides at the same time, again and again.
    def storm(bucket):
        for number in range(40):
            tag(s3, bucket, "a", f"{bucket}-{number}")

    threads = [threading.Thread(target=storm, args=(bucket,)) for bucket in ("here", "there")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(s3, "a", "COMPLETED"), settled(s3, "a", "REPLICA", bucket="there")
    assert tags(s3, "here", "a") == tags(s3, "there", "a") and tags(s3, "here", "a")["k"].endswith("-39")
    for bucket in ("here", "there"):
        listed = s3.list_object_versions(Bucket=bucket)["Versions"]
        assert {v["Key"]: v["VersionId"] for v in listed} == versions and len(listed) == 2


def test_kill_and_kill_again_every_change_arrives(own_server):
    s3 = sdk.client(own_server)
    make_vault(s3, "here"), make_vault(s3, "there")
    configure(s3, make_role(own_server, actions=LEAVE), rule())
    names = [f"k{number}" for number in range(8)]
    for name in names:
        s3.put_object(Bucket="here", Key=name, Body=name.encode())
    for round in range(4):
        for name in names:
            tag(s3, "here", name, f"{round}-{name}")
            if round == 2:
                s3.put_object_legal_hold(Bucket="here", Key=name, LegalHold={"Status": "ON"})
        own_server.kill()
        own_server.start()
        s3 = sdk.client(own_server)
    for name in names:
        settled(s3, name, seconds=90)
        assert tags(s3, "there", name) == {"k": f"3-{name}"}
        assert s3.head_object(Bucket="there", Key=name)["ObjectLockLegalHoldStatus"] == "ON"


def target(bucket, endpoint, secret):
    """A bucket at another gateway, in the settings."""
    return (
        f'[[replication_targets]]\nbucket = "arn:aws:s3:::{bucket}"\naccounts = ["{MAIN.account}"]\n'
        f'endpoint = "{endpoint}"\n'
        f'region = "us-east-1"\naccess_key_id = "{MAIN.access_key}"\nsecret_access_key_file = "{secret}"\n'
    )


@pytest.fixture
def secret(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(MAIN.secret_key + "\n")
    secret.chmod(0o600)
    return secret


def test_two_gateways_that_replicate_to_each_other_come_to_rest(tmp_path, secret):
    ports = [free_port(), free_port()]
    servers = [
        Strongroom(
            tmp_path / name, extra=target("shared", f"http://127.0.0.1:{ports[1 - at]}", secret), port=ports[at]
        ).start()
        for at, name in enumerate(["first", "second"])
    ]
    clients = [sdk.client(server) for server in servers]
    for server, s3 in zip(servers, clients, strict=True):
        make_vault(s3, "own")
        s3.create_bucket(Bucket="shared")
        s3.put_bucket_versioning(Bucket="shared", VersioningConfiguration={"Status": "Enabled"})
        configure(s3, make_role(server), rule("shared", markers=True), bucket="shared")
    for at, s3 in enumerate(clients):
        s3.put_object(Bucket="shared", Key=f"k{at}", Body=b"x")
        upload(s3, f"parts{at}", [(1, blob(5 * MIB)), (2, b"end")], bucket="shared")
        settled(s3, f"k{at}", bucket="shared"), settled(s3, f"parts{at}", bucket="shared")
        s3.delete_object(Bucket="shared", Key=f"k{at}")

    def listed(s3):
        page = s3.list_object_versions(Bucket="shared")
        return sorted(version["Key"] for kind in ("Versions", "DeleteMarkers") for version in page.get(kind, []))

    expected = ["k0", "k0", "k1", "k1", "parts0", "parts1"]
    wait(lambda: all(listed(s3) == expected for s3 in clients))
    time.sleep(3)
    assert [listed(s3) for s3 in clients] == [expected, expected]
    for server in servers:
        server.kill()


@pytest.fixture
def far(tmp_path, secret):
    """Two gateways: the first replicates from `here` to `there` of the second, and shows metrics."""
    second = Strongroom(tmp_path / "second").start()
    metrics = free_port()
    extra = f'metrics_listen = "127.0.0.1:{metrics}"\n' + "".join(
        target(bucket, second.endpoint, secret) for bucket in ("there", "plain")
    )
    first = Strongroom(tmp_path / "first", extra=extra).start()
    here, there = sdk.client(first), sdk.client(second)
    make_vault(here, "here"), make_vault(there, "there")
    yield first, second, here, there, metrics
    first.kill()
    second.kill()


def test_locks_tags_and_their_changes_go_to_another_gateway(far):
    first, second, here, there, _ = far
    configure(here, make_role(first, actions=LEAVE), rule())
    until = in_days(4)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": "ON"}
    here.put_object(Bucket="here", Key="k", Body=b"x", Tagging="k=v", ContentMD5="ndTkYSaMgDT1yFZOFVxnpg==", **lock)
    parts = [(1, blob(5 * MIB, "a")), (2, b"end")]
    upload(here, "parts", parts, **lock)
    for name in ("k", "parts"):
        settled(here, name)
        head = there.head_object(Bucket="there", Key=name)
        assert {field: head[field] for field in lock} == lock and head["ReplicationStatus"] == "REPLICA"
    assert tags(there, "there", "k") == {"k": "v"}
    version = there.head_object(Bucket="there", Key="k")["VersionId"]
    assert version != here.head_object(Bucket="here", Key="k")["VersionId"]
    # Later, with another version there over it.
    there.put_object(Bucket="there", Key="k", Body=b"over it")
    tag(here, "here", "k", "later")
    here.put_object_legal_hold(Bucket="here", Key="k", LegalHold={"Status": "OFF"})
    shorter = in_days(2)
    here.put_object_retention(
        Bucket="here",
        Key="k",
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": shorter},
        BypassGovernanceRetention=True,
    )
    here.put_object_acl(Bucket="here", Key="k", ACL="public-read")
    settled(here, "k")
    head = there.head_object(Bucket="there", Key="k", VersionId=version)
    assert (head["ObjectLockLegalHoldStatus"], head["ObjectLockRetainUntilDate"]) == ("OFF", shorter)
    assert tags(there, "there", "k", VersionId=version) == {"k": "later"} and tags(there, "there", "k") == {}
    assert len(there.list_object_versions(Bucket="there", Prefix="k")["Versions"]) == 2
    # The other side is away meanwhile.
    second.kill()
    for number in range(5):
        tag(here, "here", "k", str(number))
    assert status(here, "k") == "PENDING"
    first.kill()
    first.start()
    second.start()
    here, there = sdk.client(first), sdk.client(second)
    settled(here, "k", seconds=120)
    assert tags(there, "there", "k", VersionId=version) == {"k": "4"}


def test_what_can_not_go_elsewhere_fails_and_says_why(far):
    first, _, here, there, metrics = far
    role = make_role(first, actions=LEAVE)
    there.create_bucket(Bucket="plain")
    configure(here, role, rule("plain"))
    here.put_object(Bucket="here", Key="customer", Body=b"x", **CUSTOMER)
    # At once: no attempt could end otherwise.
    settled(here, "customer", "FAILED", seconds=15, **CUSTOMER)
    here.put_object(Bucket="here", Key="unversioned", Body=b"x")
    settled(here, "unversioned", "FAILED", seconds=120)
    assert "Contents" not in there.list_objects_v2(Bucket="plain")
    assert "an object under a customer's key can't be read for an endpoint elsewhere" in first.log()
    assert "the versioning of bucket plain elsewhere is not on" in first.log()
    # Versions, but no object lock there: what is locked does not arrive unlocked.
    there.put_bucket_versioning(Bucket="plain", VersioningConfiguration={"Status": "Enabled"})
    here.put_object(Bucket="here", Key="free", Body=b"x")
    settled(here, "free")
    here.put_object(
        Bucket="here", Key="held", Body=b"x", ContentMD5="ndTkYSaMgDT1yFZOFVxnpg==", ObjectLockLegalHoldStatus="ON"
    )
    settled(here, "held", "FAILED", seconds=120)
    assert [entry["Key"] for entry in there.list_objects_v2(Bucket="plain")["Contents"]] == ["free"]
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as answer:
        shown = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    assert (shown["replication_done_total"], shown["replication_given_up_total"]) == ("1", "3"), json.dumps(shown)
    assert int(shown["replication_failed_total"]) >= 10 and "replication_waiting" in shown
