"""Every misuse of encryption in the facts, with AWS's exact answer."""

import base64

import pytest

import sdk
from modes import CUSTOMER, KMS, OTHER_CUSTOMER
from sdk import assert_refused, md5_b64, refusal

SSE = "x-amz-server-side-encryption"
C = SSE + "-customer-"
KEY = bytes(range(32))
ALL_C = {C + "algorithm": "AES256", C + "key": base64.b64encode(KEY).decode(), C + "key-MD5": md5_b64(KEY)}

NEEDS_KEY = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
WRONG_KEY = (
    "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
)
BAD_KEY = "The secret key was invalid for the specified algorithm."
BAD_MD5 = "The calculated MD5 hash of the key did not match the hash that was provided."
ONLY_AES = "The Encryption request you specified is not valid. Supported value: AES256."
BOTH = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
NEEDS_KMS = (
    "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
)
PART_NEEDS = "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters."
PART_OTHER = "The provided encryption parameters did not match the ones used originally."
NOT_APPLICABLE = "The encryption parameters are not applicable to this object."
UNSUPPORTED = "x-amz-server-side-encryption header is not supported for this operation."


def without(name):
    return {n: v for n, v in ALL_C.items() if n != C + name}


def instead(name, value):
    return ALL_C | {C + name: value}


SHORT = {C + "key": base64.b64encode(KEY[:31]).decode(), C + "key-MD5": md5_b64(KEY[:31])}
WRITES = [
    ("c and sse-s3", ALL_C | {SSE: "AES256"}, 400, "InvalidArgument", BOTH),
    ("c and kms", ALL_C | {SSE: KMS}, 400, "InvalidArgument", BOTH),
    (
        "c without algorithm",
        without("algorithm"),
        400,
        "InvalidArgument",
        "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.",
    ),
    (
        "c without key",
        without("key"),
        400,
        "InvalidArgument",
        "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.",
    ),
    ("c without md5", without("key-MD5"), 400, "InvalidArgument", BAD_KEY),
    ("c other algorithm", instead("algorithm", "AES128"), 400, "InvalidEncryptionAlgorithmError", ONLY_AES),
    ("c lower-case algorithm", instead("algorithm", "aes256"), 400, "InvalidEncryptionAlgorithmError", ONLY_AES),
    ("c short key", ALL_C | SHORT, 400, "InvalidArgument", BAD_KEY),
    ("c key no base64", instead("key", "!!!"), 400, "InvalidArgument", BAD_KEY),
    ("c wrong md5", instead("key-MD5", md5_b64(b"other")), 400, "InvalidArgument", BAD_MD5),
    ("kms key without kms", {SSE + "-aws-kms-key-id": "alias/aws/s3"}, 400, "InvalidArgument", NEEDS_KMS),
    (
        "kms key with sse-s3",
        {SSE: "AES256", SSE + "-aws-kms-key-id": "alias/aws/s3"},
        400,
        "InvalidArgument",
        NEEDS_KMS,
    ),
    ("unknown algorithm", {SSE: "aes:kms"}, 400, "InvalidArgument", None),
    ("lower-case algorithm", {SSE: "aes256"}, 400, "InvalidArgument", None),
    ("empty algorithm", {SSE: ""}, 400, "InvalidArgument", None),
    ("unknown header", {SSE + "-something": "x"}, (400, 501), None, None),
    (
        "unknown key name",
        {SSE: KMS, SSE + "-aws-kms-key-id": "fake-key-id"},
        400,
        "KMS.NotFoundException",
        "Invalid keyId 'fake-key-id'",
    ),
    (
        "aws/s3 is no alias",
        {SSE: KMS, SSE + "-aws-kms-key-id": "aws/s3"},
        400,
        "KMS.NotFoundException",
        "Invalid keyId 'aws/s3'. An alias is named with its prefix: 'alias/aws/s3'",
    ),
    (
        "unknown key uuid",
        {SSE: KMS, SSE + "-aws-kms-key-id": "134f2428-cec1-4b25-a1ae-9048164dba47"},
        400,
        "KMS.NotFoundException",
        "Key 'arn:aws:kms:us-east-1:111122223333:key/134f2428-cec1-4b25-a1ae-9048164dba47' does not exist",
    ),
    (
        "unknown key arn",
        {
            SSE: KMS,
            SSE + "-aws-kms-key-id": "arn:aws:kms:us-east-1:111122223333:key/134f2428-cec1-4b25-a1ae-9048164dba47",
        },
        400,
        "KMS.NotFoundException",
        "Key 'arn:aws:kms:us-east-1:111122223333:key/134f2428-cec1-4b25-a1ae-9048164dba47' does not exist",
    ),
    (
        "other region's key",
        {
            SSE: KMS,
            SSE + "-aws-kms-key-id": "arn:aws:kms:us-west-2:111122223333:key/134f2428-cec1-4b25-a1ae-9048164dba47",
        },
        400,
        "KMS.NotFoundException",
        "Invalid arn us-west-2",
    ),
]


@pytest.fixture(scope="module")
def source(s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="source", Body=b"x")
    return f"/{module_bucket}/source"


