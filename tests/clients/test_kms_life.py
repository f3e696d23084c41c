"""boto3 and OpenSSL: the life of KMS keys. Tags, policies, rotation, imports, multi-Region keys."""

import datetime
import json
import os
import subprocess
import threading

import pytest
from botocore.exceptions import ClientError

import sdk
from sdk import assert_refused, refusal

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)
NEVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


@pytest.fixture(scope="module")
def west(server):
    """The key service in the server's second Region."""
    return sdk.client(server, "kms", region="us-west-2")


def openssl(*args, data=None):
    command = ["openssl", *[str(arg) for arg in args]]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def oaep(directory, public_key, digest, plain):
    (directory / "wrap.der").write_bytes(public_key)
    options = ("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}")
    options = [part for option in options for part in ("-pkeyopt", option)]
    key = ("-pubin", "-keyform", "DER", "-inkey", directory / "wrap.der")
    return openssl("pkeyutl", "-encrypt", *key, *options, data=plain)


def wrap(directory, parameters, algorithm, material):
    """As the developer guide says it is done with OpenSSL."""
    digest = "sha1" if algorithm.endswith("SHA_1") else "sha256"
    if algorithm.startswith("RSAES"):
        return oaep(directory, parameters["PublicKey"], digest, material)
    aes_key = os.urandom(32)
    wrapped = openssl("enc", "-id-aes256-wrap-pad", "-K", aes_key.hex(), "-iv", "A65959A6", data=material)
    return oaep(directory, parameters["PublicKey"], digest, aes_key) + wrapped


def bring_in(kms, directory, key_id, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", **more):
    parameters = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    wrapped = wrap(directory, parameters, algorithm, material)
    more = more if "ValidTo" in more else NEVER | more
    return kms.import_key_material(
        KeyId=key_id, ImportToken=parameters["ImportToken"], EncryptedKeyMaterial=wrapped, **more
    )


def state(kms, key_id):
    return kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]


def test_labels(kms, fresh_key):
    key_id = fresh_key["KeyId"]
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": f"t{n:02}", "TagValue": str(n)} for n in range(50)])
    pages = kms.get_paginator("list_resource_tags").paginate(KeyId=key_id, PaginationConfig={"PageSize": 20})
    assert [tag["TagValue"] for page in pages for tag in page["Tags"]] == [str(n) for n in range(50)]
    assert_refused(
        lambda: kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "one more", "TagValue": ""}]),
        400,
        "TagException",
        "Too many tags",
    )
    kms.untag_resource(KeyId=key_id, TagKeys=[f"t{n:02}" for n in range(49)])
    assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "t49", "TagValue": "49"}]
    kms.update_key_description(KeyId=key_id, Description="for the payroll")
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["Description"] == "for the payroll"
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=POLICY)
    assert kms.get_key_policy(KeyId=key_id)["Policy"] == POLICY
    assert kms.list_key_policies(KeyId=key_id)["PolicyNames"] == ["default"]
    assert refusal(kms.put_key_policy, KeyId=key_id, Policy="{").code == "MalformedPolicyDocumentException"


