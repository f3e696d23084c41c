"""Custom key stores: an external key store proxy over TLS, and a SoftHSM2 token."""

import json
import subprocess
import time
from pathlib import Path

import pytest

import programs
import sdk
from gateway import ALICE, Strongroom, clean_environment, free_port
from xks_proxy import ACCESS_KEY_ID, SECRET, XksProxy

PLAIN = b"both halves are needed"
NOT_CONNECTED = "This KMS key is in a custom key store that is not connected to its external key store proxy."
UNINTERPRETED = "AWS KMS cannot interpret the response from the external key store proxy."
TIMEOUT_SECONDS = 2


@pytest.fixture(scope="module")
def proxy(certificate):
    proxy = XksProxy(certificate, free_port()).start()
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, proxy, certificate):
    extra = f'xks_ca_file = "{certificate[2]}"\nxks_port = {proxy.port}\nxks_timeout = "{TIMEOUT_SECONDS}s"\n'
    gateway = Strongroom(tmp_path_factory.mktemp("key-stores"), extra=extra).start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]
    log = gateway.log()
    assert "panicked" not in log and SECRET not in log
    records = gateway.command("audit", "list", "--json").stdout
    assert "CreateCustomKeyStore" in records and SECRET not in records and ACCESS_KEY_ID not in records
    assert SECRET.encode() not in b"".join(file.read_bytes() for file in gateway.data.rglob("*") if file.is_file())


@pytest.fixture
def healthy(proxy):
    """The proxy without faults, which the test may give it."""
    yield proxy
    proxy.failure, proxy.delay, proxy.raw, proxy.corrupt, proxy.health_status = None, 0, None, False, "ACTIVE"
    proxy.metadata_of.clear()
    proxy.credentials.clear()
    proxy.credentials[ACCESS_KEY_ID] = SECRET
    proxy.start() if proxy.server is None else None


def members(name, path="/kms/xks/v1", **more):
    return {
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": "https://localhost",
        "XksProxyUriPath": path,
        "XksProxyAuthenticationCredential": {"AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": SECRET},
    } | more


def shown(kms, store):
    return kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"][0]


def wait_for(kms, store, *states):
    deadline = time.monotonic() + 20
    while (found := shown(kms, store))["ConnectionState"] not in states:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def connect(kms, store):
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert wait_for(kms, store, "CONNECTED", "FAILED")["ConnectionState"] == "CONNECTED"


@pytest.fixture(scope="module")
def kms(server):
    return sdk.client(server, "kms")


@pytest.fixture(scope="module")
def store(kms, proxy):
    """A connected external key store."""
    made = kms.create_custom_key_store(**members("main"))["CustomKeyStoreId"]
    connect(kms, made)
    return made


def make_key(kms, store, external, **more):
    made = kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=external, **more)
    return made["KeyMetadata"]


@pytest.fixture(scope="module")
def key(kms, store):
    return make_key(kms, store, "ext-0", Description="in the store")


