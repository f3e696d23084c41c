"""`strongroom scrub`: clean where all is well, and a list where it is not."""

import json
import random

import pytest

import sdk
from sdk import MIB, as_copy_source, blob, upload

MODES = [{}, {"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms:dsse"}]


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_holders_of_shared_bytes_are_counted_right(own_server, versioned):
    """Copies share bytes; whatever is copied over whatever, the count of holders is that of the versions."""
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket="shared")
    if versioned:
        s3.put_bucket_versioning(Bucket="shared", VersioningConfiguration={"Status": "Enabled"})
    dice = random.Random(7)
    contents = {}
    for number in range(150):
        if versioned and number == 100:
            s3.put_bucket_versioning(Bucket="shared", VersioningConfiguration={"Status": "Suspended"})
        key = dice.choice("abcd")
        action = dice.choices(["put", "delete", "copy"], [4, 2, 6])[0]
        if action == "put":
            contents[key] = blob(200_000, number)
            s3.put_object(Bucket="shared", Key=key, Body=contents[key], **dice.choice(MODES))
        elif action == "delete":
            contents.pop(key, None)
            s3.delete_object(Bucket="shared", Key=key)
        elif contents:
            source = dice.choice(sorted(contents))
            contents[key] = contents[source]
            s3.copy_object(
                Bucket="shared",
                Key=key,
                CopySource=f"shared/{source}",
                MetadataDirective="REPLACE",
                Metadata={"number": str(number)},
            )
    for key, content in contents.items():
        assert sdk.body_of(s3, "shared", key) == content
    own_server.stop()
    own_server.command("scrub")


def test_damage_is_found_and_named(own_server):
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket="damaged")
    customer = sdk.customer_key()
    s3.put_object(Bucket="damaged", Key="good", Body=blob(300_000))
    s3.put_object(Bucket="damaged", Key="customer", Body=blob(300_000), **customer)
    s3.copy_object(Bucket="damaged", Key="copy", CopySource="damaged/customer", **customer, **as_copy_source(customer))
    upload(s3, "damaged", "parts", [blob(5 * MIB), blob(300_000)])
    own_server.stop()
    own_server.command("scrub")
    blobs = sorted((p for p in own_server.data.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    (large,) = [p for p in blobs if 5 * MIB < p.stat().st_size < 5 * MIB + 100_000]
    data = bytearray(large.read_bytes())
    data[1_000_000] ^= 1
    large.write_bytes(data)
    found = own_server.command("scrub", check=False)
    assert found.returncode == 3
    assert "damaged" in found.stdout + found.stderr
    assert "parts" in found.stdout
    large.unlink()
    assert own_server.command("scrub", check=False).returncode == 3


def test_small_objects_and_parts_of_uploads_are_read_too(own_server):
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket="parts")
    s3.put_object(Bucket="parts", Key="small", Body=blob(1000))
    upload_id = s3.create_multipart_upload(Bucket="parts", Key="k")["UploadId"]
    for number, size in ((1, 300_000), (2, 1000)):
        s3.upload_part(Bucket="parts", Key="k", UploadId=upload_id, PartNumber=number, Body=blob(size))
    own_server.stop()
    clean = json.loads(own_server.command("scrub", "--json").stdout)
    assert (clean["versions"], clean["parts"], clean["damage"], clean["orphans"]) == (1, 2, [], [])
    assert clean["bytes_read"] > 302_000
    (part,) = [p for p in own_server.data.rglob("*") if p.is_file() and 300_000 < p.stat().st_size < 302_000]
    whole = part.read_bytes()
    for damaged in (whole[:1000] + b"\0" + whole[1001:], whole[:-1], whole + b"x"):
        part.write_bytes(damaged)
        found = own_server.command("scrub", "--json", check=False)
        assert found.returncode == 3
        assert [d["place"] for d in json.loads(found.stdout)["damage"]] == ["part 1 of an upload"]
