"""Headers and query parameters out of their range, on every operation that has them: AWS's code, and nothing is done."""

import datetime

import pytest

from sdk import refusal

NO_PART = "Part number must be an integer between 1 and 10000, inclusive"
# Of a write of the object `k`, of 10 bytes.
WRITES = [
    ({"content-md5": "!!!"}, 400, "InvalidDigest"),
    ({"content-md5": "AAAA"}, 400, "InvalidDigest"),
    ({"x-amz-tagging": "a=1&a=2"}, 400, "InvalidArgument"),
    ({"x-amz-tagging": "%zz=1"}, 400, "InvalidArgument"),
    ({"x-amz-tagging": "&".join(f"k{n}=v" for n in range(11))}, 400, "BadRequest"),
    ({"x-amz-tagging": "=v"}, 400, "InvalidTag"),
    ({"x-amz-tagging": "aws:x=1"}, 400, "InvalidTag"),
    ({"x-amz-tagging": "a=" + "v" * 257}, 400, "InvalidTag"),
    ({"x-amz-storage-class": "COLD"}, 400, "InvalidStorageClass"),
    ({"x-amz-storage-class": "standard"}, 400, "InvalidStorageClass"),
    ({"x-amz-acl": "everybody"}, 400, "InvalidArgument"),
    ({"x-amz-grant-read": "id"}, 400, "InvalidArgument"),
    ({"x-amz-grant-read": "id=zz"}, 400, "InvalidArgument"),
    ({"x-amz-website-redirect-location": "ftp://x"}, 400, "InvalidRedirectLocation"),
    ({"x-amz-checksum-crc32": "x"}, 400, "InvalidRequest"),
    ({"x-amz-checksum-crc33": "AAAAAA=="}, 400, "InvalidRequest"),
    ({"x-amz-sdk-checksum-algorithm": "CRC33"}, 400, "InvalidRequest"),
    ({"if-none-match": '"x"'}, 501, "NotImplemented"),
    ({"x-amz-expected-bucket-owner": "1"}, 400, "InvalidBucketOwnerAWSAccountID"),
    ({"x-amz-expected-bucket-owner": "9" * 12}, 403, "AccessDenied"),
    ({"x-amz-server-side-encryption-bucket-key-enabled": "yes"}, 400, "InvalidArgument"),
    ({"x-amz-copy-source": "x"}, 400, "InvalidArgument"),
    ({"x-amz-copy-source": ""}, 400, "InvalidArgument"),
    ({"x-amz-copy-source": "/{bucket}/"}, 400, "InvalidArgument"),
    ({"x-amz-copy-source": "/{bucket}/k?versionId=x"}, 400, "InvalidArgument"),
    ({"x-amz-copy-source": "/{bucket}/k", "x-amz-metadata-directive": "KEEP"}, 400, "InvalidArgument"),
    ({"x-amz-copy-source": "/{bucket}/k", "x-amz-tagging-directive": "KEEP"}, 400, "InvalidArgument"),
    ({"x-amz-copy-source": "/{bucket}/k", "x-amz-copy-source-if-match": '"x"'}, 412, "PreconditionFailed"),
]


@pytest.fixture(scope="module")
def place(s3, module_bucket):
    """A bucket with the object `k` and an upload."""
    s3.put_object(Bucket=module_bucket, Key="k", Body=b"0123456789")
    upload_id = s3.create_multipart_upload(Bucket=module_bucket, Key="k")["UploadId"]
    return {"bucket": module_bucket, "upload": upload_id}


def told(headers):
    return ", ".join(f"{name}: {value[:30]}" for name, value in headers.items())


@pytest.mark.parametrize("headers, status, code", WRITES, ids=[told(row[0]) for row in WRITES])
def test_headers_of_a_write(raw, s3, place, headers, status, code):
    headers = {name: value.format(**place) for name, value in headers.items()}
    body = b"" if "x-amz-copy-source" in headers else b"x"
    got = raw.request("PUT", f"/{place['bucket']}/refused", headers=headers, body=body)
    assert (got.status, got.code) == (status, code), got
    assert refusal(s3.head_object, Bucket=place["bucket"], Key="refused").status == 404


