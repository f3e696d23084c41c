"""Upload forms of browsers: who may upload what, with every field that a form can have."""

import base64
import datetime
import hashlib
import hmac
import json
import socket
import subprocess
import urllib.parse

import pytest

import sdk
from browser import make_public, multipart, send
from gateway import ALICE, MAIN, REGION
from modes import CONTEXT, CUSTOMER, CUSTOMER_KEY, KMS
from raw import crc32_b64, read_reply
from sdk import MIB, blob, body_of, md5_b64
from test_audit import records
from test_odd_keys import KEYS

SSE = "x-amz-server-side-encryption"


def signed(conditions, who=MAIN, expires=60, document=None):
    """The fields that a policy adds to a form; the signature's own are among its conditions."""
    now = datetime.datetime.now(datetime.UTC)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    credential = f"{who.access_key}/{stamp[:8]}/{REGION}/s3/aws4_request"
    fields = [("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", credential), ("x-amz-date", stamp)]
    expiration = (now + datetime.timedelta(seconds=expires)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    policy = {"expiration": expiration, "conditions": [*conditions, *({name: value} for name, value in fields)]}
    encoded = base64.b64encode((json.dumps(policy) if document is None else document).encode()).decode()
    key = b"AWS4" + who.secret_key.encode()
    for part in (stamp[:8], REGION, "s3", "aws4_request", encoded):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return [*fields, ("policy", encoded), ("x-amz-signature", key.hex())]


def post(server, bucket, fields, file=b"content", conditions=None, who=MAIN, **how):
    """Uploads by a form whose policy wants just these fields."""
    wanted = [{name: value} for name, value in fields] if conditions is None else conditions
    content_type, body = multipart(list(fields) + signed([{"bucket": bucket}, *wanted], who), file, **how)
    return send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type})


def assert_denied(got, why):
    assert (got.status, got.code) == (403, "AccessDenied"), got
    assert got.message == f"Invalid according to Policy: {why}"


def test_boto3_makes_forms_that_are_taken(server, s3, bucket):
    signer = sdk.client(server, signature_version="s3v4")
    form = signer.generate_presigned_post(
        bucket,
        "user/${filename}",
        Fields={"acl": "private", "success_action_status": "201"},
        Conditions=[{"acl": "private"}, {"success_action_status": "201"}, ["content-length-range", 1, 100]],
    )
    content_type, body = multipart(form["fields"].items(), b"by boto3", filename="a b.txt")
    assert form["url"] == f"{server.endpoint}/{bucket}"
    got = send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type})
    assert got.status == 201, got
    assert body_of(s3, bucket, "user/a b.txt") == b"by boto3"


def test_curl_uploads_a_form(server, s3, bucket, tmp_path):
    data = blob(3 * MIB + 17)
    (tmp_path / 'a;b "c".bin').write_bytes(data)
    fields = [("key", "up/${filename}"), ("Content-Type", "image/png")]
    fields += signed([{"bucket": bucket}, ["starts-with", "$key", "up/"], ["starts-with", "$Content-Type", "image/"]])
    arguments = [argument for name, value in fields for argument in ("--form-string", f"{name}={value}")]
    file = 'file=@"a;b \\"c\\".bin"'
    command = ["curl", "-sS", "-w", "%{http_code}", *arguments, "-F", file, f"{server.endpoint}/{bucket}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "204", done
    (key,) = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    # How a quote in a file's name is written differs from version to version of curl.
    assert key in ('up/a;b "c".bin', "up/a;b %22c%22.bin")
    got = s3.get_object(Bucket=bucket, Key=key)
    assert (got["Body"].read(), got["ContentType"]) == (data, "image/png")


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 65536, 9 * MIB])
def test_files_of_every_size(server, s3, module_bucket, size):
    data = blob(size)
    for ending, after in [("plain", ()), ("fields-behind", [("submit", "x" * 5000)])]:
        key = f"{ending}-{size}"
        got = post(server, module_bucket, [("key", key)], data, after=after)
        assert got.status == 204, got
        head = s3.head_object(Bucket=module_bucket, Key=key)
        assert (head["ContentLength"], head["ETag"]) == (size, f'"{hashlib.md5(data).hexdigest()}"')
        assert body_of(s3, module_bucket, key) == data


