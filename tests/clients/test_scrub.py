"""`strongroom scrub`: clean where all is well, and a list where it is not."""

import json
import os
import pty
import random
import re
import subprocess

import pytest

import sdk
from gateway import BINARY, clean_environment
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


def test_a_terminal_shows_how_far_it_is_and_nothing_else_does(own_server):
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket="shown")
    for number in range(24):
        s3.put_object(Bucket="shown", Key=str(number), Body=blob(8 * MIB, number))
    own_server.stop()

    silent = own_server.command("scrub")
    assert silent.stderr == "" and len(silent.stdout.splitlines()) == 1, silent
    assert silent.stdout.startswith("24 versions, 0 parts of uploads, ")

    terminal, far = pty.openpty()
    process = subprocess.Popen(
        [BINARY, "scrub", "--config", own_server.settings],
        stdout=subprocess.PIPE,
        stderr=far,
        env=clean_environment(TERM="xterm"),
    )
    os.close(far)
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux tells that the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    said = process.stdout.read().decode()
    assert process.wait(60) == 0
    assert said == silent.stdout, "the report is no part of the bar"
    frames = re.findall(
        r"([0-9.]+) (B|KiB|MiB)/192\.\S+ MiB ([0-9.]+ \S+/s), (\S+) left, (\d+) versions", shown.decode()
    )
    assert frames, shown[-2000:]
    versions = [int(frame[4]) for frame in frames]
    assert versions == sorted(versions) and versions[-1] > versions[0], versions
    assert any(re.fullmatch(r"\d+m?s", frame[3]) for frame in frames), frames
