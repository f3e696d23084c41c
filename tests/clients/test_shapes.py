"""Shapes of requests that today's clients send, and the answers they take; each is named after its sender."""

import base64
import hashlib

import pytest

import sdk
from gateway import ALICE, Strongroom
from modes import CUSTOMER_KEY
from raw import UNSIGNED, Raw, crc32_b64, quoted
from sdk import MIB, assert_refused, blob, body_of, md5_b64, refusal

SSE = "x-amz-server-side-encryption"
C = SSE + "-customer-"
SSE_C = {
    C + "algorithm": "AES256",
    C + "key": base64.b64encode(CUSTOMER_KEY).decode(),
    C + "key-MD5": md5_b64(CUSTOMER_KEY),
}


def crc64(data):
    from awscrt import checksums

    return base64.b64encode(checksums.crc64nvme(data).to_bytes(8, "big")).decode()


class TestUploads:
    def test_pyarrow_part_checksums_that_the_upload_never_named(self, raw, s3, bucket):
        parts = [blob(5 * MIB, 1), b"last"]
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        rows = ""
        for number, data in enumerate(parts, 1):
            headers = {"x-amz-checksum-crc64nvme": crc64(data)}
            put = raw.request("PUT", f"/{bucket}/k", f"partNumber={number}&uploadId={upload_id}", headers, data)
            assert put.status == 200 and put.headers["x-amz-checksum-crc64nvme"] == crc64(data), put
            rows += f"<Part><PartNumber>{number}</PartNumber><ETag>{put.headers['etag']}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        done = raw.request("POST", f"/{bucket}/k", f"uploadId={upload_id}", body=body)
        assert done.status == 200 and done.code is None, done
        head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (crc64(b"".join(parts)), "FULL_OBJECT")

    def test_minio_js_starts_with_part_2(self, s3, bucket):
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        args = dict(Bucket=bucket, Key="k", UploadId=upload_id)
        parts = []
        for number, data in ((2, blob(5 * MIB)), (7, b"end")):
            etag = s3.upload_part(PartNumber=number, Body=data, **args)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
        assert body_of(s3, bucket, "k") == blob(5 * MIB) + b"end"

    def test_complete_takes_only_a_star_as_if_none_match(self, s3, bucket):
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        args = dict(Bucket=bucket, Key="k", UploadId=upload_id)
        etag = s3.upload_part(PartNumber=1, Body=b"x", **args)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        got = refusal(s3.complete_multipart_upload, MultipartUpload=parts, IfNoneMatch='"x"', **args)
        assert (got.status, got.code) == (501, "NotImplemented")
        missing = refusal(s3.complete_multipart_upload, MultipartUpload=parts, IfMatch='"x"', **args)
        assert (missing.status, missing.code) == (404, "NoSuchKey")
        s3.complete_multipart_upload(MultipartUpload=parts, IfNoneMatch="*", **args)

    def test_aws_cli_copies_parts_under_a_condition(self, s3, bucket):
        etag = s3.put_object(Bucket=bucket, Key="src", Body=blob(5 * MIB))["ETag"]
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="dst")["UploadId"]
        args = dict(Bucket=bucket, Key="dst", UploadId=upload_id, CopySource=f"{bucket}/src", PartNumber=1)
        assert_refused(lambda: s3.upload_part_copy(CopySourceIfMatch='"x"', **args), 412, "PreconditionFailed")
        s3.upload_part_copy(CopySourceIfMatch=etag, **args)

    def test_an_upload_that_is_done_is_listed_no_more(self, s3, bucket):
        for key in ("a/1", "b/1"):
            s3.create_multipart_upload(Bucket=bucket, Key=key)
        sdk.upload(s3, bucket, "a/2", [b"x"])
        listed = s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")["Uploads"]
        assert [u["Key"] for u in listed] == ["a/1"]


