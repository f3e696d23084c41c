"""s3cmd, rclone, restic, minio-py against encrypted buckets: write, list, read back, compare."""

import hashlib
import io

import pytest

import programs
from conftest import bucket_name
from gateway import MAIN, REGION, clean_environment
from sdk import MIB, blob

FILES = {"a": 0, "b/small text": 11, "b/c/medium": 300_000, "big": 12 * MIB, "ü+%": 5}


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    for name, size in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob(size, name))
    return root


def same(first, second):
    def digests(root):
        files = (p for p in root.rglob("*") if p.is_file())
        return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    assert digests(first) == digests(second)


@pytest.fixture(params=["sse-s3", "sse-kms", "bucket-key"])
def encrypted(request, s3, bucket, key):
    """A bucket with default encryption of a mode; the programs know nothing of it."""
    if request.param != "sse-s3":
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
        rules = [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": request.param == "bucket-key"}]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    return bucket


class TestS3cmd:
    @pytest.fixture
    def s3cmd(self, server, tmp_path):
        host = server.endpoint.removeprefix("http://")
        settings = tmp_path / "s3cfg"
        settings.write_text(
            f"[default]\naccess_key = {MAIN.access_key}\nsecret_key = {MAIN.secret_key}\nhost_base = {host}\n"
            f"host_bucket = {host}\nuse_https = False\nbucket_location = {REGION}\nmultipart_chunk_size_mb = 5\n"
        )
        program = programs.find("s3cmd")
        return lambda *args, **more: programs.run([program, "-c", settings, *args], clean_environment(), **more)

    def test_sync(self, s3cmd, encrypted, tree, tmp_path):
        s3cmd("sync", f"{tree}/", f"s3://{encrypted}/tree/")
        listed = s3cmd("ls", "--recursive", f"s3://{encrypted}").stdout
        assert len(listed.splitlines()) == len(FILES)
        (tmp_path / "back").mkdir()
        s3cmd("sync", f"s3://{encrypted}/tree/", f"{tmp_path}/back/")
        same(tree, tmp_path / "back")
        s3cmd("cp", f"s3://{encrypted}/tree/big", f"s3://{encrypted}/copy")
        s3cmd("get", f"s3://{encrypted}/copy", f"{tmp_path}/copy")
        assert (tmp_path / "copy").read_bytes() == (tree / "big").read_bytes()
        s3cmd("del", "--recursive", "--force", f"s3://{encrypted}")
        s3cmd("rb", f"s3://{encrypted}")

    @pytest.mark.parametrize(
        "flags",
        [["--server-side-encryption"], ["--server-side-encryption", "--server-side-encryption-kms-id=alias/aws/s3"]],
        ids=["sse-s3", "sse-kms"],
    )
    def test_encryption_flags(self, s3cmd, bucket, tree, tmp_path, flags):
        s3cmd("put", *flags, f"{tree}/b/c/medium", f"s3://{bucket}/medium")
        s3cmd("get", f"s3://{bucket}/medium", f"{tmp_path}/medium")
        assert (tmp_path / "medium").read_bytes() == (tree / "b/c/medium").read_bytes()

    def test_info(self, s3cmd, bucket, tree):
        s3cmd("put", f"{tree}/b/small text", f"s3://{bucket}/x")
        assert "us-east-1" in s3cmd("info", f"s3://{bucket}", check=False).stdout


class TestRclone:
    """As provider AWS it sends trailers, for which it wants https; as Other, plain bodies and Content-MD5."""

    @pytest.fixture(params=["AWS", "Other"])
    def place(self, request):
        """(server, S3 client, environment)"""
        aws = request.param == "AWS"
        server = request.getfixturevalue("tls_server" if aws else "server")
        env = clean_environment(
            RCLONE_CONFIG="/nonexistent",
            RCLONE_S3_PROVIDER=request.param,
            RCLONE_S3_ACCESS_KEY_ID=MAIN.access_key,
            RCLONE_S3_SECRET_ACCESS_KEY=MAIN.secret_key,
            # By address: for a name, provider AWS insists on virtual hosts.
            RCLONE_S3_ENDPOINT=server.endpoint.replace("localhost", "127.0.0.1"),
            RCLONE_S3_REGION=REGION,
            RCLONE_S3_FORCE_PATH_STYLE="true",
            RCLONE_S3_CHUNK_SIZE="5Mi",
            RCLONE_S3_UPLOAD_CUTOFF="5Mi",
            RCLONE_RETRIES="1",
            **({"SSL_CERT_FILE": server.tls[2]} if aws else {}),
        )
        return server, request.getfixturevalue("tls_s3" if aws else "s3"), env

    @pytest.fixture
    def rclone(self, place):
        program = programs.find("rclone")
        return lambda *args: programs.run([program, *args], place[2])

    @pytest.fixture
    def at(self, place):
        name = bucket_name()
        place[1].create_bucket(Bucket=name)
        return name

    @pytest.mark.parametrize("mode", ["sse-s3", "sse-kms"])
    def test_sync_and_check(self, place, rclone, at, tree, tmp_path, mode):
        flags = []
        if mode == "sse-kms":
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
            place[1].put_bucket_encryption(Bucket=at, ServerSideEncryptionConfiguration={"Rules": [rule]})
            # rclone takes an ETag for an MD5 unless it is told of the encryption (its manual, "Key Management System
            # (KMS)"): without this it finds every copy corrupted, on AWS as here.
            flags = ["--s3-server-side-encryption", "aws:kms"]
        remote = f":s3:{at}/tree"
        rclone("sync", *flags, tree, remote)
        rclone("check", "--download", tree, remote)
        again = rclone("sync", "-v", *flags, tree, remote).stderr
        assert "Copied (" not in again, again
        rclone("sync", *flags, remote, tmp_path / "back")
        same(tree, tmp_path / "back")
        rclone("moveto", *flags, f"{remote}/big", f"{remote}/bigger")
        rclone("purge", remote)
        assert rclone("lsf", "-R", f":s3:{at}").stdout == ""

    @pytest.mark.parametrize(
        "flags",
        [
            ["--s3-server-side-encryption", "AES256"],
            ["--s3-server-side-encryption", "aws:kms", "--s3-sse-kms-key-id", "alias/aws/s3"],
            [
                "--s3-sse-customer-algorithm",
                "AES256",
                "--s3-sse-customer-key",
                "0123456789abcdef0123456789abcdef",
            ],
        ],
        ids=["sse-s3", "sse-kms", "sse-c"],
    )
    def test_encryption_flags(self, rclone, at, tree, tmp_path, flags):
        remote = f":s3:{at}/tree"
        rclone("copy", *flags, tree, remote)
        rclone("copy", *flags, remote, tmp_path / "back")
        same(tree, tmp_path / "back")


class TestRestic:
    @pytest.fixture
    def restic(self, server, encrypted, tmp_path):
        env = clean_environment(
            AWS_ACCESS_KEY_ID=MAIN.access_key,
            AWS_SECRET_ACCESS_KEY=MAIN.secret_key,
            AWS_DEFAULT_REGION=REGION,
            RESTIC_REPOSITORY=f"s3:{server.endpoint}/{encrypted}/repository",
            RESTIC_PASSWORD="password",
            RESTIC_CACHE_DIR=tmp_path / "cache",
        )
        program = programs.find("restic")
        return lambda *args: programs.run([program, *args], env)

    def test_backup_and_restore(self, restic, tree, tmp_path):
        restic("init")
        restic("backup", tree)
        (tree / "more").write_bytes(blob(2 * MIB, "more"))
        restic("backup", tree)
        assert len([line for line in restic("snapshots").stdout.splitlines() if str(tree) in line]) == 2
        assert str(tree / "b/c/medium") in restic("ls", "latest").stdout
        restic("check", "--read-data")
        restic("restore", "latest", "--target", tmp_path / "restored")
        same(tree, tmp_path / "restored" / tree.relative_to("/"))
        restic("forget", "--keep-last", "1", "--prune")
        restic("check", "--read-data")


class TestMinioPy:
    @pytest.fixture
    def client(self, tls_server):
        import minio
        import urllib3

        pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=str(tls_server.tls[2]), retries=False)
        host = tls_server.endpoint.removeprefix("https://")
        return minio.Minio(
            host, access_key=MAIN.access_key, secret_key=MAIN.secret_key, region=REGION, http_client=pool
        )

    @pytest.mark.parametrize("mode", ["none", "sse-s3", "sse-kms", "sse-c"])
    def test_round_trip(self, client, tls_bucket, mode):
        from minio.sse import SseCustomerKey, SseKMS, SseS3

        sse = {
            "none": None,
            "sse-s3": SseS3(),
            "sse-kms": SseKMS("alias/aws/s3", {"a": "b"}),
            "sse-c": SseCustomerKey(b"k" * 32),
        }[mode]
        read = sse if mode == "sse-c" else None
        for size in (10, 12 * MIB):
            data = blob(size)
            client.put_object(tls_bucket, f"o{size}", io.BytesIO(data), size, sse=sse, part_size=5 * MIB)
            with client.get_object(tls_bucket, f"o{size}", ssec=read) as got:
                assert got.read() == data
            assert client.stat_object(tls_bucket, f"o{size}", ssec=read).size == size
        assert [(o.object_name, o.size) for o in client.list_objects(tls_bucket)] == [
            ("o10", 10),
            (f"o{12 * MIB}", 12 * MIB),
        ]
        assert [e for e in client.remove_objects(tls_bucket, [])] == []
        client.remove_object(tls_bucket, "o10")
