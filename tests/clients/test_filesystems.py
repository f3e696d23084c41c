"""What keeps blocks in a bucket. JuiceFS: a volume filled, read back, checked, cleaned and destroyed; and its own test of an
object store. s3backer: a disk, with a file system on it. s3fs-fuse and s3fs of fsspec are in test_analytics.py.
"""

import hashlib

import pytest

import programs
from gateway import MAIN, clean_environment
from sdk import MIB, blob

FILES = {"empty": 0, "small": 11, "sub/blocks": 9 * MIB + 1, "sub/ü+% x": 70_000}


def digests(root):
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


class TestJuiceFs:
    @pytest.fixture
    def juicefs(self, server, tmp_path):
        program = programs.find("juicefs")
        env = clean_environment(ACCESS_KEY=MAIN.access_key, SECRET_KEY=MAIN.secret_key, HOME=tmp_path)
        env["meta"] = f"sqlite3://{tmp_path}/volume.db"

        def call(command, *args):
            done = programs.run([program, "--no-agent", command, *args], env, cwd=tmp_path)
            return done.stdout + done.stderr

        # What it would leave alone for an hour, since somebody may just be writing it.
        env["JFS_GC_SKIPPEDTIME"] = "0"
        call.meta = env["meta"]
        return call

    def test_a_volume_in_a_bucket_of_sse_kms(self, juicefs, server, s3, bucket, key, tmp_path):
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
        rules = [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        tree = tmp_path / "tree"
        for name, size in FILES.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(blob(size, name))
        place = ("--storage", "s3", "--bucket", f"{server.endpoint}/{bucket}", "--trash-days", "0")
        juicefs("format", *place, "--block-size", "4M", juicefs.meta, "volume")
        told = juicefs("sync", f"{tree}/", "jfs://meta/data/")
        assert "failed: 0" in told, told
        again = juicefs("sync", f"{tree}/", "jfs://meta/data/")
        assert "copied: 0" in again, again
        juicefs("fsck", juicefs.meta)
        juicefs("sync", "jfs://meta/data/", f"{tmp_path}/back/")
        assert digests(tmp_path / "back") == digests(tree)

        blocks = [entry for entry in s3.list_objects_v2(Bucket=bucket)["Contents"] if "/chunks/" in entry["Key"]]
        # Three of the file of 9 MiB and a byte, one each of the two small ones.
        assert sum(entry["Size"] for entry in blocks) == sum(FILES.values())
        assert len(blocks) == 5
        for entry in blocks:
            head = s3.head_object(Bucket=bucket, Key=entry["Key"])
            assert (head["SSEKMSKeyId"], head["BucketKeyEnabled"]) == (key["Arn"], True)

        # A block that no file has is found and deleted.
        s3.copy_object(Bucket=bucket, Key="volume/chunks/0/0/999_0_4194304", CopySource=f"{bucket}/{blocks[0]['Key']}")
        assert "1 leaked" in juicefs("gc", "--delete", juicefs.meta)
        assert "5 valid" in (left := juicefs("gc", juicefs.meta)) and "0 leaked" in left, left
        # A block that a file lacks is told.
        s3.delete_object(Bucket=bucket, Key=blocks[0]["Key"])
        with pytest.raises(AssertionError, match="broken|lost|missing"):
            juicefs("fsck", juicefs.meta)

        uuid = juicefs("status", juicefs.meta).split('"UUID": "')[1].split('"')[0]
        juicefs("destroy", "--force", juicefs.meta, uuid)
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)

    def test_its_own_test_of_an_object_store_passes(self, juicefs, server, bucket):
        sizes = ("--big-object-size", "1M", "--small-object-size", "16K", "--small-objects", "5")
        told = juicefs("objbench", "--storage", "s3", *sizes, f"{server.endpoint}/{bucket}")
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines() if line.startswith("|")]
        results = {
            name: result for kind, name, result in (row for row in cells if len(row) == 3) if kind in ("basic", "sync")
        }
        # A range past the end is to be nothing, it thinks; S3 refuses it.
        assert results.pop("get partial object").startswith("failed to get object with the offset out of r")
        # What S3 has not.
        for name in ("change owner/group", "change permission", "change mtime"):
            assert results.pop(name) == "not support"
        assert len(results) == 12
        assert set(results.values()) == {"pass"}, results


class TestS3backer:
    @pytest.mark.parametrize("mode", ["default", "sse-s3", "sse-kms default"])
    def test_a_disk(self, server, s3, bucket, key, tmp_path, mode):
        if mode == "sse-kms default":
            rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
            rules = [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        keys = tmp_path / "keys"
        keys.write_text(f"{MAIN.access_key}:{MAIN.secret_key}\n")
        keys.chmod(0o600)
        # With a region named, it insists on virtual hosts. Nothing is written late, so that nothing is waited for.
        program = [programs.find("s3backer"), f"--accessFile={keys}", f"--baseURL={server.endpoint}/"]
        program += ["--size=8M", "--blockSize=64k", "--listBlocks", "--blockCacheWriteDelay=0", "--minWriteDelay=0"]
        program += ["--md5CacheTime=0", *(["--sse=AES256"] if mode == "sse-s3" else [])]
        at, log, data = tmp_path / "disk", tmp_path / "log", blob(1_500_000)
        with programs.mounted([*program, "-f", bucket, at], at, log):
            programs.run(["mkfs.ext4", "-q", "-F", "-E", "offset=4194304", at / "file", "4000k"], clean_environment())
            with (at / "file").open("r+b") as disk:
                disk.seek(100_000)
                disk.write(data)
        # Another process, which knows nothing of what was written.
        with programs.mounted([*program, "-f", bucket, at], at, log):
            whole = (at / "file").read_bytes()
        assert whole[100_000:1_600_000] == data
        (tmp_path / "image").write_bytes(whole[4194304:])
        programs.run(["e2fsck", "-fn", tmp_path / "image"], clean_environment())
        for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
            head = s3.head_object(Bucket=bucket, Key=entry["Key"])
            assert head.get("SSEKMSKeyId") == (key["Arn"] if mode == "sse-kms default" else None)
        programs.run([*program, "--erase", "--force", bucket], clean_environment())
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