def test_a_key_is_used_through_kms(kms, store, key, proxy):
    assert key["Origin"] == "EXTERNAL_KEY_STORE" and key["CustomKeyStoreId"] == store
    assert key["XksKeyConfiguration"] == {"Id": "ext-0"} and key["KeyState"] == "Enabled"
    assert "CurrentKeyMaterialId" not in key and "CloudHsmClusterId" not in key
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] == key
    context = {"department": "marketing"}
    proxy.seen.clear()
    sealed = kms.encrypt(KeyId=key["Arn"], Plaintext=PLAIN, EncryptionContext=context)["CiphertextBlob"]
    ((rest, request),) = proxy.seen
    assert rest == "keys/ext-0/encrypt"
    told = request["requestMetadata"]
    assert told["kmsOperation"] == "Encrypt" and told["kmsKeyArn"] == key["Arn"] and told["kmsRequestId"]
    assert told["awsPrincipalArn"] == "arn:aws:iam::111122223333:root" and "kmsViaService" not in told
    # The proxy sees neither the plaintext nor the context.
    assert b"halves" not in json.dumps(request).encode() and "marketing" not in json.dumps(request)
    assert len(request["plaintext"]) > len(sealed) / 2
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == PLAIN
    assert proxy.seen[-1][0] == "keys/ext-0/decrypt"

    data_key = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
    opened = kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], KeyId=key["KeyId"])
    assert opened["Plaintext"] == data_key["Plaintext"] and "KeyMaterialId" not in opened
    bare = kms.generate_data_key_without_plaintext(KeyId=key["KeyId"], NumberOfBytes=1024)["CiphertextBlob"]
    assert len(kms.decrypt(CiphertextBlob=bare)["Plaintext"]) == 1024
    longest = kms.encrypt(KeyId=key["KeyId"], Plaintext=bytes(4096))["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=longest)["Plaintext"] == bytes(4096)

    other = kms.create_key()["KeyMetadata"]["KeyId"]
    moved = kms.re_encrypt(CiphertextBlob=sealed, SourceEncryptionContext=context, DestinationKeyId=other)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == PLAIN
    back = kms.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=key["KeyId"])["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=back)["Plaintext"] == PLAIN

    # A dry run asks nobody.
    proxy.seen.clear()
    sdk.assert_refused(
        lambda: kms.encrypt(KeyId=key["KeyId"], Plaintext=PLAIN, DryRun=True), 400, "DryRunOperationException"
    )
    assert not proxy.seen


def test_what_such_a_key_does_not_do(kms, store, key):
    unsupported = [
        lambda: kms.enable_key_rotation(KeyId=key["KeyId"]),
        lambda: kms.rotate_key_on_demand(KeyId=key["KeyId"]),
        lambda: kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256"),
        lambda: kms.get_parameters_for_import(
            KeyId=key["KeyId"], WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        ),
        lambda: kms.generate_random(NumberOfBytes=32, CustomKeyStoreId=store),
        lambda: make_key(kms, store, "ext-5", MultiRegion=True),
        lambda: make_key(kms, store, "ext-5", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"),
    ]
    for call in unsupported:
        sdk.assert_refused(call, 400, "UnsupportedOperationException")
    invalid = [
        {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store},
        {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "ext-5"},
        {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store},
        {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store, "XksKeyId": "ext-5"},
        {"CustomKeyStoreId": store},
        {"XksKeyId": "ext-5"},
        {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": ".."},
        {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "a/b"},
    ]
    for request in invalid:
        sdk.assert_refused(lambda request=request: kms.create_key(**request), 400, "ValidationException")


def test_external_keys_that_do_not_serve(kms, store, key, healthy):
    def refused(external, code):
        sdk.assert_refused(lambda: make_key(kms, store, external), 400, code)

    refused("ext-0", "XksKeyAlreadyInUseException")
    refused("absent", "XksKeyNotFoundException")
    for wrong in ({"keySpec": "AES_128"}, {"keyUsage": ["ENCRYPT"]}, {"keyStatus": "DISABLED"}):
        healthy.metadata_of["ext-5"] = wrong
        refused("ext-5", "XksKeyInvalidConfigurationException")
    healthy.failure = "AccessDeniedException"
    refused("ext-5", "KMSInvalidStateException")
    healthy.failure = "ThrottlingException"
    refused("ext-5", "CustomKeyStoreInvalidStateException")
    sdk.assert_refused(lambda: make_key(kms, "cks-none", "ext-5"), 400, "CustomKeyStoreNotFoundException")


def test_s3_objects_under_such_a_key(server, kms, store, key, proxy):
    s3 = sdk.client(server)
    s3.create_bucket(Bucket="sealed-twice")
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["Arn"]}
    proxy.seen.clear()
    s3.put_object(Bucket="sealed-twice", Key="a", Body=PLAIN, **how)
    told = proxy.seen[-1][1]["requestMetadata"]
    assert told["kmsOperation"] == "GenerateDataKey" and told["kmsViaService"] == "s3.us-east-1.amazonaws.com"
    assert sdk.body_of(s3, "sealed-twice", "a") == PLAIN
    s3.put_object(Bucket="sealed-twice", Key="b", Body=PLAIN, BucketKeyEnabled=True, **how)
    assert sdk.body_of(s3, "sealed-twice", "b") == PLAIN

    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Unavailable"
    for name in ("a", "b"):
        # The second one too, whose data key is cached.
        refused = sdk.refusal(s3.get_object, Bucket="sealed-twice", Key=name)
        assert (refused.status, refused.code) == (400, "KMS.KMSInvalidStateException")
        assert refused.message.startswith(NOT_CONNECTED)
    refused = sdk.refusal(s3.put_object, Bucket="sealed-twice", Key="c", Body=PLAIN, **how)
    assert refused.code == "KMS.KMSInvalidStateException"
    connect(kms, store)
    assert sdk.body_of(s3, "sealed-twice", "a") == PLAIN and sdk.body_of(s3, "sealed-twice", "b") == PLAIN


def test_disconnected_and_connected_again(kms, store, key):
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=PLAIN)["CiphertextBlob"]
    sdk.assert_refused(
        lambda: kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyUriEndpoint="https://other.example.com"),
        400,
        "CustomKeyStoreInvalidStateException",
    )
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    again = lambda: kms.disconnect_custom_key_store(CustomKeyStoreId=store)  # noqa: E731
    sdk.assert_refused(again, 400, "CustomKeyStoreInvalidStateException")
    refused = sdk.refusal(kms.decrypt, CiphertextBlob=sealed)
    assert refused.code == "KMSInvalidStateException" and refused.message.startswith(NOT_CONNECTED)
    new = lambda: make_key(kms, store, "ext-5")  # noqa: E731
    sdk.assert_refused(new, 400, "CustomKeyStoreInvalidStateException")
    # What it is meanwhile switched to shows when it is back.
    kms.disable_key(KeyId=key["KeyId"])
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Unavailable"
    connect(kms, store)
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Disabled"
    sdk.assert_refused(lambda: kms.decrypt(CiphertextBlob=sealed), 400, "DisabledException")
    kms.enable_key(KeyId=key["KeyId"])
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == PLAIN
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert shown(kms, store)["ConnectionState"] == "CONNECTED"


