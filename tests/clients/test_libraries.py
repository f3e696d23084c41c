"""Libraries of other languages and makers: object_store of Rust, by its Python wheel, on which polars, deltalake and many others
stand; OpenDAL, also of Rust; smart_open; the storages of Django; the AWS SDK for Ruby.
"""

import asyncio
import base64
import gzip
import json
import ssl
import urllib.request
from pathlib import Path

import pytest

import programs
import sdk
from gateway import MAIN, REGION, Strongroom
from modes import CUSTOMER_KEY, MODES, by_name
from sdk import MIB, blob, md5_b64

RUBY = Path(__file__).parent / "ruby"
# Those that it has settings for. Two layers cost much in a debug build: what is large goes without.
OF_OBJECT_STORE = [mode for mode in MODES if mode.name not in ("sse-kms-context", "dsse-kms")]
(DOUBLE,) = (mode for mode in MODES if mode.name == "dsse-kms")
OF_OPENDAL = [mode for mode in MODES if mode.name in ("default", "sse-s3", "sse-kms", "sse-kms-key", "sse-c")]
OF_DJANGO = [mode for mode in MODES if mode.name in ("default", "sse-kms-key")]
OF_SMART_OPEN = [mode for mode in MODES if mode.name in ("default", "sse-kms-bucket-key", "sse-c")]


