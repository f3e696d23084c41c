"""boto3 clients and the reading of their refusals."""

import base64
import hashlib
import os

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway import MAIN, REGION

MIB = 1 << 20
# What a session reads of its service, 130 ms of computing a client, is read once.
MODELS = botocore.session.Session().get_component("data_loader")


def new_session(access_key=None, secret_key=None, token=None, region=REGION):
    core = botocore.session.Session()
    core.register_component("data_loader", MODELS)
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key, "aws_session_token": token}
    return boto3.session.Session(botocore_session=core, region_name=region, **keys)


def client(server, service="s3", who=MAIN, region=REGION, verify=None, session=None, **config):
    """A client that tries once, path style."""
    s3 = {"addressing_style": "path"} | config.pop("s3", {})
    settings = Config(**{"retries": {"total_max_attempts": 1}, "s3": s3, "read_timeout": 60} | config)
    session = session or new_session(who.access_key, who.secret_key, region=region)
    return session.client(service, endpoint_url=server.endpoint, config=settings, verify=verify)


class Refusal:
    """What the server answered instead of what was asked."""

    def __init__(self, error):
        self.response = error.response
        self.status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        self.code = error.response["Error"]["Code"]
        self.message = error.response["Error"].get("Message", "")

    def __repr__(self):
        return f"{self.status} {self.code}: {self.message}"


def refusal(call, *args, **kwargs):
    """The refusal that `call` meets; fails if it succeeds."""
    try:
        answer = call(*args, **kwargs)
    except ClientError as error:
        return Refusal(error)
    raise AssertionError(f"this was to be refused, but succeeded: {answer}")


def assert_refused(call, status, code, message=None):
    got = refusal(call)
    assert (got.status, got.code) == (status, code), got
    if message is not None:
        assert got.message == message, got


def body_of(s3, bucket, key, **args):
    return s3.get_object(Bucket=bucket, Key=key, **args)["Body"].read()


def blob(size, seed=0):
    """Bytes that do not repeat with any block size, the same for the same arguments."""
    return hashlib.shake_128(f"{seed}/{size}".encode()).digest(size)


def md5_hex(data):
    return hashlib.md5(data).hexdigest()


def md5_b64(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def customer_key(key=None):
    """SSE-C arguments of boto3."""
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key or os.urandom(32)}


def as_copy_source(customer):
    return {"CopySource" + name: value for name, value in customer.items()}


def upload(s3, bucket, key, parts, create=None, each=None, complete=None):
    """A multipart upload of `parts`; `each` goes with every part."""
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key, **(create or {}))["UploadId"]
    done = []
    for number, part in enumerate(parts, 1):
        answer = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=part, **(each or {})
        )
        sums = {name: value for name, value in answer.items() if name.startswith("Checksum") and name != "ChecksumType"}
        done.append({"PartNumber": number, "ETag": answer["ETag"]} | sums)
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": done}, **(complete or {})
    )