def test_a_proxy_that_fails(server, kms, store, key, healthy):
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=PLAIN)["CiphertextBlob"]

    def refused(start, call=lambda: kms.decrypt(CiphertextBlob=sealed)):
        refusal = sdk.refusal(call)
        assert (refusal.status, refusal.code) == (400, "KMSInvalidStateException")
        assert refusal.message.startswith(start), refusal
        assert "WORDS OF THE PROXY" not in refusal.message

    for name, start in {
        "InternalException": "The external key store proxy rejected the request because it cannot communicate",
        "AccessDeniedException": "The external key store proxy denied access to the operation.",
        "ThrottlingException": "The external key store proxy rejected the request due to a very high request rate.",
        "InvalidStateException": "The external key associated with this KMS key in an external key store is not enabled",
        "KeyNotFoundException": "The external key associated with this KMS key in an external key store was not found",
        "DependencyTimeoutException": "The external key store proxy did not respond to the request in the time",
    }.items():
        healthy.failure = name
        refused(start)
    healthy.failure = None
    healthy.raw = b"<html>it works!</html>"
    refused(UNINTERPRETED)
    healthy.raw = None
    # What was changed on the way is found before anybody relies on it.
    healthy.corrupt = True
    refused(UNINTERPRETED, lambda: kms.encrypt(KeyId=key["KeyId"], Plaintext=PLAIN))
    healthy.corrupt = False
    # Another proxy's secret.
    healthy.credentials[ACCESS_KEY_ID] = SECRET.replace("c2V", "c2W")
    refused("The external key store proxy rejected the request because it could not authenticate AWS KMS.")
    healthy.credentials[ACCESS_KEY_ID] = SECRET
    healthy.delay = TIMEOUT_SECONDS * 2
    begun = time.monotonic()
    refused("AWS KMS rejected the request because the external key store proxy did not respond in time.")
    assert TIMEOUT_SECONDS <= time.monotonic() - begun < TIMEOUT_SECONDS * 2
    healthy.delay = 0
    healthy.stop()
    refused("AWS KMS cannot communicate with the external key store proxy.")
    assert shown(kms, store)["ConnectionState"] == "CONNECTED", "as with AWS, a store that fails stays connected"
    healthy.start()
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == PLAIN
    # A ciphertext that was changed anywhere opens nowhere.
    for at in (0, 5, 20, 45, 60, 75, len(sealed) - 1):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert sdk.refusal(kms.decrypt, CiphertextBlob=changed).status == 400, at
    assert sdk.refusal(kms.decrypt, CiphertextBlob=sealed, EncryptionContext={"a": "b"}).status == 400
    # The proxy's operator cannot open it alone, nor can we: without the external key nothing opens.
    kept, healthy.keys["ext-0"] = healthy.keys["ext-0"], bytes(32)
    refused("The external key store proxy rejected the request because the specified ciphertext or encryption context")
    healthy.keys["ext-0"] = kept


