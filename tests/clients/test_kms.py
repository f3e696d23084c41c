"""boto3: the KMS calls of the embedded key module."""

import pytest

import sdk
from gateway import ALICE, OTHER
from sdk import assert_refused, refusal

UUID = "134f2428-cec1-4b25-a1ae-9048164dba47"
ARN = "arn:aws:kms:us-east-1:111122223333:key/"


def test_a_new_key(kms):
    made = kms.create_key(Description="a key")["KeyMetadata"]
    assert made["Arn"] == ARN + made["KeyId"]
    assert (made["KeyState"], made["Enabled"], made["KeyManager"], made["Origin"]) == (
        "Enabled",
        True,
        "CUSTOMER",
        "AWS_KMS",
    )
    assert (made["KeySpec"], made["KeyUsage"], made["EncryptionAlgorithms"]) == (
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        ["SYMMETRIC_DEFAULT"],
    )
    assert made["MultiRegion"] is False and made["Description"] == "a key" and made["AWSAccountId"] == "111122223333"
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"] == made
    listed = [
        k for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}) for k in page["Keys"]
    ]
    assert {"KeyId": made["KeyId"], "KeyArn": made["Arn"]} in listed


def test_encrypt_and_decrypt(kms, key):
    context = {"project": "apollo"}
    for plaintext in (b"x", bytes(4096)):
        box = kms.encrypt(KeyId=key["KeyId"], Plaintext=plaintext, EncryptionContext=context)
        assert box["KeyId"] == key["Arn"]
        # One byte may well occur in a ciphertext.
        assert len(plaintext) == 1 or plaintext not in box["CiphertextBlob"]
        got = kms.decrypt(CiphertextBlob=box["CiphertextBlob"], EncryptionContext=context)
        assert (got["Plaintext"], got["KeyId"], got["EncryptionAlgorithm"]) == (
            plaintext,
            key["Arn"],
            "SYMMETRIC_DEFAULT",
        )
    for wrong in ({}, {"project": "gemini"}, {"project": "apollo", "more": "x"}):
        got = refusal(kms.decrypt, CiphertextBlob=box["CiphertextBlob"], EncryptionContext=wrong)
        assert (got.status, got.code) == (400, "InvalidCiphertextException")
    assert refusal(kms.encrypt, KeyId=key["KeyId"], Plaintext=bytes(4097)).code == "ValidationException"
    other = kms.create_key()["KeyMetadata"]
    assert_refused(
        lambda: kms.decrypt(CiphertextBlob=box["CiphertextBlob"], EncryptionContext=context, KeyId=other["KeyId"]),
        400,
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )


def test_every_flipped_byte_of_a_ciphertext_is_refused(kms, key):
    box = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    for at in range(len(box)):
        damaged = box[:at] + bytes([box[at] ^ 1]) + box[at + 1 :]
        assert refusal(kms.decrypt, CiphertextBlob=damaged).code in (
            "InvalidCiphertextException",
            "AccessDeniedException",
        ), at
    for cut in (0, 1, len(box) // 2, len(box) - 1):
        if cut:
            assert refusal(kms.decrypt, CiphertextBlob=box[:cut]).status == 400


def test_data_keys(kms, key):
    made = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert len(made["Plaintext"]) == 32 and made["KeyId"] == key["Arn"]
    assert (
        kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"]
        == made["Plaintext"]
    )
    assert refusal(kms.decrypt, CiphertextBlob=made["CiphertextBlob"]).code == "InvalidCiphertextException"
    assert len(kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_128")["Plaintext"]) == 16
    assert len(kms.generate_data_key(KeyId=key["KeyId"], NumberOfBytes=1024)["Plaintext"]) == 1024
    blind = kms.generate_data_key_without_plaintext(KeyId=key["KeyId"], KeySpec="AES_256")
    assert "Plaintext" not in blind and len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == 32
    for args in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        assert_refused(
            lambda args=args: kms.generate_data_key(KeyId=key["KeyId"], **args),
            400,
            "ValidationException",
            "Please specify either number of bytes or key spec.",
        )


def test_random(kms):
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    assert kms.generate_random(NumberOfBytes=32)["Plaintext"] != kms.generate_random(NumberOfBytes=32)["Plaintext"]
    assert_refused(kms.generate_random, 400, "ValidationException", "NumberOfBytes is required.")


def test_reencrypt(kms, key):
    other = kms.create_key()["KeyMetadata"]
    box = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=box,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=other["KeyId"],
        DestinationEncryptionContext={"b": "2"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key["Arn"], other["Arn"])
    got = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"b": "2"})
    assert (got["Plaintext"], got["KeyId"]) == (b"x", other["Arn"])