@pytest.mark.parametrize("filename", ["ü 語 😀.txt", "C:\\dir\\name.txt", "/etc/name.txt", "..", "%2F", "a+b&c=d"])
def test_names_of_files(server, s3, module_bucket, filename):
    prefix = f"names/{hashlib.md5(filename.encode()).hexdigest()}/"
    conditions = [["starts-with", "$key", prefix]]
    got = post(server, module_bucket, [("key", prefix + "${filename}")], b"x", conditions, filename=filename)
    assert got.status == 204, got
    plain = filename.replace("\\", "/").rpartition("/")[2]
    assert body_of(s3, module_bucket, prefix + plain) == b"x"


ODD = KEYS | {"longest with a name": "k" * 1014 + "${filename}", "twice the name": "${filename}/${filename}"}


@pytest.mark.parametrize("key", ODD.values(), ids=ODD)
def test_odd_keys(server, s3, module_bucket, key):
    """Of a form the key is what stands there, and nothing in it is a path or an encoding."""
    data, everything = key.encode(), [["starts-with", "$key", ""]]
    got = post(server, module_bucket, [("key", key)], data, everything, filename="a%2F b.txt")
    assert got.status == 204, got
    key = key.replace("${filename}", "a%2F b.txt")
    assert body_of(s3, module_bucket, key) == data
    (kept,) = s3.list_objects_v2(Bucket=module_bucket, Prefix=key, MaxKeys=1)["Contents"]
    assert kept["Key"] == key
    s3.delete_object(Bucket=module_bucket, Key=key)


@pytest.mark.parametrize(
    "key, filename, stored",
    [
        ("up/${filename}", "", "up/"),
        ("up/${filename}", "dir/", "up/"),
        ("up/${filename}", "C:\\a\\", "up/"),
        ("up/${filename}", "..\\..\\etc/passwd", "up/passwd"),
        ("up/${filename}", "${filename}", "up/${filename}"),
        ("up/$filename", "x", "up/$filename"),
        ("up/${FILENAME}", "x", "up/${FILENAME}"),
        ("${filename}", "né 語/ü.txt", "ü.txt"),
        ("${filename}", ".", "."),
    ],
)
def test_what_the_name_of_a_file_makes_of_a_key(server, s3, bucket, key, filename, stored):
    got = post(server, bucket, [("key", key)], b"x", [["starts-with", "$key", ""]], filename=filename)
    assert got.status == 204, got
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [stored]


def test_the_policy_is_held_against_the_key_with_the_name_in_it(server, s3, bucket):
    conditions = [["starts-with", "$key", "up/"]]
    got = post(server, bucket, [("key", "${filename}")], b"x", conditions, filename="up")
    assert_denied(got, 'Policy Condition failed: ["starts-with", "$key", "up/"]')
    got = post(server, bucket, [("key", "up/${filename}")], b"x", [{"key": "up/${filename}"}], filename="a")
    assert_denied(got, 'Policy Condition failed: ["eq", "$key", "up/${filename}"]')
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    "key, filename, code, message",
    [
        ("", "x", "InvalidArgument", "User key must have a length greater than 0."),
        ("${filename}", "", "InvalidArgument", "User key must have a length greater than 0."),
        ("${filename}", "a/", "InvalidArgument", "User key must have a length greater than 0."),
        ("k" * 1025, "x", "KeyTooLongError", "Your key is too long"),
        ("k" * 1024 + "${filename}", "x", "KeyTooLongError", "Your key is too long"),
        ("é" * 512 + "${filename}", "x", "KeyTooLongError", "Your key is too long"),
        (b"\xff", "x", "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."),
    ],
)
def test_keys_that_are_none(server, s3, bucket, key, filename, code, message):
    got = post(server, bucket, [("key", key)], b"x", [["starts-with", "$key", ""]], filename=filename)
    assert (got.status, got.code, got.message) == (400, code, message), got
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("boundary", ["b", "'()+_,-./:=?", "-" * 70, "a b"])
def test_odd_boundaries(server, s3, module_bucket, boundary):
    quoted = f'multipart/form-data; charset=utf-8; boundary="{boundary}"'
    fields = [("key", "boundary")] + signed([{"bucket": module_bucket}, {"key": "boundary"}])
    data = f"\r\n--{boundary[:-1]}\r\n--\r\n".encode()
    _, body = multipart(fields, data, boundary=boundary)
    got = send(server, "POST", f"/{module_bucket}", b"preamble\r\n" + body, {"Content-Type": quoted})
    assert got.status == 204, got
    assert body_of(s3, module_bucket, "boundary") == data


