"""boto3: checksums of every algorithm, in header and trailer, whole and by part."""

import base64
import zlib

import pytest
from awscrt import checksums as crt

import sdk
from sdk import MIB, assert_refused, blob, refusal, upload

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"]
DATA = blob(100_001)


def field(algorithm):
    return f"Checksum{algorithm}"


def crc64nvme(data):
    return base64.b64encode(crt.crc64nvme(data).to_bytes(8, "big")).decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("transport", ["http header", "https trailer"])
def test_put_and_get(request, algorithm, transport):
    s3 = request.getfixturevalue("s3" if transport == "http header" else "tls_s3")
    bucket = request.getfixturevalue("bucket" if transport == "http header" else "tls_bucket")
    put = s3.put_object(Bucket=bucket, Key="k", Body=DATA, ChecksumAlgorithm=algorithm)
    # boto3 checks the value against the body while it reads.
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == DATA
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert put[field(algorithm)] == got[field(algorithm)] == head[field(algorithm)]
    assert put["ChecksumType"] == got["ChecksumType"] == head["ChecksumType"] == "FULL_OBJECT"
    assert "ContentEncoding" not in got
    quiet = s3.head_object(Bucket=bucket, Key="k")
    assert field(algorithm) not in quiet
    part = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", Range="bytes=0-9")
    assert field(algorithm) not in part and part["Body"].read() == DATA[:10]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], "FULL_OBJECT")


def test_md5_as_a_checksum(raw, bucket):
    import hashlib

    value = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    put = raw.request("PUT", f"/{bucket}/k", headers={"x-amz-checksum-md5": value}, body=DATA)
    assert put.status == 200 and put.headers["x-amz-checksum-md5"] == value, put
    assert raw.request("PUT", f"/{bucket}/k", headers={"x-amz-checksum-md5": value}, body=b"other").code == "BadDigest"


WRONG = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_values(s3, bucket, algorithm):
    zeros = base64.b64encode(bytes(WRONG[algorithm])).decode()
    assert_refused(
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=DATA, **{field(algorithm): zeros}),
        400,
        "BadDigest",
        f"The {algorithm} you specified did not match the calculated checksum.",
    )
    assert refusal(s3.head_object, Bucket=bucket, Key="k").status == 404
    for nonsense in ("x", base64.b64encode(bytes(WRONG[algorithm] + 1)).decode()):
        assert_refused(
            lambda nonsense=nonsense: s3.put_object(Bucket=bucket, Key="k", Body=DATA, **{field(algorithm): nonsense}),
            400,
            "InvalidRequest",
            f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.",
        )


def test_default_is_crc64nvme(raw, s3, bucket):
    put = raw.request("PUT", f"/{bucket}/k", body=DATA)
    assert put.headers["x-amz-checksum-crc64nvme"] == crc64nvme(DATA)
    assert put.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == crc64nvme(DATA)
    lower = raw.request("HEAD", f"/{bucket}/k", headers={"x-amz-checksum-mode": "enabled"})
    assert lower.headers["x-amz-checksum-crc64nvme"] == crc64nvme(DATA)


PARTS = [blob(5 * MIB, 1), blob(5 * MIB, 2), b"last"]
COMPOSITE = ["CRC32", "CRC32C", "SHA1", "SHA256"]
FULL = ["CRC32", "CRC32C", "CRC64NVME"]


@pytest.mark.parametrize("algorithm", COMPOSITE)
def test_composite(s3, bucket, algorithm):
    done = upload(
        s3, bucket, "k", PARTS, create={"ChecksumAlgorithm": algorithm}, each={"ChecksumAlgorithm": algorithm}
    )
    assert done["ChecksumType"] == "COMPOSITE" and done[field(algorithm)].endswith("-3")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[field(algorithm)] == done[field(algorithm)]


@pytest.mark.parametrize("algorithm", FULL)
def test_full_object_of_parts(s3, bucket, algorithm):
    kind = {} if algorithm == "CRC64NVME" else {"ChecksumType": "FULL_OBJECT"}
    done = upload(
        s3,
        bucket,
        "k",
        PARTS,
        create={"ChecksumAlgorithm": algorithm} | kind,
        each={"ChecksumAlgorithm": algorithm},
        complete=kind,
    )
    single = s3.put_object(Bucket=bucket, Key="single", Body=b"".join(PARTS), ChecksumAlgorithm=algorithm)
    assert done["ChecksumType"] == "FULL_OBJECT"
    assert done[field(algorithm)] == single[field(algorithm)]
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"".join(PARTS)


