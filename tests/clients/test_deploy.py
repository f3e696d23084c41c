"""docker-compose.yml, Dockerfile and README.md against the program: what they set, name and tell to type is there."""

import json
import os
import re
import signal
import subprocess
import time
import tomllib
from urllib.parse import urlsplit

import yaml

from gateway import BINARY, ROOT, clean_environment
from programs import VENV
from test_start import newcomer, printed_lines  # noqa: F401 - a fixture is used by its name

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
README = (ROOT / "README.md").read_text()


def image():
    """The instructions of the last stage of the Dockerfile, by name, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    stage = re.split(r"^FROM ", text, flags=re.M)[-1].splitlines()[1:]
    return dict(line.split(None, 1) for line in stage if line.strip())


def in_the_container():
    """The environment of the program there."""
    return dict(pair.split("=", 1) for pair in image()["ENV"].split()) | SERVICES["gateway"]["environment"]


def run(directory, *words, **environment):
    return subprocess.run(
        words, cwd=directory, capture_output=True, text=True, timeout=60, env=clean_environment(**environment)
    )


def test_every_setting_of_the_composition_exists(tmp_path):
    environment = in_the_container()
    checked = run(tmp_path, BINARY, "config", "check", **environment)
    assert (checked.returncode, checked.stderr) == (0, "")
    settings = tomllib.loads(run(tmp_path, BINARY, "config", "print", "--redacted", **environment).stdout)
    for name, value in environment.items():
        if name.startswith("STRONGROOM_"):
            assert settings[name.removeprefix("STRONGROOM_").lower()] == value
    # A variable that means nothing to the client of the upstream would be passed over in silence.
    upstream = [name for name in environment if name.startswith("AWS_")]
    assert len(settings["store_options"]) == len(upstream), (settings["store_options"], upstream)
    assert len(environment) == len(upstream) + 3, "data_dir, listen, store"


def test_the_parts_of_the_composition_fit_each_other():
    environment, gateway = in_the_container(), SERVICES["gateway"]
    data, port = environment["STRONGROOM_DATA_DIR"], environment["STRONGROOM_LISTEN"].rsplit(":")[-1]
    assert image()["VOLUME"] == data and image()["EXPOSE"] == port
    assert gateway["volumes"] == [f"gateway:{data}"] and "gateway" in COMPOSE["volumes"]
    assert gateway["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert json.loads(image()["ENTRYPOINT"]) + json.loads(image()["CMD"]) == ["strongroom", "serve"]
    # A user without rights owns the volume's first content.
    assert f"install -d -o {image()['USER']} -g {image()['USER']} -m 0700 {data}" in image()["RUN"]
    assert list(gateway["depends_on"]) == ["bucket"] and SERVICES["bucket"]["depends_on"] == ["upstream"]

    maker = SERVICES["bucket"]
    for endpoint in (environment["AWS_ENDPOINT"], maker["environment"]["AWS_ENDPOINT_URL"]):
        assert urlsplit(endpoint).hostname in SERVICES
    assert f"mb s3://{urlsplit(environment['STRONGROOM_STORE']).hostname};" in maker["entrypoint"][-1]
    (identity,) = json.loads(COMPOSE["configs"]["upstream-s3"]["content"])["identities"]
    (keys,) = identity["credentials"]
    for each in (environment, maker["environment"]):
        assert (each["AWS_ACCESS_KEY_ID"], each["AWS_SECRET_ACCESS_KEY"]) == (keys["accessKey"], keys["secretKey"])
    (config,) = SERVICES["upstream"]["configs"]
    assert f"-s3.config={config['target']}" in SERVICES["upstream"]["command"]


def test_the_health_check_tells_a_ready_server_from_others(own_server, tmp_path):
    command = json.loads(image()["HEALTHCHECK"].partition(" CMD ")[2])

    def healthy(gateway):
        return run(tmp_path, *[word.replace("/9000", f"/{gateway.port}") for word in command]).returncode == 0

    assert "/9000" in command[-1] and healthy(own_server)
    own_server.stop()
    assert not healthy(own_server)
    (own_server.data / "root.key").rename(tmp_path / "root.key")
    with open(own_server.log_file, "ab") as log:
        own_server.process = subprocess.Popen(
            [BINARY, "serve", "--config", own_server.settings], stdout=log, stderr=log, env=clean_environment()
        )
    while own_server.health("live") != 200:
        assert own_server.process.poll() is None, own_server.log()
    assert not healthy(own_server), "it is sealed"


def blocks(language="sh"):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def test_the_readme_shows_what_the_first_start_prints(newcomer):  # noqa: F811
    """So that what is run as printed (test_start) is what the README tells to type."""
    _, log = newcomer
    start, copied, tests = blocks()
    assert (start, tests) == ("cargo run --release\n", "./test\n")
    shown = [line.partition("  ")[0] for line in copied.splitlines() if line]
    printed = printed_lines(log)
    as_shown = [re.sub(r"(KEY(?:_ID)?=)\S+$", r"\1…", line) if "AWS_" in line else line for line in printed]
    as_shown = [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9000", line) for line in as_shown]
    assert as_shown == shown


def test_every_other_command_of_the_readme_runs(newcomer):  # noqa: F811
    directory, log = newcomer
    lines = "\n".join(printed_lines(log))
    exports = "\n".join(line for line in lines.splitlines() if line.startswith("export "))
    (pid,) = re.findall(r"^(\d+)", (directory / "strongroom-data/lock").read_text())
    tools = directory / "bin"
    tools.mkdir()
    (tools / "strongroom").symlink_to(BINARY)
    # One server of many on this machine.
    (tools / "pgrep").write_text(f'#!/bin/sh\n[ "$*" = "-x strongroom" ] && echo {pid}\n')
    (tools / "pgrep").chmod(0o755)

    def shell(script, **more):
        return run(directory, "bash", "-c", script, PATH=f"{tools}:{VENV}:{os.environ['PATH']}", **more)

    first = shell(f'set -e\n{lines}\nprintf "\n$KEY_ID"')
    assert first.returncode == 0, first
    key_id = first.stdout.splitlines()[-1]

    def typed(command):
        """What a newcomer types behind the first lines, in the same shell."""
        return shell(f"{exports}\n{command}", KEY_ID=key_id)

    disable = 'aws kms disable-key --key-id "$KEY_ID"'
    while_it_runs = {
        "strongroom --version": "",
        "strongroom serve --help": "",
        'strongroom bench --operation mixed --size 64KiB --pid "$(pgrep -x strongroom)"': "--duration 500ms --objects 20",
    }
    stopped = {"strongroom audit list", "strongroom audit verify", "strongroom scrub"}
    commands = {" ".join(command.split()) for command in re.findall(r"`((?:strongroom|aws) [^`]*)`", README)}
    assert commands == {disable, *while_it_runs, *stopped}, "each has its place here"
    for command, more in while_it_runs.items():
        done = typed(f"{command} {more}")
        assert done.returncode == 0, done
    flags = typed("strongroom serve --help").stdout
    assert all(flag in flags for flag in re.findall(r"--(?:tls|metrics-listen) ", README))
    refused = typed(f"{disable} && aws s3 cp s3://my-bucket/under-my-key.txt -")
    assert refused.returncode != 0 and "KMS.DisabledException" in refused.stderr, refused
    os.kill(int(pid), signal.SIGTERM)
    deadline = time.monotonic() + 40
    while "in use by another" in typed("strongroom audit verify").stderr:
        assert time.monotonic() < deadline
    for command in stopped:
        done = typed(command)
        assert done.returncode == 0 and done.stdout, done
