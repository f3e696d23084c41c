"""Strongroom in front of another S3 server: a second Strongroom, and SeaweedFS."""

import io
import json
import subprocess
import time

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

import programs
import sdk
from gateway import MAIN, REGION, Strongroom, clean_environment, free_port
from modes import FIVE, by_name
from sdk import MIB, blob, body_of, upload

BUCKET = "blobs"


class Upstream:
    """Anything with an endpoint and the main account's keys."""

    def __init__(self, endpoint):
        self.endpoint, self.tls = endpoint, None


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("seaweedfs")
    keys = {"accessKey": MAIN.access_key, "secretKey": MAIN.secret_key}
    identity = {"name": "main", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    grpc = {f"{name}.port.grpc": free_port() for name in ports}
    flags = [f"-{name}.port={port}" for name, port in ports.items()] + [
        f"-{name}={port}" for name, port in grpc.items()
    ]
    command = [
        programs.find("weed"),
        "server",
        "-s3",
        "-ip=127.0.0.1",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=60",
        # Those listen on fixed ports unless told not to.
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-dir={directory}",
        f"-s3.config={directory}/s3.json",
        *flags,
    ]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=clean_environment(), cwd=directory)
    upstream = Upstream(f"http://127.0.0.1:{ports['s3']}")
    deadline = time.monotonic() + 60
    while True:
        try:
            sdk.client(upstream).create_bucket(Bucket=BUCKET)
            break
        except Exception:  # noqa: BLE001 - it is starting; what is wrong shows in its log
            assert process.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()[-3000:]
            time.sleep(0.3)
    yield upstream
    # Its shutdown takes half a minute, and nobody reads its directory again.
    process.kill()
    process.wait(30)


@pytest.fixture(scope="module")
def second_strongroom(tmp_path_factory):
    gateway = Strongroom(tmp_path_factory.mktemp("upstream")).start()
    sdk.client(gateway).create_bucket(Bucket=BUCKET)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module", params=["second_strongroom", "seaweedfs"])
def upstream(request):
    return request.getfixturevalue(request.param)


def in_front_of(upstream, directory, more="", prefix="prefix"):
    """A gateway that keeps its blobs in the upstream, below a prefix that no other has."""
    options = {
        "aws_endpoint": upstream.endpoint,
        "aws_access_key_id": MAIN.access_key,
        "aws_secret_access_key": MAIN.secret_key,
        "aws_region": REGION,
        "aws_allow_http": "true",
    }
    lines = "".join(f'{name} = "{value}"\n' for name, value in options.items())
    return Strongroom(directory, extra=f'{more}\nstore = "s3://{BUCKET}/{prefix}"\n[store_options]\n{lines}').start()


@pytest.fixture(scope="module")
def front(upstream, tmp_path_factory):
    gateway = in_front_of(upstream, tmp_path_factory.mktemp("front"))
    sdk.client(gateway).create_bucket(Bucket="front")
    yield gateway
    assert gateway.stop() == 0


@pytest.mark.parametrize("mode", by_name(FIVE))
def test_round_trip(front, mode):
    s3, kms = sdk.client(front), sdk.client(front, "kms")
    key = kms.create_key()["KeyMetadata"]
    for size in (0, 10, 200_000, 20 * MIB + 1):
        data = blob(size)
        s3.put_object(Bucket="front", Key=f"{mode.name}/{size}", Body=data, **mode.writing(key))
        assert body_of(s3, "front", f"{mode.name}/{size}", **mode.read) == data
        if size > 70_000:
            assert (
                body_of(s3, "front", f"{mode.name}/{size}", Range="bytes=65530-65550", **mode.read) == data[65530:65551]
            )
    parts = [blob(5 * MIB, 1), blob(5 * MIB, 2), b"end"]
    upload(s3, "front", f"{mode.name}/parts", parts, create=mode.writing(key), each=mode.read)
    assert body_of(s3, "front", f"{mode.name}/parts", **mode.read) == b"".join(parts)


def test_what_the_upstream_sees_is_sealed(front, upstream):
    s3, theirs = sdk.client(front), sdk.client(upstream)
    text = b"CANARY-upstream-" * 20_000
    s3.put_object(Bucket="front", Key="canary", Body=text)
    pages = theirs.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [o["Key"] for page in pages for o in page.get("Contents", [])]
    assert keys and all(key.startswith(("prefix/", "loud/")) for key in keys)
    for key in keys:
        assert b"CANARY-upstream-" not in body_of(theirs, BUCKET, key)
        assert "canary" not in key


def test_damage_upstream_is_an_error(front, upstream):
    s3, theirs = sdk.client(front), sdk.client(upstream)

    def keys():
        pages = theirs.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {o["Key"] for page in pages for o in page.get("Contents", [])}

    before = keys()
    s3.put_object(Bucket="front", Key="damaged", Body=blob(300_000))
    (blob_key,) = keys() - before
    sealed = bytearray(body_of(theirs, BUCKET, blob_key))
    sealed[150_000] ^= 1
    theirs.put_object(Bucket=BUCKET, Key=blob_key, Body=bytes(sealed))
    with pytest.raises((ClientError, ResponseStreamingError)):
        body_of(s3, "front", "damaged")
    assert body_of(s3, "front", "damaged", Range="bytes=0-99") == blob(300_000)[:100]
    assert front.health("ready") == 200


def test_nothing_secret_is_logged(second_strongroom, tmp_path):
    """The client towards the upstream has a secret and signs too."""
    gateway = in_front_of(second_strongroom, tmp_path, more='log_filter = "trace"', prefix="loud")
    s3 = sdk.client(gateway)
    s3.create_bucket(Bucket="loud")
    s3.put_object(Bucket="loud", Key="k", Body=blob(MIB))
    assert body_of(s3, "loud", "k") == blob(MIB)
    assert gateway.stop() == 0
    log = gateway.log()
    assert " TRACE " in log and "object_store" in log
    for secret in (MAIN.secret_key, "AWS4-HMAC-SHA256", "Signature="):
        assert secret not in log


def test_memory_stays_bounded(front):
    s3 = sdk.client(front)
    data = blob(200 * MIB)
    s3.upload_fileobj(io.BytesIO(data), "front", "big")
    assert sdk.md5_hex(body_of(s3, "front", "big")) == sdk.md5_hex(data)
    with open(f"/proc/{front.process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert peak < 200 * 1024, f"{peak} KiB"


def test_an_upstream_that_is_gone_is_an_error_and_comes_back(tmp_path):
    back = Strongroom(tmp_path / "back").start()
    sdk.client(back).create_bucket(Bucket=BUCKET)
    front = in_front_of(back, tmp_path / "front")
    try:
        s3 = sdk.client(front)
        s3.create_bucket(Bucket="front")
        s3.put_object(Bucket="front", Key="k", Body=blob(200_000))
        back.stop()
        got = sdk.refusal(s3.put_object, Bucket="front", Key="new", Body=blob(200_000))
        assert got.status in (500, 503), got
        back.start()
        assert body_of(s3, "front", "k") == blob(200_000)
        assert sdk.refusal(s3.head_object, Bucket="front", Key="new").status == 404
    finally:
        front.kill()
        back.stop()
