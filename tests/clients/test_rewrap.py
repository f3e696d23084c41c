"""strongroom rewrap: a bucket's encryption brought to what is wanted, with the command and the server killed meanwhile."""

import json
import signal
import subprocess
import time

import pytest

import sdk
from gateway import ALICE, BINARY, MAIN, Strongroom, clean_environment
from modes import CUSTOMER

KMS = {"ServerSideEncryption": "aws:kms"}
DSSE = {"ServerSideEncryption": "aws:kms:dsse"}


def start(server, *args, who=MAIN):
    env = clean_environment(
        AWS_ACCESS_KEY_ID=who.access_key,
        AWS_SECRET_ACCESS_KEY=who.secret_key,
        AWS_ENDPOINT_URL=server.endpoint,
        HOME=server.directory,
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([BINARY, "rewrap", *map(str, args)], env=env, cwd=server.directory, text=True, **pipes)


def rewrap(server, *args, code=0, who=MAIN):
    """The summary, and what was written to standard error."""
    process = start(server, *args, "--output", "json", who=who)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == code, f"{args} ended with {process.returncode}:\n{out}\n{errors}"
    return (json.loads(out) if out else None), errors


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    gateway = Strongroom(tmp_path_factory.mktemp("vault")).start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]


@pytest.fixture(scope="module")
def s3(vault):
    return sdk.client(vault)


@pytest.fixture(scope="module")
def new_key(vault):
    return sdk.client(vault, "kms").create_key(Description="new")["KeyMetadata"]["Arn"]


def under(s3, bucket, key, **args):
    head = s3.head_object(Bucket=bucket, Key=key, **args)
    return head["ServerSideEncryption"], head.get("SSEKMSKeyId"), head.get("BucketKeyEnabled", False)


def test_all_modes_are_brought_to_one_key_and_what_cant_be_is_told(vault, s3, new_key):
    s3.create_bucket(Bucket="modes")
    for key, mode in (("s3", {}), ("odd/é +&%2F/../x\x01", {}), ("kms", KMS), ("dsse", DSSE)):
        s3.put_object(Bucket="modes", Key=key, Body=key.encode(), Metadata={"k": "v"}, Tagging="t=1", **mode)
    s3.put_object(Bucket="modes", Key="customer", Body=b"c", **CUSTOMER)
    before = s3.head_object(Bucket="modes", Key="s3")
    planned, _ = rewrap(vault, "s3://modes", "--sse-kms-key-id", new_key, "--dry-run", code=1)
    assert (planned["Rewrapped"], planned["Failed"], planned["DryRun"]) == (3, 2, True)
    assert under(s3, "modes", "s3")[0] == "AES256", "a dry run changes nothing"
    done, errors = rewrap(vault, "s3://modes", "--sse-kms-key-id", new_key.split("/")[1], "--bucket-key", code=1)
    assert (done["Rewrapped"], done["Copied"], done["AsWanted"], done["Failed"]) == (3, 0, 0, 2)
    assert "failed: customer: it is under SSE-C: its owner's key is needed" in errors
    assert "failed: dsse: from aws:kms:dsse to aws:kms only a copy leads, which --copy allows" in errors
    assert "2 could not be changed" in errors
    for key in ("s3", "odd/é +&%2F/../x\x01", "kms"):
        assert under(s3, "modes", key) == ("aws:kms", new_key, True), key
        assert s3.get_object(Bucket="modes", Key=key)["Body"].read() == key.encode()
    after = s3.head_object(Bucket="modes", Key="s3")
    assert [after[k] for k in ("ETag", "LastModified", "Metadata")] == [
        before[k] for k in ("ETag", "LastModified", "Metadata")
    ]
    again, errors = rewrap(vault, "s3://modes", "--sse-kms-key-id", new_key, "--bucket-key", "--copy", code=1)
    assert (again["Rewrapped"], again["Copied"], again["AsWanted"], again["Failed"]) == (0, 1, 3, 1)
    assert under(s3, "modes", "dsse") == ("aws:kms", new_key, True)
    copied = s3.get_object(Bucket="modes", Key="dsse")
    assert (copied["Body"].read(), copied["Metadata"], copied["TagCount"]) == (b"dsse", {"k": "v"}, 1)
    assert s3.get_object(Bucket="modes", Key="customer", **CUSTOMER)["Body"].read() == b"c"


def test_there_and_back_by_copies(vault, s3):
    s3.create_bucket(Bucket="back")
    s3.put_object(Bucket="back", Key="a", Body=b"1", StorageClass="STANDARD_IA", WebsiteRedirectLocation="/b", **KMS)
    s3.put_object(Bucket="back", Key="other/a", Body=b"2", **KMS)
    done, _ = rewrap(vault, "s3://back/other/", "--sse", "AES256", "--copy")
    assert done["Copied"] == 1 and under(s3, "back", "a")[0] == "aws:kms", "the prefix alone"
    done, _ = rewrap(vault, "s3://back", "--sse", "aws:kms:dsse", "--copy", "--from", "aws:kms")
    assert (done["Copied"], done["NotMeant"]) == (1, 1)
    head = s3.head_object(Bucket="back", Key="a")
    assert (head["ServerSideEncryption"], head["StorageClass"]) == ("aws:kms:dsse", "STANDARD_IA")
    assert head["WebsiteRedirectLocation"] == "/b"
    done, _ = rewrap(vault, "s3://back", "--sse", "AES256", "--copy")
    assert (done["Copied"], done["AsWanted"]) == (1, 1)


