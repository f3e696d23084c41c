"""boto3: what each encryption mode does right."""

import base64

import pytest

import sdk
from modes import CUSTOMER, FIVE, KMS, MODES, OTHER_CUSTOMER, by_name
from sdk import MIB, as_copy_source, blob, body_of, md5_hex, refusal, upload


def is_md5(etag, data):
    assert len(etag.strip('"')) == 32
    return etag.strip('"') == md5_hex(data)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 200_000, 6 * MIB + 1])
@pytest.mark.parametrize("mode", by_name())
def test_round_trip(s3, module_bucket, key, mode, size):
    data, name = blob(size), f"{mode.name}/{size}"
    put = s3.put_object(Bucket=module_bucket, Key=name, Body=data, **mode.writing(key))
    got = s3.get_object(Bucket=module_bucket, Key=name, **mode.read)
    head = s3.head_object(Bucket=module_bucket, Key=name, **mode.read)
    assert got["Body"].read() == data
    for answer in (put, got, head):
        mode.shows(answer, key)
    assert put["ETag"] == got["ETag"] == head["ETag"]
    assert is_md5(put["ETag"], data) == mode.etag_is_md5
    assert head["ContentLength"] == size
    assert [
        o["Size"] for o in s3.list_objects_v2(Bucket=module_bucket, Prefix=name)["Contents"] if o["Key"] == name
    ] == [size]
    for first, last in ((0, 0), (size // 2, size // 2 + 70_000), (size - 1, size - 1)):
        if 0 <= first < size:
            span = body_of(s3, module_bucket, name, Range=f"bytes={first}-{last}", **mode.read)
            assert span == data[first : last + 1]


@pytest.mark.parametrize("mode", by_name())
def test_same_bytes_never_look_the_same(s3, module_bucket, key, mode):
    etags = {
        s3.put_object(Bucket=module_bucket, Key=f"same/{mode.name}", Body=b"same", **mode.writing(key))["ETag"]
        for _ in range(3)
    }
    assert len(etags) == (1 if mode.etag_is_md5 else 3)


@pytest.mark.parametrize("digest", ["ContentMD5", "ChecksumMD5"])
@pytest.mark.parametrize("mode", by_name())
def test_the_md5_that_a_client_sends_is_no_etag_but_in_sse_s3(s3, bucket, key, mode, digest):
    data = b"a body with its MD5"
    md5 = base64.b64encode(bytes.fromhex(md5_hex(data))).decode()
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, **{digest: md5}, **mode.writing(key))
    assert is_md5(put["ETag"], data) == mode.etag_is_md5
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == put["ETag"]


@pytest.mark.parametrize("mode", by_name())
def test_multipart(s3, bucket, key, mode):
    parts = [blob(5 * MIB, 1), blob(5 * MIB + 1, 2), blob(7, 3)]
    whole = b"".join(parts)
    created = s3.create_multipart_upload(Bucket=bucket, Key="k", **mode.writing(key))
    mode.shows(created, key)
    args = dict(Bucket=bucket, Key="k", UploadId=created["UploadId"])
    listed = []
    for number, part in enumerate(parts, 1):
        answer = s3.upload_part(PartNumber=number, Body=part, **args, **mode.read)
        mode.shows(answer, key)
        assert len(answer["ETag"].strip('"')) == 32
        assert (answer["ETag"] == f'"{md5_hex(part)}"') == mode.etag_is_md5
        listed.append({"PartNumber": number, "ETag": answer["ETag"]})
    # Complete needs no SSE-C key, as on AWS.
    done = s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **args)
    assert done["ETag"].endswith('-3"')
    if mode.header:
        mode.shows(done, key)
    got = s3.get_object(Bucket=bucket, Key="k", **mode.read)
    assert got["Body"].read() == whole
    mode.shows(got, key)
    for first, last in ((5 * MIB - 1, 5 * MIB), (0, len(whole) - 1), (len(whole) - 8, len(whole) - 1)):
        assert body_of(s3, bucket, "k", Range=f"bytes={first}-{last}", **mode.read) == whole[first : last + 1]
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2, **mode.read)
    assert second["Body"].read() == parts[1] and second["PartsCount"] == 3


def test_sse_c_upload_has_no_default_checksum(s3, bucket):
    upload(s3, bucket, "k", [blob(5 * MIB), b"end"], create=CUSTOMER, each=CUSTOMER)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", **CUSTOMER)
    assert "ChecksumCRC64NVME" not in head
    single = s3.put_object(Bucket=bucket, Key="single", Body=b"x", **CUSTOMER)
    assert any(name.startswith("Checksum") for name in single)


