"""Every operation of the KMS model, by boto3 and by both versions of the AWS CLI: one story, told three times.

A step is an operation, its request and what is looked for in the answer, by JMESPath; or the code and the text of the
refusal. `$name` is a value that an earlier answer gave: `keep` says which."""

import base64
import contextlib
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import awscli.clidriver
import botocore.session
import jmespath
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import programs
import sdk

MODEL = botocore.session.Session().get_service_model("kms")
# Whose success takes a proxy or a token: test_custom_key_stores.py has it. Here they are refused.
ELSEWHERE = [
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "DeleteCustomKeyStore",
    "DisconnectCustomKeyStore",
    "UpdateCustomKeyStore",
]
# Of this year: the version 2 that can be had as a package is older than the model.
NOT_IN_CLI_2 = ["Decapsulate", "Encapsulate"]
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
TEXT = b"the message \x00\xff"
CONTEXT = {"purpose": "story", "a": "b"}
REFUSAL = re.compile(r"An error occurred \((?P<code>\w+)\) when calling the \w+ operation[^:]*(?:: 0\))?:(?P<text>.*)")
UUID = "134f2428-cec1-4b25-a1ae-9048164dba47"


@dataclass
class Step:
    operation: str
    request: dict
    expect: dict = field(default_factory=dict)
    keep: dict = field(default_factory=dict)
    error: tuple | None = None


def ok(operation, /, keep=None, expect=None, **request):
    return Step(operation, request, expect or {}, keep or {})


def no(operation, code, text, /, **request):
    return Step(operation, request, error=(code, text))


def made(name, **request):
    kept = {name: "KeyMetadata.KeyId", f"{name}_arn": "KeyMetadata.Arn"}
    return ok("CreateKey", keep=kept, expect={"KeyMetadata.KeyManager": "CUSTOMER"}, **request)


ECDSA = {"SigningAlgorithm": "ECDSA_SHA_256", "Message": TEXT}
MAC = {"MacAlgorithm": "HMAC_SHA_256", "Message": TEXT}
KEM = {"EncapsulationAlgorithm": "ML_KEM"}
NO_STORE = (
    "CustomKeyStoreNotFoundException",
    "KMS cannot find a custom key store with the specified key store name or ID.",
)
ROOT = "arn:aws:iam::111122223333:root"
GRANT = {"GranteePrincipal": ROOT, "RetiringPrincipal": ROOT, "Operations": ["Decrypt"]}
WRAPPING = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}

