"""A disk without room: writes are refused, what was acknowledged stays, and everything goes on once there is room."""

import subprocess
import threading

import pytest

import sdk
from gateway import Strongroom
from sdk import MIB, blob

BUCKET = "full"
DISK = 40 * MIB
FULL = (503, "ServiceUnavailable")
WRITERS = 4
# Refusals in a row after which a writer believes that the disk is full.
REFUSALS = 3


@pytest.fixture
def disk(tmp_path):
    """A small file system, with a ballast of 8 MiB whose removal makes room."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", mounted], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here (it takes root): {done.stderr.decode().strip()}")
    (mounted / "ballast").write_bytes(bytes(8 * MIB))
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)


def write_until_full(gateway, put):
    """Writers put objects until each has been refused; returns what was acknowledged and the kinds of refusals."""
    acknowledged, refused = {}, set()

    def writer(number):
        s3, row = sdk.client(gateway), 0
        for n in range(100_000):
            content = f"{number}/{n}"
            try:
                acknowledged[content] = put(s3, content)
                row = 0
            except s3.exceptions.ClientError as error:
                refusal = sdk.Refusal(error)
                refused.add((refusal.status, refusal.code))
                row += 1
                if row == REFUSALS:
                    return

    writers = [threading.Thread(target=writer, args=(number,)) for number in range(WRITERS)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(120)
        assert not one.is_alive(), "the gateway hangs"
    return acknowledged, refused


def fill(path):
    """Takes every byte that the disk has; ends with its error."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(MIB))


def put_of(size):
    def put(s3, name):
        s3.put_object(Bucket=BUCKET, Key=name, Body=blob(size, name))
        return size

    return put


def put_in_parts(s3, name):
    size = 5 * MIB + 1000
    body = blob(size, name)
    sdk.upload(s3, BUCKET, name, [body[: 5 * MIB], body[5 * MIB :]])
    return size


def assert_all_there(gateway, acknowledged):
    s3 = sdk.client(gateway)
    lost = [name for name, size in acknowledged.items() if sdk.body_of(s3, BUCKET, name) != blob(size, name)]
    assert lost == []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    listed = {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}
    assert listed == acknowledged


@pytest.mark.parametrize(
    "put, least",
    [
        pytest.param(put_of(30_000), 200, id="inline"),
        pytest.param(put_of(700_000), 10, id="blobs"),
        pytest.param(put_in_parts, 1, id="parts"),
    ],
)
def test_a_full_disk(disk, put, least):
    gateway = Strongroom(disk / "own").start()
    try:
        s3 = sdk.client(gateway)
        s3.create_bucket(Bucket=BUCKET)
        s3.create_bucket(Bucket="to-be-deleted")
        acknowledged, refused = write_until_full(gateway, put)
        assert len(acknowledged) >= least and refused == {FULL}
        assert gateway.health("ready") == 200

        # A full store is opened, read and emptied like any other.
        gateway.kill()
        gateway.start()
        assert_all_there(gateway, acknowledged)
        s3.delete_bucket(Bucket="to-be-deleted")
        gone = next(iter(acknowledged))
        s3.delete_object(Bucket=BUCKET, Key=gone)
        del acknowledged[gone]

        (disk / "ballast").unlink()
        acknowledged["again"] = put(s3, "again")
        assert_all_there(gateway, acknowledged)
        assert gateway.stop() == 0
        gateway.command("scrub")
        gateway.command("audit", "verify")
        assert "panicked" not in gateway.log()
    finally:
        if gateway.process:
            gateway.kill()


def test_a_disk_that_somebody_else_fills(disk):
    """No reserve helps: not a byte is left. What happens then depends on what was under way."""
    gateway = Strongroom(disk / "own").start()
    try:
        s3 = sdk.client(gateway)
        s3.create_bucket(Bucket=BUCKET)
        put = put_of(25_000)
        acknowledged = {str(n): put(s3, str(n)) for n in range(300)}
        with pytest.raises(OSError, match="No space"):
            fill(disk / "filling")
        later, refused = write_until_full(gateway, put)
        assert not later and refused <= {FULL, (500, "InternalError")}
        (disk / "filling").unlink()
        if gateway.health("ready") != 200:
            assert gateway.stop() == 0
            gateway.start()
        acknowledged["again"] = put(s3, "again")
        assert_all_there(gateway, acknowledged)
        assert gateway.stop() == 0
        gateway.command("scrub")
    finally:
        if gateway.process:
            gateway.kill()


def test_an_index_that_cannot_write_is_unready_until_a_restart(tmp_path):
    """The journal meets the limit of a file's size: as a write error of the disk, and without one to be had."""
    ignoring = ("sh", "-c", 'trap "" XFSZ; exec "$@"', "sh")
    gateway = Strongroom(tmp_path / "own", through=ignoring).start()
    try:
        s3 = sdk.client(gateway)
        s3.create_bucket(Bucket=BUCKET)
        limit = ["prlimit", "--pid", str(gateway.process.pid), f"--fsize={4 * MIB}:"]
        subprocess.run(limit, check=True)
        acknowledged, refused = write_until_full(gateway, put_of(25_000))
        assert len(acknowledged) > 50 and refused == {(500, "InternalError")}
        assert (gateway.health("live"), gateway.health("ready")) == (200, 503)
        assert "it takes no more commits until it is opened again" in gateway.log()
        assert sdk.body_of(s3, BUCKET, next(iter(acknowledged))), "reads go on"
        assert gateway.stop() == 0

        gateway.start()
        known = dict(acknowledged)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            # What was refused is whole or absent.
            known |= {o["Key"]: 25_000 for o in page["Contents"]}
        assert_all_there(gateway, known)
        known["again"] = put_of(25_000)(s3, "again")
        assert_all_there(gateway, known)
        assert gateway.stop() == 0
        gateway.command("scrub")
        gateway.command("audit", "verify")
    finally:
        if gateway.process:
            gateway.kill()
