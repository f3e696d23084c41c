"""Presigned URLs of both signature versions, used by a plain HTTP client."""

import base64
import datetime
import http.client
import time
from urllib.parse import urlsplit

import pytest

import sdk
from modes import CUSTOMER_KEY, KMS
from raw import Reply
from sdk import md5_b64


def fetch(url, method="GET", body=None, headers=None):
    """Sends just this: no header of its own, since Version 2 signs Content-Type."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.request(method, url[url.index(parts.netloc) + len(parts.netloc) :], body=body, headers=headers or {})
        got = connection.getresponse()
        return Reply(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
    finally:
        connection.close()


@pytest.fixture(scope="module", params=["s3v4", "s3"], ids=["v4", "v2"])
def signer(request, server):
    return sdk.client(server, signature_version=request.param)


@pytest.fixture(scope="module")
def v4(server):
    return sdk.client(server, signature_version="s3v4")


@pytest.fixture(scope="module")
def v2(server):
    return sdk.client(server, signature_version="s3")


def url_of(client, operation, bucket, key, expires=60, **params):
    return client.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": key} | params, ExpiresIn=expires)


@pytest.mark.parametrize("key", ["plain", "a b/c+d", "ümläut", "a%2Fb", "//x"])
def test_get_and_put(signer, s3, module_bucket, key):
    put = fetch(url_of(signer, "put_object", module_bucket, key), "PUT", b"by url")
    assert put.status == 200, put
    got = fetch(url_of(signer, "get_object", module_bucket, key))
    assert (got.status, got.body) == (200, b"by url"), got
    assert fetch(url_of(signer, "head_object", module_bucket, key), "HEAD").status == 200
    named = fetch(
        url_of(
            signer,
            "get_object",
            module_bucket,
            key,
            ResponseContentType="text/x",
            ResponseContentDisposition='attachment; filename="x y"',
        )
    )
    assert (named.status, named.headers["content-type"]) == (200, "text/x")
    assert fetch(url_of(signer, "delete_object", module_bucket, key), "DELETE").status == 204
    assert sdk.refusal(s3.head_object, Bucket=module_bucket, Key=key).status == 404


def test_buckets_by_url(signer, module_bucket):
    for operation in ("head_bucket", "get_bucket_location", "list_objects_v2", "list_object_versions"):
        url = signer.generate_presigned_url(operation, Params={"Bucket": module_bucket})
        got = fetch(url, "HEAD" if operation == "head_bucket" else "GET")
        assert got.status == 200, (operation, got)
    assert fetch(signer.generate_presigned_url("list_buckets")).status == 200


def test_default_presigning_of_this_sdk(s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="sdk-default", Body=b"x")
    assert fetch(url_of(s3, "get_object", module_bucket, "sdk-default")).body == b"x"


def test_a_changed_url_is_refused(signer, s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="changed", Body=b"x")
    url = url_of(signer, "get_object", module_bucket, "changed")
    for wrong in (
        url.replace("/changed", "/change2"),
        url[:-4] + "0000" if "X-Amz-" in url else url.replace("Expires=", "Expires=1"),
    ):
        got = fetch(wrong)
        assert got.status == 403 and got.code in ("SignatureDoesNotMatch", "AccessDenied"), got
    put = fetch(url, "PUT", b"y")
    assert (put.status, put.code) == (403, "SignatureDoesNotMatch")
    assert sdk.body_of(s3, module_bucket, "changed") == b"x"


def test_expiry(signer, s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="expiring", Body=b"x")
    url = url_of(signer, "get_object", module_bucket, "expiring", expires=1)
    assert fetch(url).status == 200
    time.sleep(2.1)
    got = fetch(url)
    assert (got.status, got.code, got.message) == (403, "AccessDenied", "Request has expired")
    assert b"<ServerTime>" in got.body and b"<Expires>" in got.body


def test_expiry_limit(v4, module_bucket):
    got = fetch(url_of(v4, "get_object", module_bucket, "k", expires=604801))
    assert (got.status, got.code) == (400, "AuthorizationQueryParametersError"), got


@pytest.mark.parametrize(
    "part",
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires", "X-Amz-Signature"],
)
def test_missing_parameters(v4, module_bucket, part):
    url, _, query = url_of(v4, "get_object", module_bucket, "k").partition("?")
    kept = "&".join(pair for pair in query.split("&") if not pair.startswith(part + "="))
    got = fetch(f"{url}?{kept}")
    if part == "X-Amz-Algorithm":
        assert got.status in (400, 403), got
    else:
        assert (got.status, got.code) == (400, "AuthorizationQueryParametersError"), got
        assert got.message == (
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )


def test_headers_that_were_not_signed(v4, module_bucket):
    url = url_of(v4, "put_object", module_bucket, "unsigned-header")
    got = fetch(url, "PUT", b"x", {"x-amz-meta-more": "x"})
    assert (got.status, got.code) == (403, "AccessDenied"), got
    assert got.message == "There were headers present in the request which were not signed"
    assert b"<HeadersNotSigned>x-amz-meta-more</HeadersNotSigned>" in got.body


def test_signed_encryption_headers_are_binding(v4, s3, module_bucket, key):
    url = url_of(v4, "put_object", module_bucket, "bound", ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])
    headers = {"x-amz-server-side-encryption": KMS, "x-amz-server-side-encryption-aws-kms-key-id": key["Arn"]}
    if "X-Amz-SignedHeaders=host&" in url:
        pytest.skip("this SDK puts the values into the query")
    assert fetch(url, "PUT", b"x").status == 403
    assert fetch(url, "PUT", b"x", headers | {"x-amz-server-side-encryption": "AES256"}).status == 403
    assert fetch(url, "PUT", b"x", headers).status == 200
    assert s3.head_object(Bucket=module_bucket, Key="bound")["SSEKMSKeyId"] == key["Arn"]


def test_sse_c_by_url(v4, s3, module_bucket):
    names = "x-amz-server-side-encryption-customer-"
    headers = {
        names + "algorithm": "AES256",
        names + "key": base64.b64encode(CUSTOMER_KEY).decode(),
        names + "key-MD5": md5_b64(CUSTOMER_KEY),
    }
    args = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY}
    put = fetch(url_of(v4, "put_object", module_bucket, "c", **args), "PUT", b"x", headers)
    assert put.status == 200, put
    url = url_of(v4, "get_object", module_bucket, "c", **args)
    assert fetch(url, headers=headers).body == b"x"
    assert fetch(url).status in (400, 403)


def test_v2_is_refused_for_kms(v2, v4, s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="kms-object", Body=b"x", ServerSideEncryption=KMS)
    got = fetch(url_of(v2, "get_object", module_bucket, "kms-object"))
    assert (got.status, got.code) == (400, "InvalidArgument"), got
    assert (
        got.message
        == "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
    )
    assert fetch(url_of(v4, "get_object", module_bucket, "kms-object")).body == b"x"
    assert fetch(url_of(v2, "head_object", module_bucket, "kms-object"), "HEAD").status == 400
    assert fetch(url_of(v4, "head_object", module_bucket, "kms-object"), "HEAD").status == 200


def test_v2_can_be_turned_off(tmp_path):
    from gateway import Strongroom

    gateway = Strongroom(tmp_path / "no-v2", extra="presigned_v2 = false").start()
    try:
        mine = sdk.client(gateway, signature_version="s3v4")
        mine.create_bucket(Bucket="no-v2")
        mine.put_object(Bucket="no-v2", Key="k", Body=b"x")
        old = sdk.client(gateway, signature_version="s3")
        assert fetch(url_of(old, "get_object", "no-v2", "k")).status in (400, 403)
        assert fetch(url_of(mine, "get_object", "no-v2", "k")).body == b"x"
    finally:
        gateway.stop()


def test_upload_part_by_url(v4, s3, bucket):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    url = url_of(v4, "upload_part", bucket, "k", UploadId=upload_id, PartNumber=1)
    put = fetch(url, "PUT", b"part")
    assert put.status == 200, put
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload_id,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": put.headers["etag"]}]},
    )
    assert sdk.body_of(s3, bucket, "k") == b"part"


def test_a_checksum_hoisted_into_the_query_is_ignored(raw, bucket):
    # The JavaScript SDK hoists the CRC32 of an empty body; the body that comes is another.
    import hashlib
    import hmac

    from gateway import MAIN, REGION

    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    credential = f"{MAIN.access_key}/{scope}".replace("/", "%2F")
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Credential={credential}"
        f"&X-Amz-Date={stamp}&X-Amz-Expires=60&X-Amz-SignedHeaders=host&x-amz-checksum-crc32=AAAAAA%3D%3D"
        "&x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject"
    )
    canonical = f"PUT\n/{bucket}/js\n{query}\nhost:{raw.host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + MAIN.secret_key.encode()
    for part in (stamp[:8], REGION, "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    got = fetch(f"{raw.server.endpoint}/{bucket}/js?{query}&X-Amz-Signature={key.hex()}", "PUT", b"not empty")
    assert got.status == 200, got
