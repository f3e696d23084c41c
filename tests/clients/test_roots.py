"""Roots of trust against a real process: init, sealed and unsealed, adding, removing, rotating."""

import json
import os
import random
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

import sdk
from gateway import BINARY, START_SECONDS, Strongroom, clean_environment

PASSPHRASE = "correct horse battery staple"
# The least that is taken: the tests are not there to wait for Argon2.
CHEAP = ["--argon2-memory", "19"]


class Roots(Strongroom):
    """A gateway whose commands are given secrets through a descriptor."""

    def run(self, *args, secret=None, check=True, environment=None, pass_fds=()):
        command = [BINARY, *args, "--config", self.settings]
        if secret is not None:
            read, write = os.pipe()
            os.write(write, secret.encode())
            os.close(write)
            command += ["--secret-fd", str(read)]
            pass_fds = (read,)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=clean_environment(**(self.environment | (environment or {}))),
            cwd=self.directory,
            timeout=120,
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        for fd in pass_fds:
            os.close(fd)
        if check and done.returncode != 0:
            raise AssertionError(f"{args} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def status(self):
        return json.loads(self.run("root", "status", "--json").stdout)

    def start_sealed(self):
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", self.settings],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=clean_environment(**self.environment),
            )
        deadline = time.monotonic() + START_SECONDS
        while self.health("live") != 200:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()[-4000:]
            time.sleep(0.02)
        assert self.health("ready") == 503
        return self

    def events(self):
        """Names and details of what the trail says of roots; the server must be stopped."""
        lines = self.run("audit", "list", "--json").stdout.splitlines()
        records = [json.loads(line)["record"] for line in lines]
        return [(r["eventName"], r["serviceEventDetails"]) for r in records if "serviceEventDetails" in r]


@pytest.fixture
def gateway(tmp_path):
    server = Roots(tmp_path / "roots")
    yield server
    if server.process:
        server.kill()
    assert "panicked" not in server.log()
    assert PASSPHRASE not in server.log()


def init(gateway, kind, *args, **more):
    return gateway.run("init", "--root", kind, *args, **more)


def make_objects(gateway):
    """A bucket with an object under each kind of key; gives back what reads them all."""
    s3, kms = sdk.client(gateway), sdk.client(gateway, "kms")
    s3.create_bucket(Bucket="bucket")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    s3.put_object(Bucket="bucket", Key="plain", Body=b"under the owned key")
    s3.put_object(Bucket="bucket", Key="kms", Body=b"under a KMS key", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"sealed by KMS")["CiphertextBlob"]

    def check():
        s3, kms = sdk.client(gateway), sdk.client(gateway, "kms")
        assert sdk.body_of(s3, "bucket", "plain") == b"under the owned key"
        assert sdk.body_of(s3, "bucket", "kms") == b"under a KMS key"
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"sealed by KMS"

    return check


def test_a_passphrase_seals_and_unseals(gateway):
    init(gateway, "passphrase", *CHEAP, secret=PASSPHRASE)
    assert not (gateway.data / "root.key").exists()
    gateway.start_sealed()
    sdk.assert_refused(sdk.client(gateway).list_buckets, 503, "ServiceUnavailable")
    sdk.assert_refused(sdk.client(gateway, "kms").list_keys, 503, "ServiceUnavailableException")
    assert gateway.status()["sealed"]
    for args in (["root", "rotate"], ["root", "remove", "passphrase"], ["root", "add", "shares"]):
        refused = gateway.run(*args, check=False)
        assert refused.returncode == 1 and "run strongroom unseal first" in refused.stderr

    wrong = gateway.run("unseal", secret="correct horse battery stapel", check=False)
    assert wrong.returncode == 1 and "this is not the passphrase of root passphrase" in wrong.stderr
    assert gateway.health("ready") == 503
    assert gateway.run("unseal", secret=PASSPHRASE + "\n").stdout == "unsealed\n"
    assert gateway.health("ready") == 200
    check = make_objects(gateway)
    check()
    assert gateway.run("unseal", secret=PASSPHRASE).stdout == "the store is open\n"

    assert gateway.stop() == 0
    unsealed = [details for name, details in gateway_events(gateway) if name == "Unseal"]
    assert [(u["rootName"], u["uid"]) for u in unsealed] == [("passphrase", os.getuid())]
    # With the passphrase in the environment nobody has to be there.
    gateway.environment["STRONGROOM_ROOT_PASSPHRASE"] = PASSPHRASE
    gateway.start()
    check()