def test_stores_that_can_not_be_made(kms, store, healthy):
    def refused(code, name="second", path="/second/kms/xks/v1", **more):
        refusal = sdk.refusal(kms.create_custom_key_store, **members(name, path, **more))
        assert (refusal.status, refusal.code) == (400, code), refusal
        return refusal.message

    refused("CustomKeyStoreNameInUseException", name="main")
    refused("XksProxyUriInUseException", path="/kms/xks/v1")
    refused("XksProxyUriInUseException", path="/kms/xks/v1", XksProxyUriEndpoint="https://LOCALHOST")
    refused("XksProxyInvalidConfigurationException", path="/nowhere/kms/xks/v1")
    wrong = {"AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": SECRET[::-1]}
    refused("XksProxyIncorrectAuthenticationCredentialException", XksProxyAuthenticationCredential=wrong)
    wrong = {"AccessKeyId": "ANOTHERACCESSKEY234567", "RawSecretAccessKey": SECRET}
    refused("XksProxyIncorrectAuthenticationCredentialException", XksProxyAuthenticationCredential=wrong)
    healthy.health_status = "UNAVAILABLE"
    refused("XksProxyUriUnreachableException")
    healthy.health_status = "ACTIVE"
    healthy.raw = b"{}"
    refused("XksProxyInvalidResponseException")
    healthy.raw = None
    # The certificate is for localhost and 127.0.0.1 alone.
    message = refused("XksProxyUriUnreachableException", XksProxyUriEndpoint="https://127.0.0.2")
    assert "communicate" in message or "TLS" in message
    healthy.stop()
    refused("XksProxyUriUnreachableException")
    healthy.start()
    vpc = {"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}
    vpc["XksProxyVpcEndpointServiceName"] = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
    assert "VPC_ENDPOINT_SERVICE is not supported" in refused("UnsupportedOperationException", **vpc)
    for broken in (
        {"XksProxyUriEndpoint": "http://localhost"},
        {"XksProxyUriPath": "/kms/xks/v1/x"},
        {"XksProxyAuthenticationCredential": {"AccessKeyId": "lower-case-letters-too", "RawSecretAccessKey": SECRET}},
        {"CloudHsmClusterId": "cluster-abcdefghijk"},
    ):
        assert SECRET not in refused("ValidationException", **broken)
    assert [s["CustomKeyStoreName"] for s in kms.describe_custom_key_stores()["CustomKeyStores"]] == ["main"]


def test_a_store_from_its_making_to_its_end(kms, store, key, healthy):
    second = kms.create_custom_key_store(**members("second", "/second/kms/xks/v1"))["CustomKeyStoreId"]
    assert second.startswith("cks-") and len(second) == 21
    found = kms.describe_custom_key_stores(CustomKeyStoreName="second")["CustomKeyStores"][0]
    assert found["ConnectionState"] == "DISCONNECTED" and found["CustomKeyStoreType"] == "EXTERNAL_KEY_STORE"
    expected = {"Connectivity": "PUBLIC_ENDPOINT", "AccessKeyId": ACCESS_KEY_ID, "UriPath": "/second/kms/xks/v1"}
    assert found["XksProxyConfiguration"] == expected | {"UriEndpoint": "https://localhost"}
    first = kms.describe_custom_key_stores(Limit=1)
    rest = kms.describe_custom_key_stores(Limit=1, Marker=first["NextMarker"])
    ids = {page["CustomKeyStores"][0]["CustomKeyStoreId"] for page in (first, rest)}
    assert first["Truncated"] and not rest["Truncated"] and ids == {store, second}

    healthy.failure = "AuthenticationFailedException"
    kms.connect_custom_key_store(CustomKeyStoreId=second)
    failed = wait_for(kms, second, "FAILED", "CONNECTED")
    assert (failed["ConnectionState"], failed["ConnectionErrorCode"]) == ("FAILED", "INVALID_CREDENTIALS")
    refused = lambda call: sdk.assert_refused(call, 400, "CustomKeyStoreInvalidStateException")  # noqa: E731
    refused(lambda: kms.connect_custom_key_store(CustomKeyStoreId=second))
    refused(lambda: kms.delete_custom_key_store(CustomKeyStoreId=second))
    kms.disconnect_custom_key_store(CustomKeyStoreId=second)
    healthy.failure = None

    # A credential is rotated while the store is connected: the proxy knows both for a while.
    connect(kms, second)
    new = {"AccessKeyId": "NEWXKSACCESSKEY2345672", "RawSecretAccessKey": SECRET[::-1]}
    update = {"CustomKeyStoreId": second, "XksProxyAuthenticationCredential": new}
    sdk.assert_refused(
        lambda: kms.update_custom_key_store(**update), 400, "XksProxyIncorrectAuthenticationCredentialException"
    )
    healthy.credentials[new["AccessKeyId"]] = new["RawSecretAccessKey"]
    kms.update_custom_key_store(**update, NewCustomKeyStoreName="renamed")
    del healthy.credentials[ACCESS_KEY_ID]
    made = make_key(kms, second, "ext-1")
    sealed = kms.encrypt(KeyId=made["KeyId"], Plaintext=PLAIN)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == PLAIN
    assert shown(kms, second)["CustomKeyStoreName"] == "renamed"
    healthy.credentials[ACCESS_KEY_ID] = SECRET

    kms.disconnect_custom_key_store(CustomKeyStoreId=second)
    remove = lambda: kms.delete_custom_key_store(CustomKeyStoreId=second)  # noqa: E731
    sdk.assert_refused(remove, 400, "CustomKeyStoreHasCMKsException")
    kms.schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=7)
    sdk.assert_refused(remove, 400, "CustomKeyStoreHasCMKsException")
    third = kms.create_custom_key_store(**members("third", "/third/kms/xks/v1"))
    kms.delete_custom_key_store(CustomKeyStoreId=third["CustomKeyStoreId"])
    sdk.assert_refused(
        lambda: kms.describe_custom_key_stores(CustomKeyStoreId=third["CustomKeyStoreId"]),
        400,
        "CustomKeyStoreNotFoundException",
    )
    sdk.assert_refused(lambda: kms.describe_custom_key_stores(Marker="x"), 400, "InvalidMarkerException")


