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
    with pytest.raises(RuntimeError, match="this store was made under root key [0-9a-f]{32}: set root_key_file"):
        own_server.start()
    assert "panicked" not in own_server.log()
    root.write_text("no key")
    with pytest.raises(RuntimeError, match="is no whole root key file"):
        own_server.start()
    root.write_bytes(kept)
    root.chmod(0o644)
    with pytest.raises(RuntimeError, match="can be read or changed by others .mode 0644.: run chmod 600"):
        own_server.start()
    root.chmod(0o600)
    root.write_bytes(kept)
    own_server.start()


def test_a_lost_root_key_is_never_replaced(own_server):
    own_server.stop()
    root = own_server.data / "root.key"
    kept = root.read_bytes()
    root.unlink()
    process = subprocess.Popen(
        [BINARY, "serve", "--config", own_server.settings],
        stdout=own_server.log_file.open("ab"),
        stderr=subprocess.STDOUT,
        env=clean_environment(),
    )
    deadline = time.monotonic() + 30
    while own_server.health("ready") is None:
        assert process.poll() is None and time.monotonic() < deadline, own_server.log()
        time.sleep(0.05)
    assert own_server.health("ready") == 503
    process.terminate()
    assert process.wait(40) == 0
    assert "root.key is missing, and this store was made under a root key" in own_server.log()
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


def serve(directory, *args, seconds=30, **environment):
    """`strongroom serve ARGS` that is to be refused: exit code and what it says."""
    done = subprocess.run(
        [BINARY, "serve", *args],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=clean_environment(**environment),
    )
    assert "panicked" not in done.stderr
    return done.returncode, done.stderr


def test_a_refused_first_start_keeps_no_credentials_to_itself(tmp_path, server):
    """Credentials are shown once: a start that fails before it shows them must not have made them."""
    code, said = serve(tmp_path, "--listen", f"127.0.0.1:{server.port}")
    assert code == 1 and "another process has this port" in said, said
    code, said = serve(tmp_path, "--listen", "127.0.0.1:0", "--tls", "none.pem,none.key")
    assert code == 1 and "tls: cannot read none.pem" in said, said
    assert list(tmp_path.iterdir()) == []


def test_directories_that_cannot_be_used_are_named(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in ("file", "file/inside", "/proc/none"):
        code, said = serve(tmp_path, "--listen", "127.0.0.1:0", "--data-dir", path)
        assert code == 1 and path in said and "--data-dir" in said, said


def test_misspelt_variables_are_told(tmp_path):
    done = subprocess.run(
        [BINARY, "config", "check"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        env=clean_environment(STRONGROOM_LISTEM="127.0.0.1:1", STRONGROOM_SERVICE_HOST="10.0.0.1"),
    )
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "strongroom: warning: the variable STRONGROOM_LISTEM means nothing here; did you mean STRONGROOM_LISTEN?"
    ]


def test_commands_do_not_take_any_directory_for_a_servers(tmp_path):
    (tmp_path / "strongroom-data").mkdir()
    for command in (["audit", "list"], ["audit", "verify"], ["scrub"], ["credentials", "new"]):
        done = subprocess.run(
            [BINARY, *command], cwd=tmp_path, capture_output=True, text=True, timeout=30, env=clean_environment()
        )
        assert done.returncode == 2 and "is no data directory" in done.stderr, done
    assert list((tmp_path / "strongroom-data").iterdir()) == []


def test_a_reader_that_goes_away_ends_a_command_quietly(own_server):
    for command in ("audit list", "scrub", "config print", "config reference", "completions bash", "man"):
        words = [str(BINARY), *command.split()]
        if command.split()[0] in ("audit", "scrub"):
            own_server.stop()
            words += ["--config", str(own_server.settings)]
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            words, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, env=clean_environment()
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_objects_in_memory(tmp_path):
    import sdk

    gateway = Strongroom(tmp_path, extra='store = "memory://"').start()
    s3 = sdk.client(gateway)
    s3.create_bucket(Bucket="memory")
    s3.put_object(Bucket="memory", Key="k", Body=sdk.blob(sdk.MIB))
    assert sdk.body_of(s3, "memory", "k") == sdk.blob(sdk.MIB)
    assert gateway.stop() == 0
    assert "memory:// is for tests" in gateway.log() and not (gateway.data / "blobs").exists()


def test_plain_http_on_a_network_is_told(tmp_path):
    for address, told in (("0.0.0.0", True), ("127.0.0.1", False)):
        log = tmp_path / address
        with log.open("w") as out:
            process = subprocess.Popen(
                [BINARY, "--listen", f"{address}:0"], cwd=tmp_path, env=clean_environment(), stdout=out, stderr=out
            )
        deadline = time.monotonic() + 30
        while "Everything is kept in" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        process.terminate()
        assert process.wait(40) == 0
        assert ("refused until tls is set" in log.read_text()) == told