def test_rotation(kms, fresh_key):
    key_id = fresh_key["KeyId"]
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key_id)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    ahead = status["NextRotationDate"] - datetime.datetime.now(datetime.UTC)
    assert 179 <= ahead.total_seconds() / 86_400 <= 180
    for _ in range(3):
        kms.rotate_key_on_demand(KeyId=key_id)
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key_id, PaginationConfig={"PageSize": 2})
    rotations = [rotation for page in pages for rotation in page["Rotations"]]
    assert [r["RotationType"] for r in rotations] == ["ON_DEMAND"] * 3
    everything = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [r["KeyMaterialState"] for r in everything] == ["NON_CURRENT"] * 3 + ["CURRENT"]
    assert everything[1:] == rotations
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] == rotations[-1]["KeyMaterialId"]
    kms.disable_key_rotation(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False


def test_last_usage(kms, fresh_key):
    key_id = fresh_key["KeyId"]
    never = kms.get_key_last_usage(KeyId=key_id)
    assert (never["KeyLastUsage"], never["KeyCreationDate"]) == ({}, fresh_key["CreationDate"])
    made = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    usage = kms.get_key_last_usage(KeyId=key_id)["KeyLastUsage"]
    assert usage["Operation"] == "GenerateDataKey"
    assert usage["KmsRequestId"] == made["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_symmetric_material(kms, tmp_path, algorithm, spec):
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
    key_id, material = key["KeyId"], os.urandom(32)
    assert (key["KeyState"], key["Enabled"], key["Origin"]) == ("PendingImport", False, "EXTERNAL")
    assert_refused(
        lambda: kms.encrypt(KeyId=key_id, Plaintext=b"x"),
        400,
        "KMSInvalidStateException",
        f"{key['Arn']} is pending import.",
    )
    first = bring_in(kms, tmp_path, key_id, material, algorithm, spec)
    assert state(kms, key_id) == "Enabled"
    box = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=key_id)
    assert state(kms, key_id) == "PendingImport"
    got = refusal(bring_in, kms, tmp_path, key_id, os.urandom(32), algorithm, spec)
    assert got.code == "IncorrectKeyMaterialException"
    assert bring_in(kms, tmp_path, key_id, material, algorithm, spec)["KeyMaterialId"] == first["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"x"


@pytest.mark.parametrize("algorithm", ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"])
def test_an_rsa_key_of_openssl(kms, tmp_path, algorithm):
    pem, der = tmp_path / "own.pem", tmp_path / "own.der"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", pem)
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", pem, "-outform", "DER", "-out", der)
    key = kms.create_key(Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    bring_in(kms, tmp_path, key["KeyId"], der.read_bytes(), algorithm, "RSA_4096")
    public = kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    assert public == openssl("pkey", "-in", pem, "-pubout", "-outform", "DER")
    signature = openssl("dgst", "-sha256", "-sign", pem, data=b"message")
    verified = kms.verify(
        KeyId=key["KeyId"], Message=b"message", Signature=signature, SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256"
    )
    assert verified["SignatureValid"] is True


def test_tokens(kms, tmp_path):
    one, two = (kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"] for _ in range(2))
    wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    parameters = kms.get_parameters_for_import(KeyId=one, **wrapping)
    wrapped = wrap(tmp_path, parameters, "RSAES_OAEP_SHA_256", os.urandom(32))
    import_it = {"ImportToken": parameters["ImportToken"], "EncryptedKeyMaterial": wrapped}
    assert refusal(kms.import_key_material, KeyId=two, **import_it, **NEVER).code == "InvalidImportTokenException"
    assert_refused(
        lambda: kms.import_key_material(KeyId=one, **import_it),
        400,
        "ValidationException",
        "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
    )
    damaged = import_it | {"EncryptedKeyMaterial": wrapped[:-1] + bytes([wrapped[-1] ^ 1])}
    assert refusal(kms.import_key_material, KeyId=one, **damaged, **NEVER).code == "InvalidCiphertextException"
    until = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=30)
    kms.import_key_material(KeyId=one, **import_it, ValidTo=until)
    metadata = kms.describe_key(KeyId=one)["KeyMetadata"]
    assert (metadata["ExpirationModel"], metadata["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", until)
    assert refusal(kms.import_key_material, KeyId=one, **import_it, **NEVER).code == "InvalidImportTokenException"
    ours = kms.create_key()["KeyMetadata"]
    assert_refused(
        lambda: kms.get_parameters_for_import(KeyId=ours["KeyId"], **wrapping),
        400,
        "UnsupportedOperationException",
        f"{ours['Arn']} origin is AWS_KMS which is not valid for this operation.",
    )


def test_rotation_of_imported_material(kms, tmp_path):
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
    key_id = key["KeyId"]
    bring_in(kms, tmp_path, key_id, os.urandom(32))
    box = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert_refused(
        lambda: kms.rotate_key_on_demand(KeyId=key_id),
        400,
        "KMSInvalidStateException",
        f"No available key material pending rotation for the key: {key['Arn']}.",
    )
    new = bring_in(kms, tmp_path, key_id, os.urandom(32), ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="2027")
    pending = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"][-1]
    assert (pending["KeyMaterialState"], pending["KeyMaterialDescription"]) == ("PENDING_ROTATION", "2027")
    kms.rotate_key_on_demand(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] == new["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"x"


def test_multi_region(kms, west):
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]
    key_id = primary["KeyId"]
    assert key_id.startswith("mrk-")
    box = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    made = kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2", Tags=[{"TagKey": "a", "TagValue": "b"}])
    replica = made["ReplicaKeyMetadata"]
    assert (replica["KeyId"], replica["Arn"]) == (key_id, primary["Arn"].replace("us-east-1", "us-west-2"))
    assert west.describe_key(KeyId=key_id)["KeyMetadata"] == replica
    opened = west.decrypt(CiphertextBlob=box)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", replica["Arn"])
    assert refusal(kms.replicate_key, KeyId=key_id, ReplicaRegion="us-west-2").code == "AlreadyExistsException"
    assert_refused(
        lambda: west.replicate_key(KeyId=key_id, ReplicaRegion="us-east-1"),
        400,
        "UnsupportedOperationException",
        f"{replica['Arn']} is not a multi-region primary key.",
    )
    kms.rotate_key_on_demand(KeyId=key_id)
    newer = kms.encrypt(KeyId=key_id, Plaintext=b"y")["CiphertextBlob"]
    assert west.decrypt(CiphertextBlob=newer)["Plaintext"] == b"y"
    kms.update_primary_region(KeyId=key_id, PrimaryRegion="us-west-2")
    roles = [c.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"] for c in (kms, west)]
    assert [role["MultiRegionKeyType"] for role in roles] == ["REPLICA", "PRIMARY"]
    waiting = west.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert waiting["KeyState"] == "PendingReplicaDeletion" and "DeletionDate" not in waiting
    assert kms.decrypt(CiphertextBlob=newer)["Plaintext"] == b"y"
    west.cancel_key_deletion(KeyId=key_id)
    assert state(west, key_id) == "Disabled"


def test_everything_at_once_on_one_key(kms, fresh_key):
    """Uses, rotations, disabling and deletion at the same time: each is done or refused for the key's state."""
    key_id, arn = fresh_key["KeyId"], fresh_key["Arn"]
    boxes, rotations, others, stop = {}, [], [], threading.Event()
    told = {
        ("DisabledException", f"{arn} is disabled."),
        ("KMSInvalidStateException", f"{arn} is pending deletion."),
        ("KMSInvalidStateException", f"{arn} is not pending deletion."),
    }

    def repeat(*calls):
        while not stop.is_set():
            for call in calls:
                try:
                    call()
                except ClientError as error:
                    refused = (error.response["Error"]["Code"], error.response["Error"].get("Message"))
                    if refused not in told:
                        others.append(refused)

    def use():
        text = os.urandom(8)
        box = kms.encrypt(KeyId=key_id, Plaintext=text)["CiphertextBlob"]
        boxes[box] = text
        if kms.decrypt(CiphertextBlob=box)["Plaintext"] != text:
            others.append("another plaintext")

    def rotate():
        if len(rotations) < 20:
            kms.rotate_key_on_demand(KeyId=key_id)
            rotations.append(1)

    def on_key(call):
        return lambda: call(KeyId=key_id)

    threads = [
        threading.Thread(target=repeat, args=calls)
        for calls in (
            (use,),
            (use,),
            (rotate,),
            (on_key(kms.disable_key), on_key(kms.enable_key)),
            (on_key(kms.schedule_key_deletion), on_key(kms.cancel_key_deletion), on_key(kms.enable_key)),
        )
    ]
    for thread in threads:
        thread.start()
    stop.wait(2)
    stop.set()
    for thread in threads:
        thread.join()
    assert not others and boxes and rotations
    if state(kms, key_id) == "PendingDeletion":
        kms.cancel_key_deletion(KeyId=key_id)
    kms.enable_key(KeyId=key_id)
    for box, text in boxes.items():
        assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == text
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key_id)
    assert sum(len(page["Rotations"]) for page in pages) == len(rotations)
