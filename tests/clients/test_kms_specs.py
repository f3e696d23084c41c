"""boto3: KMS keys of every spec, against another implementation (Python's `cryptography`, on OpenSSL)."""

import functools
import hashlib
import os

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, padding, rsa, utils

import sdk
from sdk import assert_refused, refusal

MESSAGE = b"what is signed"
RSA = ("RSA_2048", "RSA_3072", "RSA_4096")
CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1, "ECDSA_SHA_256"),
    "ECC_NIST_P384": (ec.SECP384R1, "ECDSA_SHA_384"),
    "ECC_NIST_P521": (ec.SECP521R1, "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": (ec.SECP256K1, "ECDSA_SHA_256"),
}
NIST = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")
ML_DSA = {"44": mldsa.MLDSA44PublicKey, "65": mldsa.MLDSA65PublicKey, "87": mldsa.MLDSA87PublicKey}
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
RSA_SIGNING = [f"{scheme}_SHA_{bits}" for scheme in ("RSASSA_PKCS1_V1_5", "RSASSA_PSS") for bits in HASHES]
OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]

# Spec, usage, the member of KeyMetadata and GetPublicKey that lists algorithms, and the list.
KINDS = [
    *((spec, "ENCRYPT_DECRYPT", "EncryptionAlgorithms", OAEP) for spec in RSA),
    *((spec, "SIGN_VERIFY", "SigningAlgorithms", RSA_SIGNING) for spec in RSA),
    *((spec, "SIGN_VERIFY", "SigningAlgorithms", [algorithm]) for spec, (_, algorithm) in CURVES.items()),
    *((spec, "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]) for spec in NIST),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "SigningAlgorithms", ["ED25519_PH_SHA_512", "ED25519_SHA_512"]),
    *((f"ML_DSA_{n}", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]) for n in ML_DSA),
    *((f"ML_KEM_{n}", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"]) for n in (512, 768, 1024)),
    *((f"HMAC_{n}", "GENERATE_VERIFY_MAC", "MacAlgorithms", [f"HMAC_SHA_{n}"]) for n in (224, 256, 384, 512)),
]


@pytest.fixture(scope="module")
def made(kms):
    """Metadata of the one key of a spec and usage: RSA keys take long to make."""

    @functools.cache
    def make(spec, usage):
        return kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]

    return make


@pytest.fixture(scope="module")
def public(kms, made):
    """The public key of such a key, as `cryptography` reads it."""
    return lambda spec, usage: serialization.load_der_public_key(
        kms.get_public_key(KeyId=made(spec, usage)["KeyId"])["PublicKey"]
    )


@pytest.mark.parametrize("spec, usage, member, algorithms", KINDS)
def test_what_a_key_says_of_itself(kms, made, spec, usage, member, algorithms):
    key = made(spec, usage)
    assert (key["KeySpec"], key["CustomerMasterKeySpec"], key["KeyUsage"]) == (spec, spec, usage)
    assert [name for name in key if name.endswith("Algorithms")] == [member] and key[member] == algorithms
    assert "CurrentKeyMaterialId" not in key
    assert kms.describe_key(KeyId=key["Arn"])["KeyMetadata"] == key
    if spec.startswith("HMAC"):
        assert refusal(kms.get_public_key, KeyId=key["KeyId"]).code == "UnsupportedOperationException"
        return
    told = kms.get_public_key(KeyId=key["KeyId"])
    assert (told["KeyId"], told["KeySpec"], told["KeyUsage"]) == (key["Arn"], spec, usage)
    assert told[member] == algorithms and [name for name in told if name.endswith("Algorithms")] == [member]
    if spec == "ML_KEM_512":
        # Not in that library; the size is that of FIPS 203 and an algorithm identifier.
        assert len(told["PublicKey"]) == 800 + 22
        return
    read = serialization.load_der_public_key(told["PublicKey"])
    if spec in RSA:
        assert isinstance(read, rsa.RSAPublicKey) and f"RSA_{read.key_size}" == spec
    elif spec in CURVES:
        assert isinstance(read.curve, CURVES[spec][0])


def test_usages_that_a_spec_does_not_have(kms):
    no_usage = "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
    for spec in ("RSA_4096", "ECC_SECG_P256K1", "ML_DSA_87", "HMAC_384"):
        assert_refused(lambda spec=spec: kms.create_key(KeySpec=spec), 400, "ValidationException", no_usage)
    for spec, usage in (
        ("RSA_2048", "KEY_AGREEMENT"),
        ("ECC_SECG_P256K1", "KEY_AGREEMENT"),
        ("HMAC_224", "SIGN_VERIFY"),
    ):
        assert_refused(
            lambda spec=spec, usage=usage: kms.create_key(KeySpec=spec, KeyUsage=usage),
            400,
            "ValidationException",
            f"KeyUsage {usage} is not compatible with KeySpec {spec}",
        )
    assert refusal(kms.create_key, KeySpec="SM2", KeyUsage="SIGN_VERIFY").code == "UnsupportedOperationException"
    old = kms.create_key(CustomerMasterKeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    assert old["KeySpec"] == "HMAC_256"


def verify_there(key, algorithm, message, signature, prehashed=False):
    """With `cryptography`; raises InvalidSignature."""
    if isinstance(key, rsa.RSAPublicKey):
        hashed = HASHES[algorithm[-3:]]()
        scheme = padding.PKCS1v15()
        if "PSS" in algorithm:
            scheme = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)
        key.verify(signature, message, scheme, utils.Prehashed(hashed) if prehashed else hashed)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        hashed = HASHES[algorithm[-3:]]()
        key.verify(signature, message, ec.ECDSA(utils.Prehashed(hashed) if prehashed else hashed))
    else:
        key.verify(signature, message)


SIGNING = [
    *((spec, algorithm) for spec in RSA for algorithm in RSA_SIGNING),
    *((spec, algorithm) for spec, (_, algorithm) in CURVES.items()),
    ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
    *((f"ML_DSA_{n}", "ML_DSA_SHAKE_256") for n in ML_DSA),
]


@pytest.mark.parametrize("spec, algorithm", SIGNING)
def test_signatures_hold_elsewhere(kms, made, public, spec, algorithm):
    key, theirs = made(spec, "SIGN_VERIFY"), public(spec, "SIGN_VERIFY")
    ours = {"KeyId": key["KeyId"], "SigningAlgorithm": algorithm}
    signed = kms.sign(**ours, Message=MESSAGE)
    assert (signed["KeyId"], signed["SigningAlgorithm"]) == (key["Arn"], algorithm)
    verify_there(theirs, algorithm, MESSAGE, signed["Signature"])
    with pytest.raises(InvalidSignature):
        verify_there(theirs, algorithm, MESSAGE + b"!", signed["Signature"])
    checked = kms.verify(**ours, Message=MESSAGE, Signature=signed["Signature"])
    assert checked["SignatureValid"] is True and checked["KeyId"] == key["Arn"]
    damaged = bytes([signed["Signature"][0] ^ 1]) + signed["Signature"][1:]
    for message, signature in ((MESSAGE + b"!", signed["Signature"]), (MESSAGE, damaged), (MESSAGE, b"x")):
        got = refusal(kms.verify, **ours, Message=message, Signature=signature)
        assert (got.status, got.code) == (400, "KMSInvalidSignatureException")
    if spec in RSA or spec in CURVES:
        digest = hashlib.new(f"sha{algorithm[-3:]}", MESSAGE).digest()
        by_digest = kms.sign(**ours, Message=digest, MessageType="DIGEST")["Signature"]
        verify_there(theirs, algorithm, digest, by_digest, prehashed=True)
        for args in ({"Message": MESSAGE}, {"Message": digest, "MessageType": "DIGEST"}):
            for signature in (by_digest, signed["Signature"]):
                assert kms.verify(**ours, **args, Signature=signature)["SignatureValid"] is True
        assert_refused(
            lambda: kms.sign(**ours, Message=digest[:-1], MessageType="DIGEST"),
            400,
            "ValidationException",
            f"Digest is invalid length for algorithm {algorithm}.",
        )


@pytest.mark.parametrize("n", ML_DSA)
def test_external_mu(kms, made, public, n):
    """The µ of FIPS 204 is made here, of the public key and the message."""
    theirs = public(f"ML_DSA_{n}", "SIGN_VERIFY")
    trace = hashlib.shake_256(theirs.public_bytes_raw()).digest(64)
    mu = hashlib.shake_256(trace + bytes(2) + MESSAGE).digest(64)
    ours = {"KeyId": made(f"ML_DSA_{n}", "SIGN_VERIFY")["KeyId"], "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signature = kms.sign(**ours, Message=mu, MessageType="EXTERNAL_MU")["Signature"]
    theirs.verify(signature, MESSAGE)
    assert kms.verify(**ours, Message=MESSAGE, Signature=signature)["SignatureValid"] is True
    raw = kms.sign(**ours, Message=MESSAGE)["Signature"]
    assert kms.verify(**ours, Message=mu, MessageType="EXTERNAL_MU", Signature=raw)["SignatureValid"] is True


@pytest.mark.parametrize("spec", RSA)
@pytest.mark.parametrize("algorithm", OAEP)
def test_rsa_encryption_both_ways(kms, key, made, public, spec, algorithm):
    ours = {"KeyId": made(spec, "ENCRYPT_DECRYPT")["KeyId"], "EncryptionAlgorithm": algorithm}
    hashed = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(hashed), hashed, None)
    theirs = public(spec, "ENCRYPT_DECRYPT")
    limit = theirs.key_size // 8 - 2 * hashed.digest_size - 2
    longest = os.urandom(limit)
    foreign = theirs.encrypt(longest, oaep)
    got = kms.decrypt(**ours, CiphertextBlob=foreign)
    assert (got["Plaintext"], got["EncryptionAlgorithm"]) == (longest, algorithm) and "KeyMaterialId" not in got
    box = kms.encrypt(**ours, Plaintext=longest)["CiphertextBlob"]
    assert len(box) == theirs.key_size // 8 and kms.decrypt(**ours, CiphertextBlob=box)["Plaintext"] == longest
    assert_refused(
        lambda: kms.encrypt(**ours, Plaintext=longest + b"x"),
        400,
        "ValidationException",
        f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {limit} bytes.",
    )
    damaged = bytes([box[-1] ^ 1])
    assert refusal(kms.decrypt, **ours, CiphertextBlob=box[:-1] + damaged).code == "InvalidCiphertextException"
    moved = kms.re_encrypt(
        CiphertextBlob=foreign,
        SourceKeyId=ours["KeyId"],
        SourceEncryptionAlgorithm=algorithm,
        DestinationKeyId=key["KeyId"],
    )
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == longest


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_macs(kms, made, bits):
    algorithm = f"HMAC_SHA_{bits}"
    key = made(f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
    ours = {"KeyId": key["KeyId"], "MacAlgorithm": algorithm}
    got = kms.generate_mac(**ours, Message=MESSAGE)
    assert len(got["Mac"]) == bits // 8 and (got["KeyId"], got["MacAlgorithm"]) == (key["Arn"], algorithm)
    assert kms.generate_mac(**ours, Message=MESSAGE)["Mac"] == got["Mac"]
    assert kms.verify_mac(**ours, Message=MESSAGE, Mac=got["Mac"])["MacValid"] is True
    for message, mac in ((b"x", got["Mac"]), (MESSAGE, got["Mac"][:-1]), (MESSAGE, bytes(bits // 8))):
        assert refusal(kms.verify_mac, **ours, Message=message, Mac=mac).code == "KMSInvalidMacException"
    other = "HMAC_SHA_512" if bits != 512 else "HMAC_SHA_256"
    assert_refused(
        lambda: kms.generate_mac(KeyId=key["KeyId"], MacAlgorithm=other, Message=MESSAGE),
        400,
        "InvalidKeyUsageException",
        f"Algorithm {other} is incompatible with key spec HMAC_{bits}.",
    )


def spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("spec", NIST)
def test_ecdh_with_a_peer_elsewhere(kms, made, public, spec):
    key = made(spec, "KEY_AGREEMENT")
    peer = ec.generate_private_key(CURVES[spec][0]())
    ours = {"KeyId": key["KeyId"], "KeyAgreementAlgorithm": "ECDH"}
    got = kms.derive_shared_secret(**ours, PublicKey=spki(peer.public_key()))
    assert got["SharedSecret"] == peer.exchange(ec.ECDH(), public(spec, "KEY_AGREEMENT"))
    assert (got["KeyId"], got["KeyAgreementAlgorithm"], got["KeyOrigin"]) == (key["Arn"], "ECDH", "AWS_KMS")
    for bad in (
        spki(ec.generate_private_key(ec.SECP256K1()).public_key()),
        spki(ed25519.Ed25519PrivateKey.generate().public_key()),
        spki(peer.public_key())[:-1],
        b"x",
    ):
        assert refusal(kms.derive_shared_secret, **ours, PublicKey=bad).code == "ValidationException"


@pytest.mark.parametrize("n", [768, 1024])
def test_ml_kem_both_ways(kms, made, public, n):
    ours = {"KeyId": made(f"ML_KEM_{n}", "ENCAPSULATE_DECAPSULATE")["KeyId"], "EncapsulationAlgorithm": "ML_KEM"}
    secret, sealed = public(f"ML_KEM_{n}", "ENCAPSULATE_DECAPSULATE").encapsulate()
    assert kms.decapsulate(**ours, SharedSecretCiphertextBlob=sealed)["SharedSecret"] == secret
    made_here = kms.encapsulate(**ours)
    assert (
        kms.decapsulate(**ours, SharedSecretCiphertextBlob=made_here["SharedSecretCiphertextBlob"])["SharedSecret"]
        == made_here["SharedSecret"]
    )
    rejected = kms.decapsulate(**ours, SharedSecretCiphertextBlob=bytes([sealed[0] ^ 1]) + sealed[1:])
    assert rejected["SharedSecret"] != secret and len(rejected["SharedSecret"]) == 32
    got = refusal(kms.decapsulate, **ours, SharedSecretCiphertextBlob=sealed[:-1])
    assert (got.status, got.code) == (400, "InvalidCiphertextException")


PAIRS = [*RSA, *CURVES, "ECC_NIST_EDWARDS25519", "ML_KEM_768", "ML_KEM_1024"]


@pytest.mark.parametrize("spec", PAIRS)
def test_data_key_pairs_are_of_use_elsewhere(kms, key, spec):
    context = {"for": spec}
    made = kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec=spec, EncryptionContext=context)
    assert (made["KeyId"], made["KeyPairSpec"]) == (key["Arn"], spec) and len(made["KeyMaterialId"]) == 64
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    public = serialization.load_der_public_key(made["PublicKey"])
    assert spki(private.public_key()) == spki(public)
    if spec.startswith("ML_KEM"):
        secret, sealed = public.encapsulate()
        assert private.decapsulate(sealed) == secret
        # PKCS #8 with the seed in its short form (RFC 9935): 64 bytes and their frame.
        assert isinstance(private, mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey)
        assert len(made["PrivateKeyPlaintext"]) == 64 + 22
    blind = kms.generate_data_key_pair_without_plaintext(KeyId=key["KeyId"], KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in blind
    private = kms.decrypt(CiphertextBlob=blind["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert spki(serialization.load_der_private_key(private, None).public_key()) == blind["PublicKey"]


def test_keys_of_another_use(kms, key, made):
    """The texts that AWS was recorded to give."""
    signer = made("ECC_NIST_P256", "SIGN_VERIFY")
    for call, args in (
        ("encrypt", {"Plaintext": b"x"}),
        ("generate_data_key", {"KeySpec": "AES_256"}),
        ("generate_mac", {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}),
        ("encapsulate", {"EncapsulationAlgorithm": "ML_KEM"}),
    ):
        operation = "".join(part.capitalize() for part in call.split("_"))
        assert_refused(
            lambda call=call, args=args: getattr(kms, call)(KeyId=signer["KeyId"], **args),
            400,
            "InvalidKeyUsageException",
            f"{signer['Arn']} key usage is SIGN_VERIFY which is not valid for {operation}.",
        )
    assert_refused(
        lambda: kms.sign(KeyId=key["KeyId"], Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
        400,
        "InvalidKeyUsageException",
        f"{key['Arn']} key usage is ENCRYPT_DECRYPT which is not valid for Sign.",
    )


def test_s3_takes_symmetric_keys_only(s3, bucket, made):
    for spec, usage in (("RSA_2048", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY")):
        got = refusal(
            s3.put_object,
            Bucket=bucket,
            Key="k",
            Body=b"x",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=made(spec, usage)["Arn"],
        )
        assert (got.status, got.code) == (400, "KMS.InvalidKeyUsageException")


def test_keys_of_every_spec_outlive_the_process(own_server):
    """What is stored of a key is all that is needed: a signature made before holds after."""
    before = sdk.client(own_server, "kms")
    signer = before.create_key(KeySpec="ML_DSA_65", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    crypter = before.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    signature = before.sign(KeyId=signer, Message=MESSAGE, SigningAlgorithm="ML_DSA_SHAKE_256")["Signature"]
    box = before.encrypt(KeyId=crypter, Plaintext=MESSAGE, EncryptionAlgorithm=OAEP[1])["CiphertextBlob"]
    own_server.kill()
    own_server.start()
    after = sdk.client(own_server, "kms")
    assert after.verify(KeyId=signer, Message=MESSAGE, SigningAlgorithm="ML_DSA_SHAKE_256", Signature=signature)
    opened = after.decrypt(KeyId=crypter, CiphertextBlob=box, EncryptionAlgorithm=OAEP[1])
    assert opened["Plaintext"] == MESSAGE