def gateway_events(gateway):
    kept, gateway.environment = gateway.environment, {"STRONGROOM_ROOT_PASSPHRASE": PASSPHRASE}
    try:
        return gateway.events()
    finally:
        gateway.environment = kept


def test_sealed_answers_have_the_form_of_their_protocol(gateway):
    init(gateway, "passphrase", *CHEAP, secret=PASSPHRASE)
    gateway.start_sealed()
    import http.client

    def answer(method, path, headers=(), body=None):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.getheader("content-type"), response.read().decode()

    status, kind, body = answer("GET", "/health/ready")
    assert (status, json.loads(body)) == (503, {"status": "sealed"})
    status, kind, body = answer("GET", "/health/live")
    assert status == 200
    for method, path in [("GET", "/"), ("GET", "/b/k?acl"), ("PUT", "/b"), ("DELETE", "/b/k")]:
        status, kind, body = answer(method, path)
        assert status == 503 and kind == "application/xml" and "<Code>ServiceUnavailable</Code>" in body
    status, kind, body = answer("HEAD", "/b/k")
    assert (status, body) == (503, "")
    target = {"X-Amz-Target": "TrentService.Decrypt"}
    status, kind, body = answer("POST", "/", target, "{}")
    assert status == 503 and kind == "application/x-amz-json-1.1"
    assert json.loads(body)["__type"] == "ServiceUnavailableException"


def test_shares_are_break_glass(gateway):
    gateway.start()
    check = make_objects(gateway)
    shares = gateway.run("root", "add", "shares", "--shares", "4", "--threshold", "2").stdout.split()
    assert len(shares) == 4
    roots = {root["name"]: root for root in gateway.status()["roots"]}
    assert roots["key-file"]["usable"] and roots["shares"]["needs_people"]
    gateway.stop()

    key_file = gateway.data / "root.key"
    kept = key_file.read_bytes()
    key_file.unlink()
    gateway.start_sealed()
    one = gateway.run("unseal", secret=shares[0], check=False)
    assert one.returncode == 1 and "2 shares are needed, and 1 were given" in one.stderr
    twice = gateway.run("unseal", secret=f"{shares[0]}\n{shares[0]}", check=False)
    assert twice.returncode == 1 and "one share was given twice" in twice.stderr
    slip = shares[3][:-1] + ("0" if shares[3][-1] != "0" else "1")
    wrong = gateway.run("unseal", secret=f"{shares[1]}\n{slip}", check=False)
    assert wrong.returncode == 1 and "a digit is wrong" in wrong.stderr
    gateway.run("unseal", "--shares", secret=f"{shares[3]}\n{shares[1]}\n")
    check()
    assert not key_file.exists(), "no new root is made beside an existing store"
    # Break glass is over: a new key file, and the shares that were shown are void.
    gateway.run("root", "add", "key-file", "--name", "second-file")
    gateway.run("root", "remove", "shares")
    assert key_file.exists() and key_file.read_bytes() != kept
    gateway.stop()
    gateway.start()
    check()
    gateway.stop()
    # The first key file is still a root: it opens the store again.
    key_file.write_bytes(kept)
    gateway.start()
    check()