def test_versions(vault, s3, new_key):
    s3.create_bucket(Bucket="older")
    s3.put_bucket_versioning(Bucket="older", VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket="older", Key="k", Body=b"%d" % n, **KMS)["VersionId"] for n in range(3)]
    s3.put_object(Bucket="older", Key="gone", Body=b"g")
    s3.delete_object(Bucket="older", Key="gone")
    done, _ = rewrap(vault, "s3://older", "--sse-kms-key-id", new_key)
    assert done["Rewrapped"] == 1, "the current one alone, and no delete marker"
    assert under(s3, "older", "k", VersionId=ids[0])[1] != new_key
    done, _ = rewrap(vault, "s3://older", "--sse-kms-key-id", new_key, "--all-versions")
    assert (done["Rewrapped"], done["AsWanted"]) == (3, 1)
    for n, version in enumerate(ids):
        assert under(s3, "older", "k", VersionId=version)[1] == new_key
        assert s3.get_object(Bucket="older", Key="k", VersionId=version)["Body"].read() == b"%d" % n
    assert len(s3.list_object_versions(Bucket="older")["Versions"]) == 4, "no version was made"
    done, errors = rewrap(vault, "s3://older", "--sse", "AES256", "--copy", "--all-versions", code=1)
    assert (done["Copied"], done["Failed"]) == (1, 3)
    assert "an older version can't be replaced by one" in errors


def test_leave_is_the_servers(vault, s3, new_key):
    s3.create_bucket(Bucket="leave")
    s3.put_object(Bucket="leave", Key="a", Body=b"x")
    _, errors = rewrap(vault, "s3://leave", "--sse-kms-key-id", new_key, code=1, who=ALICE)
    assert "ListObjectsV2 was refused" in errors and "AccessDenied" in errors
    _, errors = rewrap(vault, "s3://no-such-bucket", "--sse-kms-key-id", new_key, code=1)
    assert "NoSuchBucket" in errors
    for wrong in (
        ["leave"],
        ["s3://leave", "--sse", "AES256", "--sse-kms-key-id", new_key],
        ["s3://leave", "--sse", "AES256", "--bucket-key"],
        ["s3://leave", "--sse", "rot13"],
        ["s3://leave", "--concurrency", "0"],
        ["s3://leave", "--concurrency", "257"],
    ):
        rewrap(vault, *wrong, code=2)
    assert under(s3, "leave", "a")[0] == "AES256"


def fill(s3, bucket, count):
    from concurrent.futures import ThreadPoolExecutor

    s3.create_bucket(Bucket=bucket)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=bucket, Key=f"{n:05}", Body=b"%d" % n), range(count)))


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def changed(s3, bucket, keys):
    return sum(under(s3, bucket, key)[0] == "aws:kms" for key in keys)


def test_a_killed_run_goes_on_and_a_killed_server_is_waited_for(own_server):
    s3 = sdk.client(own_server)
    key = sdk.client(own_server, "kms").create_key()["KeyMetadata"]["Arn"]
    fill(s3, "big", 2300)
    state = own_server.directory / "run.json"
    args = ("s3://big", "--sse-kms-key-id", key, "--state", state, "--concurrency", "4")
    run = start(own_server, *args)
    wait_for(state.exists)
    run.kill()
    run.communicate()
    noted = json.loads(state.read_text())
    assert noted["after"]["key"] == "00999" and noted["counts"]["rewrapped"] == 1000
    # Another job does not go on with this one's state.
    _, errors = rewrap(own_server, *args, "--bucket-key", code=2)
    assert "the state of another run" in errors
    # Ctrl-C stops, and says how to go on.
    run = start(own_server, *args)
    wait_for(lambda: under(s3, "big", "01100")[0] == "aws:kms")
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 1 and "stopped before the end. Run the same command to go on from there." in errors
    assert json.loads(state.read_text())["after"]["key"] == "00999"
    # The server dies and comes back while the command runs.
    run = start(own_server, *args, "--output", "json")
    wait_for(lambda: under(s3, "big", "01600")[0] == "aws:kms")
    own_server.kill()
    own_server.start()
    out, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    done = json.loads(out)
    assert done["Complete"] and done["Rewrapped"] + done["AsWanted"] == 2300 and done["AsWanted"] < 1300
    assert not state.exists(), "the end of the run"
    assert changed(s3, "big", [f"{n:05}" for n in range(0, 2300, 23)]) == 100
    assert s3.get_object(Bucket="big", Key="02299")["Body"].read() == b"2299"
    nothing, _ = rewrap(own_server, *args)
    assert (nothing["Rewrapped"], nothing["AsWanted"], nothing["Failed"]) == (0, 2300, 0)


def test_without_a_server_it_says_so_at_once(tmp_path, new_key):
    nobody = Strongroom(tmp_path / "nobody")
    begun = time.monotonic()
    _, errors = rewrap(nobody, "s3://b", "--sse-kms-key-id", new_key, code=1)
    assert "no server answers" in errors and time.monotonic() - begun < 10