def test_others_may_not(server, kms, store):
    alice = sdk.client(server, "kms", who=ALICE)
    for call in (
        alice.describe_custom_key_stores,
        lambda: alice.create_custom_key_store(**members("hers")),
        lambda: alice.connect_custom_key_store(CustomKeyStoreId=store),
        lambda: alice.disconnect_custom_key_store(CustomKeyStoreId=store),
        lambda: alice.delete_custom_key_store(CustomKeyStoreId=store),
        lambda: alice.update_custom_key_store(CustomKeyStoreId=store, NewCustomKeyStoreName="hers"),
    ):
        sdk.assert_refused(call, 400, "AccessDeniedException")


def test_the_aws_command_line(server, kms, store, key):
    environment = programs.aws_environment(server)

    def aws(*args):
        out = programs.run([programs.AWS_V2, "kms", *args, "--output", "json"], environment).stdout
        return json.loads(out) if out.strip() else None

    credential = f"AccessKeyId={ACCESS_KEY_ID},RawSecretAccessKey={SECRET}"
    how = ["--custom-key-store-type", "EXTERNAL_KEY_STORE", "--xks-proxy-connectivity", "PUBLIC_ENDPOINT"]
    where = ["--xks-proxy-uri-endpoint", "https://localhost", "--xks-proxy-uri-path", "/fourth/kms/xks/v1"]
    named = ["--custom-key-store-name", "by-hand", "--xks-proxy-authentication-credential", credential]
    made = aws("create-custom-key-store", *named, *how, *where)["CustomKeyStoreId"]
    one = ["--custom-key-store-id", made]
    aws("connect-custom-key-store", *one)
    wait_for(kms, made, "CONNECTED")
    aws("update-custom-key-store", *one, "--new-custom-key-store-name", "by-hand-2")
    listed = aws("describe-custom-key-stores", *one)["CustomKeyStores"]
    assert [s["CustomKeyStoreName"] for s in listed] == ["by-hand-2"]
    aws("disconnect-custom-key-store", *one)
    aws("delete-custom-key-store", *one)
    names = [s["CustomKeyStoreName"] for s in aws("describe-custom-key-stores")["CustomKeyStores"]]
    assert "by-hand-2" not in names and "main" in names