@pytest.mark.parametrize("size", ["1", "65536", "multipart"])
@pytest.mark.parametrize("target", by_name(FIVE))
@pytest.mark.parametrize("source", by_name(FIVE))
def test_copy_matrix(s3, module_bucket, key, source, target, size):
    name = f"matrix/{source.name}/{target.name}/{size}"
    if size == "multipart":
        parts = [blob(5 * MIB, 1), blob(MIB, 2)]
        data = b"".join(parts)
        upload(s3, module_bucket, name, parts, create=source.writing(key), each=source.read)
    else:
        data = blob(int(size))
        s3.put_object(Bucket=module_bucket, Key=name, Body=data, **source.writing(key))
    # An SSE-C copy under another key than the source's.
    writing = OTHER_CUSTOMER if target.read else target.writing(key)
    reading = OTHER_CUSTOMER if target.read else {}
    got = s3.copy_object(
        Bucket=module_bucket,
        Key=name + "-copy",
        CopySource={"Bucket": module_bucket, "Key": name},
        **writing,
        **as_copy_source(source.read),
    )
    target.shows(got, key)
    etag = got["CopyObjectResult"]["ETag"]
    assert is_md5(etag, data) == target.etag_is_md5
    head = s3.head_object(Bucket=module_bucket, Key=name + "-copy", **reading)
    assert (head["ETag"], head["ContentLength"]) == (etag, len(data))
    assert body_of(s3, module_bucket, name + "-copy", **reading) == data
    assert body_of(s3, module_bucket, name, **source.read) == data


@pytest.mark.parametrize("target", by_name(FIVE))
@pytest.mark.parametrize("source", by_name(FIVE))
def test_copy_in_place(s3, module_bucket, key, source, target):
    name, data = f"inplace/{source.name}/{target.name}", blob(100_000)
    s3.put_object(Bucket=module_bucket, Key=name, Body=data, **source.writing(key))
    writing = OTHER_CUSTOMER if target.read else target.writing(key)
    s3.copy_object(
        Bucket=module_bucket,
        Key=name,
        CopySource={"Bucket": module_bucket, "Key": name},
        MetadataDirective="REPLACE",
        Metadata={"copied": "yes"},
        **writing,
        **as_copy_source(source.read),
    )
    got = s3.get_object(Bucket=module_bucket, Key=name, **(OTHER_CUSTOMER if target.read else {}))
    assert got["Body"].read() == data and got["Metadata"] == {"copied": "yes"}


@pytest.mark.parametrize("mode", by_name(FIVE))
def test_part_copy_from_each_mode(s3, bucket, key, mode):
    data = blob(6 * MIB)
    s3.put_object(Bucket=bucket, Key="src", Body=data, **mode.writing(key))
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="dst", **OTHER_CUSTOMER)["UploadId"]
    args = dict(Bucket=bucket, Key="dst", UploadId=upload_id)
    part = s3.upload_part_copy(
        PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "src"},
        CopySourceRange="bytes=1-5242880",
        **args,
        **OTHER_CUSTOMER,
        **as_copy_source(mode.read),
    )
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
    assert body_of(s3, bucket, "dst", **OTHER_CUSTOMER) == data[1:5242881]


@pytest.mark.parametrize("mode", by_name(MODES[1:7]))
def test_bucket_default(s3, bucket, key, mode):
    rule = {"SSEAlgorithm": mode.header}
    if mode.uses_key:
        rule["KMSMasterKeyID"] = key["Arn"]
    bucket_key = bool(mode.write.get("BucketKeyEnabled"))
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": bucket_key}]
        },
    )
    read = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert read["ApplyServerSideEncryptionByDefault"] == rule and read["BucketKeyEnabled"] == bucket_key
    # Stored as with explicit headers, whole and in parts.
    mode.shows(s3.put_object(Bucket=bucket, Key="k", Body=b"x"), key)
    assert body_of(s3, bucket, "k") == b"x"
    parts = [blob(5 * MIB), b"end"]
    mode.shows(upload(s3, bucket, "mpu", parts), key)
    assert body_of(s3, bucket, "mpu") == b"".join(parts)
    # A request's own headers stand over the default.
    assert (
        s3.put_object(Bucket=bucket, Key="own", Body=b"x", ServerSideEncryption="AES256")["ServerSideEncryption"]
        == "AES256"
    )
    s3.delete_bucket_encryption(Bucket=bucket)
    s3.delete_bucket_encryption(Bucket=bucket)
    read = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert (
        read["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"} and read["BucketKeyEnabled"] is False
    )
    assert body_of(s3, bucket, "mpu") == b"".join(parts)


def test_a_copy_takes_the_targets_default_not_the_sources_mode(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key="src", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=key["KeyId"])
    copied = s3.copy_object(Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "src"})
    assert copied["ServerSideEncryption"] == "AES256"


