"""The AWS SDK for JavaScript: user, policy, keys, rotation, role with a session policy, a denial and its explanation."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from gateway import MAIN, ROOT, Strongroom

MODULES = Path(os.environ.get("STRONGROOM_JS", ROOT / "target/clients/js")) / "node_modules"
SCRIPT = Path(__file__).parent / "js/flow.cjs"


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """What the script tells, by step."""
    gateway = Strongroom(tmp_path_factory.mktemp("js")).start()
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(MODULES),
        "ENDPOINT": gateway.endpoint,
        "ADMIN_KEY": MAIN.access_key,
        "ADMIN_SECRET": MAIN.secret_key,
        "ACCOUNT": MAIN.account,
        "BUCKET": "js-bucket",
        # The SDK looks at neither file nor metadata service.
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    done = subprocess.run(["node", SCRIPT], env=environment, capture_output=True, text=True, timeout=120)
    assert gateway.stop() == 0, gateway.log()[-2000:]
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line.pop("step"): line for line in lines}


def test_a_user_with_a_policy_uses_its_keys(steps):
    arn = "arn:aws:iam::111122223333:user/team/js-dev"
    assert steps["user"] == {"arn": arn, "tags": [{"Key": "team", "Value": "red"}]}
    assert steps["identity"]["arn"] == arn
    assert steps["identity"]["sameId"]
    assert steps["used"] == {"body": "from JavaScript", "plaintext": "secret"}


def test_what_no_policy_allows_is_denied_and_says_why(steps):
    user = "User: arn:aws:iam::111122223333:user/team/js-dev is not authorized to perform: "
    denied = steps["denied"]
    assert (denied["name"], denied["status"]) == ("AccessDenied", 403)
    because = "because no identity-based policy allows the s3:DeleteBucket action"
    assert denied["message"] == f'{user}s3:DeleteBucket on resource: "arn:aws:s3:::js-bucket" {because}'
    assert (steps["denied key"]["name"], steps["denied key"]["status"]) == ("AccessDeniedException", 400)
    denied = steps["denied iam"]
    assert (denied["name"], denied["status"]) == ("AccessDenied", 403)
    assert denied["message"].startswith(f"{user}iam:CreateUser on resource: arn:aws:iam::111122223333:user/js-evil")


def test_keys_are_rotated_without_a_gap(steps):
    rotated = steps["rotated"]
    assert (rotated["third"]["name"], rotated["third"]["status"]) == ("LimitExceededException", 409)
    assert (rotated["off"]["name"], rotated["off"]["status"]) == ("InvalidAccessKeyId", 403)
    assert rotated["left"] == ["Active"]
    assert rotated["sameKey"]


def test_a_session_policy_lets_a_role_do_less(steps):
    role = steps["role"]
    assert role["arn"] == "arn:aws:sts::111122223333:assumed-role/js-reader/work"
    assert role["body"] == "from JavaScript"
    assert (role["write"]["name"], role["write"]["status"]) == ("AccessDenied", 403)
    assert role["write"]["message"].endswith("because no session policy allows the s3:PutObject action")


def test_a_denial_is_explained(steps):
    denied, allowed = steps["explained"]["results"]
    assert denied == {"action": "s3:DeleteBucket", "decision": "implicitDeny", "by": []}
    assert (allowed["action"], allowed["decision"]) == ("s3:GetObject", "allowed")
    assert allowed["by"] == ["js-dev"]