class TestBodies:
    def test_crt_get_with_content_length_0(self, raw, s3, bucket):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        headers = {"Content-Length": 0, "x-amz-checksum-mode": "ENABLED"}
        for covered in ((), ("Content-Length",)):
            signed = raw.signed("GET", f"/{bucket}/k", "", headers, UNSIGNED, skip=covered)
            got = raw.send(raw.head_bytes("GET", f"/{bucket}/k", "", signed.headers), "GET")
            assert (got.status, got.body) == (200, b"x"), got

    @pytest.mark.parametrize("wrong", [None, "content-md5", "x-amz-checksum-sha256"])
    def test_object_store_sends_two_digests_with_delete_objects(self, raw, s3, bucket, wrong):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        body = b"<Delete><Object><Key>k</Key></Object></Delete>"
        sent = {name: body if name != wrong else b"other" for name in ("content-md5", "x-amz-checksum-sha256")}
        headers = {
            "content-md5": md5_b64(sent["content-md5"]),
            "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(sent["x-amz-checksum-sha256"]).digest()).decode(),
        }
        got = raw.request("POST", f"/{bucket}", "delete", headers, body)
        assert (got.status, got.code) == ((200, None) if wrong is None else (400, "BadDigest")), got
        assert ("Contents" in s3.list_objects_v2(Bucket=bucket)) == (wrong is not None)

    def test_boto3_checksums_configurations(self, raw, s3, bucket):
        rule = "<SSEAlgorithm>aws:kms</SSEAlgorithm>"
        body = (
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
            f"{rule}</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        ).encode()
        bad = raw.request("PUT", f"/{bucket}", "encryption", {"x-amz-checksum-crc32": crc32_b64(b"other")}, body)
        assert (bad.status, bad.code) == (400, "BadDigest"), bad
        read = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert read["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        good = raw.request("PUT", f"/{bucket}", "encryption", {"x-amz-checksum-crc32": crc32_b64(body)}, body)
        assert good.status == 200, good


class TestDeletes:
    def test_each_condition(self, raw, s3, bucket):
        s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
        modified = raw.request("HEAD", f"/{bucket}/k").headers["last-modified"]
        for name, wrong in (
            ("x-amz-if-match-size", "4"),
            ("x-amz-if-match-last-modified-time", "Wed, 01 Jan 2020 00:00:00 GMT"),
            ("If-Match", '"other"'),
        ):
            got = raw.request("DELETE", f"/{bucket}/k", headers={name: wrong})
            assert (got.status, got.code) == (412, "PreconditionFailed"), (name, got)
        right = {"x-amz-if-match-size": "5", "x-amz-if-match-last-modified-time": modified}
        assert raw.request("DELETE", f"/{bucket}/k", headers=right).status == 204
        assert raw.request("HEAD", f"/{bucket}/k").status == 404


class TestLists:
    def test_without_encoding_control_characters_are_references(self, raw, bucket):
        key = "a\x01b\nc&<"
        assert raw.request("PUT", f"/{bucket}/{quoted(key)}", body=b"x").status == 200
        body = raw.request("GET", f"/{bucket}", "list-type=2").body.decode()
        assert "<Key>a&#x1;b" in body and "c&amp;&lt;</Key>" in body
        assert "\x01" not in body and "b\nc" not in body, body

    def test_encoding_covers_every_echo(self, raw, s3, bucket):
        s3.put_object(Bucket=bucket, Key="a b/c d", Body=b"x")
        v2 = raw.request(
            "GET", f"/{bucket}", "delimiter=%2F&encoding-type=url&list-type=2&prefix=a%20&start-after=a%20"
        )
        text = v2.body.decode()
        for element in ("<Prefix>a+", "<StartAfter>a+", "<Delimiter>/", "<Prefix>a+b/</Prefix>"):
            assert element in text or element.replace("+", "%20") in text, text
        v1 = raw.request("GET", f"/{bucket}", "encoding-type=url&marker=a%20&prefix=a%20").body.decode()
        assert "<Marker>a+</Marker>" in v1 or "<Marker>a%20</Marker>" in v1, v1

    def test_pyarrow_directories_lie_beside_their_contents(self, s3, bucket):
        s3.put_object(Bucket=bucket, Key="pa/", Body=b"", ContentType="application/x-directory")
        s3.put_object(Bucket=bucket, Key="pa/x", Body=b"x")
        s3.put_object(Bucket=bucket, Key="pa", Body=b"file")
        assert body_of(s3, bucket, "pa/") == b"" and body_of(s3, bucket, "pa") == b"file"
        assert s3.head_object(Bucket=bucket, Key="pa/")["ContentType"] == "application/x-directory"
        listed = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
        assert ([o["Key"] for o in listed["Contents"]], listed["CommonPrefixes"]) == (["pa"], [{"Prefix": "pa/"}])

    def test_s3cmd_asks_for_the_location_with_a_slash_and_a_value(self, raw, bucket):
        got = raw.request("GET", f"/{bucket}/", "location=")
        assert got.status == 200 and b"LocationConstraint" in got.body, got
        head = raw.request("HEAD", f"/{bucket}/")
        assert head.headers["x-amz-bucket-region"] == "us-east-1"


class TestCopies:
    def test_aws_cli_annotation_directive(self, raw, s3, bucket):
        s3.put_object(Bucket=bucket, Key="src", Body=b"x", Tagging="a=b")
        headers = {
            "x-amz-copy-source": f"/{bucket}/src",
            "x-amz-object-annotation-directive": "EXCLUDE",
            "x-amz-tagging-directive": "COPY",
        }
        assert raw.request("PUT", f"/{bucket}/dst", headers=headers).status == 200
        assert s3.get_object_tagging(Bucket=bucket, Key="dst")["TagSet"] == [{"Key": "a", "Value": "b"}]

    def test_onto_itself_with_nothing_but_another_encryption(self, s3, bucket, key):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"kept": "yes"})
        s3.copy_object(
            Bucket=bucket,
            Key="k",
            CopySource=f"{bucket}/k",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=key["Arn"],
        )
        got = s3.get_object(Bucket=bucket, Key="k")
        assert (got["Body"].read(), got["SSEKMSKeyId"], got["Metadata"]) == (b"x", key["Arn"], {"kept": "yes"})


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    gateway = Strongroom(tmp_path_factory.mktemp("proxied"), extra='trusted_proxies = ["127.0.0.1"]').start()
    sdk.client(gateway).create_bucket(Bucket="proxied")
    yield gateway
    assert gateway.stop() == 0