def test_aliases(kms, key):
    other = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/life", TargetKeyId=key["KeyId"])
    assert kms.describe_key(KeyId="alias/life")["KeyMetadata"]["KeyId"] == key["KeyId"]
    kms.update_alias(AliasName="alias/life", TargetKeyId=other["KeyId"])
    assert kms.encrypt(KeyId="alias/life", Plaintext=b"x")["KeyId"] == other["Arn"]
    aliases = kms.list_aliases(KeyId=other["KeyId"])["Aliases"]
    assert [(a["AliasName"], a["AliasArn"], a["TargetKeyId"]) for a in aliases] == [
        ("alias/life", "arn:aws:kms:us-east-1:111122223333:alias/life", other["KeyId"])
    ]
    assert refusal(kms.create_alias, AliasName="alias/life", TargetKeyId=key["KeyId"]).code == "AlreadyExistsException"
    assert refusal(kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=key["KeyId"]).status == 400
    assert refusal(kms.create_alias, AliasName="life", TargetKeyId=key["KeyId"]).status == 400
    kms.delete_alias(AliasName="alias/life")
    got = refusal(kms.encrypt, KeyId="alias/life", Plaintext=b"x")
    assert (got.code, got.message) == (
        "NotFoundException",
        "Alias arn:aws:kms:us-east-1:111122223333:alias/life is not found.",
    )
    # Management takes ids and ARNs only.
    kms.create_alias(AliasName="alias/life", TargetKeyId=key["KeyId"])
    assert refusal(kms.disable_key, KeyId="alias/life").status == 400
    kms.delete_alias(AliasName="alias/life")


NAMES = [
    ("not-an-id", "Invalid keyId 'not-an-id'"),
    (UUID, f"Key '{ARN}{UUID}' does not exist"),
    (ARN + UUID, f"Key '{ARN}{UUID}' does not exist"),
    (f"arn:aws:kms:eu-west-1:111122223333:key/{UUID}", "Invalid arn eu-west-1"),
]


@pytest.mark.parametrize("name, message", NAMES)
def test_unknown_keys(kms, name, message):
    for call in (
        lambda: kms.describe_key(KeyId=name),
        lambda: kms.encrypt(KeyId=name, Plaintext=b"x"),
        lambda: kms.disable_key(KeyId=name),
    ):
        assert_refused(call, 400, "NotFoundException", message)


def test_life(kms, fresh_key):
    key_id, arn = fresh_key["KeyId"], fresh_key["Arn"]
    box = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    uses = [
        lambda: kms.encrypt(KeyId=arn, Plaintext=b"x"),
        lambda: kms.decrypt(CiphertextBlob=box),
        lambda: kms.generate_data_key(KeyId=key_id, KeySpec="AES_256"),
        lambda: kms.re_encrypt(CiphertextBlob=box, DestinationKeyId=key_id),
    ]
    kms.disable_key(KeyId=arn)
    kms.disable_key(KeyId=arn)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    for use in uses:
        assert_refused(use, 400, "DisabledException", f"{arn} is disabled.")
    kms.enable_key(KeyId=key_id)
    for use in uses:
        use()
    assert_refused(
        lambda: kms.cancel_key_deletion(KeyId=key_id),
        400,
        "KMSInvalidStateException",
        f"{arn} is not pending deletion.",
    )
    for days in (6, 31):
        assert refusal(kms.schedule_key_deletion, KeyId=key_id, PendingWindowInDays=days).code == "ValidationException"
    planned = kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert (planned["KeyId"], planned["KeyState"], planned["PendingWindowInDays"]) == (arn, "PendingDeletion", 7)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["DeletionDate"] == planned["DeletionDate"]
    pending = f"{arn} is pending deletion."
    for use in uses + [
        lambda: kms.enable_key(KeyId=key_id),
        lambda: kms.disable_key(KeyId=key_id),
        lambda: kms.schedule_key_deletion(KeyId=key_id),
        lambda: kms.create_alias(AliasName="alias/dead", TargetKeyId=key_id),
        lambda: kms.rotate_key_on_demand(KeyId=key_id),
    ]:
        assert_refused(use, 400, "KMSInvalidStateException", pending)
    assert kms.cancel_key_deletion(KeyId=key_id)["KeyId"] == arn
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key_id)
    assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"x"