def test_by_virtual_host(server, s3, bucket):
    fields = [("key", "k"), ("success_action_status", "201")]
    fields += signed([{"bucket": bucket}, {"key": "k"}, {"success_action_status": "201"}])
    content_type, body = multipart(fields, b"x")
    got = send(server, "POST", "/", body, {"Content-Type": content_type}, host=f"{bucket}.s3.example.com")
    assert got.status == 201, got
    assert f"<Location>http://{bucket}.s3.example.com/k</Location>".encode() in got.body


def test_what_is_answered(server, s3, module_bucket):
    key, etag = "a b/ü", '"9a0364b9e99bb480dd25e1f0284c8555"'
    location = f"http://127.0.0.1:{server.port}/{module_bucket}/a%20b%2F%C3%BC"

    def asking(**more):
        return post(server, module_bucket, [("key", key), *more.items()], b"content")

    for status, expected in [(None, 204), ("200", 200), ("204", 204), ("404", 204)]:
        got = asking(**({"success_action_status": status} if status else {}))
        assert (got.status, got.body, got.headers["etag"], got.headers["location"]) == (expected, b"", etag, location)
        assert got.headers[SSE] == "AES256"
    got = asking(success_action_status="201")
    assert (got.status, got.headers["content-type"]) == (201, "application/xml")
    assert got.body.decode().endswith(
        f"<PostResponse><Location>{location}</Location><Bucket>{module_bucket}</Bucket><Key>{key}</Key>"
        f"<ETag>{etag.replace(chr(34), '&quot;')}</ETag></PostResponse>"
    )
    got = asking(success_action_redirect="https://example.com/done?from=form", success_action_status="201")
    assert got.status == 303
    url, _, query = got.headers["location"].partition("?")
    assert url == "https://example.com/done"
    assert urllib.parse.parse_qs(query) == {"from": ["form"], "bucket": [module_bucket], "key": [key], "etag": [etag]}
    url, _, place = asking(success_action_redirect="https://example.com/done#there").headers["location"].partition("#")
    assert (url.partition("&")[0], place) == (f"https://example.com/done?bucket={module_bucket}", "there")
    assert asking(success_action_redirect="not a URL").status == 204


def test_fields_are_headers(server, s3, module_bucket):
    tagging = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1+2=3</Value></Tag></TagSet></Tagging>"
    fields = {
        "key": "headers",
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-cache",
        "Content-Disposition": 'attachment; filename="x"',
        "Content-Encoding": "gzip",
        "Expires": "Thu, 01 Dec 2030 16:00:00 GMT",
        "x-amz-meta-one": "1",
        "X-Amz-Meta-Two": "zwei",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-website-redirect-location": "/elsewhere",
        "x-amz-checksum-crc32": crc32_b64(b"content"),
        "tagging": tagging,
        "x-ignore-this": "x",
    }
    conditions = [{name: value} for name, value in fields.items() if not name.startswith("x-ignore")]
    got = post(server, module_bucket, list(fields.items()), b"content", conditions)
    assert got.status == 204, got
    assert got.headers["x-amz-checksum-crc32"] == crc32_b64(b"content")
    head = s3.head_object(Bucket=module_bucket, Key="headers", ChecksumMode="ENABLED")
    assert head["ContentType"] == "text/plain; charset=utf-8"
    assert head["ContentDisposition"] == 'attachment; filename="x"'
    assert (head["CacheControl"], head["ContentEncoding"]) == ("no-cache", "gzip")
    assert head["Metadata"] == {"one": "1", "two": "zwei"}
    assert (head["StorageClass"], head["WebsiteRedirectLocation"]) == ("STANDARD_IA", "/elsewhere")
    assert head["ChecksumCRC32"] == crc32_b64(b"content")
    tags = s3.get_object_tagging(Bucket=module_bucket, Key="headers")["TagSet"]
    assert tags == [{"Key": "a b", "Value": "1+2=3"}]