def test_a_restart_changes_nothing(server, kms, store, key):
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=PLAIN)["CiphertextBlob"]
    server.command("root", "rotate")
    server.kill()
    server.start()
    assert shown(kms, store)["ConnectionState"] == "CONNECTED"
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == PLAIN


SOFTHSM = next(iter(sorted(Path("/usr/lib").glob("**/libsofthsm2.so"))), None)
PIN = "pin-4711-of-the-token"
CLUSTER = "cluster-abcdefghijk"


@pytest.fixture
def hsm(tmp_path, certificate):
    """A gateway with a fresh SoftHSM2 token under a cluster's id."""
    assert SOFTHSM, "softhsm2 is not installed: run ./test, which installs what the tests need"
    configuration = tmp_path / "softhsm2.conf"
    (tmp_path / "tokens").mkdir()
    configuration.write_text(f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    environment = {"SOFTHSM2_CONF": configuration}
    make = ["softhsm2-util", "--init-token", "--free", "--label", "hsm", "--pin", PIN, "--so-pin", "so-pin-1"]
    subprocess.run(make, env=clean_environment(**environment), check=True, capture_output=True)
    anchor = certificate[2].read_text()
    extra = (
        f'[[pkcs11]]\ncluster_id = "{CLUSTER}"\nmodule = "{SOFTHSM}"\nlabel = "hsm"\ntrust_anchor = """{anchor}"""\n'
    )
    gateway = Strongroom(tmp_path / "gateway", extra=extra, environment=environment).start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]
    assert "panicked" not in gateway.log() and PIN not in gateway.log()
    assert PIN not in gateway.command("audit", "list", "--json").stdout


