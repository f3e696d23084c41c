"""What a newcomer does: start with nothing, copy the printed lines."""

import os
import re
import signal
import subprocess
import time

import pytest

from gateway import BINARY, Strongroom, clean_environment, free_port
from programs import VENV


@pytest.fixture
def newcomer(tmp_path):
    """`strongroom serve` without settings in an empty directory; gives its output and directory."""
    log = tmp_path / "output"
    port = free_port()
    environment = clean_environment(STRONGROOM_LISTEN=f"127.0.0.1:{port}")
    with log.open("w") as out:
        process = subprocess.Popen([BINARY, "serve"], cwd=tmp_path, env=environment, stdout=out, stderr=out)
    probe = Strongroom(tmp_path / "unused", port=port)
    deadline = time.monotonic() + 30
    while probe.health("ready") != 200:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    yield tmp_path, log
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0


def printed_lines(log):
    """The lines that are meant to be copied."""
    commands = ("export ", "aws ", "echo ", "KEY_ID=")
    return [line for line in log.read_text().splitlines() if line.startswith(commands)]


def test_printed_lines_work_as_printed(newcomer):
    directory, log = newcomer
    lines = printed_lines(log)
    assert any(line.startswith("aws ") for line in lines), log.read_text()
    path = f"{VENV}:{os.environ['PATH']}"
    script = "set -e\n" + "\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", script], cwd=directory, env=clean_environment(PATH=path), capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def test_what_is_made_is_private(newcomer):
    directory, _ = newcomer
    data = directory / "strongroom-data"
    assert data.stat().st_mode & 0o077 == 0
    assert (data / "root.key").stat().st_mode & 0o777 == 0o600


def test_the_secret_is_sealed_at_rest(newcomer):
    directory, log = newcomer
    secret = re.search(r"AWS_SECRET_ACCESS_KEY=[\"']?([^\"'\s]+)", log.read_text()).group(1)
    for path in (directory / "strongroom-data").rglob("*"):
        if path.is_file() and path.name != "root.key":
            assert secret.encode() not in path.read_bytes(), path


def test_second_process_on_the_same_directory_is_refused(own_server):
    other = own_server.settings.read_text().replace(f":{own_server.port}", f":{free_port()}")
    settings = own_server.directory / "second.toml"
    settings.write_text(other)
    done = subprocess.run(
        [BINARY, "serve", "--config", settings], capture_output=True, text=True, timeout=30, env=clean_environment()
    )
    assert done.returncode != 0
    assert "panicked" not in done.stderr
    assert own_server.health("ready") == 200


@pytest.mark.parametrize(
    "line, expected",
    [
        ('lissten = "127.0.0.1:1"', "listen"),
        ("regions = []", "regions"),
        ('listen = "nowhere"', "strongroom.toml:1:10"),
        ('store = "ftp://x"', "store"),
    ],
)
def test_wrong_settings_are_refused_by_name(tmp_path, line, expected):
    (tmp_path / "strongroom.toml").write_text(line + "\n")
    done = subprocess.run(
        [BINARY, "serve"], cwd=tmp_path, capture_output=True, text=True, timeout=30, env=clean_environment()
    )
    assert done.returncode != 0
    assert expected in done.stderr + done.stdout
    assert not (tmp_path / "strongroom-data").exists()


@pytest.mark.parametrize(
    "args", [["--help"], ["serve", "--help"], ["bench", "--help"], ["audit", "--help"], ["--version"]]
)
def test_help(args):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0 and done.stdout.strip()


def test_wrong_root_key_is_refused(own_server):
    own_server.stop()
    root = own_server.data / "root.key"
    kept = root.read_bytes()
    other = Strongroom(own_server.directory.parent / "other").start()
    other.stop()
    root.write_bytes((other.data / "root.key").read_bytes())
    with pytest.raises(RuntimeError):
        own_server.start()
    assert "panicked" not in own_server.log()
    root.write_bytes(kept)
    own_server.start()


def test_a_lost_root_key_is_never_replaced(own_server):
    own_server.stop()
    root = own_server.data / "root.key"
    kept = root.read_bytes()
    root.unlink()
    process = subprocess.Popen(
        [BINARY, "serve", "--config", own_server.settings],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        cwd=own_server.directory,
    )
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and process.poll() is None:
        # It may run, sealed; it must not be ready, and must not make another root.
        assert own_server.health("ready") != 200
        time.sleep(0.2)
    if process.poll() is None:
        process.terminate()
        process.wait(40)
    assert not root.exists()
    root.write_bytes(kept)
    root.chmod(0o600)
    own_server.start()


def test_drain_lets_running_requests_end(own_server):
    import threading

    import sdk

    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket="drain")
    data = sdk.blob(32 * sdk.MIB)
    outcome = []

    def put():
        try:
            outcome.append(s3.put_object(Bucket="drain", Key="k", Body=data)["ResponseMetadata"]["HTTPStatusCode"])
        except Exception as error:  # noqa: BLE001 - the thread hands it to the assertion below
            outcome.append(error)

    thread = threading.Thread(target=put)
    thread.start()
    time.sleep(0.05)
    assert own_server.stop() == 0
    thread.join()
    own_server.start()
    if outcome == [200]:
        assert sdk.body_of(sdk.client(own_server), "drain", "k") == data
