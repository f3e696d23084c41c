"""The AWS SDK for JavaScript: user, policy, keys, rotation, role with a session policy, a denial and its explanation; and
objects in every encryption mode. Its version 2, and minio-js."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import sdk
from gateway import MAIN, ROOT, Strongroom

MODULES = Path(os.environ.get("STRONGROOM_JS", ROOT / "target/clients/js")) / "node_modules"
SCRIPTS = Path(__file__).parent / "js"


def play(script, directory, tls=None):
    """What the script tells, by step, of a gateway of its own."""
    gateway = Strongroom(directory, tls=tls).start()
    verify = str(tls[2]) if tls else None
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(MODULES),
        "ENDPOINT": gateway.endpoint,
        "ADMIN_KEY": MAIN.access_key,
        "ADMIN_SECRET": MAIN.secret_key,
        "ACCOUNT": MAIN.account,
        "BUCKET": "js-bucket",
        "KMS_KEY": sdk.client(gateway, "kms", verify=verify).create_key()["KeyMetadata"]["Arn"],
        # The SDK looks at neither file nor metadata service.
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    if tls:
        environment["NODE_EXTRA_CA_CERTS"] = str(tls[2])
    command = ["node", SCRIPTS / script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert gateway.stop() == 0, gateway.log()[-2000:]
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line.pop("step"): line for line in lines}


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    return play("flow.cjs", tmp_path_factory.mktemp("js"))


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


# Name, what the answers say, whether they name the key.
MODES = {
    "default": ("AES256", False),
    "sse-s3": ("AES256", False),
    "sse-kms-key": ("aws:kms", True),
    "bucket-key": ("aws:kms", True),
    "sse-c": ("AES256 of the customer", False),
}


def check_buffers_streams_and_managed_uploads(objects, mode):
    told = dict(objects[mode])
    assert (told.pop("sse"), told.pop("key")) == MODES[mode]
    assert told.pop("bucketKey") == (mode == "bucket-key")
    assert told.pop("length") == 70_000
    # GetObjectAttributes lists parts where checksums were given at the start, and counts them always.
    assert told.pop("parts") == [2, True]
    assert all(told.values()), told


def check_copies_from_each_mode_to_the_next(objects):
    names = list(MODES)
    expected = [[one, other, True, True] for one, other in zip(names, [*names[1:], names[0]])]
    assert objects["copies"]["told"] == expected


def check_lists_tell_plaintext_sizes(objects):
    large = (6 << 20) + 3
    sizes = {"small": 70_000, "framed": 70_000, "large": large, "copied": large, "composed": 6_000_000}
    assert objects["listed"]["sizes"] == {f"{mode}/{key}": size for mode in MODES for key, size in sizes.items()}
    assert objects["removed"]["all"]


def check_urls(objects, mode):
    sse, named = MODES[mode]
    told = "customer" if mode == "sse-c" else sse
    assert objects["urls"]["told"][mode] == [200, 200, "by url", told, named, 403]


def check_refusals_are_understood(objects):
    assert objects["refused"] == {
        "absent": [404, "NoSuchKey"],
        "forgotten": [400, "InvalidRequest"],
        "wrong": [403, "AccessDenied"],
        "needless": [400, "InvalidRequest"],
        "unknownKey": [400, "KMS.NotFoundException"],
        "exists": [412, "PreconditionFailed"],
        "badDigest": [400, "BadDigest"],
    }


def test_objects_in_every_mode(tmp_path):
    """One test, since each process of a parallel run would play the whole script for its share."""
    objects = play("objects.cjs", tmp_path)
    for mode in MODES:
        check_buffers_streams_and_managed_uploads(objects, mode)
        check_urls(objects, mode)
    check_copies_from_each_mode_to_the_next(objects)
    check_lists_tell_plaintext_sizes(objects)
    check_refusals_are_understood(objects)


LARGE = (6 << 20) + 3


def check_modes(told, modes):
    """What each mode's objects are encrypted with, and that all else held."""
    for mode in modes:
        step = dict(told[mode])
        shown = (step.pop("sse"), step.pop("key"), step.pop("bucketKey"), step.pop("length"))
        assert shown == (*MODES[mode], mode == "bucket-key", 70_000)
        assert all(step.values()), step


def test_version_2_of_the_sdk(tmp_path, certificate):
    """Over https: it sends a customer's key over nothing else."""
    told = play("version2.cjs", tmp_path, certificate)
    check_modes(told, MODES)
    names = list(MODES)
    assert told["copies"]["told"] == [[one, other, True] for one, other in zip(names, [*names[1:], names[0]])]
    assert told["urls"] == {
        "put": 200,
        "got": "by url",
        "posted": 204,
        "read": "by form",
        "sse": ["aws:kms", "aws:kms"],
    }
    assert told["keys"] == {"plaintext": "secret", "arn": "arn:aws:iam::111122223333:root"}
    assert told["refused"] == {
        "absent": [404, "NoSuchKey"],
        "forgotten": [400, "InvalidRequest"],
        "unknownKey": [400, "KMS.NotFoundException"],
        "bucket": [409, "BucketNotEmpty"],
    }
    sizes = {
        f"{mode}/{key}": size
        for mode in MODES
        for key, size in (("small", 70_000), ("large", LARGE), ("copied", LARGE))
    }
    assert told["listed"]["sizes"] == sizes | {"url": 6, "form": 7}
    assert told["removed"]["all"]


def test_minio_js(tmp_path, certificate):
    told = play("minio.cjs", tmp_path, certificate)
    check_modes(told, MODES)
    assert told["bucket"]["rule"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": told["bucket"]["key"]}
    assert told["composed"] == {"same": True, "sse": "aws:kms"}
    assert told["urls"] == {"put": 200, "got": "by url", "posted": 204, "read": "by form"}
    assert told["refused"] == {"absent": "NoSuchKey", "forgotten": "InvalidRequest", "bucket": "BucketNotEmpty"}
    assert told["tags"] == {"read": [{"Key": "team", "Value": "red"}]}
    assert told["removed"]["left"] == []