class TestBehindAProxy:
    """The gateway sees loopback; what the proxy says of the client decides."""

    @pytest.mark.parametrize("proto, secure", [("https", True), ("http", False), (None, False), ("https, http", False)])
    def test_sse_c_and_kms_need_tls_at_the_proxy(self, proxied, proto, secure):
        raw = Raw(proxied)
        forwarded = {"X-Forwarded-For": "203.0.113.9"} | ({"X-Forwarded-Proto": proto} if proto else {})
        put = raw.request("PUT", "/proxied/c", headers=SSE_C | forwarded, body=b"x")
        call = {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"} | forwarded
        digest = hashlib.sha256(b"{}").hexdigest()
        kms = raw.request("POST", "/", headers=call, body=b"{}", payload=digest, service="kms")
        assert put.status == kms.status == (200 if secure else 400), (put, kms)
        sse_kms = raw.request("PUT", "/proxied/k", headers={SSE: "aws:kms"} | forwarded, body=b"x")
        assert sse_kms.status == put.status
        if not secure:
            for got, what in ((put, "Customer provided keys"), (sse_kms, "AWS KMS managed keys")):
                message = (
                    f"Requests specifying Server Side Encryption with {what} must be made over a secure connection."
                )
                assert (got.code, got.message) == ("InvalidRequest", message)
            assert b"Keys" not in kms.body
        assert raw.request("PUT", "/proxied/s3", headers={SSE: "AES256"} | forwarded, body=b"x").status == 200

    def test_the_trail_names_the_client(self, tmp_path):
        gateway = Strongroom(tmp_path, extra='trusted_proxies = ["127.0.0.0/8"]').start()
        forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https"}
        assert Raw(gateway).request("PUT", "/proxied", headers=forwarded).status == 200
        gateway.stop()
        trail = gateway.command("audit", "list", "--json").stdout
        assert '"sourceIPAddress":"203.0.113.9"' in trail and "198.51.100.1" not in trail


class TestLimits:
    def test_slow_down(self, tmp_path):
        gateway = Strongroom(tmp_path, extra="max_requests = 1").start()
        raw = Raw(gateway)
        try:
            assert raw.request("PUT", "/narrow").status == 200
            signed = raw.signed("PUT", "/narrow/k")
            head = raw.head_bytes("PUT", "/narrow/k", "", [*signed.headers, ("Content-Length", 4)])
            with raw.connect() as slow:
                slow.sendall(head + b"da")
                while (got := raw.request("GET", "/narrow")).status == 200:
                    pass
                assert (got.status, got.code, got.message) == (503, "SlowDown", "Please reduce your request rate.")
                assert gateway.health("ready") == gateway.health("live") == 200
                slow.sendall(b"ta")
                assert slow.recv(100).startswith(b"HTTP/1.1 200")
            while raw.request("GET", "/narrow").status != 200:
                pass
        finally:
            assert gateway.stop() == 0


def test_a_user_of_the_configuration_may_do_nothing_yet(server):
    user = sdk.client(server, who=ALICE)
    for call in (
        user.list_buckets,
        lambda: user.create_bucket(Bucket="alices"),
        lambda: sdk.client(server, "kms", who=ALICE).create_key(),
        lambda: sdk.client(server, "kms", who=ALICE).list_keys(),
    ):
        got = refusal(call)
        assert got.code in ("AccessDenied", "AccessDeniedException"), got
