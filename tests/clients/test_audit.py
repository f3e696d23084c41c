"""The audit trail as its readers see it."""

import json

import sdk


def records(server):
    """The CloudTrail records in what `audit export` writes: one object a line, with number, hash and record."""
    return [json.loads(line)["record"] for line in server.command("audit", "export", "-").stdout.splitlines()]


def test_every_key_use_is_on_record(own_server):
    s3, kms = sdk.client(own_server), sdk.client(own_server, "kms")
    s3.create_bucket(Bucket="audited")
    key = kms.create_key()["KeyMetadata"]
    s3.put_object(Bucket="audited", Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["KeyId"])
    sdk.body_of(s3, "audited", "k")
    box = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"plain-text-in-no-record", EncryptionContext={"a": "b"})[
        "CiphertextBlob"
    ]
    kms.decrypt(CiphertextBlob=box, EncryptionContext={"a": "b"})
    assert sdk.refusal(kms.decrypt, CiphertextBlob=box).code == "InvalidCiphertextException"
    own_server.stop()
    own_server.command("audit", "verify")
    seen = records(own_server)
    by_name = {}
    for record in seen:
        by_name.setdefault(record["eventName"], []).append(record)
    for name in ("CreateBucket", "CreateKey", "GenerateDataKey", "Decrypt", "Encrypt"):
        assert name in by_name, sorted(by_name)
    made = by_name["CreateKey"][0]
    assert made["eventSource"] == "kms.amazonaws.com" and made["awsRegion"] == "us-east-1"
    assert made["userIdentity"]["accountId"] == "111122223333" and made["sourceIPAddress"] == "127.0.0.1"
    assert made["eventTime"].endswith("Z") and made["eventID"]
    assert [r for r in by_name["Decrypt"] if r.get("errorCode")], "the failed Decrypt is on record"
    assert key["Arn"] in json.dumps(by_name["GenerateDataKey"])
    text = json.dumps(seen)
    assert "plain-text-in-no-record" not in text


def test_a_changed_record_is_found(own_server):
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket="audited")
    own_server.stop()
    before = own_server.command("audit", "verify").stdout
    assert before.strip()
    # Records lie sealed in the index: whatever byte is changed there, verify must not call it good.
    touched = 0
    for path in sorted(p for p in own_server.data.rglob("*") if p.is_file() and p.name not in ("root.key", "lock")):
        data = bytearray(path.read_bytes())
        for at in range(len(data) // 2, len(data)):
            if data[at]:
                data[at] ^= 0xFF
                touched += 1
                break
        path.write_bytes(data)
    assert touched
    assert own_server.command("audit", "verify", check=False).returncode != 0
