"""The commands in docs/, run as they are printed, and what the pages say of backups."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, HTTPClientError

import sdk
from gateway import BINARY, ROOT, clean_environment, free_port
from programs import VENV

# In place of the service manager, which no test may call: `strongroom serve` in the directory of the test.
SYSTEMCTL = """#!/bin/bash
set -e
case "$1 $2" in
"start strongroom")
    strongroom serve >>log 2>&1 &
    echo $! >server.pid
    until curl -sf "http://$STRONGROOM_LISTEN/health/ready" >/dev/null; do sleep 0.05; done ;;
"stop strongroom")
    kill "$(<server.pid)"
    tail --pid="$(<server.pid)" -f /dev/null ;;
*) exit 1 ;;
esac
"""


def shell_blocks(page):
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def machine(tmp_path):
    """An empty directory with a service that systemctl starts; gives the environment of a shell in it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL)
    (programs / "systemctl").chmod(0o755)
    (programs / "strongroom").symlink_to(BINARY)
    port = free_port()
    environment = clean_environment(
        PATH=f"{programs}:{VENV}:{os.environ['PATH']}",
        STRONGROOM_LISTEN=f"127.0.0.1:{port}",
        STRONGROOM_REGIONS="us-east-1,eu-west-1",
    )
    yield tmp_path, environment
    pid = tmp_path / "server.pid"
    if pid.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)


