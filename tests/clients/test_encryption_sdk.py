"""AWS's libraries that encrypt at the client, with data keys of ours: the Encryption SDK, the S3 Encryption Client."""

import botocore.session
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl import models as mpl
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.smithygenerated.aws_cryptography_materialproviders.errors import ServiceError
from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient, StrictAwsKmsMasterKeyProvider
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import AlgorithmSuite
from aws_encryption_sdk.key_providers.kms import DiscoveryAwsKmsMasterKeyProvider
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.exceptions import S3EncryptionClientError
from s3_encryption.materials.kms_keyring import KmsKeyring

import programs
import sdk
from gateway import ALICE, MAIN, REGION

CONTEXT = {"tenant": "4711", "purpose": "payroll"}
# Two frames of the SDK's 4 KiB and a short one.
PLAINTEXT = sdk.blob(10_000)

esdk = EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


@pytest.fixture(scope="module")
def west(server):
    return sdk.client(server, "kms", region="us-west-2")


@pytest.fixture
def endpoint(server, monkeypatch):
    """What an unchanged program is told: its account and where the service is."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", MAIN.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", MAIN.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


def kms_keyring(client, key):
    return providers.create_aws_kms_keyring(mpl.CreateAwsKmsKeyringInput(kms_key_id=key["Arn"], kms_client=client))


def any_of(first, *others):
    return providers.create_multi_keyring(mpl.CreateMultiKeyringInput(generator=first, child_keyrings=list(others)))


def seal(keyring):
    message, _ = esdk.encrypt(source=PLAINTEXT, keyring=keyring, encryption_context=CONTEXT)
    assert PLAINTEXT[:64] not in message
    return message


def open_message(keyring, message, context=None):
    """What is in the message; `context` is what the reader insists on."""
    insisted = {"encryption_context": context} if context else {}
    plaintext, header = esdk.decrypt(source=message, keyring=keyring, **insisted)
    assert header.encryption_context.items() >= CONTEXT.items()
    return plaintext


# What the libraries raise: of their own, and what they let through from below.
FAILURES = (AWSEncryptionSDKClientError, ServiceError, S3EncryptionClientError, InvalidTag, InvalidSignature)


def assert_fails(call, says=""):
    """`says` is looked for in the whole chain of exceptions: the service's own text stands far down."""
    with pytest.raises(FAILURES) as caught:
        call()
    told, error = [], caught.value
    while error is not None:
        told.append(repr(error))
        error = error.__cause__ or error.__context__
    assert says in " ".join(told), told


def test_messages_and_their_context(kms, key):
    ring = kms_keyring(kms, key)
    message = seal(ring)
    assert open_message(ring, message) == PLAINTEXT
    assert open_message(ring, message, CONTEXT) == PLAINTEXT
    assert_fails(
        lambda: open_message(ring, message, CONTEXT | {"tenant": "1"}), "does not match reproduced encryption context"
    )
    # A pair that is not in the message goes to the service, which knows better.
    assert_fails(lambda: open_message(ring, message, {"other": "x"}), "No Configured KMS Key was able to decrypt")


def test_changed_messages(kms, key):
    ring = kms_keyring(kms, key)
    message = seal(ring)
    for at in [*range(0, 1000, 37), *range(1000, len(message), 997), len(message) - 1]:
        changed = message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
        assert_fails(lambda changed=changed: open_message(ring, changed))
    assert_fails(lambda: open_message(ring, message[:-1]))


def test_several_keys(kms, west, key, fresh_key):
    """One message, three keys in two Regions: each of them opens it, until it may not."""
    far = west.create_key()["KeyMetadata"]
    rings = [kms_keyring(kms, key), kms_keyring(kms, fresh_key), kms_keyring(west, far)]
    message = seal(any_of(*rings))
    for ring in (*rings, any_of(*rings)):
        assert open_message(ring, message) == PLAINTEXT
    stranger = kms.create_key()["KeyMetadata"]
    assert_fails(lambda: open_message(kms_keyring(kms, stranger), message), "No Encrypted Data Keys found to match")
    kms.disable_key(KeyId=fresh_key["KeyId"])
    disabled = f"{fresh_key['Arn']} is disabled."
    assert_fails(lambda: open_message(rings[1], message), disabled)
    assert_fails(lambda: seal(rings[1]), disabled)
    assert_fails(lambda: seal(any_of(*rings)), "Child keyring failed to encrypt plaintext data key")
    assert open_message(any_of(*rings), message) == PLAINTEXT
    kms.enable_key(KeyId=fresh_key["KeyId"])
    assert open_message(rings[1], message) == PLAINTEXT


def test_who_may_not_use_the_key(server, kms, key):
    message = seal(kms_keyring(kms, key))
    theirs = kms_keyring(sdk.client(server, "kms", ALICE), key)
    for call in (lambda: open_message(theirs, message), lambda: seal(theirs)):
        assert_fails(call, "not authorized to perform: kms:")


