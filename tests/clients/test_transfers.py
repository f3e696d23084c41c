"""boto3's resources and transfer manager in every mode: whole and in parts, copies, streams of unknown length."""

import io

import pytest
from boto3.s3.transfer import TransferConfig

import sdk
from gateway import MAIN
from modes import CUSTOMER, MODES, OTHER_CUSTOMER, by_name
from sdk import MIB, as_copy_source, blob

PARTS = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
# The transfer manager takes no BucketKeyEnabled.
TAKEN = [mode for mode in MODES if mode.name in ("default", "sse-s3", "sse-kms-key", "sse-c")]
SIZES = {"whole": 6 * MIB - 1, "parts": 6 * MIB}


@pytest.fixture(scope="module")
def resource(server):
    session = sdk.new_session(MAIN.access_key, MAIN.secret_key)
    return session.resource("s3", endpoint_url=server.endpoint)


@pytest.mark.parametrize("mode", by_name(TAKEN))
def test_files_and_streams(s3, module_bucket, key, tmp_path, mode):
    for kind, size in SIZES.items():
        name, data = f"transfers/{mode.name}/{kind}", blob(size)
        (tmp_path / "up").write_bytes(data)
        told = mode.writing(key) | {"Metadata": {"kind": kind}, "ContentType": "text/plain"}
        s3.upload_file(str(tmp_path / "up"), module_bucket, name, ExtraArgs=told, Config=PARTS)
        head = s3.head_object(Bucket=module_bucket, Key=name, **mode.read)
        mode.shows(head, key)
        assert (head["ContentLength"], head["Metadata"], head["ContentType"]) == (size, {"kind": kind}, "text/plain")
        assert head["ETag"].endswith('-2"') == (kind == "parts")
        s3.download_file(module_bucket, name, str(tmp_path / "down"), ExtraArgs=mode.read, Config=PARTS)
        assert (tmp_path / "down").read_bytes() == data
    # Neither side knows a length: what cannot seek is read in parts.
    pipe = io.BufferedReader(io.BytesIO(data))
    pipe.seekable = lambda: False
    s3.upload_fileobj(pipe, module_bucket, name, ExtraArgs=mode.writing(key), Config=PARTS)
    got = io.BytesIO()
    s3.download_fileobj(module_bucket, name, got, ExtraArgs=mode.read, Config=PARTS)
    assert got.getvalue() == data


@pytest.mark.parametrize("mode", by_name(TAKEN))
def test_managed_copies(s3, module_bucket, key, mode):
    for kind, size in SIZES.items():
        source, target, data = f"copies/{mode.name}/{kind}", f"copies/{mode.name}/{kind}-copy", blob(size)
        s3.put_object(Bucket=module_bucket, Key=source, Body=data, Metadata={"a": "b"}, **mode.writing(key))
        writing = OTHER_CUSTOMER if mode.read else mode.writing(key)
        s3.copy(
            {"Bucket": module_bucket, "Key": source},
            module_bucket,
            target,
            ExtraArgs=writing | as_copy_source(mode.read),
            Config=PARTS,
        )
        got = s3.get_object(Bucket=module_bucket, Key=target, **(OTHER_CUSTOMER if mode.read else {}))
        mode.shows(got, key)
        assert got["Body"].read() == data and got["ETag"].endswith('-2"') == (kind == "parts")


def test_resources(resource, s3, key):
    bucket = resource.create_bucket(Bucket="resources")
    assert bucket in list(resource.buckets.all())
    for number in range(5):
        bucket.put_object(
            Key=f"k{number}", Body=b"%d" % number, ServerSideEncryption="aws:kms", SSEKMSKeyId=key["KeyId"]
        )
    secret = bucket.Object("secret")
    secret.put(Body=b"mine", **CUSTOMER)
    assert secret.get(**CUSTOMER)["Body"].read() == b"mine"
    first = resource.Object("resources", "k0")
    assert (first.server_side_encryption, first.ssekms_key_id, first.content_length) == ("aws:kms", key["Arn"], 1)
    assert [o.size for o in bucket.objects.filter(Prefix="k").limit(3)] == [1, 1, 1]
    resource.Object("resources", "copied").copy_from(CopySource="resources/k1", ServerSideEncryption="AES256")
    assert resource.Object("resources", "copied").get()["Body"].read() == b"1"
    bucket.Versioning().enable()
    assert bucket.Versioning().status == "Enabled"
    first.delete()
    assert sorted(v.is_latest for v in bucket.object_versions.filter(Prefix="k0")) == [False, True]
    upload = bucket.Object("parts").initiate_multipart_upload()
    part = upload.Part(1).upload(Body=b"part")
    done = upload.complete(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert done.get()["Body"].read() == b"part"
    bucket.Tagging().put(Tagging={"TagSet": [{"Key": "team", "Value": "red"}]})
    assert bucket.Tagging().tag_set == [{"Key": "team", "Value": "red"}]
    bucket.object_versions.delete()
    bucket.delete()
    bucket.wait_until_not_exists()