def test_broken_promises_leave_nothing(server, s3, bucket):
    for fields, code in [
        ({"x-amz-checksum-crc32": crc32_b64(b"other")}, "BadDigest"),
        ({"x-amz-checksum-crc32": "x"}, "InvalidRequest"),
        ({"Content-MD5": md5_b64(b"other")}, "BadDigest"),
        ({"tagging": "<x/>"}, "MalformedXML"),
        ({"x-amz-storage-class": "NONE"}, "InvalidStorageClass"),
        ({"acl": "public"}, "InvalidArgument"),
        ({SSE: "AES128"}, "InvalidArgument"),
        ({SSE + "-other": "x"}, "NotImplemented"),
        ({"x-amz-meta-a": "a\r\nb"}, "InvalidArgument"),
    ]:
        got = post(server, bucket, [("key", "k"), *fields.items()])
        assert got.code == code, (fields, got)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def form_of(mode, key):
    """Fields of a form for each encryption, and what reads the object."""
    md5 = md5_b64(CUSTOMER_KEY)
    kms = {SSE: KMS, SSE + "-aws-kms-key-id": key["Arn"]}
    customer = SSE + "-customer-"
    encoded = base64.b64encode(CUSTOMER_KEY).decode()
    return {
        "none": ({}, {}),
        "sse-s3": ({SSE: "AES256"}, {}),
        "kms": ({SSE: KMS}, {}),
        "kms-key": (kms | {SSE + "-bucket-key-enabled": "true"}, {}),
        "kms-context": (kms | {SSE + "-context": CONTEXT}, {}),
        "dsse": (kms | {SSE: "aws:kms:dsse"}, {}),
        "customer": (
            {customer + "algorithm": "AES256", customer + "key": encoded, customer + "key-MD5": md5},
            CUSTOMER,
        ),
    }[mode]


@pytest.mark.parametrize("mode", ["none", "sse-s3", "kms", "kms-key", "kms-context", "dsse", "customer"])
@pytest.mark.parametrize("size", [11, 100_000])
def test_every_encryption(server, s3, module_bucket, key, mode, size):
    fields, read = form_of(mode, key)
    name = f"sse-{mode}-{size}"
    got = post(server, module_bucket, [("key", name), *fields.items()], blob(size))
    assert got.status == 204, got
    head = s3.head_object(Bucket=module_bucket, Key=name, **read)
    assert got.headers.get(SSE) == head.get("ServerSideEncryption")
    assert got.headers.get(SSE + "-aws-kms-key-id") == head.get("SSEKMSKeyId")
    assert head.get("ServerSideEncryption") == (None if read else fields.get(SSE, "AES256"))
    assert head.get("BucketKeyEnabled") == (True if mode == "kms-key" else None)
    if read:
        assert got.headers[SSE + "-customer-key-md5"] == md5_b64(CUSTOMER_KEY)
        assert sdk.refusal(s3.head_object, Bucket=module_bucket, Key=name).status == 400
    if "SSEKMSKeyId" in head or read:
        assert hashlib.md5(blob(size)).hexdigest() not in got.headers["etag"]
    assert body_of(s3, module_bucket, name, **read) == blob(size)


@pytest.mark.parametrize("mode", ["sse-s3", "kms-key", "customer"])
def test_s3s_608_encryption_needs_its_conditions(server, module_bucket, key, mode):
    fields, _ = form_of(mode, key)
    got = post(server, module_bucket, [("key", "k"), *fields.items()], b"x", [{"key": "k"}])
    assert_denied(got, f"Extra input fields: {', '.join(name.lower() for name in fields)}")


