"""Faults that users met on other key services, each named after its report. Others are in test_cases.py and the suites of
KMS; `cases.toml` tells which."""

import json
import time

import pytest

import sdk
from gateway import MAIN, Caller
from sdk import refusal
from test_audit import records

ROOT_OF_MAIN = f"arn:aws:iam::{MAIN.account}:root"
EVERYTHING = {"Effect": "Allow", "Principal": {"AWS": ROOT_OF_MAIN}, "Action": "kms:*", "Resource": "*"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_local_kms_12_a_key_policy_is_obeyed(kms, fresh_key):
    """From the next call on, over what the caller's own policies allow."""
    key = fresh_key["KeyId"]
    box = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": ["kms:Encrypt", "kms:GenerateDataKey*"], "Resource": "*"}
    kms.put_key_policy(KeyId=key, Policy=document(EVERYTHING, deny))
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256"),
    ):
        got = refusal(call)
        assert got.code == "AccessDeniedException" and "explicit deny in a resource-based policy" in got.message
    assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"x"
    kms.put_key_policy(KeyId=key, Policy=document(EVERYTHING))
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_localstack_7910_a_grants_name_is_its_keys_own(kms):
    one, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    asked = {"Name": "n", "GranteePrincipal": f"arn:aws:iam::{MAIN.account}:user/app", "Operations": ["Decrypt"]}
    first = kms.create_grant(KeyId=one, **asked)["GrantId"]
    second = kms.create_grant(KeyId=other, **asked)["GrantId"]
    assert first != second
    assert [g["GrantId"] for g in kms.list_grants(KeyId=other)["Grants"]] == [second]
    # The same again is the same grant; with the same name and something else it is another.
    assert kms.create_grant(KeyId=one, **asked)["GrantId"] == first
    more = kms.create_grant(KeyId=one, **asked | {"Operations": ["Decrypt", "Encrypt"]})["GrantId"]
    assert {g["GrantId"] for g in kms.list_grants(KeyId=one)["Grants"]} == {first, more}


@pytest.mark.parametrize(
    "spec, algorithm, limit",
    [
        ("SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT", 4096),
        ("RSA_2048", "RSAES_OAEP_SHA_1", 214),
        ("RSA_2048", "RSAES_OAEP_SHA_256", 190),
        ("RSA_3072", "RSAES_OAEP_SHA_256", 318),
        ("RSA_4096", "RSAES_OAEP_SHA_256", 446),
    ],
)
def test_localstack_8083_the_longest_plaintext_of_each_algorithm(kms, spec, algorithm, limit):
    key = kms.create_key(KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    call = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    box = kms.encrypt(Plaintext=b"x" * limit, **call)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=box, **call)["Plaintext"] == b"x" * limit
    assert refusal(kms.encrypt, Plaintext=b"x" * (limit + 1), **call).code == "ValidationException"


@pytest.fixture
def developer(server):
    """A user's KMS client, and a call that gives the user a policy instead of the one before."""
    iam, user = sdk.client(server, "iam"), f"case-{time.time_ns()}"
    iam.create_user(UserName=user)
    made = iam.create_access_key(UserName=user)["AccessKey"]

    def give(*statements):
        iam.put_user_policy(UserName=user, PolicyName="case", PolicyDocument=document(*statements))

    yield sdk.client(server, "kms", who=Caller(MAIN.account, made["AccessKeyId"], made["SecretAccessKey"], user)), give
    iam.delete_user_policy(UserName=user, PolicyName="case")
    iam.delete_access_key(UserName=user, AccessKeyId=made["AccessKeyId"])
    iam.delete_user(UserName=user)