def test_default_of_parts_is_crc64nvme(server, s3, bucket):
    silent = sdk.client(server, request_checksum_calculation="when_required")
    upload(silent, bucket, "k", PARTS)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == crc64nvme(b"".join(PARTS))
    assert head["ChecksumType"] == "FULL_OBJECT"


@pytest.mark.parametrize(
    "algorithm, kind, message",
    [
        ("CRC64NVME", "COMPOSITE", "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."),
        ("SHA1", "FULL_OBJECT", "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm."),
        ("SHA256", "FULL_OBJECT", "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm."),
        (
            None,
            "COMPOSITE",
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ),
    ],
)
def test_types_that_do_not_fit(raw, bucket, algorithm, kind, message):
    headers = {"x-amz-checksum-type": kind} | ({"x-amz-checksum-algorithm": algorithm} if algorithm else {})
    got = raw.request("POST", f"/{bucket}/k", "uploads", headers=headers)
    assert (got.status, got.code, got.message) == (400, "InvalidRequest", message)


def test_composite_without_part_checksums(raw, s3, bucket):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    part = s3.upload_part(
        Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256"
    )
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    args = dict(Bucket=bucket, Key="k", UploadId=upload_id)
    assert_refused(
        lambda: s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args),
        400,
        "InvalidRequest",
        "The upload was created using a sha256 checksum. The complete request must include the checksum for each part. "
        "It was missing for part 1 in the request.",
    )
    assert_refused(
        lambda: s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, ChecksumType="FULL_OBJECT", **args),
        400,
        "InvalidRequest",
        "The upload was created using the COMPOSITE checksum mode. The complete request must use the same checksum mode.",
    )
    wrong = [parts[0] | {"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}]
    assert refusal(s3.complete_multipart_upload, MultipartUpload={"Parts": wrong}, **args).status == 400
    assert_refused(
        lambda: s3.upload_part(PartNumber=2, Body=b"x", ChecksumAlgorithm="CRC32", **args),
        400,
        "InvalidRequest",
        "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32",
    )


def test_wrong_full_object_value_on_complete(s3, bucket):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC64NVME")["UploadId"]
    args = dict(Bucket=bucket, Key="k", UploadId=upload_id)
    part = s3.upload_part(PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC64NVME", **args)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC64NVME": part["ChecksumCRC64NVME"]}]}
    zeros = base64.b64encode(bytes(8)).decode()
    assert (
        refusal(s3.complete_multipart_upload, MultipartUpload=parts, ChecksumCRC64NVME=zeros, **args).code
        == "BadDigest"
    )
    s3.complete_multipart_upload(MultipartUpload=parts, ChecksumCRC64NVME=crc64nvme(b"x"), **args)


def test_content_md5(raw, bucket):
    from sdk import md5_b64

    assert raw.request("PUT", f"/{bucket}/k", headers={"content-md5": md5_b64(DATA)}, body=DATA).status == 200
    got = raw.request("PUT", f"/{bucket}/k2", headers={"content-md5": md5_b64(b"other")}, body=DATA)
    assert (got.status, got.code, got.message) == (
        400,
        "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
    )
    got = raw.request("PUT", f"/{bucket}/k2", headers={"content-md5": "x"}, body=DATA)
    assert (got.status, got.code, got.message) == (400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    assert raw.request("HEAD", f"/{bucket}/k2").status == 404


def test_copies_keep_or_change_the_algorithm(s3, bucket):
    s3.put_object(Bucket=bucket, Key="src", Body=DATA, ChecksumAlgorithm="SHA256")
    source = {"Bucket": bucket, "Key": "src"}
    kept = s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)["CopyObjectResult"]
    assert "ChecksumSHA256" in kept
    changed = s3.copy_object(Bucket=bucket, Key="changed", CopySource=source, ChecksumAlgorithm="CRC32")[
        "CopyObjectResult"
    ]
    assert changed["ChecksumCRC32"] == base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    got = s3.get_object(Bucket=bucket, Key="changed", ChecksumMode="ENABLED")
    assert got["Body"].read() == DATA