def test_rotation(kms, fresh_key):
    key_id = fresh_key["KeyId"]
    boxes = []
    for generation in range(4):
        boxes.append(kms.encrypt(KeyId=key_id, Plaintext=b"%d" % generation)["CiphertextBlob"])
        kms.rotate_key_on_demand(KeyId=key_id)
    for generation, box in enumerate(boxes):
        assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"%d" % generation


def test_rotation_limit(kms, fresh_key):
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=fresh_key["KeyId"])
    assert refusal(kms.rotate_key_on_demand, KeyId=fresh_key["KeyId"]).code == "LimitExceededException"


def test_default_policy(kms, key):
    import json

    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    assert policy == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


@pytest.mark.parametrize("who", [ALICE, OTHER], ids=["user", "other account"])
def test_others_may_not(server, kms, key, who):
    box = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    theirs = sdk.client(server, "kms", who)
    for call in (
        lambda: theirs.decrypt(CiphertextBlob=box),
        lambda: theirs.encrypt(KeyId=key["Arn"], Plaintext=b"x"),
        lambda: theirs.describe_key(KeyId=key["Arn"]),
        lambda: theirs.schedule_key_deletion(KeyId=key["Arn"]),
    ):
        got = refusal(call)
        assert got.status == 400, got
        assert got.code in ("AccessDeniedException", "NotFoundException"), got


def test_keys_of_other_accounts_are_not_listed(server, key):
    mine = sdk.client(server, "kms", OTHER)
    assert key["KeyId"] not in [k["KeyId"] for k in mine.list_keys()["Keys"]]


@pytest.mark.parametrize(
    "target, body, code",
    [
        ("TrentService.NoSuchThing", b"{}", "UnknownOperationException"),
        ("TrentService.Encrypt", b"{", "SerializationException"),
        ("TrentService.Encrypt", b"[]", "SerializationException"),
        ("TrentService.Encrypt", b'{"KeyId":5}', "SerializationException"),
        ("TrentService.Encrypt", b"{}", "ValidationException"),
        ("TrentService.Decrypt", b'{"CiphertextBlob":"!!!"}', "SerializationException"),
        ("TrentService.CreateGrant", b"{}", None),
        ("TrentService.ListKeys", b'{"Limit":1001}', "ValidationException"),
        ("TrentService.ListKeys", b'{"Marker":"nonsense"}', "InvalidMarkerException"),
        ("TrentService.ListKeys", b'{"Limit":' + b"1" * 5000 + b"}", None),
        ("TrentService.ListKeys", b"[" * 100_000, "SerializationException"),
    ],
)
def test_malformed_calls(raw, target, body, code):
    import hashlib
    import json

    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    got = raw.request("POST", "/", headers=headers, body=body, payload=hashlib.sha256(body).hexdigest(), service="kms")
    assert got.status == 400, got
    assert "x-amzn-requestid" in got.headers
    if code:
        assert json.loads(got.body)["__type"].endswith(code), got


def test_kms_over_s3_scope_is_refused(raw):
    headers = {"x-amz-target": "TrentService.ListKeys", "content-type": "application/x-amz-json-1.1"}
    assert raw.request("POST", "/", headers=headers, body=b"{}").status in (400, 403)
