"""boto3 of the generation before checksums, which Debian 12 and many images carry, in a venv of its own."""

import json

import pytest

import programs
from gateway import MAIN, REGION
from modes import MODES, by_name

SCRIPT = """
import io, json, sys, urllib.request
import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

told = json.loads(sys.argv[1])
place = dict(endpoint_url=told["endpoint"], region_name=told["region"], aws_access_key_id=told["key"], aws_secret_access_key=told["secret"])
config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, read_timeout=10, retries={"total_max_attempts": 1})
s3, bucket = boto3.client("s3", config=config, **place), told["bucket"]
write, read = told["write"], told["read"]
for more in (write, read):
    if "SSECustomerKey" in more:
        more["SSECustomerKey"] = bytes.fromhex(more["SSECustomerKey"])
source = {"CopySource" + name: value for name, value in read.items()}
data = bytes(range(251)) * 25_000

# On one connection: what comes after an empty body is answered too.
bodies = {"a": b"first", "empty": b"", "ü +%": b"second", "b": b"third"}
for name, body in bodies.items():
    s3.put_object(Bucket=bucket, Key=name, Body=io.BytesIO(body), **write)
for name, body in bodies.items():
    assert s3.get_object(Bucket=bucket, Key=name, **read)["Body"].read() == body
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
s3.upload_fileobj(io.BytesIO(data), bucket, "parts", ExtraArgs=write, Config=parts)
got = io.BytesIO()
s3.download_fileobj(bucket, "parts", got, ExtraArgs=read, Config=parts)
assert got.getvalue() == data
assert s3.get_object(Bucket=bucket, Key="parts", Range="bytes=5242875-5242884", **read)["Body"].read() == data[5242875:5242885]
s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "parts"}, **write, **source)
assert s3.head_object(Bucket=bucket, Key="copy", **read)["ContentLength"] == len(data)
if not read:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "ü +%"})
    assert urllib.request.urlopen(url, timeout=10).read() == b"second"
try:
    s3.put_object(Bucket=bucket, Key="a", Body=b"other", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==", **write)
    raise AssertionError("a wrong Content-MD5 was taken")
except s3.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "BadDigest", error
print(json.dumps([entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]))
"""
OF_OLDER = [mode for mode in MODES if mode.name in ("default", "sse-kms-key", "sse-c")]


@pytest.mark.parametrize("mode", by_name(OF_OLDER))
def test_objects_parts_copies_and_urls(server, s3, bucket, key, mode):
    told = {"endpoint": server.endpoint, "region": REGION, "bucket": bucket}
    told |= {"key": MAIN.access_key, "secret": MAIN.secret_key, "write": mode.writing(key), "read": mode.read}
    written = json.dumps(told, default=bytes.hex)
    done = programs.run([programs.OLDER_VENV / "python", "-c", SCRIPT, written], programs.clean_environment())
    names = json.loads(done.stdout)
    assert names == ["a", "b", "copy", "empty", "parts", "ü +%"]
    for name in names:
        mode.shows(s3.head_object(Bucket=bucket, Key=name, **mode.read), key)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names]})
