"""s3cmd, rclone, restic, minio-py, s5cmd, duplicity against encrypted buckets: write, list, read back, compare."""

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

    def test_configurations_of_a_bucket(self, s3cmd, s3, bucket, tmp_path):
        """Websites and notifications come without a digest of the body, the others with one."""
        file = tmp_path / "configuration.xml"
        s3cmd("ws-create", "--ws-index=index.html", "--ws-error=error.html", f"s3://{bucket}")
        website = s3.get_bucket_website(Bucket=bucket)
        assert (website["IndexDocument"]["Suffix"], website["ErrorDocument"]["Key"]) == ("index.html", "error.html")
        s3cmd("ws-delete", f"s3://{bucket}")
        documents = {
            # This server has no targets, so that there is nothing to be told to.
            "notification": "<NotificationConfiguration/>",
            "cors": "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
            "</CORSRule></CORSConfiguration>",
            "lifecycle": "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days>"
            "</Expiration></Rule></LifecycleConfiguration>",
        }
        for name, document in documents.items():
            file.write_text(document)
            s3cmd(f"set{name}", str(file), f"s3://{bucket}")
        assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket)
        assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["AllowedOrigins"] == ["*"]
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"] == {"Days": 1}
        for name in documents:
            s3cmd(f"del{name}", f"s3://{bucket}")
        assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket)

    @pytest.mark.parametrize(
        "flags",
        [["--server-side-encryption"], ["--server-side-encryption", "--server-side-encryption-kms-id=alias/aws/s3"]],
        ids=["sse-s3", "sse-kms"],
    )
    def test_encryption_flags(self, s3cmd, bucket, tree, tmp_path, flags):
        s3cmd("put", *flags, f"{tree}/b/c/medium", f"s3://{bucket}/medium")
        s3cmd("get", f"s3://{bucket}/medium", f"{tmp_path}/medium")
        assert (tmp_path / "medium").read_bytes() == (tree / "b/c/medium").read_bytes()

    def test_its_own_kms_key_in_parts(self, s3cmd, s3, bucket, tree, tmp_path, key):
        flags = ["--server-side-encryption", f"--server-side-encryption-kms-id={key['KeyId']}"]
        s3cmd("put", *flags, f"{tree}/big", f"s3://{bucket}/big")
        head = s3.head_object(Bucket=bucket, Key="big")
        assert (head["SSEKMSKeyId"], head["ETag"].endswith('-3"')) == (key["Arn"], True)
        s3cmd("get", f"s3://{bucket}/big", f"{tmp_path}/big")
        assert (tmp_path / "big").read_bytes() == (tree / "big").read_bytes()

    def test_what_it_tells_and_changes(self, s3cmd, s3, bucket, tree):
        s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        )
        s3.delete_public_access_block(Bucket=bucket)
        s3cmd("put", f"{tree}/b/small text", f"s3://{bucket}/x")
        s3cmd("put", f"{tree}/b/c/medium", f"s3://{bucket}/y")
        assert s3cmd("du", f"s3://{bucket}").stdout.split()[0] == "300011"
        assert "us-east-1" in s3cmd("info", f"s3://{bucket}").stdout
        s3cmd("modify", "--add-header=x-amz-meta-team: red", "--mime-type=text/css", f"s3://{bucket}/x")
        told = s3cmd("info", f"s3://{bucket}/x").stdout
        assert "x-amz-meta-team: red" in told and "text/css" in told and "AES256" in told, told
        s3cmd("setacl", "--acl-public", f"s3://{bucket}/x")
        assert "*anon*: READ" in s3cmd("info", f"s3://{bucket}/x").stdout
        s3cmd("settagging", f"s3://{bucket}/x", "a=1&b=2")
        assert s3cmd("gettagging", f"s3://{bucket}/x").stdout.split()[-4:] == ["a:", "1", "b:", "2"]
        s3cmd("mv", f"s3://{bucket}/x", f"s3://{bucket}/z")
        assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["y", "z"]
        policy = tree / "policy"
        policy.write_text(
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
            f'"Resource":"arn:aws:s3:::{bucket}/*"}}]}}'
        )
        s3cmd("setpolicy", policy, f"s3://{bucket}")
        assert "s3:GetObject" in s3cmd("info", f"s3://{bucket}").stdout
        s3cmd("delpolicy", f"s3://{bucket}")
        s3cmd("payer", f"s3://{bucket}")
        assert s3cmd("multipart", f"s3://{bucket}").returncode == 0


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
        rclone("sync", *flags, tree, remote)
        rclone("check", "--download", *flags, tree, remote)
        again = rclone("sync", "-v", *flags, tree, remote).stderr
        assert "Copied (" not in again, again
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

    @pytest.mark.parametrize("target", ["none", "sse-s3", "sse-kms", "sse-c"])
    def test_copies_and_compositions(self, client, tls_bucket, target):
        """An object composed of one with a customer's key, a range of it, and one without; then copied."""
        from minio.commonconfig import REPLACE, ComposeSource, CopySource, Tags
        from minio.sse import SseCustomerKey, SseKMS, SseS3

        mine, other = SseCustomerKey(b"k" * 32), SseCustomerKey(b"o" * 32)
        sse = {"none": None, "sse-s3": SseS3(), "sse-kms": SseKMS("alias/aws/s3", {"a": "b"}), "sse-c": other}[target]
        read = other if target == "sse-c" else None
        data = blob(6 * MIB)
        client.put_object(tls_bucket, "mine", io.BytesIO(data), len(data), sse=mine)
        client.put_object(tls_bucket, "plain", io.BytesIO(data), len(data))
        sources = [
            ComposeSource(tls_bucket, "mine", ssec=mine),
            ComposeSource(tls_bucket, "mine", ssec=mine, offset=100, length=5 * MIB),
            ComposeSource(tls_bucket, "plain"),
        ]
        client.compose_object(tls_bucket, "composed", sources, sse=sse)
        with client.get_object(tls_bucket, "composed", ssec=read) as got:
            assert got.read() == data + data[100 : 100 + 5 * MIB] + data
        copied = CopySource(tls_bucket, "composed", ssec=read)
        client.copy_object(tls_bucket, "copied", copied, sse=sse, metadata={"team": "red"}, metadata_directive=REPLACE)
        stat = client.stat_object(tls_bucket, "copied", ssec=read)
        assert (stat.size, stat.metadata["x-amz-meta-team"]) == (17 * MIB, "red")
        with client.get_object(tls_bucket, "copied", offset=6 * MIB, length=10, ssec=read) as got:
            assert got.read() == data[100:110]
        tags = Tags.new_object_tags()
        tags["a"] = "1"
        client.set_object_tags(tls_bucket, "copied", tags)
        assert dict(client.get_object_tags(tls_bucket, "copied")) == {"a": "1"}


