"""What clients may make large: objects, parts, connections."""

import shutil
import threading
import time

import pytest

import memory
import sdk
from gateway import Strongroom
from raw import STREAM_UNSIGNED_TRAILER, UNSIGNED, Raw, read_reply
from sdk import MIB
from test_bench import figures

PUT_MAX = 5 * 2**30
CONNECTIONS = 64
HEADER_CONNECTIONS = 16
# A PUT or GET holds three pieces of 384 KiB at most, whatever the size of the body (docs/performance.md): 64 of them on
# top of an idle server. One body of 16 MiB that is held whole in each connection would be a GiB.
PEAK_MAX = 128 * MIB


@pytest.fixture
def upload(s3, bucket):
    return bucket, s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]


@pytest.mark.parametrize("framing", ["plain", "aws-chunked"])
@pytest.mark.parametrize("part", [False, True], ids=["object", "part"])
def test_more_than_5_gib_is_refused_before_the_body(raw, upload, part, framing):
    bucket, upload_id = upload
    path, query = f"/{bucket}/k", f"partNumber=1&uploadId={upload_id}" if part else ""
    for size, refused in ((PUT_MAX + 1, True), (PUT_MAX, False)):
        headers, payload = {"expect": "100-continue"}, None
        if framing == "aws-chunked":
            headers |= {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": size}
            payload = STREAM_UNSIGNED_TRAILER
        signed = raw.signed("PUT", path, query, headers, payload or UNSIGNED)
        fields = [*signed.headers, ("Content-Length", size + (1000 if payload else 0))]
        with raw.connect() as stream:
            stream.sendall(raw.head_bytes("PUT", path, query, fields))
            if not refused:
                assert stream.recv(65536).startswith(b"HTTP/1.1 100 ")
                continue
            got = read_reply(stream)
        assert (got.status, got.code) == (400, "EntityTooLarge") and "x-saw-100" not in got.headers, got
        assert got.message == "Your proposed upload exceeds the maximum allowed size"
        assert f"<ProposedSize>{size}</ProposedSize><MaxSizeAllowed>{PUT_MAX}</MaxSizeAllowed>" in got.body.decode()


def test_part_numbers(raw, upload):
    bucket, upload_id = upload
    for number, status in ((0, 400), (1, 200), (10_000, 200), (10_001, 400)):
        got = raw.request("PUT", f"/{bucket}/k", f"partNumber={number}&uploadId={upload_id}", body=b"x")
        assert got.status == status, (number, got)
        if status == 400:
            message = "Part number must be an integer between 1 and 10000, inclusive"
            assert (got.code, got.message) == ("InvalidArgument", message)


@pytest.mark.parametrize("count, code", [(10_000, "InvalidPart"), (10_001, "MalformedXML")])
def test_a_completion_may_name_ten_thousand_parts(raw, upload, count, code):
    """With the longest elements there are. None of the parts exists, which is found after all were read."""
    bucket, upload_id = upload
    one = "<Part><ETag>&quot;{}&quot;</ETag><ChecksumSHA512>{}</ChecksumSHA512><PartNumber>{}</PartNumber></Part>"
    # The last number is repeated: beyond 10,000 there is none.
    parts = "".join(one.format("ab" * 16, "A" * 86 + "==", min(n, 10_000)) for n in range(1, count + 1))
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    begin = time.monotonic()
    got = raw.request("POST", f"/{bucket}/k", f"uploadId={upload_id}", body=body)
    assert (got.status, got.code) == (400, code), got
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("begin, line", [("GET / HTTP/1.1\r\nHost: h\r\n", "x-a: {}\r\n"), ("GET /", "{}"), ("", "{}")])
def test_memory_does_not_grow_with_headers(tmp_path, begin, line):
    """Two gigabytes of header on sixteen connections: each is read up to its limit, refused, and not kept."""
    gateway = Strongroom(tmp_path).start()
    idle = peak_kib(gateway)
    piece = line.format("y" * (65536 - len(line) + 2)).encode()
    replies = []

    def send():
        with Raw(gateway).connect() as stream:
            try:
                stream.sendall(begin.encode())
                for _ in range(2**31 // len(piece) // HEADER_CONNECTIONS):
                    stream.sendall(piece)
                replies.append(read_reply(stream))
            except (BrokenPipeError, ConnectionResetError):
                # The server reads on for 5 seconds after its answer, so that the client sees it, and no longer.
                replies.append(None)

    threads = [threading.Thread(target=send) for _ in range(HEADER_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == HEADER_CONNECTIONS
    for got in replies:
        assert got is None or (got.status, got.code) == (400, "RequestHeaderSectionTooLarge"), got
    # 256 KiB a connection, of which hyper's buffer may have 128.
    assert peak_kib(gateway) - idle < HEADER_CONNECTIONS * 256
    assert gateway.stop() == 0


def peak_kib(gateway):
    return int(memory.status(gateway.process.pid, "VmHWM").split()[0])


def test_memory_does_not_grow_with_bodies_and_connections(tmp_path):
    gateway = Strongroom(tmp_path).start()
    sdk.client(gateway).create_bucket(Bucket="memory")
    for operation in ("put", "get"):
        load = ("--size", "16MiB", "--concurrency", str(CONNECTIONS), "--objects", str(CONNECTIONS))
        got = figures(
            gateway,
            "--operation",
            operation,
            *load,
            "--duration",
            "1s",
            "--encryption",
            "sse-kms",
            "--bucket",
            "memory",
        )
        assert got["errors"] == []
        assert sum(o["succeeded"] for o in got["operations"]) >= CONNECTIONS
        assert got["server"]["peak_memory_bytes"] < PEAK_MAX, got["server"]
    assert gateway.stop() == 0
    # Gibibytes, which pytest would keep for three runs.
    shutil.rmtree(gateway.data)