@pytest.mark.parametrize("operation", ["put", "copy", "create upload"])
@pytest.mark.parametrize("headers, status, code, message", [pytest.param(*row[1:], id=row[0]) for row in WRITES])
def test_writes(raw, s3, module_bucket, source, operation, headers, status, code, message):
    path = f"/{module_bucket}/refused"
    raw.request("DELETE", path)
    if operation == "put":
        got = raw.request("PUT", path, headers=headers, body=b"data")
    elif operation == "copy":
        got = raw.request("PUT", path, headers=headers | {"x-amz-copy-source": source})
    else:
        got = raw.request("POST", path, "uploads", headers=headers)
    assert got.status in (status if isinstance(status, tuple) else (status,)), got
    if code:
        assert got.code == code, got
    if message:
        assert got.message == message, got
    assert refusal(s3.head_object, Bucket=module_bucket, Key="refused").status == 404


def test_argument_name_of_incompatible_modes(raw, module_bucket):
    got = raw.request("PUT", f"/{module_bucket}/refused", headers=ALL_C | {SSE: "AES256"}, body=b"x")
    assert b"<ArgumentName>x-amz-server-side-encryption</ArgumentName>" in got.body


@pytest.fixture(scope="module")
def customer_object(raw, module_bucket):
    path = f"/{module_bucket}/customer"
    assert raw.request("PUT", path, headers=ALL_C, body=b"plain words").status == 200
    return path


OTHER_KEY = bytes(range(50, 82))
OTHER_C = {
    C + "algorithm": "AES256",
    C + "key": base64.b64encode(OTHER_KEY).decode(),
    C + "key-MD5": md5_b64(OTHER_KEY),
}
READS = [
    ("no key", {}, 400, "InvalidRequest", NEEDS_KEY),
    ("wrong key", OTHER_C, 403, "AccessDenied", WRONG_KEY),
    ("no md5", without("key-MD5"), 403, "AccessDenied", WRONG_KEY),
    ("short key", ALL_C | SHORT, 400, "InvalidArgument", BAD_KEY),
    ("wrong md5", instead("key-MD5", md5_b64(b"other")), 400, "InvalidArgument", BAD_MD5),
    ("other algorithm", instead("algorithm", "AES128"), 400, "InvalidEncryptionAlgorithmError", ONLY_AES),
]


@pytest.mark.parametrize("operation", ["GET", "HEAD", "range", "attributes", "copy source", "part copy source"])
@pytest.mark.parametrize("headers, status, code, message", [pytest.param(*row[1:], id=row[0]) for row in READS])
def test_reads_of_sse_c(raw, s3, module_bucket, customer_object, operation, headers, status, code, message):
    if operation in ("GET", "HEAD"):
        got = raw.request(operation, customer_object, headers=headers)
    elif operation == "range":
        got = raw.request("GET", customer_object, headers=headers | {"Range": "bytes=0-1"})
    elif operation == "attributes":
        got = raw.request(
            "GET", customer_object, "attributes", headers=headers | {"x-amz-object-attributes": "ObjectSize"}
        )
    else:
        as_source = {n.replace("x-amz-", "x-amz-copy-source-"): v for n, v in headers.items()}
        as_source["x-amz-copy-source"] = customer_object
        if operation == "copy source":
            got = raw.request("PUT", f"/{module_bucket}/copied", headers=as_source)
        else:
            upload_id = s3.create_multipart_upload(Bucket=module_bucket, Key="parts")["UploadId"]
            got = raw.request("PUT", f"/{module_bucket}/parts", f"partNumber=1&uploadId={upload_id}", headers=as_source)
    assert got.status == status, got
    if operation == "HEAD":
        assert got.body == b"" and "x-amz-request-id" in got.headers
    else:
        assert got.code == code, got
        assert got.message == message, got
    assert b"plain words" not in got.body


def test_sse_c_headers_on_other_objects(raw, s3, module_bucket, source):
    for method in ("GET", "HEAD"):
        got = raw.request(method, source, headers=ALL_C)
        assert got.status == 400, got
    assert raw.request("GET", source, headers=ALL_C).message == NOT_APPLICABLE


SSE_WHERE_IT_DOES_NOT_BELONG = [
    ("GET", ""),
    ("HEAD", ""),
    ("PUT", "partNumber=1&uploadId={upload}"),
    ("POST", "uploadId={upload}"),
]


@pytest.mark.parametrize("method, query", SSE_WHERE_IT_DOES_NOT_BELONG, ids=["get", "head", "part", "complete"])
def test_sse_header_where_it_does_not_belong(raw, s3, module_bucket, source, method, query):
    upload_id = s3.create_multipart_upload(Bucket=module_bucket, Key="source")["UploadId"]
    body = b"x" if method in ("PUT", "POST") else b""
    got = raw.request(method, source, query.format(upload=upload_id), headers={SSE: "AES256"}, body=body)
    assert got.status == 400, got
    if method != "HEAD":
        assert (got.code, got.message) == ("InvalidArgument", UNSUPPORTED), got


