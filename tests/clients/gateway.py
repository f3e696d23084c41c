"""A Strongroom process: its settings file, its life, its command line."""

import http.client
import os
import random
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("STRONGROOM_BIN", ROOT / "target/debug/strongroom"))
REGION = "us-east-1"
START_SECONDS = 30
STOP_SECONDS = 40


@dataclass(frozen=True)
class Caller:
    """An access key and whose it is."""

    account: str
    access_key: str
    secret_key: str
    name: str = "root"


MAIN = Caller("111122223333", "MAINACCESSKEY0000000", "main/Secret+Key0000000000000000000000000")
ALICE = Caller("111122223333", "ALICEACCESSKEY000000", "alice/Secret+Key000000000000000000000000", "alice")
OTHER = Caller("444455556666", "OTHERACCESSKEY000000", "other/Secret+Key000000000000000000000000")

SETTINGS = """
data_dir = "{data}"
listen   = "127.0.0.1:{port}"
regions  = ["us-east-1", "us-west-2"]
domains  = ["s3.example.com"]
{extra}

[[account]]
id = "111122223333"
canonical_id = "{a}"
display_name = "main"
email = "main@example.com"
access_keys = [{{ id = "{main.access_key}", secret = "{main.secret_key}" }}]
[[account.user]]
name = "alice"
access_keys = [{{ id = "{alice.access_key}", secret = "{alice.secret_key}" }}]
# Whom grants are given to.
[[account.user]]
name = "app"
[[account.user]]
name = "grants-admin"
[[account.user]]
name = "pages-admin"

[[account]]
id = "444455556666"
canonical_id = "{b}"
display_name = "other"
email = "other@example.com"
access_keys = [{{ id = "{other.access_key}", secret = "{other.secret_key}" }}]
"""


def free_port():
    """A port that nobody listens on. Below those that the kernel gives to outgoing connections: one of another test
    could take it before the server does.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def clean_environment(**more):
    """The environment for a program under test: nothing of this machine's AWS settings gets in."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STRONGROOM_", "RCLONE_", "RESTIC_"))}
    none = {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }
    return kept | none | {k: str(v) for k, v in more.items()}


@dataclass
class Strongroom:
    """One gateway with its own directory. `extra` is TOML before the accounts; `through` is a command that becomes it."""

    directory: Path
    extra: str = ""
    tls: tuple | None = None
    port: int = 0
    environment: dict = field(default_factory=dict)
    through: tuple = ()
    process: subprocess.Popen | None = None

    def __post_init__(self):
        self.port = self.port or free_port()
        self.directory.mkdir(parents=True, exist_ok=True)
        extra = self.extra
        if self.tls:
            extra += f'\ntls = {{ cert = "{self.tls[0]}", key = "{self.tls[1]}" }}'
        text = SETTINGS.format(
            data=self.data, port=self.port, extra=extra, a="a1" * 32, b="b2" * 32, main=MAIN, alice=ALICE, other=OTHER
        )
        self.settings.write_text(text)

    @property
    def data(self):
        return self.directory / "data"

    @property
    def settings(self):
        return self.directory / "strongroom.toml"

    @property
    def log_file(self):
        return self.directory / "log"

    @property
    def endpoint(self):
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self):
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.through, BINARY, "serve", "--config", self.settings],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=clean_environment(**self.environment),
            )
        deadline = time.monotonic() + START_SECONDS
        while self.health("ready") != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway did not become ready:\n{self.log()[-4000:]}")
            time.sleep(0.02)
        return self

    def health(self, what):
        """Status of /health/WHAT, or None while nobody listens."""
        if self.tls:
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=5, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", f"/health/{what}")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self):
        """SIGTERM and a clean end."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"the gateway did not stop in {STOP_SECONDS} s:\n{self.log()[-4000:]}") from None

    def kill(self):
        """The crash: no warning, nothing flushed."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def command(self, *args, check=True, **variables):
        """Runs `strongroom ARGS --config FILE`; `variables` of the environment beside those of the server."""
        done = subprocess.run(
            [BINARY, *args, "--config", self.settings],
            capture_output=True,
            text=True,
            env=clean_environment(**self.environment, **variables),
            cwd=self.directory,
            timeout=120,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"strongroom {args} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done