RANGE = "x-amz-copy-source-range"
QUERIES = [
    # Method, path below the bucket, query, headers, status, code
    ("GET", "/k", "partNumber=0", {}, 400, "InvalidArgument"),
    ("GET", "/k", "partNumber=x", {}, 400, "InvalidArgument"),
    ("GET", "/k", "partNumber=10001", {}, 400, "InvalidArgument"),
    ("GET", "/k", "partNumber=2", {}, 416, "InvalidPartNumber"),
    ("GET", "/k", "versionId=x", {}, 400, "InvalidArgument"),
    ("GET", "/k", "versionId=", {}, 400, "InvalidArgument"),
    ("GET", "/k", "attributes=", {}, 400, "InvalidArgument"),
    ("GET", "/k", "attributes=", {"x-amz-object-attributes": "Nothing"}, 400, "InvalidArgument"),
    ("GET", "/k", "", {"x-amz-checksum-mode": "on"}, 400, "InvalidRequest"),
    ("GET", "/k", "", {"range": "bytes=99999999999999999999-"}, 416, "InvalidRange"),
    ("GET", "", "max-keys=-1", {}, 400, "InvalidArgument"),
    ("GET", "", "max-keys=x", {}, 400, "InvalidArgument"),
    ("GET", "", "max-keys=99999999999", {}, 400, "InvalidArgument"),
    ("GET", "", "encoding-type=xml", {}, 400, "InvalidArgument"),
    ("GET", "", "list-type=2&continuation-token=x", {}, 400, "InvalidArgument"),
    ("GET", "", "list-type=2&continuation-token=", {}, 400, "InvalidArgument"),
    ("GET", "", "list-type=2&max-keys=-1", {}, 400, "InvalidArgument"),
    ("GET", "", "prefix=%FF", {}, 400, "InvalidURI"),
    ("GET", "", "uploads=&max-uploads=x", {}, 400, "InvalidArgument"),
    ("GET", "", "uploads=&upload-id-marker=x&key-marker=k", {}, 400, "InvalidArgument"),
    ("GET", "", "versions=&version-id-marker=x", {}, 400, "InvalidArgument"),
    ("GET", "", "versions=&version-id-marker=x&key-marker=k", {}, 400, "InvalidArgument"),
    ("GET", "/k", "uploadId={upload}&max-parts=-1", {}, 400, "InvalidArgument"),
    ("GET", "/k", "uploadId={upload}&max-parts=x", {}, 400, "InvalidArgument"),
    ("GET", "/k", "uploadId={upload}&part-number-marker=-1", {}, 400, "InvalidArgument"),
    ("PUT", "/k", "partNumber=0&uploadId={upload}", {}, 400, "InvalidArgument"),
    ("PUT", "/k", "partNumber=10001&uploadId={upload}", {}, 400, "InvalidArgument"),
    ("PUT", "/k", "partNumber=x&uploadId={upload}", {}, 400, "InvalidArgument"),
    ("PUT", "/k", "partNumber=1&uploadId=x", {}, 404, "NoSuchUpload"),
    ("PUT", "/k", "partNumber=1&uploadId=", {}, 404, "NoSuchUpload"),
    *(
        ("PUT", "/k", "partNumber=1&uploadId={upload}", {"x-amz-copy-source": "/{bucket}/k", RANGE: span}, 400, code)
        for span, code in (
            ("x", "InvalidArgument"),
            ("bytes=0-", "InvalidArgument"),
            ("bytes=-1", "InvalidArgument"),
            ("bytes=5-2", "InvalidArgument"),
            ("bytes=0-1,2-3", "InvalidArgument"),
            ("bytes=0-10", "InvalidArgument"),
        )
    ),
    ("DELETE", "/k", "versionId=x", {}, 400, "InvalidArgument"),
    ("DELETE", "/k", "", {"if-match": '"x"'}, 412, "PreconditionFailed"),
    ("DELETE", "/k", "", {"x-amz-if-match-size": "x"}, 400, "InvalidArgument"),
    ("DELETE", "/k", "", {"x-amz-if-match-last-modified-time": "x"}, 400, "InvalidArgument"),
    ("DELETE", "/k", "uploadId=x", {}, 404, "NoSuchUpload"),
]


@pytest.mark.parametrize(
    "method, path, query, headers, status, code", QUERIES, ids=[f"{r[0]} {r[1]}?{r[2]} {told(r[3])}" for r in QUERIES]
)
def test_parameters(raw, s3, place, method, path, query, headers, status, code):
    headers = {name: value.format(**place) for name, value in headers.items()}
    body = b"x" if method == "PUT" and not headers else b""
    got = raw.request(method, f"/{place['bucket']}{path}", query.format(**place), headers=headers, body=body)
    assert (got.status, got.code) == (status, code), got
    if "partNumber" in query and code == "InvalidArgument" and not headers:
        assert got.message == NO_PART
    assert s3.head_object(Bucket=place["bucket"], Key="k")["ContentLength"] == 10
    assert "Parts" not in s3.list_parts(Bucket=place["bucket"], Key="k", UploadId=place["upload"])


# What is no range, no date and no number of a version is passed over where AWS passes it over.
PASSED_OVER = [
    ({"range": "x"}, 200),
    ({"range": "bytes=a-b"}, 200),
    ({"range": "bytes=5-2"}, 200),
    ({"range": "bytes=0-99999999999999999999"}, 206),
    ({"if-modified-since": "yesterday"}, 200),
    ({"x-amz-request-payer": "somebody"}, 200),
]


@pytest.mark.parametrize("headers, status", PASSED_OVER, ids=[told(row[0]) for row in PASSED_OVER])
def test_what_is_passed_over(raw, place, headers, status):
    got = raw.request("GET", f"/{place['bucket']}/k", headers=headers)
    assert (got.status, got.body) == (status, b"0123456789"), got


def test_an_upload_is_aborted_if_it_is_the_one_that_was_meant(s3, bucket):
    """By when it was begun, in whole seconds. AWS has this condition for directory buckets; it is not passed over here."""
    named = {"Bucket": bucket, "Key": "k"}
    named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
    begun = s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["Initiated"]
    for other in (begun + datetime.timedelta(seconds=1), begun - datetime.timedelta(seconds=1)):
        got = refusal(s3.abort_multipart_upload, IfMatchInitiatedTime=other, **named)
        assert (got.status, got.code) == (412, "PreconditionFailed")
    assert len(s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
    s3.abort_multipart_upload(IfMatchInitiatedTime=begun, **named)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert refusal(s3.abort_multipart_upload, IfMatchInitiatedTime=begun, **named).code == "NoSuchUpload"
