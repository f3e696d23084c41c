"""Secrets leave the server's memory, and the memory leaves the server neither by a dump nor by a debugger."""

import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import memory
import sdk
from gateway import ALICE, START_SECONDS, Strongroom
from sdk import MIB, refusal, upload
from test_kms_life import bring_in
from test_roots import CHEAP, PASSPHRASE, Roots, init

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root reads the memory of a process that is not dumpable")


@pytest.fixture(params=["http", "https"])
def gateway(request, tmp_path, certificate):
    server = Strongroom(tmp_path / "own", tls=certificate if request.param == "https" else None).start()
    yield server
    server.kill()


def clients(server):
    verify = str(server.tls[2]) if server.tls else None
    return sdk.client(server, verify=verify), sdk.client(server, "kms", verify=verify)


@as_root
def test_data_keys_and_material_go(gateway, tmp_path):
    _, kms = clients(gateway)
    key_id = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    material, needles = os.urandom(32), {}
    needles |= memory.forms("the key's material", material)
    bring_in(kms, tmp_path, key_id, material)
    made = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    needles |= memory.forms("the data key", made["Plaintext"])
    # Material in use is held, so the search would find what is there.
    pid = gateway.process.pid
    assert memory.held_for_good(pid, needles, {"the key's material"}) == {"the key's material"}
    kms.disable_key(KeyId=key_id)
    # The client's connection is still open.
    assert memory.held_for_good(pid, needles) == set()


@as_root
def test_plaintexts_pairs_and_shared_secrets_go(gateway):
    _, kms = clients(gateway)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    needles = {}
    for bytes_ in (48, 4096):
        plain = os.urandom(bytes_)
        box = kms.encrypt(KeyId=key_id, Plaintext=plain)["CiphertextBlob"]
        again = kms.re_encrypt(CiphertextBlob=box, DestinationKeyId=key_id)["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=again)["Plaintext"] == plain
        needles |= memory.forms(f"a plaintext of {bytes_}", plain)
    needles |= memory.forms("random bytes", kms.generate_random(NumberOfBytes=64)["Plaintext"])
    for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1"):
        pair = kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec=spec)["PrivateKeyPlaintext"]
        needles |= memory.forms(f"the private key of {spec}", pair)
    pair = kms.create_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    peer = kms.get_public_key(KeyId=pair)["PublicKey"]
    shared = kms.derive_shared_secret(KeyId=pair, KeyAgreementAlgorithm="ECDH", PublicKey=peer)["SharedSecret"]
    needles |= memory.forms("the shared secret", shared)
    # What was refused holds secrets too.
    needles |= memory.forms("a refused plaintext", refused := os.urandom(48))
    assert refusal(kms.encrypt, KeyId="alias/none", Plaintext=refused).code == "NotFoundException"
    kms.close()
    assert memory.held_for_good(gateway.process.pid, needles) == set()


