"""Key material of every spec that can be imported, wrapped by Python's `cryptography` with each algorithm and under each
wrapping key that the developer guide has for it; and what it is good for afterwards."""

import functools
import itertools
import os

import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from sdk import refusal

DIRECT = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
WITH_AES = ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"]
UNDER = ["RSA_2048", "RSA_3072", "RSA_4096"]
HMAC_BYTES = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
CURVES = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
NEVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
SPECS = ["SYMMETRIC_DEFAULT", *HMAC_BYTES, "RSA_2048", "RSA_3072", "RSA_4096", *CURVES, "ECC_NIST_EDWARDS25519"]


@functools.cache
def made_elsewhere(spec):
    """A private key, or bytes."""
    if spec in CURVES:
        return ec.generate_private_key(CURVES[spec]())
    if spec.startswith("RSA"):
        return rsa.generate_private_key(65537, int(spec[4:]))
    if spec == "ECC_NIST_EDWARDS25519":
        return ed25519.Ed25519PrivateKey.generate()
    return os.urandom(HMAC_BYTES.get(spec, 32))


def material_of(key):
    if isinstance(key, bytes):
        return key
    pkcs8 = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*pkcs8)


def public_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def usage_of(spec):
    if spec == "SYMMETRIC_DEFAULT":
        return "ENCRYPT_DECRYPT"
    return "GENERATE_VERIFY_MAC" if spec.startswith("HMAC") else "SIGN_VERIFY"


def carries(algorithm, under, spec):
    """The guide's table: "Select a wrapping algorithm"."""
    if spec.startswith("RSA"):
        return algorithm in WITH_AES
    if not spec.startswith("ECC"):
        return algorithm in DIRECT
    return algorithm in WITH_AES or under != "RSA_2048" or spec not in ("ECC_NIST_P521", "ECC_NIST_EDWARDS25519")


def wrap(public_key, algorithm, material):
    digest = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    wrapping_key = serialization.load_der_public_key(public_key)
    if algorithm in DIRECT:
        return wrapping_key.encrypt(material, oaep)
    aes_key = os.urandom(32)
    return wrapping_key.encrypt(aes_key, oaep) + keywrap.aes_key_wrap_with_padding(aes_key, material)


def bring_in(kms, key_id, algorithm, under, material):
    parameters = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=under)
    wrapped = wrap(parameters["PublicKey"], algorithm, material)
    return kms.import_key_material(
        KeyId=key_id, ImportToken=parameters["ImportToken"], EncryptedKeyMaterial=wrapped, **NEVER
    )


@pytest.mark.parametrize("spec", SPECS)
def test_every_wrapping(kms, spec):
    made = made_elsewhere(spec)
    for algorithm, under in itertools.product(DIRECT + WITH_AES, UNDER):
        key = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage_of(spec))["KeyMetadata"]
        wanted = {"KeyId": key["KeyId"], "WrappingAlgorithm": algorithm, "WrappingKeySpec": under}
        if not carries(algorithm, under, spec):
            assert refusal(kms.get_parameters_for_import, **wanted).code == "ValidationException", wanted
            continue
        imported = bring_in(kms, key["KeyId"], algorithm, under, material_of(made))
        assert ("KeyMaterialId" in imported) == (spec == "SYMMETRIC_DEFAULT")
        assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled", wanted
        if not isinstance(made, bytes):
            assert kms.get_public_key(KeyId=key["KeyId"])["PublicKey"] == public_of(made), wanted


@pytest.mark.parametrize("spec", HMAC_BYTES)
def test_lengths_of_hmac_keys(kms, spec):
    """As long as the digest at least, 128 bytes at most."""
    least = HMAC_BYTES[spec]
    for length in (least - 1, least, 128, 129):
        key_id = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        attempt = (kms, key_id, "RSAES_OAEP_SHA_256", "RSA_2048", os.urandom(length))
        if least <= length <= 128:
            bring_in(*attempt)
        else:
            assert refusal(bring_in, *attempt).code == "IncorrectKeyMaterialException", length


def test_an_imported_key_agrees_and_says_where_it_is_from(kms):
    own, peer = made_elsewhere("ECC_NIST_P384"), ec.generate_private_key(ec.SECP384R1())
    key = kms.create_key(Origin="EXTERNAL", KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]
    bring_in(kms, key["KeyId"], "RSAES_OAEP_SHA_256", "RSA_2048", material_of(own))
    got = kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=public_of(peer))
    assert got["SharedSecret"] == peer.exchange(ec.ECDH(), own.public_key())
    assert got["KeyOrigin"] == "EXTERNAL"


def test_what_an_imported_key_signs_its_maker_verifies(kms):
    made = made_elsewhere("ECC_NIST_P521")
    key = kms.create_key(Origin="EXTERNAL", KeySpec="ECC_NIST_P521", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    bring_in(kms, key["KeyId"], "RSA_AES_KEY_WRAP_SHA_256", "RSA_3072", material_of(made))
    signed = {"KeyId": key["KeyId"], "Message": b"message", "SigningAlgorithm": "ECDSA_SHA_512"}
    signature = kms.sign(**signed)["Signature"]
    made.public_key().verify(signature, b"message", ec.ECDSA(hashes.SHA512()))
    prehashed = hashes.Hash(hashes.SHA512())
    prehashed.update(b"message")
    theirs = made.sign(prehashed.finalize(), ec.ECDSA(utils.Prehashed(hashes.SHA512())))
    assert kms.verify(Signature=theirs, **signed)["SignatureValid"] is True


def test_material_of_another_spec(kms):
    """Neither a key of another curve, nor one that is too short, nor half of one is taken."""
    for spec, material in [
        ("SYMMETRIC_DEFAULT", os.urandom(31)),
        ("SYMMETRIC_DEFAULT", os.urandom(33)),
        ("ECC_NIST_P256", material_of(made_elsewhere("ECC_NIST_P384"))),
        ("ECC_NIST_P256", material_of(made_elsewhere("ECC_SECG_P256K1"))),
        ("ECC_SECG_P256K1", material_of(made_elsewhere("ECC_NIST_P256"))),
        ("ECC_NIST_P384", material_of(made_elsewhere("ECC_NIST_P384"))[:-1]),
        ("RSA_2048", material_of(made_elsewhere("RSA_3072"))),
        ("RSA_3072", material_of(made_elsewhere("RSA_3072"))[:-1]),
    ]:
        key_id = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage_of(spec))["KeyMetadata"]["KeyId"]
        algorithm = WITH_AES[1] if spec.startswith("RSA") else DIRECT[1]
        got = refusal(bring_in, kms, key_id, algorithm, "RSA_4096", material)
        assert got.code == "IncorrectKeyMaterialException", spec
        assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"
