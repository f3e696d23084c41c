"""Backups of databases, with what their administrators use: pgBackRest and barman-cloud for PostgreSQL, litestream for SQLite.
Each backs up, is restored into a new database that is compared, and prunes.
"""

import base64
import json
import os
import pwd
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import programs
from conftest import bucket_name
from gateway import MAIN, REGION, clean_environment, free_port
from sdk import blob, customer_key

WAIT_SECONDS = 60


def heads(s3, bucket, prefix="", **read):
    """What HEAD says of each object that there is."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    names = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    assert names, "nothing was stored"
    return [s3.head_object(Bucket=bucket, Key=name, **read) for name in names]


def wait_for(what, done):
    deadline = time.monotonic() + WAIT_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s: {what}"
        time.sleep(0.05)


def kms_default(s3, bucket, key):
    """The programs know nothing of it: what they store is encrypted as the bucket says."""
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
    rules = [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


class Postgres:
    """A cluster and its socket in a directory that belongs to the user whom it runs as: it refuses to run as root."""

    def __init__(self, directory):
        self.directory, self.port = directory, free_port()
        self.data = directory / "data"
        self.user = pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None
        self.own(directory)
        self.environment = clean_environment(HOME=directory, PGHOST=directory, PGPORT=self.port, PGUSER="admin")

    def own(self, path):
        if self.user:
            shutil.chown(path, self.user)

    def run(self, name, *args, **more):
        """One of PostgreSQL's programs, as its user."""
        installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        program = installed[-1] if installed else programs.find(name)
        return self.as_user([program, *args], **more)

    def as_user(self, command, **more):
        more = {"user": self.user, "cwd": self.directory} | more
        return programs.run(command, self.environment, **more).stdout

    def create(self):
        made = ("--username", "admin", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C")
        self.run("initdb", "--pgdata", self.data, *made)

    def start(self, data, archive_command="", more=""):
        """Without fsync, which only a crash of the machine would miss."""
        settings = (
            f"port = {self.port}\nunix_socket_directories = '{self.directory}'\nlisten_addresses = ''\nfsync = off\n"
            f"archive_mode = on\narchive_command = '{archive_command}'\nmax_wal_senders = 2\n{more}"
        )
        (data / "postgresql.auto.conf").write_text(settings)
        # Its log goes to a file: it holds what it is started with, and outlives pg_ctl.
        self.run("pg_ctl", "start", "-w", "-s", "-D", data, "-l", self.directory / "log")

    def stop(self, data):
        self.run("pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", data)

    def sql(self, text):
        return self.run("psql", "-qAtX", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", text).strip()


@pytest.fixture
def postgres():
    """In /tmp itself: the directories of tests are root's alone."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        cluster = Postgres(Path(name))
        cluster.create()
        yield cluster
        for data in (cluster.data, cluster.directory / "restored"):
            if (data / "postmaster.pid").exists():
                cluster.run("pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", data, check=False)


ROWS = "SELECT count(*), md5(string_agg(t, ',' ORDER BY t)) FROM kept"


def rows(number, prefix):
    return f"INSERT INTO kept SELECT md5('{prefix}' || i) FROM generate_series(1, {number}) i"


class TestPgBackRest:
    """It speaks https only. Its first backup is encrypted as the bucket wants, its second one with a key that it names."""

    @pytest.fixture
    def program(self, postgres, tls_server, tls_bucket):
        directory = postgres.directory
        shutil.copy(tls_server.tls[2], directory / "ca.pem")
        (directory / "ca.pem").chmod(0o644)
        settings = directory / "pgbackrest.conf"
        settings.write_text(
            f"[global]\nrepo1-type=s3\nrepo1-path=/repo\nrepo1-s3-bucket={tls_bucket}\nrepo1-s3-region={REGION}\n"
            f"repo1-s3-endpoint=localhost\nrepo1-storage-port={tls_server.port}\nrepo1-s3-uri-style=path\n"
            f"repo1-s3-key={MAIN.access_key}\nrepo1-s3-key-secret={MAIN.secret_key}\n"
            f"repo1-storage-ca-file={directory}/ca.pem\nrepo1-retention-full=1\nrepo1-bundle=y\nstart-fast=y\n"
            f"lock-path={directory}/lock\nspool-path={directory}/spool\nlog-level-file=off\nlog-level-console=warn\n"
            f"[main]\npg1-path={postgres.data}\npg1-port={postgres.port}\npg1-socket-path={directory}\npg1-user=admin\n"
        )
        return [programs.find("pgbackrest"), f"--config={settings}", "--stanza=main"]

    def test_backup_restore_and_expiry(self, postgres, program, tls_s3, tls_bucket, tls_key):
        def pgbackrest(*args):
            return postgres.as_user([*program, *args])

        kms_default(tls_s3, tls_bucket, tls_key)
        archive = f"{' '.join(program)} archive-push %p"
        postgres.start(postgres.data, archive)
        pgbackrest("stanza-create")
        postgres.sql(f"CREATE TABLE kept (t text); {rows(5000, 'first')}")
        pgbackrest("backup", "--type=full")
        postgres.sql(rows(5000, "second"))
        pgbackrest("backup", "--type=incr")
        # What no backup has: it comes back from the archived write-ahead log.
        postgres.sql(rows(100, "third"))
        before = postgres.sql(ROWS)
        postgres.stop(postgres.data)
        told = pgbackrest("info")
        assert ("full backup" in told, "incr backup" in told) == (True, True), told
        pgbackrest("verify")

        restored = postgres.directory / "restored"
        restored.mkdir(mode=0o700)
        postgres.own(restored)
        pgbackrest("restore", f"--pg1-path={restored}")
        fetch = f"{' '.join(program)} --pg1-path={restored} archive-get %f %p"
        postgres.start(restored, "true", f"restore_command = '{fetch}'\n")
        wait_for("the end of recovery", lambda: postgres.sql("SELECT pg_is_in_recovery()") == "f")
        assert postgres.sql(ROWS) == before
        assert before.startswith("10100|")
        postgres.stop(restored)
        assert {head.get("SSEKMSKeyId") for head in heads(tls_s3, tls_bucket)} == {tls_key["Arn"]}

        # A second full backup ends the first, with its increment and its log.
        postgres.start(postgres.data, archive)
        pgbackrest("backup", "--type=full", "--repo1-s3-kms-key-id=alias/aws/s3")
        told = pgbackrest("info")
        assert (told.count("full backup"), "incr backup" in told) == (1, False), told
        (label,) = re.findall("full backup: (\\S+)", told)
        stored = heads(tls_s3, tls_bucket, f"repo/backup/main/{label}/")
        (named,) = {head.get("SSEKMSKeyId") for head in stored}
        assert named.startswith("arn:aws:kms:") and named != tls_key["Arn"]
        postgres.stop(postgres.data)
        pgbackrest("stop")
        pgbackrest("stanza-delete", "--force")
        assert "Contents" not in tls_s3.list_objects_v2(Bucket=tls_bucket)


class TestBarman:
    """Debian's programs with the boto3 of the tests, as in test_tools.py."""

    def test_backup_restore_and_deletion(self, postgres, server, s3, kms, bucket, key, tmp_path):
        directory = postgres.directory
        log = directory / "wal"
        log.mkdir()
        postgres.own(log)
        postgres.start(postgres.data, f"cp %p {log}/%f")
        modules = next((programs.VENV.parent / "lib").glob("python3*/site-packages"))
        env = programs.aws_environment(server, PYTHONPATH=modules, HOME=tmp_path)
        place, named = (f"s3://{bucket}/cloud", "main"), ("--endpoint-url", server.endpoint)
        kms_default(s3, bucket, key)

        def barman(module, *args):
            return programs.run(["/usr/bin/python3", "-m", f"barman.clients.cloud_{module}", *named, *args], env).stdout

        database = ("-h", directory, "-p", postgres.port, "-U", "admin", "--immediate-checkpoint")
        postgres.sql(f"CREATE TABLE kept (t text); {rows(5000, 'first')}")
        barman("backup", "-e", "aws:kms", *database, *place)
        postgres.sql(rows(100, "second"))
        before = postgres.sql(ROWS)
        # Its last segment is archived on the way down.
        postgres.stop(postgres.data)
        (backup,) = json.loads(barman("backup_list", "--format", "json", *place))["backups_list"]
        segments = sorted(path.name for path in log.iterdir() if backup["begin_wal"] <= path.name < "1")
        segments = [name for name in segments if len(name) == 24]
        assert len(segments) == 2
        # In an administrator's setting this is the archive command.
        for name in segments:
            barman("walarchive", "--gzip", *place, log / name)
        restored = directory / "restored"
        barman("restore", *place, backup["backup_id"], restored)
        fetched = directory / "fetched"
        fetched.mkdir()
        for name in segments:
            barman("walrestore", *place, name, fetched / name)
            assert (fetched / name).read_bytes() == (log / name).read_bytes()
        for path in (restored, *restored.rglob("*"), fetched, *fetched.iterdir()):
            postgres.own(path)
        (restored / "recovery.signal").touch()
        postgres.own(restored / "recovery.signal")
        postgres.start(restored, "true", f"restore_command = 'cp {fetched}/%f %p'\n")
        wait_for("the end of recovery", lambda: postgres.sql("SELECT pg_is_in_recovery()") == "f")
        assert postgres.sql(ROWS) == before
        postgres.stop(restored)

        # Named without a key, SSE-KMS is AWS's key of S3, whatever the bucket's default; unnamed, it is the bucket's.
        keys = {
            part: {head.get("SSEKMSKeyId") for head in heads(s3, bucket, f"cloud/main/{part}/")}
            for part in ("base", "wals")
        }
        assert keys == {"base": {kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]}, "wals": {key["Arn"]}}
        barman("backup_delete", "--backup-id", backup["backup_id"], *place)
        left = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        assert not [name for name in left if "/base/" in name], left


class TestLitestream:
    @pytest.mark.parametrize("mode", ["sse-kms default", "sse-kms named", "sse-c"])
    def test_a_database_is_followed_and_restored(self, tls_server, tls_s3, tls_key, tmp_path, mode):
        bucket = bucket_name()
        tls_s3.create_bucket(Bucket=bucket)
        customer = customer_key(os.urandom(32)) if mode == "sse-c" else {}
        asked = {
            "sse-kms default": {},
            "sse-kms named": {"sse-kms-key-id": tls_key["Arn"]},
            "sse-c": {"sse-customer-algorithm": "AES256"},
        }[mode]
        if mode == "sse-kms default":
            kms_default(tls_s3, bucket, tls_key)
        if customer:
            asked["sse-customer-key"] = base64.b64encode(customer["SSECustomerKey"]).decode()
        path = tmp_path / "data.db"
        settings = tmp_path / "litestream.yml"
        replica = {
            "type": "s3",
            "bucket": bucket,
            "path": "data",
            "endpoint": tls_server.endpoint,
            "region": REGION,
            "force-path-style": "true",
            "access-key-id": MAIN.access_key,
            "secret-access-key": MAIN.secret_key,
            "sync-interval": "100ms",
        } | asked
        lines = "".join(f"      {name}: {value}\n" for name, value in replica.items())
        settings.write_text(f"dbs:\n  - path: {path}\n    replica:\n{lines}")
        # It takes no CA from AWS's variable beside an endpoint of its own.
        env = clean_environment(SSL_CERT_FILE=tls_server.tls[2])
        program = programs.find("litestream")

        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY, t BLOB)")
        database.commit()
        output = (tmp_path / "log").open("wb")
        follower = subprocess.Popen([program, "replicate", "-config", settings], env=env, stdout=output, stderr=output)
        try:
            for number in range(20):
                database.execute("INSERT INTO kept VALUES (?, ?)", (number, blob(50_000, number)))
                database.commit()
                time.sleep(0.02)
            wait_for("the first files", lambda: "Contents" in tls_s3.list_objects_v2(Bucket=bucket))
            follower.send_signal(signal.SIGTERM)
            assert follower.wait(WAIT_SECONDS) == 0, (tmp_path / "log").read_text()
        finally:
            if follower.poll() is None:
                follower.kill()
                follower.wait()
            output.close()
        programs.run([program, "restore", "-config", settings, "-o", tmp_path / "restored.db", path], env)
        read = "SELECT n, t FROM kept ORDER BY n"
        restored = sqlite3.connect(tmp_path / "restored.db")
        assert restored.execute(read).fetchall() == database.execute(read).fetchall()
        assert restored.execute("SELECT count(*) FROM kept").fetchone() == (20,)
        stored = heads(tls_s3, bucket, **customer)
        if customer:
            assert {head["SSECustomerAlgorithm"] for head in stored} == {"AES256"}
        else:
            assert {head.get("SSEKMSKeyId") for head in stored} == {tls_key["Arn"]}
