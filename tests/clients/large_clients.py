"""Clients that are large, for `./test large`: polars, deltalake, daft, ClickHouse, GDAL, MLflow, DVC, sccache; MariaDB and a client
in Perl.

Each program does its work and compares its data; the encryption of what it left is asked here.
"""

import base64
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

import programs
from gateway import MAIN, REGION, ROOT, START_SECONDS, clean_environment
from modes import CUSTOMER, CUSTOMER_KEY
from sdk import MIB, blob

LARGE = ROOT / "target/clients/large/bin"
SCRIPTS = Path(__file__).parent / "large"
CUSTOMER_KEY_BASE64 = base64.b64encode(CUSTOMER_KEY).decode()
MODES = ["default", "sse-s3", "sse-kms", "sse-c"]


def environment(server, tmp_path, **more):
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    keys = {"AWS_ACCESS_KEY_ID": MAIN.access_key, "AWS_SECRET_ACCESS_KEY": MAIN.secret_key}
    where = {"AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    return clean_environment(**keys, **where, HOME=home, TMPDIR=tmp_path, **more)


def drive(script, env, *args):
    programs.run([LARGE / "python", SCRIPTS / f"with_{script}.py", *args], env)


@pytest.fixture
def kms_bucket(s3, bucket, key):
    """One that encrypts with a key of KMS whatever names none."""
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
    rules = [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    return bucket


def are_encrypted(s3, bucket, mode, key, prefix=""):
    """All objects are there as the mode promises; tells how many they are."""
    listed = [
        found["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for found in page.get("Contents", [])
    ]
    assert listed
    for name in listed:
        head = s3.head_object(Bucket=bucket, Key=name, **(CUSTOMER if mode == "sse-c" else {}))
        shown = [head.get(field) for field in ("ServerSideEncryption", "SSEKMSKeyId", "SSECustomerAlgorithm")]
        wanted = {"sse-kms": ["aws:kms", key["Arn"], None], "sse-c": [None, None, "AES256"]}
        assert shown == wanted.get(mode, ["AES256", None, None]), (name, shown)
    return len(listed)


def of_object_store(server, mode, key):
    """The options of the library under polars and deltalake."""
    named = {
        "default": {},
        "sse-s3": {"aws_server_side_encryption": "AES256"},
        "sse-kms": {"aws_server_side_encryption": "aws:kms", "aws_sse_kms_key_id": key["Arn"]},
        "sse-c": {"aws_server_side_encryption": "sse-c", "aws_sse_customer_key_base64": CUSTOMER_KEY_BASE64},
    }[mode]
    return json.dumps({"aws_endpoint_url": server.endpoint, "aws_region": REGION, "aws_allow_http": "true"} | named)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("library", ["polars", "deltalake"])
def test_tables_over_object_store(server, s3, bucket, key, tmp_path, library, mode):
    drive(library, environment(server, tmp_path), f"s3://{bucket}/t", of_object_store(server, mode, key))
    assert are_encrypted(s3, bucket, mode, key) >= 5


def test_daft(server, s3, kms_bucket, key, tmp_path):
    drive("daft", environment(server, tmp_path), f"s3://{kms_bucket}", server.endpoint, REGION)
    assert are_encrypted(s3, kms_bucket, "sse-kms", key) >= 4


@pytest.mark.parametrize("mode", ["sse-kms", "sse-c"])
def test_clickhouse(server, s3, bucket, key, tmp_path, mode):
    """What the disk is told of encryption goes for the disk; `s3()` is told nothing."""
    settings = {
        "sse-kms": f", server_side_encryption_kms_key_id='{key['Arn']}'",
        "sse-c": f", server_side_encryption_customer_key_base64='{CUSTOMER_KEY_BASE64}'",
    }[mode]
    at = f"{server.endpoint}/{bucket}"
    drive("chdb", environment(server, tmp_path), tmp_path / "db", at, f", region='{REGION}'{settings}")
    are_encrypted(s3, bucket, mode, key, "disk/")
    are_encrypted(s3, bucket, "default", key, "p/")


def test_gdal(server, s3, kms_bucket, key, tmp_path):
    endpoint = server.endpoint.removeprefix("http://")
    told = {"AWS_S3_ENDPOINT": endpoint, "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "VSIS3_CHUNK_SIZE": "5"}
    env = environment(server, tmp_path, CPL_VSIL_USE_TEMP_FILE_FOR_RANDOM_WRITE="YES", **told)
    drive("gdal", env, kms_bucket)
    assert are_encrypted(s3, kms_bucket, "sse-kms", key) == 2


@pytest.mark.parametrize("mode", ["default", "sse-kms"])
def test_mlflow(server, s3, bucket, key, tmp_path, mode):
    named = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["Arn"]}
    more = {"MLFLOW_S3_UPLOAD_EXTRA_ARGS": json.dumps(named)} if mode == "sse-kms" else {}
    env = environment(server, tmp_path, MLFLOW_S3_ENDPOINT_URL=server.endpoint, **more)
    drive("mlflow", env, f"s3://{bucket}/artifacts", tmp_path / "data")
    assert are_encrypted(s3, bucket, mode, key) == 1


@pytest.mark.parametrize("mode", ["default", "sse-kms", "sse-c"])
def test_dvc(server, s3, bucket, key, tmp_path, mode):
    """Data added, pushed, lost, pulled; then some of it replaced, and what nothing names any more collected."""
    work, env = tmp_path / "work", environment(server, tmp_path, DVC_NO_ANALYTICS=1)
    work.mkdir()

    def dvc(*args):
        return programs.run([LARGE / "dvc", *args], env, cwd=work).stdout

    programs.run(["git", "init", "-q", "."], env, cwd=work)
    dvc("init", "-q")
    dvc("remote", "add", "-q", "-d", "store", f"s3://{bucket}/store")
    settings = {"endpointurl": server.endpoint} | {
        "default": {},
        "sse-kms": {"sse": "aws:kms", "sse_kms_key_id": key["Arn"]},
        "sse-c": {"sse_customer_algorithm": "AES256", "sse_customer_key": CUSTOMER_KEY_BASE64},
    }[mode]
    for name, value in settings.items():
        dvc("remote", "modify", "-q", "store", name, value)
    data = {"data/1": blob(300_000, 1), "data/2": blob(300_000, 2), "big": blob(20 * MIB)}
    (work / "data").mkdir()
    for name, content in data.items():
        (work / name).write_bytes(content)
    dvc("add", "-q", "data", "big")
    dvc("push", "-q")
    for lost in (".dvc/cache", "data"):
        shutil.rmtree(work / lost)
    (work / "big").unlink()
    dvc("pull", "-q")
    assert {name: (work / name).read_bytes() for name in data} == data
    assert "in sync" in dvc("status", "-c")
    # The three, and the list of the directory.
    assert are_encrypted(s3, bucket, mode, key) == 4
    (work / "data/1").unlink()
    (work / "data/4").write_bytes(b"x")
    dvc("add", "-q", "data")
    dvc("push", "-q")
    dvc("gc", "-q", "-w", "-c", "-f")
    assert are_encrypted(s3, bucket, mode, key) == 4


def test_sccache(server, s3, bucket, key, tmp_path):
    """Compiled, and once more out of the bucket."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = {"BUCKET": bucket, "REGION": REGION, "ENDPOINT": server.endpoint, "S3_USE_SSL": "false"}
    told = where | {"S3_SERVER_SIDE_ENCRYPTION": "true", "SERVER_PORT": port, "DIR": tmp_path / "local"}
    env = environment(server, tmp_path, **{f"SCCACHE_{name}": value for name, value in told.items()})
    for n in range(3):
        (tmp_path / f"{n}.c").write_text(f"int f{n}(int x) {{ return x + {n}; }}\n")
    for hits in (0, 3):
        try:
            for n in range(3):
                programs.run([LARGE / "sccache", "gcc", "-c", f"{n}.c", "-o", f"{n}.o"], env, cwd=tmp_path)
            shown = programs.run([LARGE / "sccache", "--show-stats", "--stats-format=json"], env).stdout
        finally:
            programs.run([LARGE / "sccache", "--stop-server"], env)
        assert sum(json.loads(shown)["stats"]["cache_hits"]["counts"].values()) == hits, shown
    assert are_encrypted(s3, bucket, "sse-s3", key) >= 3


@pytest.mark.parametrize("encryption", ["", "AES256", "aws:kms"])
def test_perl(server, s3, bucket, tmp_path, encryption):
    """Of SSE-KMS it names no key: it is AWS's of S3."""
    host = server.endpoint.removeprefix("http://")
    script = SCRIPTS / "with_net_amazon_s3.pl"
    programs.run(["perl", script, host, REGION, bucket, encryption], environment(server, tmp_path))
    for name in ("dir/a b+c", "dir/other"):
        head = s3.head_object(Bucket=bucket, Key=name)
        assert (head["ServerSideEncryption"], head["ContentType"]) == (encryption or "AES256", "text/x")


@pytest.fixture
def mariadb(server, bucket, tmp_path):
    """A server whose engine S3 has the bucket; asks it."""
    program, socket_file = programs.find("mariadbd"), tmp_path / "socket"
    settings = {
        "datadir": tmp_path / "data",
        "socket": socket_file,
        "plugin-maturity": "alpha",
        "plugin-load-add": "ha_s3",
        "s3": "ON",
        "s3-host-name": "127.0.0.1",
        "s3-port": server.port,
        "s3-use-http": "ON",
        "s3-protocol-version": "Path",
        "s3-bucket": bucket,
        "s3-access-key": MAIN.access_key,
        "s3-secret-key": MAIN.secret_key,
        "s3-region": REGION,
        "s3-block-size": "1M",
        "innodb-buffer-pool-size": "16M",
    }
    lines = [f"{name}={value}" for name, value in settings.items()]
    config = tmp_path / "my.cnf"
    config.write_text("\n".join(["[mariadbd]", "skip-networking", *lines, ""]))
    env = environment(server, tmp_path)
    new = ["--user=root", f"--datadir={tmp_path / 'data'}", "--auth-root-authentication-method=normal"]
    programs.run(["mariadb-install-db", "--no-defaults", *new], env)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, f"--defaults-file={config}", "--user=root"], stdout=output, stderr=output)

    def ask(statements):
        command = ["mariadb", "--no-defaults", f"--socket={socket_file}", "-N", "-B", "-e", statements]
        return programs.run(command, env).stdout.split()

    try:
        end = time.monotonic() + START_SECONDS
        while not socket_file.exists():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield ask
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def test_mariadb(s3, kms_bucket, key, mariadb):
    """A table moved to S3, read there, and moved back, with the same checksum."""
    mariadb("CREATE DATABASE d; CREATE TABLE d.t (n INT PRIMARY KEY, w VARCHAR(100)) ENGINE=Aria")
    mariadb("INSERT INTO d.t SELECT seq, SHA2(seq, 256) FROM d.seq_1_to_50000")
    before = mariadb("CHECKSUM TABLE d.t EXTENDED")
    mariadb("ALTER TABLE d.t ENGINE=S3")
    assert are_encrypted(s3, kms_bucket, "sse-kms", key) >= 4
    assert mariadb("SELECT COUNT(*), SUM(n) FROM d.t") == ["50000", "1250025000"]
    assert mariadb("CHECKSUM TABLE d.t EXTENDED") == before
    mariadb("ALTER TABLE d.t ENGINE=InnoDB")
    assert mariadb("CHECKSUM TABLE d.t EXTENDED") == before
    assert "Contents" not in s3.list_objects_v2(Bucket=kms_bucket)