def test_rotated_keys(kms, fresh_key):
    ring = kms_keyring(kms, fresh_key)
    before = seal(ring)
    kms.rotate_key_on_demand(KeyId=fresh_key["KeyId"])
    for message in (before, seal(ring)):
        assert open_message(ring, message) == PLAINTEXT


def test_multi_region_keys(kms, west):
    """Sealed in one Region, opened in the other, by name and by discovery."""
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]
    replica = kms.replicate_key(KeyId=primary["KeyId"], ReplicaRegion="us-west-2")["ReplicaKeyMetadata"]

    def named(client, key):
        return providers.create_aws_kms_mrk_keyring(
            mpl.CreateAwsKmsMrkKeyringInput(kms_key_id=key["Arn"], kms_client=client)
        )

    def discovery(client, region, account):
        found_in = mpl.DiscoveryFilter(account_ids=[account], partition="aws")
        return providers.create_aws_kms_mrk_discovery_keyring(
            mpl.CreateAwsKmsMrkDiscoveryKeyringInput(kms_client=client, region=region, discovery_filter=found_in)
        )

    message = seal(named(kms, primary))
    for ring in (
        named(kms, primary),
        named(west, replica),
        discovery(kms, "us-east-1", MAIN.account),
        discovery(west, "us-west-2", MAIN.account),
    ):
        assert open_message(ring, message) == PLAINTEXT
    assert_fails(
        lambda: open_message(discovery(west, "us-west-2", "444455556666"), message),
        "No Encrypted Data Keys found to match",
    )
    west.disable_key(KeyId=primary["KeyId"])
    assert_fails(lambda: open_message(named(west, replica), message), f"{replica['Arn']} is disabled.")
    # A key of one Region is not found in another one, though the reader looks for it.
    single = seal(kms_keyring(kms, kms.create_key()["KeyMetadata"]))
    assert_fails(
        lambda: open_message(discovery(west, "us-west-2", MAIN.account), single),
        "No Encrypted Data Keys found to match",
    )