def test_a_systemd_credential(gateway):
    text = init(gateway, "systemd-credential").stdout
    assert text.startswith("strongroom-root-key v1 ")
    credentials = gateway.directory / "credentials"
    credentials.mkdir()
    # systemd hands credentials out with mode 0400 or 0440, in a directory of the service's own.
    (credentials / "strongroom-root").write_text(text)
    (credentials / "strongroom-root").chmod(0o440)
    gateway.start_sealed()
    gateway.stop()
    gateway.environment["CREDENTIALS_DIRECTORY"] = credentials
    gateway.start()
    check = make_objects(gateway)
    check()
    assert [root["usable"] for root in gateway.status()["roots"]] == [True]


def test_init_refuses_an_existing_store_and_its_secrets_stay_private(gateway):
    done = init(gateway, "key-file")
    key_file = gateway.data / "root.key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    kept = key_file.read_bytes()
    again = init(gateway, "passphrase", *CHEAP, secret=PASSPHRASE, check=False)
    assert again.returncode == 1 and "there is a store" in again.stderr
    assert key_file.read_bytes() == kept
    assert kept.decode().splitlines()[1] not in done.stdout + done.stderr
    gateway.start()
    socket = gateway.data / "control.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    gateway.stop()
    assert not socket.exists()


def test_the_last_usable_root_stays(gateway):
    gateway.start()
    spare = gateway.directory / "spare.key"
    gateway.run("root", "add", "key-file", "--name", "spare", "--file", spare)
    # Nothing looks for it there, so it does not count as usable.
    assert {root["name"]: root["usable"] for root in gateway.status()["roots"]} == {"key-file": True, "spare": False}
    refused = gateway.run("root", "remove", "key-file", check=False)
    assert refused.returncode == 1 and "the last usable root" in refused.stderr
    # What the store did not take leaves no file behind.
    taken = gateway.run("root", "add", "key-file", "--file", gateway.directory / "third.key", check=False)
    assert taken.returncode == 1 and "there is a root key-file already" in taken.stderr
    assert not (gateway.directory / "third.key").exists()
    gateway.stop()
    refused = gateway.run("root", "remove", "key-file", check=False)
    assert refused.returncode == 1 and "the last usable root" in refused.stderr
    os.replace(spare, gateway.data / "root.key")
    gateway.start()
    assert gateway.run("root", "remove", "key-file").stdout == "removed root key-file\n"
    refused = gateway.run("root", "remove", "spare", check=False)
    assert refused.returncode == 1 and "the last usable root" in refused.stderr
    gateway.stop()
    assert [name for name, _ in gateway.events() if "Root" in name] == ["AddRoot", "AddRoot", "RemoveRoot"]


def test_passphrases_are_in_no_command_line_no_log_and_no_record(gateway):
    gateway.start()
    gateway.run("root", "add", "passphrase", *CHEAP, secret=PASSPHRASE)
    empty = gateway.run("root", "add", "passphrase", "--name", "p2", *CHEAP, secret="", check=False)
    assert empty.returncode == 2 and "an empty passphrase protects nothing" in empty.stderr
    nowhere = gateway.run("root", "add", "passphrase", "--name", "p3", *CHEAP, check=False)
    assert nowhere.returncode == 2 and "there is no terminal to ask on" in nowhere.stderr
    cheap = gateway.run("root", "add", "passphrase", "--name", "p4", "--argon2-memory", "18", check=False)
    assert cheap.returncode == 2 and "give 19 to 4096 (MiB)" in cheap.stderr
    gateway.stop()
    trail = gateway.run("audit", "export").stdout
    assert "AddRoot" in trail and PASSPHRASE not in trail
    for path in gateway.data.rglob("*"):
        if path.is_file():
            assert PASSPHRASE.encode() not in path.read_bytes(), path
    help_text = gateway.run("root", "add", "--help").stdout + gateway.run("unseal", "--help").stdout
    assert "--passphrase" not in help_text


