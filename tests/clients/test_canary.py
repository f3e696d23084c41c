"""Nothing that was stored can be read in the data directory: no text, no MD5 of it, no metadata, no secret."""

import base64
import hashlib
import json
import re
import urllib.request

import sdk
from gateway import ALICE, MAIN, OTHER, Strongroom
from modes import MODES
from raw import Raw
from sdk import MIB, as_copy_source, upload

TEXT = b"CANARY-the-quick-brown-fox-4711-"
VALUE = "canary-metadata-value-0815"
CONTEXT_VALUE = "canary-context-value-2342"
TAG = "canary-tag-value-5150"
LATER_TAG = "canary-later-tag-value-6174"
POLICY_SID = "canary-policy-statement-8128"
KEY_TAG = "canary-key-tag-value-1729"
SMALL, MEDIUM, PART = TEXT * 3, TEXT * 10_000, TEXT * (5 * MIB // len(TEXT))
WHOLE_ACCOUNT = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{MAIN.account}:root"},
    "Action": "kms:*",
    "Resource": "*",
}
CUSTOMER_KEY = b"canary-customer-key-canary-custo"


def store_everything(server):
    """Stores in every mode, small, large and in parts; gives the byte strings that must be nowhere."""
    s3, kms = sdk.client(server), sdk.client(server, "kms")
    s3.create_bucket(Bucket="canary")
    policy = {"Version": "2012-10-17", "Statement": [WHOLE_ACCOUNT | {"Sid": POLICY_SID}]}
    tags = [{"TagKey": "canary", "TagValue": KEY_TAG}]
    key = kms.create_key(Description="canary-description-1138", Policy=json.dumps(policy), Tags=tags)["KeyMetadata"]
    assert POLICY_SID in kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
    context = base64.b64encode(json.dumps({"project": CONTEXT_VALUE}).encode()).decode()
    told = (VALUE, CONTEXT_VALUE, TAG, LATER_TAG, POLICY_SID, KEY_TAG, "canary-description-1138")
    secrets = {TEXT, CUSTOMER_KEY} | {text.encode() for text in told}
    for mode in MODES:
        write, read = dict(mode.writing(key)), dict(mode.read)
        if mode.read:
            write = read = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY}
        if "SSEKMSEncryptionContext" in write:
            write["SSEKMSEncryptionContext"] = context
        tell = {"Metadata": {"canary": VALUE}, "ContentDisposition": f"inline; filename={VALUE}"}
        tell["Tagging"] = f"canary={TAG}"
        for name, data in (("small", SMALL), ("medium", MEDIUM)):
            s3.put_object(Bucket="canary", Key=f"{mode.name}/{name}", Body=data, **tell, **write)
        upload(s3, "canary", f"{mode.name}/parts", [PART, SMALL], create=write | tell, each=read)
        s3.copy_object(
            Bucket="canary",
            Key=f"{mode.name}/copy",
            CopySource=f"canary/{mode.name}/medium",
            **write,
            **as_copy_source(read),
        )
        assert s3.get_object_tagging(Bucket="canary", Key=f"{mode.name}/parts")["TagSet"][0]["Value"] == TAG
        later = {"TagSet": [{"Key": "canary", "Value": LATER_TAG}]}
        s3.put_object_tagging(Bucket="canary", Key=f"{mode.name}/small", Tagging=later)
        unfinished = s3.create_multipart_upload(Bucket="canary", Key=f"{mode.name}/unfinished", **tell, **write)[
            "UploadId"
        ]
        s3.upload_part(
            Bucket="canary", Key=f"{mode.name}/unfinished", UploadId=unfinished, PartNumber=1, Body=PART, **read
        )
        assert sdk.body_of(s3, "canary", f"{mode.name}/parts", **read) == PART + SMALL
    Raw(server).chunked_put("/canary/chunked", [SMALL, MEDIUM], trailer=None)
    box = kms.encrypt(KeyId=key["KeyId"], Plaintext=TEXT, EncryptionContext={"project": CONTEXT_VALUE})
    kms.decrypt(CiphertextBlob=box["CiphertextBlob"], EncryptionContext={"project": CONTEXT_VALUE})
    data_key = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")["Plaintext"]
    whole = PART + SMALL
    composite = hashlib.md5(hashlib.md5(PART).digest() + hashlib.md5(SMALL).digest()).digest()
    digests = [hashlib.md5(d).digest() for d in (SMALL, MEDIUM, PART, whole, CUSTOMER_KEY, SMALL + MEDIUM)] + [
        composite
    ]
    digests += [hashlib.sha256(d).digest() for d in (SMALL, MEDIUM, PART, CUSTOMER_KEY)] + [data_key]
    callers = [who.secret_key.encode() for who in (MAIN, ALICE, OTHER)]
    return secrets | set(callers) | {form for digest in digests for form in forms(digest)} | set(forms(CUSTOMER_KEY))


def forms(raw):
    """A value as it stands, in hexadecimal of both cases, and in base64."""
    return [raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw)]


def found_in(directory, needles):
    """(file, needle) of everything that occurs; files are read in overlapping windows."""
    overlap = max(len(needle) for needle in needles)
    hits = set()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            tail = b""
            while piece := file.read(8 * MIB):
                window = tail + piece
                # One after the other: three times as fast as one expression of them all.
                hits |= {(str(path.relative_to(directory)), needle) for needle in needles if needle in window}
                tail = piece[-overlap:]
    return sorted(hits)


def test_the_search_finds_what_is_there(tmp_path):
    (tmp_path / "x").write_bytes(b"." * (8 * MIB - 5) + TEXT)
    assert found_in(tmp_path, {TEXT, b"other"}) == [("x", TEXT)]


def test_nothing_can_be_read_at_rest_or_in_the_log(tmp_path):
    """Nothing secret is logged however much is: the server tells all that it can."""
    gateway = Strongroom(tmp_path / "loud", extra='log_filter = "trace"').start()
    try:
        needles = store_everything(gateway)
        assert found_in(gateway.data, needles) == []
        s3 = sdk.client(gateway, signature_version="s3v4")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "canary", "Key": "default/small"})
        urllib.request.urlopen(url, timeout=20).read()
        signature = re.search("X-Amz-Signature=([0-9a-f]+)", url).group(1)
        signed = Raw(gateway).signed("GET", "/canary/default/small")
        raw = Raw(gateway)
        raw.send(raw.head_bytes("GET", "/canary/default/small", "", signed.headers), "GET")
    finally:
        gateway.stop()
    assert sum(p.stat().st_size for p in gateway.data.rglob("*") if p.is_file()) > 8 * len(PART), (
        "the objects are somewhere else"
    )
    assert found_in(gateway.data, needles) == []
    log = gateway.log().encode()
    assert b"/canary/default/small" in log, "the log is somewhere else"
    assert [needle for needle in needles | {signature.encode(), signed.signature.encode()} if needle in log] == []
