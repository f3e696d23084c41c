"""Analytics readers and file systems over S3: pyarrow, tables of Iceberg, DuckDB, s3fs of fsspec, s3fs-fuse. They know nothing of the
encryption, or as much as they can be told."""

import json
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet
import pytest
from pyarrow.fs import FileSelector, S3FileSystem

import programs
from conftest import bucket_name
from gateway import MAIN, REGION, clean_environment
from modes import KMS
from sdk import MIB, blob, body_of, customer_key

# DSSE-KMS goes through the same readers in test_sse.py; a build without optimisation seals 8 MB of it in a second.
DEFAULTS = {"sse-s3": {"SSEAlgorithm": "AES256"}, "bucket-key": {"SSEAlgorithm": KMS}}


@pytest.fixture(scope="module", params=DEFAULTS)
def encrypted(request, s3, key):
    """A bucket with default encryption of a mode."""
    name, rule = bucket_name(), DEFAULTS[request.param]
    s3.create_bucket(Bucket=name)
    if request.param != "sse-s3":
        rule = rule | {"KMSMasterKeyID": key["Arn"]}
    rules = [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": request.param == "bucket-key"}]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    return name


def host(server):
    return server.endpoint.removeprefix("http://")


def table():
    numbers = pyarrow.array(range(80_000))
    words = pyarrow.array([f"{blob(16, n % 1000).hex()}-{n}" for n in range(80_000)])
    return pyarrow.table({"n": numbers, "part": pyarrow.compute.bit_wise_and(numbers, 7), "words": words})


class TestPyarrow:
    """Case seaweedfs 7492: datasets of several files, each written in parts of the SDK for C++."""

    @pytest.fixture
    def files(self, server):
        return S3FileSystem(
            access_key=MAIN.access_key,
            secret_key=MAIN.secret_key,
            endpoint_override=host(server),
            scheme="http",
            region=REGION,
        )

    def test_seaweedfs_7492_a_dataset_of_several_files(self, files, s3, encrypted):
        written, at = table(), f"{encrypted}/dataset"
        pyarrow.dataset.write_dataset(
            written, at, format="parquet", partitioning=["part"], filesystem=files, existing_data_behavior="error"
        )
        found = pyarrow.dataset.dataset(at, format="parquet", partitioning=["part"], filesystem=files)
        assert len(found.files) == 8
        read = found.to_table(columns=["n", "words"]).sort_by("n")
        assert read == written.select(["n", "words"])
        some = found.to_table(filter=pyarrow.dataset.field("part") == 3, columns=["n"])
        assert some.num_rows == 10_000 and set(some["n"].to_pylist()) == set(range(3, 80_000, 8))
        listed = {
            info.path: info.size for info in files.get_file_info(FileSelector(at, recursive=True)) if info.is_file
        }
        sizes = {
            f"{encrypted}/{o['Key']}": o["Size"]
            for o in s3.list_objects_v2(Bucket=encrypted, Prefix="dataset/")["Contents"]
        }
        assert listed == {path: size for path, size in sizes.items() if not path.endswith("/")}

    def test_one_file_in_parts(self, files, s3, encrypted):
        data = blob(12 * MIB)
        with files.open_output_stream(f"{encrypted}/big") as out:
            for at in range(0, len(data), MIB):
                out.write(data[at : at + MIB])
        with files.open_input_file(f"{encrypted}/big") as got:
            assert got.size() == len(data)
            assert got.read_at(1000, 7 * MIB) == data[7 * MIB : 7 * MIB + 1000]
            assert got.read() == data
        files.copy_file(f"{encrypted}/big", f"{encrypted}/copy")
        files.move(f"{encrypted}/copy", f"{encrypted}/moved")
        assert body_of(s3, encrypted, "moved") == data
        files.delete_file(f"{encrypted}/moved")


@pytest.mark.parametrize("encrypted", ["bucket-key"], indirect=True)
def test_tables_of_iceberg(server, s3, encrypted, key):
    """Committed, changed, read as of then, and purged, by pyarrow."""
    from pyiceberg.catalog import load_catalog

    place = {"type": "sql", "uri": "sqlite:///:memory:", "warehouse": f"s3://{encrypted}/iceberg"}
    keys = {"s3.access-key-id": MAIN.access_key, "s3.secret-access-key": MAIN.secret_key, "s3.region": REGION}
    catalog = load_catalog("catalog", **place, **keys, **{"s3.endpoint": server.endpoint})
    catalog.create_namespace("tests")
    written = table().slice(0, 8_000)
    written = written.filter(pyarrow.compute.less(written["part"], 2))
    found = catalog.create_table("tests.numbers", schema=written.schema)
    with found.update_spec() as spec:
        spec.add_identity("part")
    found.append(written)
    found.append(written)
    found.delete("n < 80")
    found.overwrite(written.slice(0, 10), overwrite_filter="part == 1")
    # Two parts of a thousand rows each, twice, and ten of each deleted; then one is replaced by ten rows.
    assert found.scan().to_arrow().num_rows == 2 * 990 + 10
    assert set(found.scan(row_filter="n == 4240").to_arrow()["words"].to_pylist()) == {f"{blob(16, 240).hex()}-4240"}
    first = found.snapshots()[0].snapshot_id
    as_of_then = found.scan(snapshot_id=first).to_arrow().sort_by("n")
    assert as_of_then["words"].to_pylist() == written["words"].to_pylist()
    stored = s3.list_objects_v2(Bucket=encrypted, Prefix="iceberg/")["Contents"]
    heads = [s3.head_object(Bucket=encrypted, Key=entry["Key"]) for entry in stored]
    assert {(head["SSEKMSKeyId"], head["BucketKeyEnabled"]) for head in heads} == {(key["Arn"], True)}
    catalog.purge_table("tests.numbers")
    left = s3.list_objects_v2(Bucket=encrypted, Prefix="iceberg/").get("Contents", [])
    # pyarrow leaves what stands for directories.
    assert not [entry["Key"] for entry in left if entry["Size"]]


class TestDuckDB:
    @pytest.fixture
    def duck(self, server):
        import duckdb_extension_httpfs

        (extension,) = Path(duckdb_extension_httpfs.__path__[0]).glob("extensions/*/httpfs.duckdb_extension")
        duck = duckdb.connect()
        duck.execute(f"LOAD '{extension}'")

        def secret(more=""):
            duck.execute(
                f"CREATE OR REPLACE SECRET (TYPE s3, KEY_ID '{MAIN.access_key}', SECRET '{MAIN.secret_key}', "
                f"REGION '{REGION}', ENDPOINT '{host(server)}', URL_STYLE 'path', USE_SSL false{more})"
            )

        secret()
        yield duck, secret
        duck.close()

    def test_parquet_written_queried_and_joined(self, duck, s3, encrypted):
        duck, _ = duck
        at = f"s3://{encrypted}/duck"
        duck.execute(
            "CREATE TABLE t AS SELECT range AS n, range % 8 AS part, md5(range::text) AS word FROM range(100000)"
        )
        duck.execute(f"COPY t TO '{at}/one.parquet' (FORMAT parquet)")
        duck.execute(f"COPY t TO '{at}/parts' (FORMAT parquet, PARTITION_BY (part))")
        duck.execute(f"COPY t TO '{at}/t.csv' (HEADER)")
        whole = duck.execute("SELECT count(*), sum(n), min(word) FROM t").fetchone()
        for source in (f"'{at}/one.parquet'", f"read_parquet('{at}/parts/*/*.parquet')", f"'{at}/t.csv'"):
            assert duck.execute(f"SELECT count(*), sum(n), min(word) FROM {source}").fetchone() == whole, source
        one = duck.execute(f"SELECT word FROM '{at}/one.parquet' WHERE n = 90123").fetchall()
        assert one == duck.execute("SELECT word FROM t WHERE n = 90123").fetchall()
        assert s3.head_object(Bucket=encrypted, Key="duck/one.parquet")["ContentLength"] > 500_000

    def test_its_own_kms_key(self, duck, s3, bucket, key):
        duck, secret = duck
        secret(f", KMS_KEY_ID '{key['Arn']}'")
        duck.execute(f"COPY (SELECT * FROM range(1000)) TO 's3://{bucket}/k.parquet' (FORMAT parquet)")
        assert duck.execute(f"SELECT sum(range) FROM 's3://{bucket}/k.parquet'").fetchone() == (499500,)
        assert s3.head_object(Bucket=bucket, Key="k.parquet")["SSEKMSKeyId"] == key["Arn"]


FSSPEC = """
import json, os, sys, s3fs
told = json.loads(sys.argv[1])
def files(**more):
    kwargs = {"endpoint_url": told["endpoint"], "config_kwargs": {"s3": {"addressing_style": "path"}}}
    return s3fs.S3FileSystem(key=told["key"], secret=told["secret"], client_kwargs={"region_name": "us-east-1"}, skip_instance_cache=True, s3_additional_kwargs=more, **kwargs)
data = bytes((n * 7 + n // 251) % 256 for n in range(11 << 20))
for name, more in told["modes"].items():
    if "SSECustomerKey" in more:
        more["SSECustomerKey"] = bytes.fromhex(more["SSECustomerKey"])
    fs, at = files(**more), told["bucket"] + "/" + name
    with fs.open(at + "/big", "wb", block_size=5 << 20) as out:
        for start in range(0, len(data), 1 << 20):
            out.write(data[start : start + (1 << 20)])
    fs.pipe(at + "/small", b"small")
    with fs.open(at + "/big", "rb") as got:
        got.seek(7 << 20)
        assert got.read(1000) == data[7 << 20 : (7 << 20) + 1000]
    assert fs.cat(at + "/big") == data and fs.cat(at + "/small") == b"small"
    fs.invalidate_cache()
    assert {entry["name"]: entry["size"] for entry in fs.ls(at, detail=True)} == {at + "/big": len(data), at + "/small": 5}
    assert fs.du(at) == len(data) + 5 and fs.info(at + "/small")["size"] == 5
    if "SSECustomerKey" not in more:
        fs.copy(at + "/big", at + "/copy")
        fs.mv(at + "/copy", at + "/moved")
        assert fs.cat(at + "/moved") == data
        fs.put_tags(at + "/moved", {"a": "1"})
        assert fs.get_tags(at + "/moved") == {"a": "1"}
    fs.rm(at, recursive=True)
    fs.invalidate_cache()
    assert not fs.exists(at)
    print(name)
"""


def test_s3fs_of_fsspec(server, bucket, key):
    python = programs.OTHER_VENV / "python"
    assert python.exists(), f"{python}: run ./test, which makes its venv"
    modes = {
        "default": {},
        "sse-s3": {"ServerSideEncryption": "AES256"},
        "sse-kms": {"ServerSideEncryption": KMS, "SSEKMSKeyId": key["Arn"]},
        "sse-c": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "07" * 32},
    }
    told = {"endpoint": server.endpoint, "key": MAIN.access_key, "secret": MAIN.secret_key, "bucket": bucket}
    done = programs.run([python, "-c", FSSPEC, json.dumps(told | {"modes": modes})], clean_environment())
    assert done.stdout.split() == list(modes)