def test_no_core_dump_is_written(own_server):
    limits = Path(f"/proc/{own_server.process.pid}/limits").read_text()
    (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    # Not SIGQUIT: a shell that starts the tests in its background leaves it ignored.
    own_server.process.send_signal(signal.SIGABRT)
    own_server.process.wait(10)
    own_server.process = None
    assert not list(own_server.directory.rglob("core*"))


def test_rotation_under_load(gateway):
    gateway.start()
    check = make_objects(gateway)
    generation = gateway.status()["generation"]
    failures, stop = [], threading.Event()

    def load(number):
        s3, kms = sdk.client(gateway), sdk.client(gateway, "kms")
        at = 0
        while not stop.is_set():
            at += 1
            try:
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
                s3.put_object(Bucket="bucket", Key=f"{number}/{at}", Body=b"x" * 1000)
                assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
                assert sdk.body_of(s3, "bucket", f"{number}/{at}") == b"x" * 1000
                check()
            except Exception as error:  # noqa: BLE001 - shown by the assertion below
                failures.append(error)
                return

    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    seen = {generation}
    for _ in range(3):
        gateway.run("root", "rotate")
        seen.add(gateway.status()["generation"])
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    # Asked again while the older generation is still kept, it goes on instead of beginning another one.
    assert len(seen) == 2 and gateway.status()["rotating"]
    gateway.stop()
    assert "the store key is generation" in gateway.run("root", "rotate").stdout
    status = gateway.status()
    assert status["sealed"] or not status["rotating"]
    gateway.start()
    check()
    assert not gateway.status()["rotating"]


def test_a_rotation_that_is_killed_goes_on(gateway):
    dice = random.Random(4)
    gateway.start()
    check = make_objects(gateway)
    kms = sdk.client(gateway, "kms")
    sealed = []
    for _ in range(30):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        sealed.append(kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"])
    generations = {gateway.status()["generation"]}
    for _ in range(6):
        rotate = subprocess.Popen(
            [BINARY, "root", "rotate", "--config", gateway.settings],
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(dice.uniform(0.0, 0.12))
        gateway.kill()
        rotate.wait(30)
        gateway.start()
        check()
        kms = sdk.client(gateway, "kms")
        for blob in sealed:
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        # The new process ends what the killed one began: it need not wait.
        deadline = time.monotonic() + 20
        while gateway.status()["rotating"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        check()
        generations.add(gateway.status()["generation"])
    assert len(generations) > 1
    gateway.stop()
    assert "chain whole" in gateway.run("audit", "verify").stdout


SOFTHSM = next(iter(sorted(Path("/usr/lib").glob("**/libsofthsm2.so"))), None)
PIN = "pin-4711-of-the-token"


@pytest.fixture
def token(gateway):
    """The settings of a fresh SoftHSM2 token."""
    assert SOFTHSM, "softhsm2 is not installed: run ./test, which installs what the tests need"
    configuration = gateway.directory / "softhsm2.conf"
    (gateway.directory / "tokens").mkdir()
    configuration.write_text(f"directories.tokendir = {gateway.directory}/tokens\nlog.level = ERROR\n")
    gateway.environment["SOFTHSM2_CONF"] = configuration
    make = ["softhsm2-util", "--init-token", "--free", "--label", "strongroom", "--pin", PIN, "--so-pin", "so-pin-1"]
    subprocess.run(make, env=clean_environment(SOFTHSM2_CONF=configuration), check=True, capture_output=True)
    pin_file = gateway.directory / "pin"
    pin_file.write_text(PIN + "\n")
    pin_file.chmod(0o600)
    gateway.environment["STRONGROOM_ROOT_TOKEN_MODULE"] = SOFTHSM
    gateway.environment["STRONGROOM_ROOT_TOKEN_PIN_FILE"] = pin_file
    return pin_file


def test_a_token_opens_the_store(gateway, token):
    init(gateway, "token")
    gateway.start()
    check = make_objects(gateway)
    assert [(root["kind"], root["usable"]) for root in gateway.status()["roots"]] == [("token", True)]
    refused = gateway.run("root", "remove", "token", check=False)
    assert refused.returncode == 1 and "the last usable root" in refused.stderr
    gateway.run("root", "rotate")
    gateway.stop()
    gateway.start()
    check()
    gateway.stop()
    assert PIN not in gateway.log()

    token.write_text("wrong")
    gateway.start_sealed()
    assert "the token does not take the PIN" in gateway.log()
    gateway.stop()
    token.chmod(0o644)
    with pytest.raises(RuntimeError, match="can be read or changed by others"):
        gateway.start()
    gateway.process = None
    token.chmod(0o600)
    # Without its token the store is sealed, and opens by itself when the token is back.
    token.write_text(PIN)
    tokens, away = gateway.directory / "tokens", gateway.directory / "away"
    tokens.rename(away)
    tokens.mkdir()
    gateway.start_sealed()
    tokens.rmdir()
    away.rename(tokens)
    deadline = time.monotonic() + 30
    while gateway.health("ready") != 200:
        assert time.monotonic() < deadline, gateway.log()[-2000:]
        time.sleep(0.2)
    check()


def test_the_key_on_the_token_never_leaves_it(gateway, token):
    gateway.start()
    gateway.run("root", "add", "token")
    listed = subprocess.run(
        ["softhsm2-util", "--show-slots"],
        env=clean_environment(SOFTHSM2_CONF=gateway.environment["SOFTHSM2_CONF"]),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "strongroom" in listed
    gateway.environment["STRONGROOM_ROOT_TOKEN_LABEL"] = "another"
    refused = gateway.run("root", "add", "token", "--name", "second", check=False)
    assert refused.returncode == 1 and "there is no token another; there is: strongroom" in refused.stderr
    del gateway.environment["STRONGROOM_ROOT_TOKEN_MODULE"]
    refused = gateway.run("root", "add", "token", "--name", "third", check=False)
    assert refused.returncode == 2 and "go together" in refused.stderr


def test_a_second_strongroom_is_the_key_service(gateway, tmp_path):
    service = Roots(tmp_path / "service").start()
    try:
        kms = sdk.client(service, "kms")
        key = kms.create_key()["KeyMetadata"]
        credentials = gateway.directory / "kms.json"
        text = {"access_key_id": sdk.MAIN.access_key, "secret_access_key": sdk.MAIN.secret_key}
        credentials.write_text(json.dumps(text))
        credentials.chmod(0o600)
        gateway.environment["STRONGROOM_ROOT_KMS_ENDPOINT"] = service.endpoint
        gateway.environment["STRONGROOM_ROOT_KMS_CREDENTIALS_FILE"] = credentials
        refused = init(gateway, "kms", "--kms-key", "alias/none", check=False)
        assert refused.returncode == 1 and "NotFoundException" in refused.stderr
        init(gateway, "kms", "--kms-key", key["Arn"])
        gateway.start()
        check = make_objects(gateway)
        assert [(root["kind"], root["usable"]) for root in gateway.status()["roots"]] == [("kms", True)]
        gateway.stop()

        kms.disable_key(KeyId=key["KeyId"])
        gateway.start_sealed()
        assert "Decrypt was refused with DisabledException" in gateway.log()
        gateway.stop()
        service.stop()
        gateway.start_sealed()
        # The service comes back and its key too: nobody has to come.
        service.start()
        kms.enable_key(KeyId=key["KeyId"])
        deadline = time.monotonic() + 40
        while gateway.health("ready") != 200:
            assert time.monotonic() < deadline, gateway.log()[-2000:]
            time.sleep(0.2)
        check()
        service.stop()
        trail = service.run("audit", "export").stdout
        assert '"strongroom":"root of trust v1"' in trail and '"errorCode":"DisabledException"' in trail
    finally:
        if service.process:
            service.kill()
