"""Servers, clients and buckets for the tests."""

import itertools
import subprocess

import pytest

import sdk
from gateway import BINARY, MAIN, Strongroom
from raw import Raw
from receiver import Receiver

_number = itertools.count(1)


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: cargo build, or set STRONGROOM_BIN", 2)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A gateway over plain http on loopback, shared by all tests that leave it as it is."""
    gateway = Strongroom(tmp_path_factory.mktemp("server"), extra="presigned_v2 = true").start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]
    assert "panicked" not in gateway.log()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key, CA), PEM files, for localhost and 127.0.0.1."""
    directory = tmp_path_factory.mktemp("tls")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    ca = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2", *ca)
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (directory / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions")
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *sign)
    return tuple(directory / name for name in ("server.pem", "server.key", "ca.pem"))


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory, certificate):
    """A gateway over https."""
    gateway = Strongroom(tmp_path_factory.mktemp("tls-server"), tls=certificate, extra="presigned_v2 = true").start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]


@pytest.fixture
def own_server(tmp_path):
    """A gateway that the test may stop and kill."""
    gateway = Strongroom(tmp_path / "own").start()
    yield gateway
    if gateway.process:
        gateway.kill()


@pytest.fixture
def hook():
    """A webhook for notifications."""
    receiver = Receiver().start()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def s3(server):
    return sdk.client(server)


@pytest.fixture(scope="session")
def tls_s3(tls_server):
    return sdk.client(tls_server, verify=str(tls_server.tls[2]))


@pytest.fixture(scope="session")
def kms(server):
    return sdk.client(server, "kms")


@pytest.fixture(scope="session")
def raw(server):
    return Raw(server)


@pytest.fixture(scope="session")
def key(kms):
    """A customer key: its description, with KeyId and Arn."""
    return kms.create_key(Description="tests")["KeyMetadata"]


@pytest.fixture(scope="session")
def tls_key(tls_server):
    """The same of the gateway over https."""
    kms = sdk.client(tls_server, "kms", verify=str(tls_server.tls[2]))
    return kms.create_key(Description="tests")["KeyMetadata"]


@pytest.fixture
def fresh_key(kms):
    """A customer key that the test may disable."""
    return kms.create_key()["KeyMetadata"]


def bucket_name():
    return f"bucket-{next(_number):04}"


@pytest.fixture
def bucket(s3):
    name = bucket_name()
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def tls_bucket(tls_s3):
    name = bucket_name()
    tls_s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def module_bucket(s3):
    """A bucket for many small cases that use keys of their own."""
    name = bucket_name()
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def main_account():
    return MAIN