def test_sse_header_on_a_listing(raw, module_bucket):
    got = raw.request("GET", f"/{module_bucket}", "list-type=2", headers={SSE: "AES256"})
    assert (got.status, got.code, got.message) == (400, "InvalidArgument", UNSUPPORTED)


PARTS = [
    ("part without key", CUSTOMER, {}, "InvalidRequest", PART_NEEDS),
    ("part with another key", CUSTOMER, OTHER_CUSTOMER, "InvalidRequest", PART_OTHER),
    ("part with a key nobody asked for", {}, CUSTOMER, "InvalidRequest", PART_NEEDS),
]


@pytest.mark.parametrize("create, part, code, message", [pytest.param(*row[1:], id=row[0]) for row in PARTS])
def test_parts(s3, bucket, create, part, code, message):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", **create)["UploadId"]
    args = dict(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=1)
    assert_refused(lambda: s3.upload_part(Body=b"x", **args, **part), 400, code, message)
    s3.put_object(Bucket=bucket, Key="src", Body=b"x")
    assert_refused(lambda: s3.upload_part_copy(CopySource=f"{bucket}/src", **args, **part), 400, code, message)


KEY_STATES = [
    ("disabled", "KMS.DisabledException", "{arn} is disabled."),
    ("pending deletion", "KMS.KMSInvalidStateException", "{arn} is pending deletion."),
]


@pytest.mark.parametrize("state, code, message", KEY_STATES)
@pytest.mark.parametrize(
    "algorithm, bucket_key",
    [(KMS, False), (KMS, True), ("aws:kms:dsse", False)],  # DSSE-KMS has no Bucket Keys
    ids=["kms", "bucket key", "dsse"],
)
def test_a_key_out_of_use_stops_everything_at_once(
    s3, kms, bucket, fresh_key, state, code, message, bucket_key, algorithm
):
    sse = {"ServerSideEncryption": algorithm, "SSEKMSKeyId": fresh_key["KeyId"]} | (
        {"BucketKeyEnabled": True} if bucket_key else {}
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **sse)
    sdk.body_of(s3, bucket, "k")
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="mpu", **sse)["UploadId"]
    if state == "disabled":
        kms.disable_key(KeyId=fresh_key["KeyId"])
    else:
        kms.schedule_key_deletion(KeyId=fresh_key["KeyId"], PendingWindowInDays=7)
    calls = [
        lambda: s3.get_object(Bucket=bucket, Key="k"),
        lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"x", **sse),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="new", **sse),
        lambda: s3.upload_part(Bucket=bucket, Key="mpu", UploadId=upload_id, PartNumber=1, Body=b"x"),
        lambda: s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/k"),
        lambda: s3.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/k", **sse),
    ]
    for call in calls:
        assert_refused(call, 400, code, message.format(arn=fresh_key["Arn"]))
    assert refusal(s3.head_object, Bucket=bucket, Key="new").status == 404
    if state == "disabled":
        kms.enable_key(KeyId=fresh_key["KeyId"])
    else:
        kms.cancel_key_deletion(KeyId=fresh_key["KeyId"])
        assert refusal(s3.get_object, Bucket=bucket, Key="k").code == "KMS.DisabledException"
        kms.enable_key(KeyId=fresh_key["KeyId"])
    assert sdk.body_of(s3, bucket, "k") == b"x"


def rules(*rows):
    return {"Rules": list(rows)}


def default(**rule):
    return {"ApplyServerSideEncryptionByDefault": rule}


BUCKET_RULES = [
    (
        "key with AES256",
        rules(default(SSEAlgorithm="AES256", KMSMasterKeyID="alias/aws/s3")),
        400,
        "InvalidArgument",
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
    ),
    (
        "no rule",
        rules(),
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    ("two rules", rules(default(SSEAlgorithm="AES256"), default(SSEAlgorithm="AES256")), 400, "MalformedXML", None),
    ("unknown algorithm", rules(default(SSEAlgorithm="AES128")), 400, "MalformedXML", None),
]


@pytest.mark.parametrize(
    "configuration, status, code, message", [pytest.param(*row[1:], id=row[0]) for row in BUCKET_RULES]
)
def test_bucket_rules(s3, bucket, configuration, status, code, message):
    put = lambda: s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration)  # noqa: E731
    assert_refused(put, status, code, message)


def test_blocked_sse_c(s3, bucket):
    s3.put_object(Bucket=bucket, Key="before", Body=b"x", **CUSTOMER)
    rule = default(SSEAlgorithm="AES256") | {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules(rule))
    read = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert read["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
    for call in (
        lambda: s3.put_object(Bucket=bucket, Key="after", Body=b"x", **CUSTOMER),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="after", **CUSTOMER),
        lambda: s3.copy_object(
            Bucket=bucket, Key="after", CopySource=f"{bucket}/before", **CUSTOMER, **sdk.as_copy_source(CUSTOMER)
        ),
    ):
        assert_refused(call, 403, "AccessDenied")
    assert sdk.body_of(s3, bucket, "before", **CUSTOMER) == b"x"
    rule["BlockedEncryptionTypes"] = {"EncryptionType": ["NONE"]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules(rule))
    s3.put_object(Bucket=bucket, Key="after", Body=b"x", **CUSTOMER)
