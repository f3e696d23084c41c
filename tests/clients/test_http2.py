"""HTTP/2, spoken by curl: every form of an upload, and what HTTP/1.1 says in other words there (host, length, expect)."""

import re
import subprocess

import pytest

from raw import (
    EMPTY_SHA256,
    STREAM_SIGNED,
    STREAM_SIGNED_TRAILER,
    STREAM_UNSIGNED_TRAILER,
    UNSIGNED,
    Reply,
    crc32_b64,
    encode_chunks,
    presigned,
    quoted,
    sign,
)
from sdk import MIB, blob, body_of, md5_b64, md5_hex

CHUNKS = [b"x" * 73728, b"the end"]
KEY = "a b+c%2B?ü//../k"


class Curl:
    def __init__(self, server):
        self.host = f"localhost:{server.port}"

    def send(self, method, path, query="", headers=(), body=b"", host=None, more=()):
        """Sends a request with a body as it stands and reads the answer."""
        host = host or self.host
        how = ["--head"] if method == "HEAD" else ["--request", method, "--include"]
        if method in ("PUT", "POST"):
            how += ["--data-binary", "@-", "--header", "Content-Type:"]
        fields = [field for name, value in headers if name != "host" for field in ("--header", f"{name}: {value}")]
        url = f"https://{host}{path}" + ("?" + query if query else "")
        name, _, port = host.partition(":")
        base = ["curl", "--silent", "--show-error", "--insecure", "--http2", "--path-as-is", "--max-time", "30"]
        base += ["--resolve", f"{name}:{port}:127.0.0.1"]
        done = subprocess.run([*base, *how, *fields, *more, url], input=body, capture_output=True)
        assert done.returncode == 0, done.stderr
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        assert first.startswith("HTTP/2 "), first
        return Reply(
            int(first.split()[1]), {n.lower(): v.strip() for n, _, v in (x.partition(":") for x in lines)}, rest
        )

    def request(self, method, path, query="", headers=None, body=b"", host=None, more=()):
        payload = UNSIGNED if body else EMPTY_SHA256
        signed = sign(method, host or self.host, path, query, headers, payload)
        return self.send(method, path, query, signed.headers, body, host, more)


@pytest.fixture(scope="module")
def curl(tls_server):
    return Curl(tls_server)


@pytest.mark.parametrize("length", [True, False], ids=["length", "no-length"])
@pytest.mark.parametrize("payload", [STREAM_SIGNED, STREAM_SIGNED_TRAILER, STREAM_UNSIGNED_TRAILER])
@pytest.mark.parametrize("chunks", [CHUNKS, []], ids=["full", "empty"])
def test_framed_uploads(curl, tls_s3, tls_bucket, payload, length, chunks):
    data = b"".join(chunks)
    trailer = None if payload == STREAM_SIGNED else "x-amz-checksum-crc32:" + crc32_b64(data)
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": len(data)}
    headers |= {"x-amz-trailer": "x-amz-checksum-crc32"} if trailer else {}
    path = f"/{tls_bucket}/k"
    signed = sign("PUT", curl.host, path, "", headers, payload)
    body = encode_chunks(signed, chunks, payload, trailer)
    more = () if length else ("--header", "Content-Length:")
    put = curl.send("PUT", path, "", signed.headers, body, more=more)
    assert (put.status, put.headers.get("etag")) == (200, f'"{md5_hex(data)}"'), put
    assert body_of(tls_s3, tls_bucket, "k") == data

    if chunks:
        bad = curl.send("PUT", path, "", signed.headers, body.replace(b"the end", b"the And"), more=more)
        code = (403, "SignatureDoesNotMatch") if payload != STREAM_UNSIGNED_TRAILER else (400, "BadDigest")
        assert (bad.status, bad.code) == code, bad
        assert body_of(tls_s3, tls_bucket, "k") == data


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_an_object_in_either_style(curl, tls_bucket, style):
    host = f"{tls_bucket}.s3.example.com:{curl.host.partition(':')[2]}" if style == "virtual" else None
    path = ("/" if host else f"/{tls_bucket}/") + quoted(KEY)
    put = curl.request("PUT", path, body=b"0123456789", host=host)
    assert put.status == 200, put
    got = curl.request("GET", path, headers={"range": "bytes=2-4"}, host=host)
    assert (got.status, got.body, got.headers["content-range"]) == (206, b"234", "bytes 2-4/10"), got
    head = curl.request("HEAD", path, host=host)
    assert (head.status, head.headers["content-length"]) == (200, "10"), head
    assert curl.request("DELETE", path, host=host).status == 204


def test_a_multipart_upload(curl, tls_s3, tls_bucket):
    path, part = f"/{tls_bucket}/k", blob(6 * MIB)
    created = curl.request("POST", path, "uploads=")
    upload = "uploadId=" + re.search(rb"<UploadId>(.*?)<", created.body).group(1).decode()
    put = curl.request("PUT", path, "partNumber=1&" + upload, body=part)
    assert put.status == 200, put
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{md5_hex(part)}</ETag></Part>"
    done = curl.request(
        "POST", path, upload, body=f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    )
    assert (done.status, done.code) == (200, None), done
    assert body_of(tls_s3, tls_bucket, "k") == part
    whole = curl.request("GET", path)
    assert whole.body == part


def test_by_url(curl, tls_bucket):
    path = f"/{tls_bucket}/k"
    assert curl.send("PUT", path, presigned("PUT", curl.host, path), body=b"by url").status == 200
    assert curl.send("GET", path, presigned("GET", curl.host, path)).body == b"by url"


def test_refusals(curl, tls_bucket):
    path = f"/{tls_bucket}/k"
    delete = b"<Delete><Object><Key>none</Key></Object></Delete>"
    assert curl.request("POST", f"/{tls_bucket}", "delete=", {"content-md5": md5_b64(delete)}, delete).status == 200
    assert curl.request("PUT", path, body=b"x").status == 200
    expect = ("--header", "Expect: 100-continue")
    exists = curl.request("PUT", path, headers={"if-none-match": "*"}, body=b"x" * 3_000_000, more=expect)
    assert (exists.status, exists.code) == (412, "PreconditionFailed"), exists
    unsigned = curl.send("GET", path)
    assert (unsigned.status, unsigned.code) == (403, "AccessDenied"), unsigned
    signed = sign("PUT", curl.host, path, "", None, STREAM_UNSIGNED_TRAILER)
    lengthless = curl.send("PUT", path, "", signed.headers, b"x")
    assert (lengthless.status, lengthless.code) == (411, "MissingContentLength"), lengthless


@pytest.mark.parametrize("size", [1, 300_000, 20_000_000])
def test_a_refusal_that_comes_before_the_body_reaches_who_still_sends(curl, tls_bucket, size):
    """curl 7.88 takes the early end of the stream for an error, now and then: hence many."""
    path = f"/{tls_bucket}/k"
    for _ in range(25 if size < MIB else 3):
        refused = curl.send("PUT", path, body=b"x" * size)
        assert (refused.status, refused.code) == (403, "AccessDenied"), refused