@pytest.fixture
def mounted(request, server, s3, bucket, tmp_path):
    """A bucket as a directory, by s3fs-fuse with the options of the test."""
    (tmp_path / "password").write_text(f"{MAIN.access_key}:{MAIN.secret_key}")
    (tmp_path / "keys").write_text("k" * 32 + "\n")
    for name in ("password", "keys"):
        (tmp_path / name).chmod(0o600)
    options = {"passwd_file": tmp_path / "password", "url": server.endpoint, "multipart_size": 10, "retries": 1}
    options = ",".join(f"{name}={value}" for name, value in options.items()) + ",use_path_request_style"
    use_sse = request.param.format(keys=tmp_path / "keys", key=request.getfixturevalue("key")["KeyId"])
    at = tmp_path / "mounted"
    command = [programs.find("s3fs"), bucket, at, "-f", "-o", options, *(["-o", use_sse] if use_sse else [])]
    with programs.mounted(command, at, tmp_path / "log"):
        yield at


# Up to version 1.91 it starts uploads in parts without a word of the encryption (s3fs-fuse 2088): they become what the
# bucket's default is, and with a customer's key fail. In one piece all goes as it was told.
FUSE = {
    "default": ("", {"ServerSideEncryption": "AES256"}),
    "sse-s3": ("use_sse", {"ServerSideEncryption": "AES256"}),
    "sse-kms": ("use_sse=kmsid:{key},nomultipart", {"ServerSideEncryption": KMS, "SSEKMSKeyId": "{key}"}),
    "sse-c": ("use_sse=custom:{keys},nomultipart", {"SSECustomerAlgorithm": "AES256"}),
}