def test_a_token_behind_a_key_store(hsm, certificate, tmp_path):
    kms, s3 = sdk.client(hsm, "kms"), sdk.client(hsm)
    anchor = certificate[2].read_text()
    whole = {"CustomKeyStoreName": "hsm", "CloudHsmClusterId": CLUSTER, "TrustAnchorCertificate": anchor}
    whole["KeyStorePassword"] = "wrong-pin-of-it"

    def refused(code, **more):
        refusal = sdk.refusal(kms.create_custom_key_store, **(whole | more))
        assert (refusal.status, refusal.code) == (400, code), refusal

    refused("CloudHsmClusterNotFoundException", CloudHsmClusterId="cluster-zzzzzzzzzzz")
    refused("IncorrectTrustAnchorException", TrustAnchorCertificate="no certificate")
    refused("IncorrectTrustAnchorException", TrustAnchorCertificate=certificate[0].read_text())
    store = kms.create_custom_key_store(**whole)["CustomKeyStoreId"]
    refused("CloudHsmClusterInUseException", CustomKeyStoreName="another")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    failed = wait_for(kms, store, "FAILED", "CONNECTED")
    assert failed.get("ConnectionErrorCode") == "INVALID_CREDENTIALS" and failed["CloudHsmClusterId"] == CLUSTER
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword=PIN)
    connect(kms, store)

    random = {kms.generate_random(NumberOfBytes=1024, CustomKeyStoreId=store)["Plaintext"] for _ in range(3)}
    assert len(random) == 3 and all(len(bytes_) == 1024 and len(set(bytes_)) > 200 for bytes_ in random)

    key = kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]
    assert key["Origin"] == "AWS_CLOUDHSM" and key["CloudHsmClusterId"] == CLUSTER
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=PLAIN, EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"] == PLAIN
    wrong = lambda: kms.decrypt(CiphertextBlob=sealed)  # noqa: E731
    sdk.assert_refused(wrong, 400, "InvalidCiphertextException")
    s3.create_bucket(Bucket="in-the-hsm")
    s3.put_object(Bucket="in-the-hsm", Key="a", Body=PLAIN, ServerSideEncryption="aws:kms", SSEKMSKeyId=key["KeyId"])
    assert sdk.body_of(s3, "in-the-hsm", "a") == PLAIN
    sdk.assert_refused(
        lambda: kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="x"),
        400,
        "ValidationException",
    )

    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    refusal = sdk.refusal(kms.encrypt, KeyId=key["KeyId"], Plaintext=PLAIN)
    assert (refusal.code, refusal.message) == ("KMSInvalidStateException", f"{key['Arn']} is unavailable.")
    draw = lambda: kms.generate_random(NumberOfBytes=32, CustomKeyStoreId=store)  # noqa: E731
    sdk.assert_refused(draw, 400, "CustomKeyStoreInvalidStateException")
    connect(kms, store)
    assert sdk.body_of(s3, "in-the-hsm", "a") == PLAIN
    # Another process, which logs in by itself.
    hsm.stop()
    hsm.start()
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"] == PLAIN
    # Without the token nothing opens, and with it again everything does.
    hsm.stop()
    (tmp_path / "tokens").rename(tmp_path / "away")
    (tmp_path / "tokens").mkdir()
    hsm.start()
    refusal = sdk.refusal(s3.get_object, Bucket="in-the-hsm", Key="a")
    assert refusal.code == "KMS.KMSInvalidStateException", refusal
    # Never the program's own instead.
    sdk.assert_refused(draw, 400, "CustomKeyStoreInvalidStateException")
    (tmp_path / "tokens").rmdir()
    (tmp_path / "away").rename(tmp_path / "tokens")
    assert sdk.body_of(s3, "in-the-hsm", "a") == PLAIN
