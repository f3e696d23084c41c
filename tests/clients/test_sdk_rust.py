"""The AWS SDK for Rust, built here as its own package (tests/sdk-rust): a cold build takes about two minutes of two cores."""

import os
import subprocess
import urllib.request
from base64 import b64encode

import pytest

import sdk
from gateway import MAIN, ROOT, Strongroom, clean_environment
from modes import CUSTOMER_KEY, OTHER_CUSTOMER_KEY
from sdk import md5_b64

PACKAGE = ROOT / "tests/sdk-rust"
TARGET = ROOT / "target/clients/sdk-rust"
MODES = ["default", "sse-s3", "sse-kms", "sse-kms-key", "sse-kms-bucket-key", "dsse-kms", "sse-c"]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The lines that the program tells, and the gateway that it told them of, still running."""
    target = os.environ.get("STRONGROOM_SDK_RUST", TARGET)
    build = ["cargo", "build", "--quiet", "--locked", "--target-dir", target]
    subprocess.run(build, cwd=PACKAGE, check=True, timeout=1200)
    gateway = Strongroom(tmp_path_factory.mktemp("rust")).start()
    key = sdk.client(gateway, "kms").create_key()["KeyMetadata"]["Arn"]
    environment = clean_environment(
        ENDPOINT=gateway.endpoint,
        ACCESS_KEY=MAIN.access_key,
        SECRET_KEY=MAIN.secret_key,
        KMS_KEY=key,
        CUSTOMER_KEY=b64encode(CUSTOMER_KEY).decode(),
        CUSTOMER_MD5=md5_b64(CUSTOMER_KEY),
        CUSTOMER_KEY_2=b64encode(OTHER_CUSTOMER_KEY).decode(),
        CUSTOMER_MD5_2=md5_b64(OTHER_CUSTOMER_KEY),
    )
    program = [f"{target}/debug/strongroom-sdk-rust"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    yield done.stdout.splitlines()
    assert gateway.stop() == 0, gateway.log()[-2000:]


def of(told, step):
    return [line.split(" ", 1)[1] for line in told if line.split(" ")[0] == step]


def check_every_mode_whole_and_in_parts(told):
    assert of(told, "whole") == MODES
    assert of(told, "parts") == MODES


def check_copies_from_each_mode_to_the_next(told):
    assert of(told, "copied") == [f"{one} {next}" for one, next in zip(MODES, [*MODES[1:], MODES[0]])]


def check_lists_and_removal(told):
    assert of(told, "listed") == of(told, "removed") == [str(3 * len(MODES))]


def check_refusals_are_understood(told):
    assert of(told, "refused") == [
        'absent (404, "NoSuchKey")',
        'forgotten (400, "InvalidRequest")',
        'wrong (403, "AccessDenied")',
        'needless (400, "InvalidRequest")',
        'key (400, "KMS.NotFoundException")',
        'checksum (400, "BadDigest")',
        'exists (412, "PreconditionFailed")',
    ]


def check_presigned_url(told, mode):
    for step, method, body in (("put-url", "PUT", b"by url"), ("get-url", "GET", None)):
        (line,) = [line for line in of(told, step) if line.split("\t")[0] == mode]
        _, url, *headers = line.split("\t")
        named = dict(header.split("=", 1) for header in headers if header)
        request = urllib.request.Request(url, data=body, method=method, headers=named)
        with urllib.request.urlopen(request, timeout=20) as answer:
            content = answer.read()
    assert content == b"by url"


def test_every_step(told):
    """One test, since each process of a parallel run would play the whole program for its share."""
    check_every_mode_whole_and_in_parts(told)
    check_copies_from_each_mode_to_the_next(told)
    check_lists_and_removal(told)
    check_refusals_are_understood(told)
    for mode in MODES:
        check_presigned_url(told, mode)