@pytest.mark.parametrize(
    "mounted, shown", [pytest.param(*mode, id=name) for name, mode in FUSE.items()], indirect=["mounted"]
)
def test_s3fs_fuse(mounted, shown, s3, bucket, key):
    read = customer_key(b"k" * 32) if "SSECustomerAlgorithm" in shown else {}
    shown = {name: value.format(key=key["Arn"]) for name, value in shown.items()}
    data = blob(21 * MIB)
    (mounted / "directory").mkdir()
    (mounted / "directory/big").write_bytes(data)
    (mounted / "small ü").write_bytes(b"small")
    (mounted / "directory/big").rename(mounted / "renamed")
    assert (mounted / "renamed").read_bytes() == data and (mounted / "small ü").read_text() == "small"
    assert {path.name: path.stat().st_size for path in mounted.iterdir() if path.is_file()} == {
        "renamed": len(data),
        "small ü": 5,
    }
    with (mounted / "small ü").open("ab") as file:
        file.write(b" and more")
    (mounted / "renamed").chmod(0o600)
    for name, content in {"small ü": b"small and more", "renamed": data}.items():
        got = s3.get_object(Bucket=bucket, Key=name, **read)
        assert got["Body"].read() == content
        assert shown.items() <= got.items(), name
    (mounted / "renamed").unlink()
    (mounted / "directory").rmdir()
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["small ü"]