STORY = [
    made("id", Description="a story", Tags=[{"TagKey": "a", "TagValue": "b"}]),
    made("shared", MultiRegion=True),
    made("signer", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
    made("agreer", KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT"),
    made("mac", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
    made("kem", KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE"),
    made("external", Origin="EXTERNAL"),
    no(
        "CreateKey",
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        KeySpec="RSA_2048",
    ),
    ok("DescribeKey", KeyId="$id_arn", expect={"KeyMetadata.[Description, KeyState]": ["a story", "Enabled"]}),
    no("DescribeKey", "NotFoundException", "Invalid keyId 'nobody'", KeyId="nobody"),
    no(
        "DescribeKey",
        "NotFoundException",
        f"Key 'arn:aws:kms:us-east-1:111122223333:key/{UUID}' does not exist",
        KeyId=UUID,
    ),
    ok("ListKeys", Limit=1000, expect={"Keys[?KeyId=='$id'].KeyArn": ["$id_arn"], "Truncated": False}),
    no("ListKeys", "InvalidMarkerException", "The marker is invalid.", Marker="nonsense"),
    # Labels
    ok("UpdateKeyDescription", KeyId="$id", Description="another"),
    ok("TagResource", KeyId="$id", Tags=[{"TagKey": "c", "TagValue": "d"}]),
    no(
        "TagResource",
        "TagException",
        "Tags beginning with aws: are reserved",
        KeyId="$id",
        Tags=[{"TagKey": "aws:c", "TagValue": "d"}],
    ),
    ok("UntagResource", KeyId="$id", TagKeys=["a"]),
    ok("ListResourceTags", KeyId="$id", expect={"Tags": [{"TagKey": "c", "TagValue": "d"}]}),
    ok("CreateAlias", AliasName="alias/$name", TargetKeyId="$id"),
    no(
        "CreateAlias",
        "AlreadyExistsException",
        "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/$name already exists",
        AliasName="alias/$name",
        TargetKeyId="$id",
    ),
    ok("ListAliases", KeyId="$id", expect={"Aliases[0].[AliasName, TargetKeyId]": ["alias/$name", "$id"]}),
    ok("PutKeyPolicy", KeyId="$id", PolicyName="default", Policy=POLICY),
    ok("GetKeyPolicy", KeyId="$id", PolicyName="default", expect={"Policy": POLICY}),
    ok("ListKeyPolicies", KeyId="$id", expect={"PolicyNames": ["default"]}),
    # Encryption and data keys
    ok("GetKeyLastUsage", KeyId="$id", expect={"KeyLastUsage": {}}),
    ok(
        "Encrypt",
        KeyId="alias/$name",
        Plaintext=TEXT,
        EncryptionContext=CONTEXT,
        keep={"box": "CiphertextBlob"},
        expect={"KeyId": "$id_arn", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    ),
    ok("Decrypt", CiphertextBlob="$box", EncryptionContext=CONTEXT, expect={"Plaintext": TEXT, "KeyId": "$id_arn"}),
    no("Decrypt", "InvalidCiphertextException", None, CiphertextBlob="$box", EncryptionContext={"a": "b"}),
    no(
        "Decrypt",
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
        CiphertextBlob="$box",
        EncryptionContext=CONTEXT,
        KeyId="$shared",
    ),
    no(
        "Encrypt",
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
        KeyId="$id",
        Plaintext=TEXT,
        DryRun=True,
    ),
    ok("GetKeyLastUsage", KeyId="$id", expect={"KeyLastUsage.Operation": "Decrypt"}),
    ok(
        "ReEncrypt",
        CiphertextBlob="$box",
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId="$shared",
        keep={"moved": "CiphertextBlob"},
        expect={"[SourceKeyId, KeyId]": ["$id_arn", "$shared_arn"]},
    ),
    ok("Decrypt", CiphertextBlob="$moved", KeyId="$shared", expect={"Plaintext": TEXT}),
    ok("GenerateDataKey", KeyId="$id", KeySpec="AES_128", expect={"length(KeyMaterialId)": 64}),
    no(
        "GenerateDataKey",
        "ValidationException",
        "Please specify either number of bytes or key spec.",
        KeyId="$id",
        KeySpec="AES_256",
        NumberOfBytes=32,
    ),
    ok("GenerateDataKeyWithoutPlaintext", KeyId="$id", NumberOfBytes=64, expect={"Plaintext": None}),
    ok("GenerateDataKeyPair", KeyId="$id", KeyPairSpec="ECC_NIST_P384", expect={"KeyPairSpec": "ECC_NIST_P384"}),
    ok(
        "GenerateDataKeyPairWithoutPlaintext",
        KeyId="$id",
        KeyPairSpec="ECC_NIST_P384",
        expect={"PrivateKeyPlaintext": None},
    ),
    ok("GenerateRandom", NumberOfBytes=32, expect={"type(Plaintext)": "string"}),
    no("GenerateRandom", "ValidationException", "NumberOfBytes is required."),
    # Signatures, MACs, secrets
    ok("GetPublicKey", KeyId="$signer", expect={"SigningAlgorithms": ["ECDSA_SHA_256"]}),
    ok("Sign", KeyId="$signer", **ECDSA, keep={"signature": "Signature"}),
    ok("Verify", KeyId="$signer", **ECDSA, Signature="$signature", expect={"SignatureValid": True}),
    no("Verify", "KMSInvalidSignatureException", None, KeyId="$signer", **ECDSA, Signature=TEXT),
    no(
        "Encrypt",
        "InvalidKeyUsageException",
        "$signer_arn key usage is SIGN_VERIFY which is not valid for Encrypt.",
        KeyId="$signer",
        Plaintext=TEXT,
    ),
    no(
        "Sign",
        "ValidationException",
        "Digest is invalid length for algorithm ECDSA_SHA_256.",
        KeyId="$signer",
        **ECDSA,
        MessageType="DIGEST",
    ),
    ok("GenerateMac", KeyId="$mac", **MAC, keep={"tag": "Mac"}),
    ok("VerifyMac", KeyId="$mac", **MAC, Mac="$tag", expect={"MacValid": True}),
    no("VerifyMac", "KMSInvalidMacException", None, KeyId="$mac", **MAC, Mac=TEXT),
    no(
        "GenerateMac",
        "InvalidKeyUsageException",
        "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.",
        KeyId="$mac",
        Message=TEXT,
        MacAlgorithm="HMAC_SHA_512",
    ),
    ok("GetPublicKey", KeyId="$agreer", keep={"peer": "PublicKey"}),
    ok(
        "DeriveSharedSecret",
        KeyId="$agreer",
        KeyAgreementAlgorithm="ECDH",
        PublicKey="$peer",
        expect={"KeyOrigin": "AWS_KMS"},
    ),
    ok("Encapsulate", KeyId="$kem", **KEM, keep={"capsule": "SharedSecretCiphertextBlob", "secret": "SharedSecret"}),
    ok("Decapsulate", KeyId="$kem", **KEM, SharedSecretCiphertextBlob="$capsule", expect={"SharedSecret": "$secret"}),
    no("Decapsulate", "InvalidCiphertextException", None, KeyId="$kem", **KEM, SharedSecretCiphertextBlob=TEXT),
    # Rotation
    ok("EnableKeyRotation", KeyId="$id", RotationPeriodInDays=90),
    ok("GetKeyRotationStatus", KeyId="$id", expect={"[KeyRotationEnabled, RotationPeriodInDays]": [True, 90]}),
    ok("RotateKeyOnDemand", KeyId="$id"),
    ok("ListKeyRotations", KeyId="$id", expect={"Rotations[*].RotationType": ["ON_DEMAND"]}),
    ok("DisableKeyRotation", KeyId="$id"),
    ok("Decrypt", CiphertextBlob="$box", EncryptionContext=CONTEXT, expect={"Plaintext": TEXT}),
    # Imported material
    ok("GetParametersForImport", KeyId="$external", **WRAPPING, keep={"token": "ImportToken", "wrapping": "PublicKey"}),
    no(
        "ImportKeyMaterial",
        "ValidationException",
        "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        KeyId="$external",
        ImportToken="$token",
        EncryptedKeyMaterial="$wrapped",
    ),
    ok(
        "ImportKeyMaterial",
        KeyId="$external",
        ImportToken="$token",
        EncryptedKeyMaterial="$wrapped",
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    ),
    ok("DeleteImportedKeyMaterial", KeyId="$external"),
    no(
        "Encrypt",
        "KMSInvalidStateException",
        "$external_arn is pending import.",
        KeyId="$external",
        Plaintext=TEXT,
    ),
    # Regions
    ok(
        "ReplicateKey",
        KeyId="$shared",
        ReplicaRegion="us-west-2",
        expect={"ReplicaKeyMetadata.MultiRegionConfiguration.MultiRegionKeyType": "REPLICA"},
    ),
    ok("UpdatePrimaryRegion", KeyId="$shared", PrimaryRegion="us-west-2"),
    no(
        "ReplicateKey",
        "UnsupportedOperationException",
        "$shared_arn is not a multi-region primary key.",
        KeyId="$shared",
        ReplicaRegion="us-west-2",
    ),
    # Grants
    ok("CreateGrant", KeyId="$id", **GRANT, keep={"grant": "GrantId", "grant_token": "GrantToken"}),
    ok("ListGrants", KeyId="$id", expect={"Grants[*].[GrantId, Operations]": [["$grant", ["Decrypt"]]]}),
    ok("ListRetirableGrants", Limit=100, RetiringPrincipal=ROOT, expect={"Truncated": False}),
    ok("RetireGrant", GrantToken="$grant_token"),
    ok("CreateGrant", KeyId="$id", **GRANT, keep={"grant": "GrantId"}),
    ok("RevokeGrant", KeyId="$id", GrantId="$grant"),
    ok("ListGrants", KeyId="$id", expect={"Grants": []}),
    # Custom key stores
    ok("DescribeCustomKeyStores", Limit=10, expect={"Truncated": False}),
    no(
        "CreateCustomKeyStore",
        "ValidationException",
        "XksProxyConnectivity is required for this type of custom key store.",
        CustomKeyStoreName="story",
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
    ),
    no("ConnectCustomKeyStore", *NO_STORE, CustomKeyStoreId="cks-1234567890abcdef0"),
    no("DisconnectCustomKeyStore", *NO_STORE, CustomKeyStoreId="cks-1234567890abcdef0"),
    no("UpdateCustomKeyStore", *NO_STORE, CustomKeyStoreId="cks-1234567890abcdef0", NewCustomKeyStoreName="another"),
    no("DeleteCustomKeyStore", *NO_STORE, CustomKeyStoreId="cks-1234567890abcdef0"),
    # The end
    ok("UpdateAlias", AliasName="alias/$name", TargetKeyId="$shared"),
    ok("DeleteAlias", AliasName="alias/$name"),
    no(
        "Encrypt",
        "NotFoundException",
        "Alias arn:aws:kms:us-east-1:111122223333:alias/$name is not found.",
        KeyId="alias/$name",
        Plaintext=TEXT,
    ),
    ok("DisableKey", KeyId="$id"),
    no("Encrypt", "DisabledException", "$id_arn is disabled.", KeyId="$id", Plaintext=TEXT),
    ok("EnableKey", KeyId="$id"),
    no("CancelKeyDeletion", "KMSInvalidStateException", "$id_arn is not pending deletion.", KeyId="$id"),
    ok("ScheduleKeyDeletion", KeyId="$id", PendingWindowInDays=7, expect={"KeyState": "PendingDeletion"}),
    no("EnableKey", "KMSInvalidStateException", "$id_arn is pending deletion.", KeyId="$id"),
    ok("CancelKeyDeletion", KeyId="$id", expect={"KeyId": "$id_arn"}),
]


class Boto:
    """boto3."""

    def __init__(self, server, _directory):
        self.kms = sdk.client(server, "kms")

    def __call__(self, operation, request):
        """The answer; or the refusal's code and text."""
        try:
            answer = getattr(self.kms, xform_name(operation))(**request)
        except ClientError as error:
            return None, (error.response["Error"]["Code"], error.response["Error"].get("Message") or None)
        return answer, None


class Cli:
    """AWS CLI version 2: a process for each call."""

    def __init__(self, server, directory):
        self.directory, self.environment = directory, programs.aws_environment(server)

    def __call__(self, operation, request):
        words = ["kms", xform_name(operation, "-"), "--output", "json"]
        for name, value in request.items():
            words += self.option(name, value)
        status, out, err = self.run(words)
        if status != 0:
            said = REFUSAL.search(err)
            assert said, err
            return None, (said["code"], said["text"].strip() or None)
        return decoded(json.loads(out) if out.strip() else {}, MODEL.operation_model(operation).output_shape), None

    def option(self, name, value):
        option = "--" + xform_name(name, "-")
        if isinstance(value, bytes):
            path = self.directory / name
            path.write_bytes(value)
            return [option, f"fileb://{path}"]
        if isinstance(value, bool):
            return [option]
        return [option, value if isinstance(value, str) else json.dumps(value)]

    def run(self, words):
        done = programs.run([programs.AWS_V2, *words], self.environment, check=False)
        return done.returncode, done.stdout, done.stderr


class CliV1(Cli):
    """AWS CLI version 1, called as its program calls it, without the second that each start takes."""

    driver = None

    def run(self, words):
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for name, value in self.environment.items():
                patch.setenv(name, value)
            self.driver = self.driver or awscli.clidriver.create_clidriver()
            status = self.driver.main(words)
        return status, out.getvalue(), err.getvalue()


def decoded(value, shape):
    """What the CLI prints in Base64 as bytes, as boto3 gives it."""
    if shape is None:
        return value
    if shape.type_name == "blob":
        return base64.b64decode(value)
    if shape.type_name == "structure":
        return {name: decoded(member, shape.members[name]) for name, member in value.items()}
    return value


class Teller:
    """Tells the story to one client."""

    def __init__(self, client, name):
        self.client, self.known = client, {"name": name}

    def fill(self, value):
        if isinstance(value, str) and value.startswith("$") and value[1:] in self.known:
            return self.known[value[1:]]
        if isinstance(value, str):
            # The longest name first: `$id` is the beginning of `$id_arn`.
            for name in sorted(self.known, key=len, reverse=True):
                if isinstance(self.known[name], str):
                    value = value.replace(f"${name}", self.known[name])
            return value
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict):
            return {name: self.fill(member) for name, member in value.items()}
        return value

    def tell(self, step):
        answer, refused = self.client(step.operation, self.fill(step.request))
        if step.error:
            code, text = step.error
            assert refused == (code, self.fill(text)), step
            return
        assert refused is None, (step, refused)
        for path, expected in step.expect.items():
            assert jmespath.search(self.fill(path), printable(answer)) == printable(self.fill(expected)), (step, answer)
        for name, path in step.keep.items():
            self.known[name] = jmespath.search(path, answer)
        if "wrapping" in step.keep:
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            public = serialization.load_der_public_key(self.known["wrapping"])
            self.known["wrapped"] = public.encrypt(bytes(range(32)), oaep)


def printable(value):
    """JMESPath knows no bytes."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: printable(member) for name, member in value.items()}
    return value


def test_no_operation_of_the_model_is_left_out():
    assert {step.operation for step in STORY} == set(MODEL.operation_names)
    done = {step.operation for step in STORY if step.error is None}
    assert sorted(done | set(ELSEWHERE)) == sorted(MODEL.operation_names)
    written = Path(__file__).with_name("test_custom_key_stores.py").read_text()
    assert all(f".{xform_name(operation)}(" in written for operation in ELSEWHERE)


@pytest.mark.parametrize("client", [Boto, CliV1, Cli], ids=["boto3", "cli-1", "cli-2"])
def test_every_operation(server, tmp_path, client):
    teller = Teller(client(server, tmp_path), f"story-{client.__name__}")
    for step in STORY:
        # Each start of version 2 takes a second: what a refusal looks like there is told by two.
        seldom = step.error and step.error[0] not in ("KMSInvalidMacException", "DisabledException")
        if client is Cli and (seldom or step.operation in NOT_IN_CLI_2):
            continue
        teller.tell(step)