class TestObjectStore:
    @pytest.fixture
    def store(self, tls_server, tls_bucket, tls_key):
        """Opens the bucket with the settings of a mode. Over https, since a customer's key is to go over nothing else."""
        from obstore.store import S3Store

        def opened(mode):
            name = {None: "sse-c", "AES256": "AES256", "aws:kms": "sse-kms", "aws:kms:dsse": "sse-kms-dsse"}[
                mode.header
            ]
            settings = {
                "aws_server_side_encryption": {"sse-kms": "aws:kms", "sse-kms-dsse": "aws:kms:dsse"}.get(name, name)
            }
            if mode.uses_key:
                settings["aws_sse_kms_key_id"] = tls_key["Arn"]
            if mode.write.get("BucketKeyEnabled"):
                settings["aws_sse_bucket_key_enabled"] = "true"
            if mode.read:
                settings["aws_sse_customer_key_base64"] = base64.b64encode(CUSTOMER_KEY).decode()
            return S3Store(
                tls_bucket,
                config={} if mode.name == "default" else settings,
                endpoint=tls_server.endpoint,
                region=REGION,
                access_key_id=MAIN.access_key,
                secret_access_key=MAIN.secret_key,
                virtual_hosted_style_request=False,
                client_options={"root_certificate": tls_server.tls[2].read_bytes()},
                retry_config={"max_retries": 0},
            )

        return opened

    @pytest.mark.parametrize("mode", by_name(OF_OBJECT_STORE))
    def test_objects_parts_ranges_copies_and_lists(self, store, tls_s3, tls_bucket, tls_key, mode):
        import obstore

        at = store(mode)
        large = blob(6 * MIB)
        obstore.put(at, "a/small", b"small", attributes={"Content-Type": "text/x", "team": "red"})
        obstore.put(at, "a/large", large, chunk_size=5 * MIB, use_multipart=True)
        with obstore.open_writer(at, "b/written", buffer_size=5 * MIB) as to:
            for offset in range(0, len(large), 700_001):
                to.write(large[offset : offset + 700_001])
        got = obstore.get(at, "a/small")
        assert (bytes(got.bytes()), got.attributes["Content-Type"]) == (b"small", "text/x")
        assert bytes(obstore.get(at, "b/written").bytes()) == large
        assert b"".join(bytes(piece) for piece in obstore.get(at, "a/large").stream()) == large
        assert bytes(obstore.get_range(at, "a/large", start=5 * MIB - 3, length=6)) == large[5 * MIB - 3 : 5 * MIB + 3]
        ranges = obstore.get_ranges(at, "a/large", starts=[0, 5 * MIB], lengths=[5, 7])
        assert [bytes(part) for part in ranges] == [large[:5], large[5 * MIB : 5 * MIB + 7]]
        assert obstore.head(at, "a/large")["size"] == len(large)
        for name in ("a/small", "a/large", "b/written"):
            mode.shows(tls_s3.head_object(Bucket=tls_bucket, Key=name, **mode.read), tls_key)
        if not mode.read:
            # It has no way to tell the key of a copy's source.
            obstore.copy(at, "a/large", "a/copied")
            obstore.rename(at, "a/copied", "c/moved")
            assert bytes(obstore.get(at, "c/moved").bytes()) == large
            mode.shows(tls_s3.head_object(Bucket=tls_bucket, Key="c/moved"), tls_key)
            obstore.delete(at, "c/moved")
        listed = {entry["path"]: entry["size"] for page in obstore.list(at) for entry in page}
        assert listed == {"a/small": 5, "a/large": len(large), "b/written": len(large)}
        assert obstore.list_with_delimiter(at)["common_prefixes"] == ["a", "b"]
        obstore.delete(at, list(listed))
        assert "Contents" not in tls_s3.list_objects_v2(Bucket=tls_bucket)

    def test_two_layers(self, store, tls_s3, tls_bucket, tls_key):
        import obstore

        at = store(DOUBLE)
        obstore.put(at, "small", blob(70_000))
        assert bytes(obstore.get_range(at, "small", start=65_530, length=10)) == blob(70_000)[65_530:65_540]
        DOUBLE.shows(tls_s3.head_object(Bucket=tls_bucket, Key="small"), tls_key)

    def test_tables_commit_by_conditional_writes(self, store):
        """Delta Lake, Iceberg and Lance write each version of a table with `If-None-Match: *`: one writer wins."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        at = store(OF_OBJECT_STORE[3])
        first = obstore.put(at, "_delta_log/0.json", b"first", mode="create")
        with pytest.raises(AlreadyExistsError):
            obstore.put(at, "_delta_log/0.json", b"second", mode="create")
        obstore.put(at, "_delta_log/0.json", b"third", mode={"e_tag": first["e_tag"]})
        with pytest.raises(PreconditionError):
            obstore.put(at, "_delta_log/0.json", b"fourth", mode={"e_tag": first["e_tag"]})
        assert bytes(obstore.get(at, "_delta_log/0.json").bytes()) == b"third"

    def test_signed_urls(self, store, tls_server):
        import datetime

        import obstore

        at = store(MODES[0])
        trust = ssl.create_default_context(cafile=tls_server.tls[2])
        minute = datetime.timedelta(seconds=60)
        put = urllib.request.Request(obstore.sign(at, "PUT", "url", minute), b"by url", method="PUT")
        with urllib.request.urlopen(put, context=trust, timeout=20) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(obstore.sign(at, "GET", "url", minute), context=trust, timeout=20) as answer:
            assert answer.read() == b"by url"


class TestOpenDal:
    """It has a client of S3 of its own."""

    @pytest.fixture
    def store(self, tls_server, tls_bucket, tls_key, monkeypatch):
        """Opens the bucket with the settings of a mode."""
        import opendal

        monkeypatch.setenv("SSL_CERT_FILE", str(tls_server.tls[2]))

        def opened(mode):
            told = {"server_side_encryption": mode.header}
            if mode.name == "default":
                told = {}
            if mode.uses_key:
                told["server_side_encryption_aws_kms_key_id"] = tls_key["Arn"]
            if mode.read:
                told = {
                    "server_side_encryption_customer_algorithm": "AES256",
                    "server_side_encryption_customer_key": base64.b64encode(CUSTOMER_KEY).decode(),
                    "server_side_encryption_customer_key_md5": md5_b64(CUSTOMER_KEY),
                }
            return opendal.Operator(
                "s3",
                bucket=tls_bucket,
                endpoint=tls_server.endpoint,
                region=REGION,
                access_key_id=MAIN.access_key,
                secret_access_key=MAIN.secret_key,
                **told,
            )

        return opened

    @pytest.mark.parametrize("mode", by_name(OF_OPENDAL))
    def test_objects_parts_ranges_copies_and_lists(self, store, tls_s3, tls_bucket, tls_key, mode):
        from opendal.exceptions import ConditionNotMatch, Unexpected

        at, large = store(mode), blob(6 * MIB)
        at.write("a/small", b"small", content_type="text/x", user_metadata={"team": "red"})
        if mode.name in ("default", "sse-c"):
            at.write("a/large", large, chunk=5 * MIB)
            with at.open("b/written", "wb", chunk=5 * MIB) as to:
                for offset in range(0, len(large), 700_001):
                    to.write(large[offset : offset + 700_001])
        else:
            # It names the encryption with each part too, which S3 refuses: parts are for the bucket's default.
            with pytest.raises(Unexpected, match="header is not supported for this operation"):
                at.write("a/large", large, chunk=5 * MIB)
            for name in ("a/large", "b/written"):
                at.write(name, large)
        about = at.stat("a/small")
        assert (about.content_length, about.content_type, about.user_metadata) == (5, "text/x", {"team": "red"})
        assert at.read("a/small") == b"small" and at.read("b/written") == large
        assert at.read("a/large", offset=5 * MIB - 3, size=6) == large[5 * MIB - 3 : 5 * MIB + 3]
        with at.open("a/large", "rb") as got:
            got.seek(5 * MIB)
            assert got.read() == large[5 * MIB :]
        at.copy("a/large", "c/copied")
        assert at.read("c/copied") == large
        names = ["a/large", "a/small", "b/written", "c/copied"]
        for name in names:
            mode.shows(tls_s3.head_object(Bucket=tls_bucket, Key=name, **mode.read), tls_key)
        with pytest.raises(ConditionNotMatch):
            at.write("a/small", b"other", if_not_exists=True)
        assert sorted(entry.path for entry in at.list("", recursive=True)) == names
        assert sorted(entry.path for entry in at.list("")) == ["a/", "b/", "c/"]
        at.delete("a/small")
        assert not at.exists("a/small")
        at.remove_all("")
        assert "Contents" not in tls_s3.list_objects_v2(Bucket=tls_bucket)

    @pytest.mark.parametrize("mode", by_name([mode for mode in OF_OPENDAL if mode.name in ("sse-kms-key", "sse-c")]))
    def test_signed_urls(self, store, tls_server, tls_s3, tls_bucket, tls_key, mode):
        trust = ssl.create_default_context(cafile=tls_server.tls[2])
        at = store(mode).to_async_operator()

        async def signed():
            return [await sign("url", 60) for sign in (at.presign_write, at.presign_read, at.presign_delete)]

        answers = []
        for ask in asyncio.run(signed()):
            body = b"by url" if ask.method == "PUT" else None
            request = urllib.request.Request(ask.url, body, ask.headers, method=ask.method)
            with urllib.request.urlopen(request, context=trust, timeout=20) as answer:
                answers.append(answer.read())
            if body:
                mode.shows(tls_s3.head_object(Bucket=tls_bucket, Key="url", **mode.read), tls_key)
        assert answers == [b"", b"by url", b""]
        assert "Contents" not in tls_s3.list_objects_v2(Bucket=tls_bucket)


@pytest.mark.parametrize("mode", by_name(OF_SMART_OPEN))
def test_smart_open(s3, bucket, key, mode):
    """It streams both ways, in parts, with what boto3 is told besides."""
    import smart_open

    told = {
        "client": s3,
        "client_kwargs": {
            "S3.Client.create_multipart_upload": mode.writing(key),
            "S3.Client.upload_part": mode.read,
            "S3.Client.put_object": mode.writing(key),
            "S3.Client.head_object": mode.read,
            "S3.Client.get_object": mode.read,
        },
        "min_part_size": 5 * MIB,
    }
    lines = [f"{number} {blob(4_000, number).hex()}\n" for number in range(1_500)]
    with smart_open.open(f"s3://{bucket}/lines.txt.gz", "wt", transport_params=told) as to:
        to.writelines(lines)
    with smart_open.open(f"s3://{bucket}/whole", "wb", transport_params=told | {"multipart_upload": False}) as to:
        to.write(b"whole")
    with smart_open.open(f"s3://{bucket}/lines.txt.gz", "rt", transport_params=told) as back:
        assert list(back) == lines
    with smart_open.open(f"s3://{bucket}/lines.txt.gz", "rb", compression="disable", transport_params=told) as back:
        packed = back.read()
        back.seek(5 * MIB - 10)
        assert back.read(20) == packed[5 * MIB - 10 : 5 * MIB + 10]
    assert gzip.decompress(packed).decode() == "".join(lines)
    for name in ("lines.txt.gz", "whole"):
        head = s3.head_object(Bucket=bucket, Key=name, **mode.read)
        mode.shows(head, key)
        assert ("-" in head["ETag"]) == (name != "whole")


@pytest.mark.parametrize("mode", by_name(OF_DJANGO))
def test_storages_of_django(server, s3, bucket, key, mode):
    from django.conf import settings
    from django.core.files.base import ContentFile
    from storages.backends.s3 import S3Storage

    if not settings.configured:
        settings.configure(USE_TZ=True)
    storage = S3Storage(
        access_key=MAIN.access_key,
        secret_key=MAIN.secret_key,
        bucket_name=bucket,
        endpoint_url=server.endpoint,
        region_name=REGION,
        addressing_style="path",
        signature_version="s3v4",
        object_parameters=mode.writing(key) | {"CacheControl": "max-age=60"},
        file_overwrite=False,
    )
    large = blob(9 * MIB)
    assert storage.save("a/file.txt", ContentFile(b"first")) == "a/file.txt"
    # A name that is taken is not taken again.
    other = storage.save("a/file.txt", ContentFile(b"second"))
    assert other != "a/file.txt"
    with storage.open("b/large", "wb") as to:
        for offset in range(0, len(large), MIB):
            to.write(large[offset : offset + MIB])
    with storage.open("b/large") as got:
        assert got.read() == large
    with storage.open(other) as got:
        assert got.read() == b"second"
    assert storage.listdir("a") == ([], sorted(name.removeprefix("a/") for name in ("a/file.txt", other)))
    assert (storage.size("b/large"), storage.exists("b/large"), storage.exists("b/none")) == (len(large), True, False)
    assert storage.get_modified_time("a/file.txt").year >= 2026
    with urllib.request.urlopen(storage.url("a/file.txt"), timeout=20) as answer:
        assert (answer.read(), answer.headers["Cache-Control"]) == (b"first", "max-age=60")
    for name in ("a/file.txt", other, "b/large"):
        mode.shows(s3.head_object(Bucket=bucket, Key=name), key)
        storage.delete(name)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


LARGE = 6 * MIB + 3
RUBY_MODES = {
    "default": ("AES256", False, False),
    "sse-s3": ("AES256", False, False),
    "sse-kms-key": ("aws:kms", True, False),
    "bucket-key": ("aws:kms", True, True),
    "sse-c": ("AES256 of the customer", False, False),
}


def test_ruby(tmp_path, certificate):
    gateway = Strongroom(tmp_path / "server", tls=certificate).start()
    kms = sdk.client(gateway, "kms", verify=str(certificate[2]))
    environment = programs.clean_environment(
        ENDPOINT=gateway.endpoint,
        CA=certificate[2],
        ADMIN_KEY=MAIN.access_key,
        ADMIN_SECRET=MAIN.secret_key,
        KMS_KEY=kms.create_key()["KeyMetadata"]["Arn"],
    )
    try:
        told = programs.run(["ruby", RUBY / "objects.rb"], environment).stdout
    finally:
        gateway.stop()
    steps = {line.pop("step"): line for line in map(json.loads, told.splitlines())}
    for mode, shown in RUBY_MODES.items():
        step = steps[mode]
        assert (step.pop("sse"), step.pop("key"), step.pop("bucketKey"), step.pop("length")) == (*shown, 70_000)
        assert all(step.values()), (mode, step)
    names = list(RUBY_MODES)
    assert steps["copies"]["told"] == [[one, other, True] for one, other in zip(names, [*names[1:], names[0]])]
    assert steps["urls"] == {
        "put": "200",
        "got": "by url",
        "posted": "204",
        "read": "by form",
        "sse": ["aws:kms", "AES256"],
    }
    assert steps["keys"] == {"plaintext": "secret"}
    assert steps["refused"] == {
        "absent": [404, "NoSuchKey"],
        "forgotten": [400, "InvalidRequest"],
        # A class of Ruby's, whose name has no dot.
        "unknownKey": [400, "KMSNotFoundException"],
        "bucket": [409, "BucketNotEmpty"],
    }
    assert steps["listed"] == {"count": 22, "prefix": [LARGE, LARGE, 70_000, LARGE]}
    assert steps["removed"] == {"exists": False}