def run_page(machine, page, blocks_min=8):
    """The commands of a page one after the other, on a new server, with root's credentials; what they print."""
    directory, environment = machine
    blocks = shell_blocks(page)
    assert len(blocks) >= blocks_min
    printed = "$(grep -h '^export ' log)"
    script = "\n".join(["set -euo pipefail", "systemctl start strongroom", f'eval "{printed}"', *blocks])
    done = subprocess.run(
        ["bash", "-c", script], cwd=directory, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout, done.stderr


def test_the_commands_for_keys_work_as_printed(machine):
    printed, _ = run_page(machine, "kms.md")
    assert "the payroll of November" in printed and "chain whole" in printed
    assert "Decrypt" in "".join(printed.splitlines()[-20:]), "what was done last is on record"


def test_the_commands_for_administration_work_as_printed(machine):
    printed, _ = run_page(machine, "administration.md")
    assert "arn:aws:s3:::shelf/reports/*  yes  policy reports" in printed
    assert "Why: no identity-based policy allowed s3:PutObject on arn:aws:s3:::shelf/new" in printed
    assert ":assumed-role/night-watch/monday" in printed and "deleted: user alice" in printed


def test_the_commands_for_object_lock_work_as_printed(machine):
    printed, errors = run_page(machine, "object-lock.md", blocks_min=3)
    assert '"Mode": "GOVERNANCE"' in printed
    assert errors.count("Access Denied because object protected by object lock.") == 2


def test_the_three_roles_are_set_up_as_printed(machine):
    """A `!` command that succeeds does not end the script: what was to be refused is looked for in what is printed."""
    printed, errors = run_page(machine, "access.md")
    assert "the plan for the year" in printed
    for who, action in (
        ("user/dora", "kms:DisableKey"),
        ("user/dora", "kms:GenerateDataKey"),
        ("user/sam", "s3:GetObject"),
        ("user/sam", "kms:GenerateDataKey"),
        ("assumed-role/audit/november", "s3:GetObject"),
        ("assumed-role/audit/november", "iam:CreateUser"),
    ):
        assert f":{who} is not authorized to perform: {action}" in errors, (who, action)
    assert "explicit deny in a resource-based policy" in printed
    assert "user/dora" in printed.split("policy developers")[0], "who can read the shelf"
    assert "InvalidAccessKeyId" in errors, "a disabled key is refused at once"
    assert "deleted: user dora" in printed and "chain whole" in printed
    recorded = printed.rsplit("chain whole", 1)[1]
    for event in ("CreateUser", "AssumeRole", "DeleteUser", "GetObject", "DisableKey"):
        assert f" {event} " in recorded, event


def test_the_commands_for_lifecycles_work_as_printed(machine):
    printed, _ = run_page(machine, "lifecycle.md")
    assert 'rule-id=\\"logs\\"' in printed and '"old%20versions"' in printed
    assert '"markers"' in printed and '"all"' in printed


def test_the_commands_for_access_logs_work_as_printed(machine):
    printed, _ = run_page(machine, "access-logs.md", blocks_min=2)
    assert '"TargetPrefix": "shelf/"' in printed
    lines = [line for line in printed.splitlines() if " shelf [" in line]
    assert any(" REST.PUT.OBJECT hello.txt " in line for line in lines), printed
    assert any(" REST.GET.OBJECT hello.txt " in line for line in lines), printed


def sealed(kms, key_id, text):
    return kms.encrypt(KeyId=key_id, Plaintext=text)["CiphertextBlob"]


def restored(server, backup):
    """The store of `server`, put back from `backup`, with the root of before the loss."""
    root = (server.data / "root.key").read_bytes()
    shutil.rmtree(server.data)
    shutil.copytree(backup, server.data)
    (server.data / "root.key").write_bytes(root)
    (server.data / "root.key").chmod(0o600)
    server.start()
    return sdk.client(server, "kms")


def test_a_backup_is_the_store_of_then(own_server, tmp_path):
    kms = sdk.client(own_server, "kms")
    rotated, doomed = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    before = [sealed(kms, key_id, b"before") for key_id in (rotated, doomed)]
    own_server.stop()
    backup = tmp_path / "backup"
    shutil.copytree(own_server.data, backup, ignore=shutil.ignore_patterns("root.key"))

    own_server.start()
    own_server.command("root", "rotate")
    kms.rotate_key_on_demand(KeyId=rotated)
    later = kms.create_key()["KeyMetadata"]["KeyId"]
    after = [sealed(kms, key_id, b"after") for key_id in (rotated, later)]
    kms.schedule_key_deletion(KeyId=doomed, PendingWindowInDays=7)
    own_server.stop()
    # The store key is another one now: a stopped server's older generation goes at once.
    own_server.command("root", "rotate")

    kms = restored(own_server, backup)
    for box in before:
        assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == b"before"
    assert kms.describe_key(KeyId=doomed)["KeyMetadata"]["KeyState"] == "Enabled"
    newer_material, newer_key = (sdk.refusal(kms.decrypt, CiphertextBlob=box).code for box in after)
    assert (newer_material, newer_key) == ("InvalidCiphertextException", "AccessDeniedException")
    assert own_server.stop() == 0
    assert "chain whole" in own_server.command("audit", "verify").stdout


def test_a_snapshot_of_a_running_server_is_a_backup(own_server, tmp_path):
    """All files as they are at one instant: nothing that was acknowledged by then is missing."""
    kms, boxes, stop = sdk.client(own_server, "kms"), {}, threading.Event()

    def work():
        while not stop.is_set():
            try:
                key_id = kms.create_key()["KeyMetadata"]["KeyId"]
                kms.rotate_key_on_demand(KeyId=key_id)
                boxes[sealed(kms, key_id, key_id.encode())] = key_id
            except (BotoCoreError, HTTPClientError):
                return

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    time.sleep(1)
    backup = tmp_path / "backup"
    os.kill(own_server.process.pid, signal.SIGSTOP)
    acknowledged = dict(boxes)
    shutil.copytree(own_server.data, backup, ignore=shutil.ignore_patterns("root.key", "control.sock"))
    os.kill(own_server.process.pid, signal.SIGCONT)
    stop.set()
    for worker in workers:
        worker.join()
    own_server.kill()
    assert acknowledged
    kms = restored(own_server, backup)
    for box, key_id in acknowledged.items():
        assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == key_id.encode()
    assert own_server.stop() == 0
    assert "chain whole" in own_server.command("audit", "verify").stdout
