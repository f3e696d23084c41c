"""A data directory and its store belong together: another store, or another's, is refused at the start."""

import re
import signal
import subprocess
import time

import pytest

import sdk
from gateway import BINARY, MAIN, REGION, Strongroom, clean_environment, free_port
from sdk import blob, body_of

BUCKET = "blobs"
MARK = "strongroom-store"
OWN = "own"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    gateway = Strongroom(tmp_path_factory.mktemp("upstream")).start()
    sdk.client(gateway).create_bucket(Bucket=BUCKET)
    yield gateway
    gateway.stop()


def over(endpoint, prefix, secret=MAIN.secret_key):
    """Settings of a store below a prefix of an upstream."""
    return f"""store = "s3://{BUCKET}/{prefix}"
[store_options]
aws_endpoint = "{endpoint}"
aws_access_key_id = "{MAIN.access_key}"
aws_secret_access_key = "{secret}"
aws_region = "{REGION}"
aws_allow_http = "true"
"""


def places(kind, request, tmp_path):
    """Settings of two stores of a kind, and how to read and delete the mark of the first."""
    if kind == "file":
        mark = tmp_path / "one" / MARK
        return (
            [f'store = "file://{tmp_path}/{n}"' for n in ("one", "two")],
            mark.read_text,
            mark.unlink,
            mark.write_text,
        )
    upstream = request.getfixturevalue("upstream")
    theirs, key = sdk.client(upstream), f"{tmp_path.name}/one/{MARK}"
    return (
        [over(upstream.endpoint, f"{tmp_path.name}/{n}") for n in ("one", "two")],
        lambda: body_of(theirs, BUCKET, key).decode(),
        lambda: theirs.delete_object(Bucket=BUCKET, Key=key),
        lambda text: theirs.put_object(Bucket=BUCKET, Key=key, Body=text),
    )


def refusal(gateway, *command):
    """Why a start, or another command, is refused."""
    done = gateway.command(*(command or ["serve"]), check=False)
    assert done.returncode == 1 and "panicked" not in done.stderr, done
    return done.stderr


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_a_changed_store_is_refused_and_the_right_one_works_again(kind, request, tmp_path):
    (one, two), read, delete, write = places(kind, request, tmp_path)
    url = re.search(r'store = "(.*)"', one).group(1)
    gateway = Strongroom(tmp_path / "gateway", extra=one).start()
    s3 = sdk.client(gateway)
    s3.create_bucket(Bucket=OWN)
    s3.put_object(Bucket=OWN, Key="k", Body=blob(200_000))
    gateway.stop()

    moved = Strongroom(tmp_path / "gateway", extra=two)
    for command in (["serve"], ["scrub"]):
        said = refusal(moved, *command)
        assert "is not that of this data directory" in said and url in said and "Nothing was changed" in said, said
    assert "are in the store" in refusal(Strongroom(tmp_path / "gateway", extra='store = "memory://"'))
    # What asks for no object works all the same.
    moved.command("audit", "verify")

    gateway = Strongroom(tmp_path / "gateway", extra=one)
    mark = read()
    delete()
    line = re.search(r"an object strongroom-store there, of one line, ([0-9a-f]{32})\.", refusal(gateway)).group(1)
    assert line == mark.strip()
    write(line)
    gateway.start()
    assert body_of(sdk.client(gateway), OWN, "k") == blob(200_000)
    gateway.stop()
    gateway.command("scrub")


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_two_data_directories_cannot_share_a_place(kind, request, tmp_path):
    (one, two), read, *_ = places(kind, request, tmp_path)
    first = Strongroom(tmp_path / "first", extra=one).start()
    s3 = sdk.client(first)
    s3.create_bucket(Bucket=OWN)
    s3.put_object(Bucket=OWN, Key="k", Body=blob(200_000))
    mark = read()
    said = refusal(Strongroom(tmp_path / "second", extra=one))
    assert "belongs to another data directory" in said and mark.strip() in said and "a prefix of its own" in said, said
    second = Strongroom(tmp_path / "second", extra=two).start()
    assert second.stop() == 0
    said = refusal(Strongroom(tmp_path / "second", extra=one))
    assert "The objects of this one were last seen in" in said, said
    assert read() == mark and body_of(s3, OWN, "k") == blob(200_000)
    assert first.stop() == 0


def test_a_data_directory_may_move_with_what_is_in_it(tmp_path):
    gateway = Strongroom(tmp_path / "before").start()
    sdk.client(gateway).create_bucket(Bucket=OWN)
    gateway.stop()
    gateway.directory.rename(tmp_path / "after")
    gateway = Strongroom(tmp_path / "after").start()
    assert sdk.client(gateway).head_bucket(Bucket=OWN)
    assert gateway.stop() == 0
    assert (gateway.data / "blobs" / MARK).read_text().strip()


def test_an_upstream_that_refuses_is_told_with_what_to_look_at(upstream, tmp_path):
    gateway = Strongroom(tmp_path / "wrong", extra=over(upstream.endpoint, tmp_path.name, secret="wrong"))
    said = refusal(gateway)
    assert "cannot be used" in said and "SignatureDoesNotMatch" in said and "store_options" in said, said


def test_a_start_that_waits_for_its_store_can_be_stopped(tmp_path):
    gateway = Strongroom(tmp_path / "waits", extra=over(f"http://127.0.0.1:{free_port()}", "none"))
    process = subprocess.Popen(
        [BINARY, "serve", "--config", gateway.settings], stderr=subprocess.PIPE, env=clean_environment()
    )
    deadline = time.monotonic() + 20
    while not (gateway.data / "root.key").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