@pytest.mark.parametrize("name", [SSE, SSE + "-customer-algorithm", SSE + "-context"])
def test_encryption_is_a_field_and_no_header(server, s3, bucket, name):
    fields = [("key", "k")] + signed([{"bucket": bucket}, {"key": "k"}])
    content_type, body = multipart(fields, b"x")
    got = send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type, name: "AES256"})
    assert (got.status, got.code) == (400, "InvalidArgument"), got
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_policies_decide(server, s3, bucket):
    def judged(conditions, **fields):
        return post(server, bucket, [("key", "k"), *fields.items()], b"content", [{"key": "k"}, *conditions])

    assert_denied(judged([], acl="private"), "Extra input fields: acl")
    assert_denied(judged([{"acl": "private"}]), 'Policy Condition failed: ["eq", "$acl", "private"]')
    assert_denied(
        judged([["starts-with", "$Content-Type", "image/"]], **{"Content-Type": "text/html"}),
        'Policy Condition failed: ["starts-with", "$Content-Type", "image/"]',
    )
    got = judged([{"acl": "private", "x": "y"}])
    assert (got.status, got.code) == (400, "InvalidPolicyDocument"), got
    other = post(server, bucket, [("key", "other")], b"x", [{"key": "k"}])
    assert_denied(other, 'Policy Condition failed: ["eq", "$key", "k"]')
    content_type, body = multipart([("key", "k")] + signed([{"bucket": "another"}, {"key": "k"}]))
    got = send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type})
    assert_denied(got, 'Policy Condition failed: ["eq", "$bucket", "another"]')
    content_type, body = multipart([("key", "k")] + signed([{"bucket": bucket}, {"key": "k"}], expires=-1))
    assert_denied(send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type}), "Policy expired.")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_lengths(server, s3, bucket):
    def sent(size, low=5, high=70_000):
        return post(server, bucket, [("key", "k")], blob(size), [{"key": "k"}, ["content-length-range", low, high]])

    for size in (5, 70_000):
        assert sent(size).status == 204
    s3.delete_object(Bucket=bucket, Key="k")
    got = sent(4)
    assert (got.status, got.code) == (400, "EntityTooSmall"), got
    assert b"<ProposedSize>4</ProposedSize><MinSizeAllowed>5</MinSizeAllowed>" in got.body
    for size in (70_001, 200_000):
        got = sent(size)
        assert (got.status, got.code) == (400, "EntityTooLarge"), got
        assert f"<ProposedSize>{size}</ProposedSize><MaxSizeAllowed>70000</MaxSizeAllowed>".encode() in got.body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_signatures(server, bucket):
    fields = [("key", "k")] + signed([{"bucket": bucket}, {"key": "k"}])

    def sent(fields):
        content_type, body = multipart(fields)
        return send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type})

    def altered(name, value):
        return sent([(n, value if n == name else v) for n, v in fields])

    for name, value in [("x-amz-signature", "0" * 64), ("policy", base64.b64encode(b"{}").decode())]:
        got = altered(name, value)
        assert (got.status, got.code) == (403, "SignatureDoesNotMatch"), got
    policy = dict(fields)["policy"]
    assert f"<StringToSign>{policy}</StringToSign>".encode() in altered("x-amz-signature", "x").body
    got = altered("x-amz-credential", dict(fields)["x-amz-credential"].replace(MAIN.access_key, "NOBODY"))
    assert (got.status, got.code) == (403, "InvalidAccessKeyId"), got
    assert altered("x-amz-algorithm", "AWS4").status == 400
    assert altered("x-amz-date", "today").status == 400
    for name, shown in [
        ("x-amz-signature", "X-Amz-Signature"),
        ("x-amz-algorithm", "X-Amz-Algorithm"),
        ("x-amz-credential", "X-Amz-Credential"),
        ("x-amz-date", "X-Amz-Date"),
        ("key", "key"),
    ]:
        got = sent([(n, v) for n, v in fields if n != name])
        assert (got.status, got.code) == (400, "InvalidArgument"), got
        assert got.message == (
            f"Bucket POST must contain a field named '{shown}'.  If it is specified, please check the order of the "
            "fields."
        )
    # A policy whose signature is left out altogether is nobody's.
    got = sent([(n, v) for n, v in fields if not n.startswith("x-amz-")])
    assert (got.status, got.code, got.message) == (403, "AccessDenied", "Access Denied")


