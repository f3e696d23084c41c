"""`strongroom bench` against the gateway, in each mode."""

import json
import subprocess

import pytest

from gateway import BINARY, MAIN, clean_environment


def bench(server, *args, env=None):
    environment = clean_environment(
        AWS_ACCESS_KEY_ID=MAIN.access_key,
        AWS_SECRET_ACCESS_KEY=MAIN.secret_key,
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=server.endpoint,
        **(env or {}),
    )
    usual = {"--duration": "500ms", "--concurrency": "4", "--objects": "20"}
    usual = [word for name, value in usual.items() if name not in args for word in (name, value)]
    command = [BINARY, "bench", "--pid", str(server.process.pid), *usual, *args]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def figures(server, *args, **more):
    done = bench(server, "--json", *args, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("encryption", ["none", "sse-s3", "sse-kms", "dsse-kms", "sse-c"])
def test_each_encryption(server, encryption):
    got = figures(server, "--operation", "put=1,get=2", "--size", "200KiB", "--encryption", encryption)
    assert got["errors"] == []
    assert {o["operation"] for o in got["operations"]} == {"put", "get"}
    for operation in got["operations"]:
        assert operation["succeeded"] > 0 and operation["mib_per_second"] > 0
        latency = operation["latency_ms"]
        assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"] * 1.01
    assert got["server"]["cpu_seconds"] > 0 and got["server"]["peak_memory_bytes"] > 1_000_000


@pytest.mark.parametrize(
    "args",
    [
        ["--operation", "mixed"],
        ["--operation", "list"],
        ["--operation", "delete"],
        ["--operation", "head"],
        ["--multipart", "5MiB", "--size", "6MiB"],
        ["--payload", "signed"],
    ],
    ids=" ".join,
)
def test_operations(server, args):
    size = [] if "--size" in args else ["--size", "4KiB"]
    got = figures(server, *size, *args)
    assert got["errors"] == [] and got["operations"]


def test_operations_of_the_key_service(server, kms):
    before = {key["KeyId"] for key in kms.list_keys()["Keys"]}
    got = figures(server, "--operation", "data-key,decrypt,encrypt", "--size", "4KiB")
    assert got["errors"] == []
    assert {o["operation"] for o in got["operations"]} == {"data-key", "decrypt", "encrypt"}
    assert all(o["succeeded"] > 0 for o in got["operations"])
    (made,) = {key["KeyId"] for key in kms.list_keys()["Keys"]} - before
    assert kms.describe_key(KeyId=made)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    refused = bench(server, "--operation", "encrypt", "--kms-key", made, "--size", "1KiB")
    assert refused.returncode != 0 and "KMSInvalidStateException" in refused.stderr
    too_large = bench(server, "--operation", "encrypt", "--size", "5KiB")
    assert too_large.returncode != 0 and "4096" in too_large.stderr


def test_it_leaves_nothing_behind(server, s3):
    figures(server, "--bucket", "bench-gone", "--max-operations", "10", "--size", "1KiB")
    assert "bench-gone" not in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    figures(server, "--bucket", "bench-kept", "--max-operations", "10", "--size", "1KiB", "--keep")
    assert s3.list_objects_v2(Bucket="bench-kept")["KeyCount"] == 10
    assert all(o["Size"] == 1024 for o in s3.list_objects_v2(Bucket="bench-kept")["Contents"])


def test_over_https(tls_server):
    got = figures(tls_server, "--size", "100KiB", env={"AWS_CA_BUNDLE": tls_server.tls[2]})
    assert got["errors"] == []


def test_table_and_faults(server):
    done = bench(server)
    assert done.returncode == 0 and "p99.9 ms" in done.stdout and "per GiB" in done.stdout
    wrong = bench(server, "--kms-key", "x")
    assert wrong.returncode != 0 and "--kms-key" in wrong.stderr
    refused = bench(server, "--secret-key", "wrong")
    assert refused.returncode != 0 and "bucket" in refused.stderr
