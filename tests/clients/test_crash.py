"""kill -9 under load, again and again: an acknowledged write is whole, every other is whole or absent."""

import os
import random
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

import sdk
from modes import CUSTOMER
from sdk import MIB, blob

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "15"))
WORKERS = 6
SEED = int(os.environ.get("CRASH_SEED", "20261125"))
SIZES = [0, 100, 5_000, 70_000, 400_000, 3 * MIB]
BUCKET = "crash"
MODES = [
    {},
    {"ServerSideEncryption": "aws:kms"},
    {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True},
    {"ServerSideEncryption": "aws:kms:dsse"},
]
DOWN = (BotoCoreError, HTTPClientError, OSError)


class Worker(threading.Thread):
    """Writes, overwrites, copies and deletes keys that nobody else touches.

    `known` is what the server has acknowledged: key -> content or None. `open` are the operations without an answer:
    key -> every content that it may have now.
    """

    def __init__(self, number, known):
        super().__init__()
        self.number, self.known, self.open, self.touched, self.fault = number, known, {}, set(), None
        self.acknowledged = 0

    def begin(self, server, random_seed, stop):
        self.s3 = sdk.client(server)
        self.random, self.stop = random.Random(random_seed), stop

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except DOWN:
            pass  # the server is gone: what was under way stays in `open`
        except ClientError as error:
            # A refusal is no crash: nothing here may be refused.
            self.fault = error

    def step(self):
        key = f"w{self.number}/{self.random.randrange(40):03}"
        action = self.random.choices(["put", "delete", "copy", "upload"], [12, 3, 3, 1])[0]
        existing = sorted(k for k, content in self.known.items() if content is not None)
        if action == "copy" and not existing:
            action = "put"
        size = self.random.choice(SIZES)
        content = (size, f"{key}/{self.random.getrandbits(48)}")
        if action == "put":
            self.attempt(
                key,
                content,
                lambda: self.s3.put_object(Bucket=BUCKET, Key=key, Body=blob(*content), **self.random.choice(MODES)),
            )
        elif action == "delete":
            self.attempt(key, None, lambda: self.s3.delete_object(Bucket=BUCKET, Key=key))
        elif action == "copy":
            source = self.random.choice(existing)
            # With new metadata, since a copy onto itself that changes nothing is refused.
            self.attempt(
                key,
                self.known[source],
                lambda: self.s3.copy_object(
                    Bucket=BUCKET,
                    Key=key,
                    CopySource=f"{BUCKET}/{source}",
                    MetadataDirective="REPLACE",
                    Metadata={"n": content[1][-6:]},
                ),
            )
        else:
            content = (5 * MIB + 1000, content[1])
            body = blob(*content)
            self.attempt(key, content, lambda: sdk.upload(self.s3, BUCKET, key, [body[: 5 * MIB], body[5 * MIB :]]))

    def attempt(self, key, content, call):
        self.open[key] = [self.known.get(key), content]
        self.touched.add(key)
        call()
        self.known[key] = content
        del self.open[key]
        self.acknowledged += 1


def read(s3, key):
    try:
        got = s3.get_object(Bucket=BUCKET, Key=key)
        body = got["Body"].read()
        assert len(body) == got["ContentLength"]
        return body
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise


def settle(s3, worker, seed, keys):
    """After a restart: each of `keys`, and each that was under way, holds one of the contents that it may hold."""
    for key in sorted(keys | worker.open.keys()):
        allowed = worker.open.get(key, [worker.known.get(key)])
        got = read(s3, key)
        fits = [one for one in allowed if (None if one is None else blob(*one)) == got]
        assert fits, f"seed {seed}: {key} is {got and len(got)} bytes, allowed {allowed}"
        worker.known[key] = fits[0]
    worker.open.clear()


def check_listing(s3, workers):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    listed = {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}
    expected = {k: content[0] for w in workers for k, content in w.known.items() if content is not None}
    assert listed == expected


def test_crash(own_server):
    print(f"seed {SEED}: CRASH_SEED repeats it")
    dice = random.Random(SEED)
    sdk.client(own_server).create_bucket(Bucket=BUCKET)
    known = [{} for _ in range(WORKERS)]
    total = 0
    for round_number in range(ROUNDS):
        stop = threading.Event()
        workers = [Worker(n, known[n]) for n in range(WORKERS)]
        for worker in workers:
            worker.begin(own_server, dice.getrandbits(64), stop)
            worker.start()
        time.sleep(dice.uniform(0.3, 1.2))
        own_server.kill()
        stop.set()
        for worker in workers:
            worker.join(30)
            assert not worker.is_alive()
            assert worker.fault is None, worker.fault
            total += worker.acknowledged
        own_server.start()
        s3 = sdk.client(own_server)
        for worker in workers:
            last = round_number == ROUNDS - 1
            settle(s3, worker, SEED, set(worker.known) if last else worker.touched)
        check_listing(s3, workers)
    assert total > 10 * ROUNDS, "there was hardly any load"
    assert own_server.stop() == 0
    own_server.command("scrub")
    own_server.command("audit", "verify")
    assert "panicked" not in own_server.log()


def test_an_upload_survives_a_crash(own_server):
    s3 = sdk.client(own_server)
    s3.create_bucket(Bucket=BUCKET)
    upload_id = s3.create_multipart_upload(Bucket=BUCKET, Key="k", **CUSTOMER)["UploadId"]
    args = dict(Bucket=BUCKET, Key="k", UploadId=upload_id)
    parts = [blob(5 * MIB, 1), blob(5 * MIB, 2), b"end"]
    listed = []
    for number, part in enumerate(parts, 1):
        listed.append(
            {"PartNumber": number, "ETag": s3.upload_part(PartNumber=number, Body=part, **args, **CUSTOMER)["ETag"]}
        )
        own_server.kill()
        own_server.start()
    assert [p["Size"] for p in s3.list_parts(**args)["Parts"]] == [len(p) for p in parts]
    s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **args)
    own_server.kill()
    own_server.start()
    assert sdk.body_of(s3, BUCKET, "k", **CUSTOMER) == b"".join(parts)


def test_key_states_survive_a_crash(own_server):
    s3, kms = sdk.client(own_server), sdk.client(own_server, "kms")
    s3.create_bucket(Bucket=BUCKET)
    key = kms.create_key()["KeyMetadata"]
    s3.put_object(
        Bucket=BUCKET,
        Key="k",
        Body=b"x",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key["KeyId"],
        BucketKeyEnabled=True,
    )
    kms.disable_key(KeyId=key["KeyId"])
    own_server.kill()
    own_server.start()
    assert sdk.refusal(s3.get_object, Bucket=BUCKET, Key="k").code == "KMS.DisabledException"
    kms.enable_key(KeyId=key["KeyId"])
    own_server.kill()
    own_server.start()
    assert sdk.body_of(s3, BUCKET, "k") == b"x"
    own_server.stop()
    verified = own_server.command("audit", "verify")
    events = own_server.command("audit", "list").stdout
    for event in ("CreateKey", "DisableKey", "EnableKey", "GenerateDataKey", "Decrypt"):
        assert event in events, (event, verified.stdout)