def test_data_keys_under_an_rsa_key(kms):
    """The library seals with the public key, the service opens."""
    key = kms.create_key(KeySpec="RSA_3072", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    ring = providers.create_aws_kms_rsa_keyring(
        mpl.CreateAwsKmsRsaKeyringInput(
            kms_key_id=key["Arn"], public_key=pem, encryption_algorithm="RSAES_OAEP_SHA_256", kms_client=kms
        )
    )
    # OAEP binds no context to the data key, so the library refuses its suites with a signature there.
    suite = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
    message, _ = esdk.encrypt(source=PLAINTEXT, keyring=ring, encryption_context=CONTEXT, algorithm=suite)
    assert open_message(ring, message) == PLAINTEXT
    kms.disable_key(KeyId=key["KeyId"])
    assert_fails(lambda: open_message(ring, message), f"{key['Arn']} is disabled.")


def test_ecdh_between_two_keys(kms):
    """The data key is under a secret that both keys agree on: DeriveSharedSecret from either side."""
    ours, theirs = (kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"] for _ in range(2))
    public = {key["Arn"]: kms.get_public_key(KeyId=key["KeyId"])["PublicKey"] for key in (ours, theirs)}
    scheme = mpl.KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey(
        mpl.KmsPrivateKeyToStaticPublicKeyInput(
            sender_kms_identifier=ours["Arn"],
            sender_public_key=public[ours["Arn"]],
            recipient_public_key=public[theirs["Arn"]],
        )
    )
    discovery = mpl.KmsEcdhStaticConfigurationsKmsPublicKeyDiscovery(
        mpl.KmsPublicKeyDiscoveryInput(recipient_kms_identifier=theirs["Arn"])
    )
    sender, recipient = (
        providers.create_aws_kms_ecdh_keyring(
            mpl.CreateAwsKmsEcdhKeyringInput(key_agreement_scheme=how, curve_spec="ECC_NIST_P256", kms_client=kms)
        )
        for how in (scheme, discovery)
    )
    message = seal(sender)
    assert open_message(sender, message) == PLAINTEXT
    assert open_message(recipient, message) == PLAINTEXT


def test_an_unchanged_program(kms, key, fresh_key, endpoint):
    """Master key providers make their clients themselves: only the environment says where the service is."""
    session = botocore.session.Session()
    strict = StrictAwsKmsMasterKeyProvider(key_ids=[key["Arn"], fresh_key["Arn"]], botocore_session=session)
    message, _ = esdk.encrypt(source=PLAINTEXT, key_provider=strict, encryption_context=CONTEXT)
    found = DiscoveryAwsKmsMasterKeyProvider(botocore_session=session)
    for provider in (strict, found):
        plaintext, header = esdk.decrypt(source=message, key_provider=provider)
        assert plaintext == PLAINTEXT and header.encryption_context.items() >= CONTEXT.items()
    kms.disable_key(KeyId=fresh_key["KeyId"])
    assert_fails(lambda: esdk.encrypt(source=PLAINTEXT, key_provider=strict), "DisabledException")


def encrypting_s3(server, kms, key_id):
    return S3EncryptionClient(sdk.client(server), S3EncryptionClientConfig(KmsKeyring(kms, key_id)))


def test_s3_objects_encrypted_at_the_client(server, s3, kms, fresh_key, bucket):
    """Encrypted by the client, then by the gateway; the gateway's own reader finds the client's ciphertext."""
    client = encrypting_s3(server, kms, fresh_key["KeyId"])
    for name, data in (("empty", b""), ("small", PLAINTEXT)):
        client.put_object(Bucket=bucket, Key=name, Body=data, EncryptionContext=CONTEXT)
        stored = s3.get_object(Bucket=bucket, Key=name)
        body = stored["Body"].read()
        assert len(body) == len(data) + 16 and (not data or data[:64] not in body)
        assert client.get_object(Bucket=bucket, Key=name, EncryptionContext=CONTEXT)["Body"].read() == data

    def read(how=client, context=CONTEXT):
        return how.get_object(Bucket=bucket, Key="small", EncryptionContext=context)["Body"].read()

    with pytest.raises(S3EncryptionClientError, match="does not match information retrieved from S3"):
        read(context={"tenant": "1"})
    other = encrypting_s3(server, kms, kms.create_key()["KeyMetadata"]["KeyId"])
    assert_fails(lambda: read(other), "IncorrectKeyException")
    kms.disable_key(KeyId=fresh_key["KeyId"])
    assert_fails(read, f"{fresh_key['Arn']} is disabled.")
    assert_fails(
        lambda: client.put_object(Bucket=bucket, Key="more", Body=PLAINTEXT), f"{fresh_key['Arn']} is disabled."
    )
    kms.enable_key(KeyId=fresh_key["KeyId"])
    assert read() == PLAINTEXT


def test_a_changed_object_of_the_client(server, s3, kms, key, bucket):
    client = encrypting_s3(server, kms, key["KeyId"])
    client.put_object(Bucket=bucket, Key="k", Body=PLAINTEXT)
    stored = s3.get_object(Bucket=bucket, Key="k")
    body, metadata = bytearray(stored["Body"].read()), stored["Metadata"]
    body[len(body) // 2] ^= 1
    s3.put_object(Bucket=bucket, Key="k", Body=bytes(body), Metadata=metadata)

    def read():
        return client.get_object(Bucket=bucket, Key="k")["Body"].read()

    assert_fails(read)


def test_a_multipart_upload_encrypted_at_the_client(server, kms, key, bucket):
    client = encrypting_s3(server, kms, key["Arn"])
    parts = [sdk.blob(5 * sdk.MIB, 1), sdk.blob(1000, 2)]
    made = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    of_upload = {"Bucket": bucket, "Key": "parts", "UploadId": made}
    done = []
    for number, part in enumerate(parts, 1):
        last = {"IsLastPart": True} if number == len(parts) else {}
        answer = client.upload_part(**of_upload, PartNumber=number, Body=part, **last)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.complete_multipart_upload(**of_upload, MultipartUpload={"Parts": done})
    assert client.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"".join(parts)


@pytest.fixture
def cli(server, monkeypatch):
    """The Encryption SDK's command line, of its own venv: it takes an older SDK than the one that is tested above."""
    environment = programs.aws_environment(server)

    def call(action, *args, check=True, **more):
        return programs.run([programs.OTHER_VENV / "aws-encryption-cli", action, *args], environment, check, **more)

    return call


def test_the_command_line(cli, key, fresh_key, tmp_path):
    """Directories, and pipes; with the key's name and with any key that the message names."""
    files = {"a": PLAINTEXT, "sub/b": b"small"}
    for name, data in files.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    for name in ("sealed", "out"):
        (tmp_path / name).mkdir()
    mine, other = (("--wrapping-keys", f"key={each['Arn']}") for each in (key, fresh_key))
    quiet = ("--suppress-metadata", "--recursive", "--suffix", "")
    context = ("--encryption-context", "tenant=4711")
    cli("--encrypt", "--input", tmp_path / "in", "--output", tmp_path / "sealed", *mine, *quiet, *context)
    for name, data in files.items():
        assert data not in (tmp_path / "sealed" / name).read_bytes()
    cli("--decrypt", "--input", tmp_path / "sealed", "--output", tmp_path / "out", *mine, *quiet, *context)
    for name, data in files.items():
        assert (tmp_path / "out" / name).read_bytes() == data
    one = ("--decrypt", "--input", tmp_path / "sealed/a", "--output", tmp_path / "one", "--suppress-metadata")
    for another in (other, (*mine, "--encryption-context", "tenant=1")):
        cli(*one, *another, check=False)
        assert not (tmp_path / "one").exists()
    cli(*one, *mine)
    assert (tmp_path / "one").read_bytes() == PLAINTEXT

    pipe = ("--input", "-", "--output", "-", "--suppress-metadata")
    sealed = cli("--encrypt", "--encode", *pipe, *mine, input="by pipe").stdout
    discovered = ("--wrapping-keys", "discovery=true")
    assert cli("--decrypt", "--decode", *pipe, *discovered, input=sealed).stdout == "by pipe"