def test_localstack_7540_a_key_named_by_an_alias_is_judged_by_its_arn(kms, fresh_key, developer):
    theirs, give = developer
    other = kms.create_key()["KeyMetadata"]
    for alias, key in (("alias/of-theirs", fresh_key), ("alias/of-others", other)):
        kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    give({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": fresh_key["Arn"]})
    theirs.encrypt(KeyId="alias/of-theirs", Plaintext=b"x")
    got = refusal(theirs.encrypt, KeyId="alias/of-others", Plaintext=b"x")
    assert got.code == "AccessDeniedException" and other["Arn"] in got.message
    # The alias's own ARN in a policy gives nothing.
    give({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": f"arn:aws:kms:us-east-1:{MAIN.account}:alias/*"})
    assert refusal(theirs.encrypt, KeyId="alias/of-theirs", Plaintext=b"x").code == "AccessDeniedException"


def test_ministack_1505_decrypt_is_judged_by_the_key_in_the_ciphertext(kms, fresh_key, developer):
    theirs, give = developer
    other = kms.create_key()["KeyMetadata"]
    mine, foreign = (kms.encrypt(KeyId=k["KeyId"], Plaintext=b"x")["CiphertextBlob"] for k in (fresh_key, other))
    give({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:ReEncrypt*"], "Resource": fresh_key["Arn"]})
    assert theirs.decrypt(CiphertextBlob=mine)["Plaintext"] == b"x"
    assert refusal(theirs.decrypt, CiphertextBlob=foreign).code == "AccessDeniedException"
    # Naming one's own key beside another's ciphertext opens nothing.
    got = refusal(theirs.decrypt, CiphertextBlob=foreign, KeyId=fresh_key["KeyId"])
    assert got.code in ("IncorrectKeyException", "AccessDeniedException")
    assert refusal(theirs.re_encrypt, CiphertextBlob=foreign, DestinationKeyId=fresh_key["KeyId"]).code == (
        "AccessDeniedException"
    )


def test_localstack_7605_principals_of_every_kind_are_taken(kms, server):
    """Only those that do not exist are refused."""
    iam = sdk.client(server, "iam")
    role = f"case-7605-{time.time_ns()}"
    trust = {"Effect": "Allow", "Principal": {"AWS": ROOT_OF_MAIN}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    principals = [
        {"AWS": MAIN.account},
        {"AWS": f"arn:aws:iam::{MAIN.account}:user/alice"},
        {"AWS": [arn, f"arn:aws:sts::{MAIN.account}:assumed-role/{role}/session"]},
        {"Service": ["s3.amazonaws.com", "logs.us-east-1.amazonaws.com"]},
        "*",
    ]
    for principal in principals:
        use = {"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*"}
        key = kms.create_key(Policy=document(EVERYTHING, use))["KeyMetadata"]["KeyId"]
        stored = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        assert len(stored["Statement"]) == 2, principal
    absent = {"AWS": f"arn:aws:iam::{MAIN.account}:user/nobody-of-this-name"}
    use = {"Effect": "Allow", "Principal": absent, "Action": "kms:Decrypt", "Resource": "*"}
    got = refusal(kms.create_key, Policy=document(EVERYTHING, use))
    assert got.code == "MalformedPolicyDocumentException" and "invalid principals" in got.message
    iam.delete_role(RoleName=role)


def test_localstack_8421_data_key_pairs_are_wrapped_by_symmetric_keys_only(kms, key):
    rsa = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    asked = {"KeyPairSpec": "ECC_NIST_P256"}
    pair = kms.generate_data_key_pair_without_plaintext(KeyId=key["KeyId"], **asked)
    assert (
        "PrivateKeyPlaintext" not in pair and kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
    )
    for wrong in (rsa, signing):
        for call in (kms.generate_data_key_pair_without_plaintext, kms.generate_data_key_pair):
            assert refusal(call, KeyId=wrong, **asked).code == "InvalidKeyUsageException"


def test_moto_9907_another_key_than_the_ciphertexts_is_named_as_such(kms, fresh_key):
    other = kms.create_key()["KeyMetadata"]
    box = kms.encrypt(KeyId=fresh_key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    for name in (other["KeyId"], other["Arn"]):
        assert refusal(kms.decrypt, CiphertextBlob=box, KeyId=name).code == "IncorrectKeyException"
    call = {"CiphertextBlob": box, "SourceKeyId": other["KeyId"], "DestinationKeyId": fresh_key["KeyId"]}
    assert refusal(kms.re_encrypt, **call).code == "IncorrectKeyException"


def test_floci_pr_3068_material_that_is_not_there_can_be_deleted(kms):
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    for _ in range(2):
        kms.delete_imported_key_material(KeyId=key)
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x").code == "KMSInvalidStateException"


def test_ministack_pr_1107_private_keys_of_pairs_share_no_keystream(kms, key):
    """Equal plaintexts cannot be asked for here, but the same context can: the XOR of two boxes shows no structure."""
    ask = {"KeyId": key["KeyId"], "KeyPairSpec": "ECC_NIST_P256", "EncryptionContext": {"a": "b"}}
    pairs = [kms.generate_data_key_pair(**ask) for _ in range(2)]
    plain = [pair["PrivateKeyPlaintext"] for pair in pairs]
    boxes = [pair["PrivateKeyCiphertextBlob"] for pair in pairs]
    mixed = bytes(a ^ b for a, b in zip(*plain))
    assert mixed.count(0) > 40, "the keys have a form in common, which a keystream used twice would show"
    for at in range(len(boxes[0]) - len(plain[0])):
        sealed = bytes(a ^ b for a, b in zip(boxes[0][at : at + len(mixed)], boxes[1][at : at + len(mixed)]))
        assert sum(a == b for a, b in zip(mixed, sealed)) < len(mixed) // 2, at


def test_cloudemu_pr_1059_rotation_of_an_asymmetric_key_and_names_of_multi_region_keys(kms):
    for spec, usage in (
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ):
        key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        assert refusal(kms.enable_key_rotation, KeyId=key).code == "UnsupportedOperationException"
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    assert made.startswith("mrk-") and len(made) == 36 and int(made[4:], 16) >= 0


def test_openbao_2168_the_first_request_of_a_process_is_on_record(own_server):
    """The trail is there before anything is served, after every start."""
    for turn in range(2):
        sdk.client(own_server, "kms").create_key(Description=f"turn {turn}")
        assert own_server.stop() == 0
        made = [record for record in records(own_server) if record["eventName"] == "CreateKey"]
        assert [record["requestParameters"]["description"] for record in made] == [f"turn {n}" for n in range(turn + 1)]
        own_server.start()