def test_key_forms_are_all_answered_by_arn(s3, kms, bucket, key):
    alias = "alias/forms"
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    arn_of_alias = key["Arn"].split(":key/")[0] + ":" + alias
    for form in (key["KeyId"], key["Arn"], alias, arn_of_alias):
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=form)
        assert put["SSEKMSKeyId"] == key["Arn"], form


def test_the_managed_key_is_made_on_first_use(s3, kms, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS)
    described = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert described["Arn"] == put["SSEKMSKeyId"]
    assert described["KeyManager"] == "AWS"
    assert (
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId="alias/aws/s3")[
            "SSEKMSKeyId"
        ]
        == put["SSEKMSKeyId"]
    )


def test_encryption_context_with_other_blanks(raw, s3, bucket):
    context = base64.b64encode(b'{ "a" : "b" }').decode()
    headers = {"x-amz-server-side-encryption": KMS, "x-amz-server-side-encryption-context": context}
    assert raw.request("PUT", f"/{bucket}/k", headers=headers, body=b"x").status == 200
    assert body_of(s3, bucket, "k") == b"x"


@pytest.mark.parametrize(
    "bad",
    [
        "not base64!",
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b'{"a":1}').decode(),
        base64.b64encode(b"{").decode(),
    ],
)
def test_encryption_contexts_that_are_none(raw, bucket, bad):
    headers = {"x-amz-server-side-encryption": KMS, "x-amz-server-side-encryption-context": bad}
    got = raw.request("PUT", f"/{bucket}/k", headers=headers, body=b"x")
    assert (got.status, got.code) == (400, "InvalidArgument"), got


def test_update_object_encryption(s3, kms, bucket, key, fresh_key):
    data = blob(200_000)
    s3.put_object(Bucket=bucket, Key="k", Body=data, ServerSideEncryption=KMS, SSEKMSKeyId=key["Arn"])
    s3.update_object_encryption(Bucket=bucket, Key="k", ObjectEncryption={"SSEKMS": {"KMSKeyArn": fresh_key["Arn"]}})
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["SSEKMSKeyId"] == fresh_key["Arn"]
    kms.disable_key(KeyId=fresh_key["KeyId"])
    assert refusal(s3.get_object, Bucket=bucket, Key="k").code == "KMS.DisabledException"
    kms.enable_key(KeyId=fresh_key["KeyId"])
    assert body_of(s3, bucket, "k") == data


def test_update_object_encryption_of_sse_c_is_refused(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key="c", Body=b"x", **CUSTOMER)
    got = refusal(
        s3.update_object_encryption, Bucket=bucket, Key="c", ObjectEncryption={"SSEKMS": {"KMSKeyArn": key["Arn"]}}
    )
    assert got.status == 400


def test_key_rotation_leaves_old_objects_readable(s3, kms, bucket, fresh_key):
    for generation in range(3):
        s3.put_object(
            Bucket=bucket,
            Key=f"g{generation}",
            Body=b"%d" % generation,
            ServerSideEncryption=KMS,
            SSEKMSKeyId=fresh_key["KeyId"],
        )
        kms.rotate_key_on_demand(KeyId=fresh_key["KeyId"])
    for generation in range(3):
        assert body_of(s3, bucket, f"g{generation}") == b"%d" % generation


def test_deletes_need_no_key(s3, kms, bucket, fresh_key):
    s3.put_object(Bucket=bucket, Key="kms", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=fresh_key["KeyId"])
    s3.put_object(Bucket=bucket, Key="c", Body=b"x", **CUSTOMER)
    kms.disable_key(KeyId=fresh_key["KeyId"])
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2
    s3.delete_object(Bucket=bucket, Key="kms")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}]})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_sse_c_over_https(tls_s3, tls_bucket):
    data = blob(6 * MIB)
    tls_s3.put_object(Bucket=tls_bucket, Key="k", Body=data, **CUSTOMER)
    assert body_of(tls_s3, tls_bucket, "k", **CUSTOMER) == data


def test_every_mode_survives_a_restart(own_server):
    s3, kms = sdk.client(own_server), sdk.client(own_server, "kms")
    s3.create_bucket(Bucket="restart")
    own_key = kms.create_key()["KeyMetadata"]
    data = blob(100_000)
    for mode in MODES:
        s3.put_object(Bucket="restart", Key=mode.name, Body=data, **mode.writing(own_key))
    own_server.stop()
    own_server.start()
    for mode in MODES:
        got = s3.get_object(Bucket="restart", Key=mode.name, **mode.read)
        assert got["Body"].read() == data
        mode.shows(got, own_key)
