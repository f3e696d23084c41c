"""Copies that take longer than a client waits, before a store that is slow to read."""

import time

import pytest
from botocore.exceptions import ClientError

import sdk
from clouds import Google, running
from gateway import MAIN, Strongroom
from sdk import MIB, blob, body_of
from test_clouds import settings

# The gateway begins its answer after five seconds; without that a client gives up after this many.
READ_TIMEOUT = 6
STORE_PAUSE = 8


@pytest.fixture
def slow(tmp_path):
    """A gateway with an object whose copy has to be read (its MD5 is not known), on a store that then gets slow."""
    with running(Google) as (cloud, url):
        gateway = Strongroom(tmp_path / "gateway", extra=settings(Google, url)).start()
        s3 = sdk.client(gateway)
        s3.create_bucket(Bucket="own")
        s3.put_object(Bucket="own", Key="source", Body=blob(6 * MIB), ServerSideEncryption="aws:kms")
        cloud.pause = STORE_PAUSE
        yield gateway, cloud
        gateway.stop()


def timed(call):
    begun = time.monotonic()
    return call(), time.monotonic() - begun


def test_copies_outlast_the_read_timeout_of_a_client(slow):
    gateway, cloud = slow
    s3 = sdk.client(gateway, read_timeout=READ_TIMEOUT)
    copy = {"Bucket": "own", "CopySource": "own/source"}
    answer, seconds = timed(lambda: s3.copy_object(**copy, Key="copy", ServerSideEncryption="AES256"))
    assert seconds > READ_TIMEOUT and answer["CopyObjectResult"]["ETag"]
    assert answer["ServerSideEncryption"] == "AES256"

    upload_id = s3.create_multipart_upload(Bucket="own", Key="parts")["UploadId"]
    part = {"Bucket": "own", "Key": "parts", "UploadId": upload_id, "PartNumber": 1, "CopySource": "own/source"}
    answer, seconds = timed(lambda: s3.upload_part_copy(**part))
    assert seconds > READ_TIMEOUT and answer["ServerSideEncryption"] == "AES256"
    made = {"PartNumber": 1, "ETag": answer["CopyPartResult"]["ETag"]}
    s3.complete_multipart_upload(Bucket="own", Key="parts", UploadId=upload_id, MultipartUpload={"Parts": [made]})
    cloud.pause = 0
    assert body_of(s3, "own", "copy") == body_of(s3, "own", "parts") == blob(6 * MIB)
    # The log has what came of it, not only that it began well.
    assert '"sent_status":200' in gateway.log() or "sent_status=200" in gateway.log()


def test_an_error_behind_the_head_is_an_error_to_the_client(slow):
    gateway, cloud = slow
    cloud.objects.clear()
    s3 = sdk.client(gateway, read_timeout=READ_TIMEOUT)
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket="own", Key="copy", CopySource="own/source", ServerSideEncryption="AES256")
    assert refused.value.response["Error"]["Code"] == "InternalError"
    assert sdk.refusal(s3.head_object, Bucket="own", Key="copy").status == 404


def test_a_client_that_hangs_up_leaves_nothing(slow):
    gateway, cloud = slow
    s3 = sdk.client(gateway, read_timeout=2, who=MAIN)
    with pytest.raises(Exception, match="Read timeout"):
        s3.copy_object(Bucket="own", Key="copy", CopySource="own/source", ServerSideEncryption="AES256")
    cloud.pause = 0
    time.sleep(STORE_PAUSE)
    assert sdk.refusal(s3.head_object, Bucket="own", Key="copy").status == 404
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="own")["Contents"]] == ["source"]