class TestS5cmd:
    @pytest.fixture
    def s5cmd(self, server):
        env = clean_environment(
            AWS_ACCESS_KEY_ID=MAIN.access_key, AWS_SECRET_ACCESS_KEY=MAIN.secret_key, AWS_REGION=REGION
        )
        program = programs.find("s5cmd")
        common = [program, "--endpoint-url", server.endpoint, "--retry-count", "0"]
        return lambda *args: programs.run([*common, *args], env).stdout

    @pytest.mark.parametrize("mode", ["none", "sse-s3", "sse-kms"])
    def test_sync_and_copies(self, s5cmd, s3, bucket, tree, tmp_path, key, mode):
        sse = {
            "none": [],
            "sse-s3": ["--sse", "AES256"],
            "sse-kms": ["--sse", "aws:kms", "--sse-kms-key-id", key["KeyId"]],
        }
        flags = ["--part-size", "5", *sse[mode]]
        s5cmd("sync", *flags, f"{tree}/", f"s3://{bucket}/tree/")
        assert s5cmd("sync", *flags, f"{tree}/", f"s3://{bucket}/tree/") == ""
        assert len(s5cmd("ls", f"s3://{bucket}/tree/*").splitlines()) == len(FILES)
        s5cmd("cp", f"s3://{bucket}/tree/*", f"{tmp_path}/back/")
        same(tree, tmp_path / "back")
        s5cmd("cp", *sse[mode], f"s3://{bucket}/tree/big", f"s3://{bucket}/copy")
        s5cmd("mv", *sse[mode], f"s3://{bucket}/copy", f"s3://{bucket}/moved")
        if mode == "sse-kms":
            assert s3.head_object(Bucket=bucket, Key="moved")["SSEKMSKeyId"] == key["Arn"]
        s5cmd("rm", f"s3://{bucket}/*")
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


class TestDuplicity:
    """Debian's program with the boto3 of the tests."""

    @pytest.fixture
    def duplicity(self, server, tmp_path):
        modules = next((programs.VENV.parent / "lib").glob("python3*/site-packages"))
        env = clean_environment(
            AWS_ACCESS_KEY_ID=MAIN.access_key,
            AWS_SECRET_ACCESS_KEY=MAIN.secret_key,
            PYTHONPATH=modules,
            HOME=tmp_path,
        )
        common = ["--no-encryption", "--archive-dir", tmp_path / "archive", "--volsize", "5"]
        common += ["--s3-endpoint-url", server.endpoint, "--s3-region-name", REGION]
        program = programs.find("duplicity")
        return lambda action, *args: programs.run([program, action, *common, *args], env).stdout

    def test_backup_verify_restore(self, duplicity, s3, bucket, tree, tmp_path, key):
        flags = ["--s3-use-server-side-kms-encryption", "--s3-kms-key-id", key["KeyId"]]
        url = f"boto3+s3://{bucket}/backup"
        duplicity("full", *flags, tree, url)
        (tree / "more").write_bytes(blob(MIB, "more"))
        duplicity("incremental", *flags, tree, url)
        duplicity("verify", "--compare-data", url, tree)
        duplicity("restore", url, tmp_path / "restored")
        same(tree, tmp_path / "restored")
        stored = s3.list_objects_v2(Bucket=bucket)["Contents"]
        assert sum(entry["Size"] for entry in stored) > 13 * MIB
        keys = {s3.head_object(Bucket=bucket, Key=entry["Key"])["SSEKMSKeyId"] for entry in stored}
        assert keys == {key["Arn"]}
        duplicity("remove-all-but-n-full", "1", "--force", url)