def test_a_signer_without_leave_is_denied_and_recorded(own_server):
    sdk.client(own_server).create_bucket(Bucket="shelf")
    got = post(own_server, "shelf", [("key", "k")], who=ALICE)
    assert (got.status, got.code) == (403, "AccessDenied"), got
    assert "s3:PutObject" in got.message
    own_server.stop()
    (found,) = [record for record in records(own_server) if record.get("requestID") == got.headers["x-amz-request-id"]]
    assert (found["eventName"], found["errorCode"]) == ("PostObject", "AccessDenied")
    assert found["requestParameters"]["key"] == "k"
    assert found["userIdentity"]["userName"] == "alice"


def test_what_a_policy_does_not_allow_is_recorded(own_server):
    """The policy's signer is named, the key as the form has it, and why in AWS's words; nothing is recorded of a form
    that nobody is known to have signed."""
    sdk.client(own_server).create_bucket(Bucket="shelf")
    expected = {}
    for conditions, why in [
        ([{"key": "other"}], 'Policy Condition failed: ["eq", "$key", "other"]'),
        ([], "Extra input fields: key"),
    ]:
        got = post(own_server, "shelf", [("key", "up/${filename}")], b"x", conditions, filename="ü")
        assert_denied(got, why)
        expected[got.headers["x-amz-request-id"]] = why
    fields = [("key", "k")] + signed([{"bucket": "shelf"}, {"key": "k"}], expires=-1)
    content_type, body = multipart(fields)
    got = send(own_server, "POST", "/shelf", body, {"Content-Type": content_type})
    assert_denied(got, "Policy expired.")
    expected[got.headers["x-amz-request-id"]] = "Policy expired."
    forged = [(name, "0" * 64 if name == "x-amz-signature" else value) for name, value in fields]
    content_type, body = multipart(forged)
    got = send(own_server, "POST", "/shelf", body, {"Content-Type": content_type})
    assert got.code == "SignatureDoesNotMatch"
    own_server.stop()
    found = {record["requestID"]: record for record in records(own_server) if record["eventName"] == "PostObject"}
    assert found.keys() == expected.keys()
    for request_id, why in expected.items():
        record = found[request_id]
        assert (record["errorCode"], record["errorMessage"]) == ("AccessDenied", f"Invalid according to Policy: {why}")
        assert record["requestParameters"]["bucketName"] == "shelf"
        assert record["requestParameters"]["key"] in ("up/ü", "k")
        assert record["userIdentity"]["accessKeyId"] == MAIN.access_key
        assert [resource["type"] for resource in record["resources"]] == ["AWS::S3::Object", "AWS::S3::Bucket"]


def test_a_bucket_policy_knows_forms(server, s3, bucket):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"s3:authType": "POST"}},
    }

    def with_statement(**more):
        policy = {"Version": "2012-10-17", "Statement": [statement | more]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    with_statement()
    assert post(server, bucket, [("key", "k")]).status == 403
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    # What a policy demands of encryption a form says in its fields.
    with_statement(Condition={"StringNotEquals": {f"s3:{SSE}": KMS}})
    assert post(server, bucket, [("key", "k")]).status == 403
    assert post(server, bucket, [("key", "k"), (SSE, KMS)]).status == 204
    with_statement(Condition={"StringNotEquals": {"s3:RequestObjectTag/team": "a"}})
    assert post(server, bucket, [("key", "k")]).status == 403
    tagging = "<Tagging><TagSet><Tag><Key>team</Key><Value>a</Value></Tag></TagSet></Tagging>"
    assert post(server, bucket, [("key", "k"), ("tagging", tagging)]).status == 204


def test_nobody_may_upload_where_everybody_may(server, s3, bucket):
    content_type, body = multipart([("key", "k"), ("acl", "bucket-owner-full-control")], b"anonymous")

    def sent():
        return send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type})

    got = sent()
    assert (got.status, got.code) == (403, "AccessDenied"), got
    make_public(s3, bucket, ["s3:PutObject", "s3:PutObjectAcl"])
    assert sent().status == 204
    assert body_of(s3, bucket, "k") == b"anonymous"
    # SSE-KMS is for those who sign.
    content_type, body = multipart([("key", "k"), (SSE, KMS)])
    got = sent()
    assert (got.status, got.code) == (400, "InvalidArgument"), got


