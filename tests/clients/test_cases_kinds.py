"""The kinds of the faults in test_cases.py, covered whole: every write path, size, range and answer in every mode.
`cases.toml` tells which test holds which case."""

import functools
import json

import pytest

import sdk
from conftest import bucket_name
from gateway import Strongroom
from modes import CUSTOMER, DSSE, FIVE, KMS, MODES, by_name
from raw import Raw, crc32_b64
from sdk import MIB, as_copy_source, blob, body_of, md5_hex, refusal, upload
from test_canary import found_in
from test_sse_together import headers_of, spelled

MARKER = b"-plaintext-that-nobody-may-find-"


class TestAtRest:
    @pytest.fixture
    def place(self, own_server):
        s3 = sdk.client(own_server)
        s3.create_bucket(Bucket="rest")
        key = sdk.client(own_server, "kms").create_key()["KeyMetadata"]
        return own_server, s3, key

    # The same in all modes, with fewer ways of writing: test_canary.py.
    @pytest.mark.parametrize(
        "mode", by_name([mode for mode in FIVE if mode.name in ("default", "sse-kms-key", "sse-c")])
    )
    def test_scylladb_23185_no_write_path_leaves_plaintext(self, place, mode):
        """Small and large, whole and in parts, copied and copied in parts, framed, with metadata and tags."""
        server, s3, key = place
        write, raw = mode.writing(key), Raw(server)
        small, large, part = MARKER * 3, MARKER * 10_000, MARKER * (5 * MIB // len(MARKER) + 1)
        text = MARKER.decode().strip("-")
        s3.put_object(Bucket="rest", Key="small", Body=small, Metadata={"m": text}, Tagging=f"t={text}", **write)
        s3.put_object(Bucket="rest", Key="large", Body=large, ContentDisposition=text, **write)
        upload(s3, "rest", "parts", [part, small], create=write, each=mode.read)
        framed = raw.chunked_put(
            "/rest/framed",
            [small, large],
            headers=headers_of(write),
            trailer=f"x-amz-checksum-crc32:{crc32_b64(small + large)}",
        )
        assert framed.status == 200, framed
        for source in ("small", "parts"):
            s3.copy_object(
                Bucket="rest", Key=f"{source}-copy", CopySource=f"rest/{source}", **write, **as_copy_source(mode.read)
            )
        upload_id = s3.create_multipart_upload(Bucket="rest", Key="unfinished", **write)["UploadId"]
        unfinished = dict(Bucket="rest", Key="unfinished", UploadId=upload_id)
        s3.upload_part(PartNumber=1, Body=large, **unfinished, **mode.read)
        s3.upload_part_copy(
            PartNumber=2, CopySource="rest/large", **unfinished, **mode.read, **as_copy_source(mode.read)
        )
        s3.put_object(Bucket="rest", Key="small", Body=small + b"again", **write)
        assert body_of(s3, "rest", "large", **mode.read) == large
        # In parts too: no window of the text shows.
        needles = {MARKER, MARKER[1:17], text.encode()}
        assert found_in(server.data, needles) == []
        assert server.stop() == 0
        assert sum(path.stat().st_size for path in server.data.rglob("*") if path.is_file()) > len(part) + 4 * len(
            large
        )
        assert found_in(server.data, needles) == []


class TestSizes:
    def test_s3proxy_pr_51_every_place_shows_the_plaintexts_size(self, s3, bucket, key):
        """All modes side by side, whole and in parts, at sizes around borders of what is sealed."""
        sizes, expected = [0, 1, 15, 16, 65535, 65536, 65537, 131072, 124_804], {}
        for mode in MODES:
            for size in sizes:
                name = f"{mode.name}/{size}"
                s3.put_object(Bucket=bucket, Key=name, Body=blob(size), **mode.writing(key))
                expected[name] = (size, mode)
            if mode.header != DSSE:
                upload(s3, bucket, f"{mode.name}/parts", [blob(5 * MIB), blob(100)], mode.writing(key), mode.read)
                expected[f"{mode.name}/parts"] = (5 * MIB + 100, mode)
        plain = {name: size for name, (size, _) in expected.items()}
        for listed in (s3.list_objects(Bucket=bucket), s3.list_objects_v2(Bucket=bucket)):
            assert {o["Key"]: o["Size"] for o in listed["Contents"]} == plain
            etags = {o["Key"]: o["ETag"] for o in listed["Contents"]}
        assert {o["Key"]: o["Size"] for o in s3.list_object_versions(Bucket=bucket)["Versions"]} == plain
        for name, (size, mode) in expected.items():
            here = dict(Bucket=bucket, Key=name)
            head = s3.head_object(**here, **mode.read)
            assert (head["ContentLength"], head["ETag"]) == (size, etags[name])
            got = s3.get_object(**here, **mode.read)
            assert (got["ContentLength"], len(got["Body"].read()), got["ETag"]) == (size, size, etags[name])
            told = s3.get_object_attributes(ObjectAttributes=["ObjectSize", "ETag"], **here, **spelled(mode.read))
            assert (told["ObjectSize"], f'"{told["ETag"]}"') == (size, etags[name])


@pytest.fixture(scope="module")
def stored(s3, module_bucket, key):
    """Makes an object in one piece and one in three parts, of a mode."""

    @functools.cache
    def make(mode_name):
        (mode,) = [mode for mode in MODES if mode.name == mode_name]
        whole, parts = blob(200_000), [blob(5 * MIB, 1), blob(5 * MIB + 11, 2), blob(70_000, 3)]
        s3.put_object(Bucket=module_bucket, Key=f"ranges/{mode.name}/whole", Body=whole, **mode.writing(key))
        upload(s3, module_bucket, f"ranges/{mode.name}/parts", parts, mode.writing(key), mode.read)
        return {"whole": whole, "parts": b"".join(parts)}

    return make


class TestRanges:
    @pytest.mark.parametrize("kind", ["whole", "parts"])
    @pytest.mark.parametrize("mode", by_name(MODES))
    def test_cloud37_242_ranges_at_every_kind_of_place(self, s3, module_bucket, stored, mode, kind):
        """Right bytes, length and Content-Range: at borders of segments and parts, open-ended, suffixes, past the end."""
        data = stored(mode.name)[kind]
        size = len(data)
        edges = [0, 1, 65535, 65536, 65537, 111_274, 131_072, size - 65536, size - 2, size - 1]
        edges += [5 * MIB - 1, 5 * MIB, 10 * MIB + 11] if kind == "parts" else []
        here = dict(Bucket=module_bucket, Key=f"ranges/{mode.name}/{kind}") | mode.read
        asked = [(f"{at}-{end}", at, min(end, size - 1)) for at in edges for end in (at, at + 99, at + 70_000)]
        asked += [(f"{at}-", at, size - 1) for at in edges[-4:]]
        asked += [(f"-{count}", size - count, size - 1) for count in (1, 16, 65_537)]
        asked += [(f"-{size + 1}", 0, size - 1), (f"0-{size + 5}", 0, size - 1)]
        for text, first, last in asked if kind == "whole" else asked[::2]:
            got = s3.get_object(Range=f"bytes={text}", **here)
            assert got["Body"].read() == data[first : last + 1], text
            shown = (got["ContentLength"], got["ContentRange"], got["ResponseMetadata"]["HTTPStatusCode"])
            assert shown == (last - first + 1, f"bytes {first}-{last}/{size}", 206), text
        for text in (f"{size}-", f"{size}-{size + 1}", "-0"):
            assert refusal(s3.get_object, Range=f"bytes={text}", **here).status == 416, text

    @pytest.mark.parametrize("mode", by_name(MODES))
    def test_silo_119_part_numbers_tell_plaintext_lengths(self, s3, module_bucket, stored, mode):
        here, data = dict(Bucket=module_bucket, Key=f"ranges/{mode.name}/parts") | mode.read, stored(mode.name)["parts"]
        at = 0
        for number, size in enumerate((5 * MIB, 5 * MIB + 11, 70_000), 1):
            got, head = s3.get_object(PartNumber=number, **here), s3.head_object(PartNumber=number, **here)
            assert got["ContentLength"] == head["ContentLength"] == size
            assert got["PartsCount"] == head["PartsCount"] == 3
            assert got["ContentRange"] == f"bytes {at}-{at + size - 1}/{len(data)}"
            assert got["Body"].read() == data[at : at + size]
            at += size
        assert refusal(s3.get_object, PartNumber=4, **here).status == 416


class TestETags:
    @pytest.mark.parametrize("mode", by_name(MODES))
    def test_s3cmd_498_an_etag_is_the_md5_or_the_answer_names_a_mode(self, s3, module_bucket, key, mode):
        """Clients take an ETag for the MD5 unless the answer says SSE-KMS or SSE-C; 32 hexadecimal digits in any case."""
        name, body = f"etags/{mode.name}", blob(70_000)
        put = s3.put_object(Bucket=module_bucket, Key=name, Body=body, **mode.writing(key))
        args = dict(Bucket=module_bucket, Key=name + "/parts")
        args["UploadId"] = s3.create_multipart_upload(**args, **mode.writing(key))["UploadId"]
        part = s3.upload_part(PartNumber=1, Body=body, **args, **mode.read)
        copied = s3.upload_part_copy(
            PartNumber=2, CopySource=f"{module_bucket}/{name}", **args, **mode.read, **as_copy_source(mode.read)
        )
        for answer, etag in ((put, put["ETag"]), (part, part["ETag"]), (copied, copied["CopyPartResult"]["ETag"])):
            mode.shows(answer, key)
            assert len(etag) == 34 and int(etag.strip('"'), 16) >= 0
            assert (etag == f'"{md5_hex(body)}"') == mode.etag_is_md5


class TestConditions:
    def test_minio_20061_secure_transport_behind_a_proxy(self, tmp_path):
        """What the proxy says of the client's connection is what a policy asks for."""
        gateway = Strongroom(tmp_path / "proxied", extra='trusted_proxies = ["127.0.0.1"]').start()
        try:
            sdk.client(gateway).create_bucket(Bucket="tls-only")
            deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::tls-only/*"}
            deny["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
            sdk.client(gateway).put_bucket_policy(Bucket="tls-only", Policy=policy)
            raw = Raw(gateway)
            for proto, status in (("https", 200), ("http", 403), (None, 403)):
                said = {"X-Forwarded-For": "203.0.113.9"} | ({"X-Forwarded-Proto": proto} if proto else {})
                got = raw.request("PUT", "/tls-only/k", headers=said, body=b"x")
                assert got.status == status, (proto, got)
        finally:
            assert gateway.stop() == 0


def test_localstack_7177_copies_and_uploads_under_an_unknown_key(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    bogus = {"ServerSideEncryption": KMS, "SSEKMSKeyId": "bogus"}
    for call in (
        lambda: s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/source", **bogus),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="k", **bogus),
    ):
        assert refusal(call).code == "KMS.NotFoundException"
    assert refusal(s3.head_object, Bucket=bucket, Key="k").status == 404


def test_silo_109_sse_c_into_a_bucket_with_a_default_stays_under_its_key(s3, key):
    """A bucket's default touches nothing that says how it is sealed."""
    name = bucket_name()
    s3.create_bucket(Bucket=name)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": KMS, "KMSMasterKeyID": key["Arn"]}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    for size in (0, 1, 128 * 1024):
        s3.put_object(Bucket=name, Key="c", Body=blob(size), **CUSTOMER)
        s3.copy_object(Bucket=name, Key="copy", CopySource=f"{name}/c", **CUSTOMER, **as_copy_source(CUSTOMER))
        for stored in ("c", "copy"):
            got = s3.get_object(Bucket=name, Key=stored, **CUSTOMER)
            assert got["Body"].read() == blob(size) and "ServerSideEncryption" not in got