@as_root
def test_customer_keys_and_contents_go(gateway):
    s3, _ = clients(gateway)
    s3.create_bucket(Bucket="memory")
    needles = {}
    for size in (1000, 3 * MIB):
        key = os.urandom(32)
        mode = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
        body = os.urandom(size)
        s3.put_object(Bucket="memory", Key=f"{size}", Body=body, **mode)
        assert sdk.body_of(s3, "memory", f"{size}", **mode) == body
        source = {f"CopySource{name}": value for name, value in mode.items()}
        s3.copy_object(Bucket="memory", Key=f"{size}c", CopySource=f"memory/{size}", **mode, **source)
        wrong = mode | {"SSECustomerKey": os.urandom(32)}
        assert refusal(s3.get_object, Bucket="memory", Key=f"{size}", **wrong).status == 403
        needles |= memory.forms(f"a customer key, {size}", key)
        needles |= memory.forms("a wrong customer key", wrong["SSECustomerKey"])
        needles[f"the contents, {size}"] = body[size // 2 : size // 2 + 64]
    key = os.urandom(32)
    mode = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    upload(s3, "memory", "parts", [os.urandom(5 * MIB), b"end"], create=mode, each=mode)
    needles |= memory.forms("the customer key of an upload", key)
    s3.close()
    assert memory.held_for_good(gateway.process.pid, needles) == set()


@as_root
def test_what_opens_the_store_goes(tmp_path):
    server = Roots(tmp_path / "roots")
    init(server, "passphrase", *CHEAP, secret=PASSPHRASE)
    server.start_sealed()
    try:
        needles = memory.forms("the passphrase", PASSPHRASE.encode())
        server.run("unseal", secret=PASSPHRASE)
        assert server.health("ready") == 200
        assert memory.held_for_good(server.process.pid, needles) == set()
    finally:
        server.kill()


@as_root
def test_a_key_file_and_the_settings_go(gateway):
    pid = gateway.process.pid
    (root_key,) = re.findall(rb"[0-9a-f]{64}|[A-Za-z0-9+/]{43}=", (gateway.data / "root.key").read_bytes())
    needles = {"the root key's file": root_key}
    if gateway.tls:
        needles["the TLS key's file"] = gateway.tls[1].read_bytes().splitlines()[1]
    assert memory.held_for_good(pid, needles) == set()
    # Secret access keys are needed for each request; of the file they came in nothing else is left.
    needles = {"alice's": ALICE.secret_key.encode(), "its line": f'secret = "{ALICE.secret_key}"'.encode()}
    assert memory.held_for_good(pid, needles, {"alice's"}) == {"alice's"}


@pytest.fixture
def unprivileged(certificate):
    """Makes gateways that run as a user without rights, in a directory that this user can reach."""
    if os.geteuid() != 0:
        pytest.skip("only root starts a process as another user")
    directory = Path(tempfile.mkdtemp(prefix="strongroom-"))
    os.chown(directory, NOBODY, NOBODY)
    started = []

    def start(*through, **settings):
        user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all")
        server = Strongroom(directory / f"{len(started)}", through=(*through, *user), **settings)
        for path in (server.directory, server.settings):
            os.chown(path, NOBODY, NOBODY)
        started.append(server.start())
        return server

    yield start
    for server in started:
        if server.process:
            server.kill()
    shutil.rmtree(directory)


def test_no_other_process_of_the_user_reads_it(unprivileged):
    closed, open_ = unprivileged(), unprivileged(extra="allow_dumps = true")
    for server, may in ((closed, False), (open_, True)):
        pid = server.process.pid
        # As what a dump or a debugger may do is decided: by the flag, which shows in the owner of these files.
        assert memory.owner(pid) == (NOBODY if may else 0)
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "cat", f"/proc/{pid}/environ"]
        assert (subprocess.run(command, capture_output=True).returncode == 0) == may
        assert ("allow_dumps is on" in server.log()) == may


@pytest.mark.parametrize("death", [signal.SIGABRT, signal.SIGSEGV])
def test_no_core_dump_is_written(unprivileged, death):
    unlimited = ("prlimit", "--core=unlimited:unlimited")
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    for settings, dumps in (("", False), ("allow_dumps = true", True)):
        server = unprivileged(*unlimited, extra=settings)
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        (soft, hard) = re.search(r"Max core file size\s+(\S+)\s+(\S+)", limits).groups()
        assert (soft, hard) == (("unlimited", "unlimited") if dumps else ("0", "0"))
        process, server.process = server.process, None
        deadline = time.monotonic() + START_SECONDS
        # The runtime's handler of SIGSEGV steps aside at the first, for the fault that it takes it for comes again.
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(death)
            time.sleep(0.1)
        assert process.returncode == -death
        written = [path for path in server.directory.iterdir() if stat.S_ISREG(path.lstat().st_mode)]
        cores = [path for path in written if path.name.startswith("core")]
        # Where dumps are piped or go elsewhere, none here means nothing; the limits above and the flag still count.
        if not dumps or pattern == "core":
            assert bool(cores) == dumps, [path.name for path in written]


CAP_IPC_LOCK = 14


def test_memory_is_locked_where_it_may_be(own_server, unprivileged):
    """Under a limit, here the least, it is not: allocations would fail where it is reached."""
    bounded = unprivileged("prlimit", "--memlock=65536:65536")
    assert memory.status(bounded.process.pid, "VmLck") == "0 kB"
    assert "memory is not locked" in bounded.log()
    if not int(memory.status("self", "CapEff"), 16) >> CAP_IPC_LOCK & 1:
        pytest.skip("the rest needs CAP_IPC_LOCK")
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket="locked")
    body = os.urandom(20 * MIB)
    s3.put_object(Bucket="locked", Key="k", Body=body)
    assert sdk.body_of(s3, "locked", "k") == body
    pid = own_server.process.pid
    locked, resident = (int(memory.status(pid, field).split()[0]) for field in ("VmLck", "RssAnon"))
    assert locked > resident > 1024
    assert "memory is not locked" not in own_server.log()