def test_what_is_no_form(server, s3, bucket, raw):
    fields = [("key", "k")] + signed([{"bucket": bucket}, {"key": "k"}])
    content_type, body = multipart(fields)

    def sent(body, content_type=content_type):
        return send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type})

    got = sent(b"key=k", "application/x-www-form-urlencoded")
    assert (got.status, got.code) == (412, "PreconditionFailed"), got
    assert b"<Condition>Bucket POST must be of the enclosure-type multipart/form-data</Condition>" in got.body
    for wrong in (body[:-60], body.replace(b"form-data; name", b"form-data; nom"), b"", b"--"):
        got = sent(wrong)
        assert (got.status, got.code) == (400, "MalformedPOSTRequest"), got
    assert sent(body, "multipart/form-data").code == "MalformedPOSTRequest"
    got = sent(multipart(fields, None)[1])
    assert (got.status, got.code) == (400, "InvalidArgument"), got
    assert got.message == "POST requires exactly one file upload per request."
    assert b"<ArgumentName>file</ArgumentName><ArgumentValue>0</ArgumentValue>" in got.body
    got = sent(multipart(fields, b"x", after=[("file", "y")])[1])
    assert (got.status, got.message) == (400, "POST requires exactly one file upload per request."), got
    got = sent(multipart([*fields, ("Key", "other")])[1])
    assert (got.status, got.code) == (400, "InvalidArgument"), got
    got = sent(multipart([("x-ignore-a", "x" * 20_480), *fields])[1])
    assert (got.status, got.code) == (400, "MaxPostPreDataLengthExceededError"), got
    assert sent(multipart([("x-ignore-a", "x" * 15_000), *fields])[1]).status == 204
    s3.delete_object(Bucket=bucket, Key="k")
    # Fields behind the file are not seen.
    got = sent(multipart(fields[1:], b"x", after=[("key", "k")])[1])
    assert got.status == 400 and "field named 'key'" in got.message, got
    got = send(server, "POST", f"/{bucket}/k", body, {"Content-Type": content_type})
    assert (got.status, got.code) == (405, "MethodNotAllowed"), got
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_form_that_comes_in_small_pieces_or_not_at_all(server, s3, bucket):
    fields = [("key", "slow")] + signed([{"bucket": bucket}, {"key": "slow"}])
    data = blob(40_000)
    content_type, body = multipart(fields, data)
    head = f"POST /{bucket} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    for cut in (None, len(body) - 500):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as stream:
            stream.sendall(head.encode())
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, cut or len(body), 61):
                stream.sendall(body[at : min(at + 61, cut or len(body))])
            if cut:
                stream.shutdown(socket.SHUT_WR)
            got = read_reply(stream, "POST")
        if cut:
            assert got.status in (None, 400), got
        else:
            assert got.status == 204, got
            assert body_of(s3, bucket, "slow") == data
            s3.delete_object(Bucket=bucket, Key="slow")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_page_of_another_origin_may_read_the_answer(server, s3, bucket):
    rule = {"AllowedOrigins": ["https://x"], "AllowedMethods": ["POST"], "ExposeHeaders": ["ETag"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    for conditions, status in [([{"key": "k"}], 204), ([], 403)]:
        content_type, body = multipart([("key", "k")] + signed([{"bucket": bucket}, *conditions]))
        got = send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type, "Origin": "https://x"})
        assert (got.status, got.headers["access-control-allow-origin"]) == (status, "https://x"), got
