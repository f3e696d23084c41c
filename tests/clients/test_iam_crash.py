"""kill -9 while identities and bucket policies change, again and again: what was acknowledged is there, what was not is
there whole or not at all, and counts, lists and the trail agree.
"""

import json
import os
import random
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

import sdk
from gateway import MAIN, Caller

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))
WORKERS = 4
SEED = int(os.environ.get("CRASH_SEED", "20261126"))
DOWN = (BotoCoreError, HTTPClientError, OSError)


def document(resource):
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def bucket_policy(bucket, number):
    resource = f"arn:aws:s3:::{bucket}/{number}/*"
    statement = {"Effect": "Allow", "Principal": {"AWS": MAIN.account}, "Action": "s3:GetObject", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Worker(threading.Thread):
    """Changes a user, a bucket's policy and what of a shared policy is attached; nobody else touches those.

    `state` is what the server has acknowledged: whether there is a user, its keys by id, whether the policy is attached,
    and the bucket's policy. `open` is what it may be instead, after a change that got no answer.
    """

    def __init__(self, number, state):
        super().__init__()
        self.user, self.bucket = f"crash-{number}", f"crash-{number}"
        self.state, self.open, self.fault, self.acknowledged = state, None, None, 0

    def begin(self, server, policy, dice, stop):
        self.iam, self.s3 = sdk.client(server, "iam"), sdk.client(server)
        self.policy, self.random, self.stop = policy, random.Random(dice), stop

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except DOWN:
            pass  # the server is gone: what was under way stays in `open`
        except ClientError as error:
            self.fault = error

    def step(self):
        state, user = self.state, {"UserName": self.user}
        held = {"PolicyArn": self.policy, **user}
        if not state["user"]:
            self.change({"user": True}, lambda: self.iam.create_user(**user))
            return
        choices = ["bucket"]
        choices.append("detach" if state["attached"] else "attach")
        choices.append("key" if len(state["keys"]) < 2 else "delete key")
        if not state["attached"] and not state["keys"]:
            choices += ["delete", "delete"]
        match self.random.choice(choices):
            case "attach":
                self.change({"attached": True}, lambda: self.iam.attach_user_policy(**held))
            case "detach":
                self.change({"attached": False}, lambda: self.iam.detach_user_policy(**held))
            case "delete":
                self.change({"user": False}, lambda: self.iam.delete_user(**user))
            case "key":
                self.open = {"keys": "one more"}
                key = self.iam.create_access_key(**user)["AccessKey"]
                state["keys"][key["AccessKeyId"]] = key["SecretAccessKey"]
                self.closed()
            case "delete key":
                gone = self.random.choice(sorted(state["keys"]))
                left = {id: secret for id, secret in state["keys"].items() if id != gone}
                self.change({"keys": left}, lambda: self.iam.delete_access_key(AccessKeyId=gone, **user))
            case "bucket":
                policy = bucket_policy(self.bucket, self.random.randrange(1000))
                put = {"Bucket": self.bucket, "Policy": policy}
                self.change({"policy": policy}, lambda: self.s3.put_bucket_policy(**put))

    def change(self, after, call):
        self.open = after
        call()
        self.state |= after
        self.closed()

    def closed(self):
        self.open = None
        self.acknowledged += 1


def found(server, worker, policy):
    """What there is, as the API tells it."""
    iam, s3 = sdk.client(server, "iam"), sdk.client(server)
    user = {"UserName": worker.user}
    try:
        keys = {key["AccessKeyId"] for key in iam.list_access_keys(**user)["AccessKeyMetadata"]}
        attached = [held["PolicyArn"] for held in iam.list_attached_user_policies(**user)["AttachedPolicies"]]
        there = True
    except iam.exceptions.NoSuchEntityException:
        keys, attached, there = set(), [], False
    assert attached in ([], [policy])
    try:
        of_bucket = s3.get_bucket_policy(Bucket=worker.bucket)["Policy"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        of_bucket = None
    return {"user": there, "keys": keys, "attached": bool(attached), "policy": of_bucket}


def settle(server, worker, policy):
    """After a restart: the state is the acknowledged one, or that with the change that got no answer."""
    now, before = found(server, worker, policy), worker.state
    expected = {**before, "keys": set(before["keys"])}
    after = dict(expected)
    match worker.open:
        case None:
            pass
        case {"keys": "one more"}:
            # Nobody was told its secret: it goes.
            for lost in now["keys"] - expected["keys"]:
                sdk.client(server, "iam").delete_access_key(UserName=worker.user, AccessKeyId=lost)
            assert len(now["keys"] - expected["keys"]) <= 1
            now["keys"] &= expected["keys"]
        case change:
            after |= {name: set(value) if name == "keys" else value for name, value in change.items()}
    assert now in (expected, after), f"seed {SEED}: {worker.user} is {now}, was {expected}, open {worker.open}"
    secrets = before["keys"]
    worker.state |= {**now, "keys": {id: secrets[id] for id in now["keys"]}}
    worker.open = None
    for id, secret in worker.state["keys"].items():
        who = Caller(MAIN.account, id, secret, worker.user)
        assert sdk.client(server, "sts", who=who).get_caller_identity()["Arn"].endswith(f":user/{worker.user}")


def test_identities_and_bucket_policies_survive(own_server):
    print(f"seed {SEED}: CRASH_SEED repeats it")
    dice = random.Random(SEED)
    iam, s3 = sdk.client(own_server, "iam"), sdk.client(own_server)
    policy = iam.create_policy(PolicyName="shared", PolicyDocument=document("*"))["Policy"]["Arn"]
    states = [{"user": False, "keys": {}, "attached": False, "policy": None} for _ in range(WORKERS)]
    for number in range(WORKERS):
        s3.create_bucket(Bucket=f"crash-{number}")
    of_settings = iam.get_account_summary()["SummaryMap"]["Users"]
    total = 0
    for _ in range(ROUNDS):
        stop = threading.Event()
        workers = [Worker(number, state) for number, state in enumerate(states)]
        for worker in workers:
            worker.begin(own_server, policy, dice.getrandbits(64), stop)
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
        for worker in workers:
            settle(own_server, worker, policy)
        iam = sdk.client(own_server, "iam")
        users = sum(state["user"] for state in states)
        attached = sum(state["attached"] for state in states)
        assert iam.get_account_summary()["SummaryMap"]["Users"] == of_settings + users
        assert iam.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == attached
        assert len(iam.list_entities_for_policy(PolicyArn=policy)["PolicyUsers"]) == attached
    assert total > 5 * ROUNDS, "there was hardly any load"
    assert own_server.stop() == 0
    own_server.command("scrub")
    own_server.command("audit", "verify")
    exported = own_server.command("audit", "export", "-").stdout.splitlines()
    records = [json.loads(line)["record"] for line in exported if '"record"' in line]
    changes = ("CreateUser", "DeleteUser", "CreateAccessKey", "DeleteAccessKey", "AttachUserPolicy", "DetachUserPolicy")
    changes += ("PutBucketPolicy",)
    done = [r for r in records if r["eventName"] in changes and "errorCode" not in r]
    # Each has its record; changes whose answer was lost have one too, one a worker and round at most.
    assert total <= len(done) <= total + ROUNDS * (WORKERS + 1)
    assert "panicked" not in own_server.log()
