"""The client programs: where they are, how they are told of the server."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway import MAIN, REGION, ROOT, clean_environment

VENV = Path(sys.executable).parent
# What wants other versions than those that are pinned: s3fs of fsspec, the Encryption SDK's command line.
OTHER_VENV = Path(os.environ.get("STRONGROOM_S3FS", ROOT / "target/clients/s3fs")) / "bin"
OLDER_VENV = ROOT / "target/clients/older/bin"
MOUNT_SECONDS = 20
AWS_V2 = Path(os.environ.get("AWS_CLI_V2", ROOT / "target/clients/awscli-v2/aws"))


def find(name):
    """A program of the venv or of the system. ./test installs all of them, so a missing one is a failure."""
    found = VENV / name
    if found.exists():
        return str(found)
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: run ./test, which installs what the tests need")
    return found


def aws_environment(server, who=MAIN, **more):
    trust = {"AWS_CA_BUNDLE": server.tls[2], "SSL_CERT_FILE": server.tls[2]} if server.tls else {}
    return clean_environment(
        AWS_ACCESS_KEY_ID=who.access_key,
        AWS_SECRET_ACCESS_KEY=who.secret_key,
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_ENDPOINT_URL=server.endpoint,
        AWS_MAX_ATTEMPTS=1,
        **trust,
        **more,
    )


def run(command, env, check=True, **more):
    """Runs a program and gives its output back; failing output is shown."""
    command = [str(part) for part in command]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=180, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


@contextlib.contextmanager
def mounted(command, at, log):
    """A program that serves the file system at `at` while it runs; the test is skipped where there is no FUSE."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError:
        pytest.skip("/dev/fuse cannot be opened here")
    at.mkdir(exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=clean_environment(), stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + MOUNT_SECONDS
            while not os.path.ismount(at):
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
            subprocess.run(["fusermount", "-u", at], check=True)
            process.wait(MOUNT_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
                subprocess.run(["fusermount", "-u", "-z", at])
