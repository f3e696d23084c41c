"""The load that crashes are tried under. Each worker writes what nobody else touches, and knows what it may find.

`known` is what the server has acknowledged, `open` what has had no answer: for each place every state that it may be in
now. After a crash `settle` compares both with what is there. `told` has the requests whose events must arrive.
"""

import datetime
import http.client
import random
import threading

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

import sdk
from sdk import MIB, blob
from test_post_object import post

SIZES = [0, 100, 5_000, 70_000, 400_000, 3 * MIB]
SMALL = [0, 100, 5_000, 70_000]
BUCKET, VAULT, HERE, THERE, SET, LOGS = "crash", "vault", "here", "there", "configured", "logs"
MODES = [
    {},
    {"ServerSideEncryption": "aws:kms"},
    {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True},
    {"ServerSideEncryption": "aws:kms:dsse"},
]
DOWN = (BotoCoreError, HTTPClientError, OSError, http.client.HTTPException)
NOT_THERE = ("NoSuchKey", "NoSuchVersion", "404")
NOT_CONFIGURED = (
    "NoSuchCORSConfiguration",
    "NoSuchWebsiteConfiguration",
    "NoSuchConfiguration",
    "NoSuchLifecycleConfiguration",
    "ReplicationConfigurationNotFoundError",
    "NoSuchTagSet",
)


def only(error, *codes):
    """This refusal may be only one of these."""
    if error.response["Error"]["Code"] not in codes:
        raise error


class Worker(threading.Thread):
    """Does one thing after the other until the server is gone."""

    bucket = BUCKET

    def __init__(self, name):
        super().__init__()
        self.label, self.known, self.open, self.touched, self.told = name, {}, {}, set(), set()
        self.acknowledged, self.fault = 0, None

    def begin(self, server, seed, stop):
        """A thread that goes on where this one was stopped."""
        after = type(self)(self.label)
        after.known, after.told, after.acknowledged = self.known, self.told, self.acknowledged
        after.server, after.s3 = server, sdk.client(server)
        after.random, after.stop = random.Random(seed), stop
        after.start()
        return after

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except DOWN:
            pass  # the server is gone: what was under way stays in `open`
        except (ClientError, AssertionError) as error:
            # A refusal is no crash: nothing here may be refused.
            self.fault = error

    def attempt(self, place, state, call, tells=True):
        """Brings a place to a state; gives the answer."""
        self.open[place] = [self.known.get(place), state]
        self.touched.add(place)
        answer = call()
        self.known[place] = state
        del self.open[place]
        self.acknowledged += 1
        if tells:
            self.told.add(answer["ResponseMetadata"]["RequestId"])
        return answer

    def settle(self, everything=False):
        """After a restart: what was touched, or all, is as it may be."""
        self.s3 = sdk.client(self.server)
        for place in sorted(self.known.keys() | self.open.keys() if everything else self.touched | self.open.keys()):
            allowed = self.open.get(place, [self.known.get(place)])
            self.known[place] = self.found(place, allowed)
        self.open.clear()
        self.touched.clear()

    def found(self, place, allowed):
        """Which of the states that a place may be in it is in."""
        got = self.look(place)
        assert got in allowed, f"{self.label}: {place} is {got}, allowed {allowed}"
        return got


class Objects(Worker):
    """Writes, overwrites, copies and deletes; a state is (size, seed) of the content, None if there is no object."""

    def step(self):
        key = f"{self.label}/{self.random.randrange(40):03}"
        action = self.random.choices(["put", "delete", "copy", "upload", "form"], [12, 3, 3, 1, 3])[0]
        existing = sorted(k for k, content in self.known.items() if content is not None)
        if action == "copy" and not existing:
            action = "put"
        content = (self.random.choice(SIZES), f"{key}/{self.random.getrandbits(48)}")
        where = dict(Bucket=self.bucket, Key=key)
        if action == "put":
            mode = self.random.choice(MODES)
            self.attempt(key, content, lambda: self.s3.put_object(Body=blob(*content), **where, **mode))
        elif action == "delete":
            # Of what is not there nothing is told.
            tells = self.known.get(key) is not None
            self.attempt(key, None, lambda: self.s3.delete_object(**where), tells)
        elif action == "copy":
            source = self.random.choice(existing)
            # With new metadata, since a copy onto itself that changes nothing is refused.
            new = dict(MetadataDirective="REPLACE", Metadata={"n": content[1][-6:]})
            source_name = f"{self.bucket}/{source}"
            self.attempt(key, self.known[source], lambda: self.s3.copy_object(CopySource=source_name, **where, **new))
        elif action == "upload":
            content = (5 * MIB + 1000, content[1])
            body = blob(*content)
            parts = [body[: 5 * MIB], body[5 * MIB :]]
            self.attempt(key, content, lambda: sdk.upload(self.s3, self.bucket, key, parts))
        else:
            self.attempt(key, content, lambda: self.form(key, content))

    def form(self, key, content):
        got = post(self.server, self.bucket, [("key", key)], blob(*content))
        assert got.status == 204, got
        return {"ResponseMetadata": {"RequestId": got.headers["x-amz-request-id"]}}

    def found(self, key, allowed):
        got = read(self.s3, self.bucket, key)
        fits = [one for one in allowed if (None if one is None else blob(*one)) == got]
        assert fits, f"{key} is {got and len(got)} bytes, allowed {allowed}"
        return fits[0]


def read(s3, bucket, key):
    try:
        got = s3.get_object(Bucket=bucket, Key=key)
        body = got["Body"].read()
        assert len(body) == got["ContentLength"]
        return body
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise


class Tags(Worker):
    """Sets and takes away tags of objects in the bucket that is replicated; a state is the tags, None if there is no
    object.
    """

    bucket = HERE

    def step(self):
        key = f"{self.label}/{self.random.randrange(8)}"
        where = dict(Bucket=self.bucket, Key=key)
        tags = {f"t{n}": str(self.random.getrandbits(20)) for n in range(self.random.randrange(1, 4))}
        action = self.random.choices(["put", "tag", "untag", "delete"], [3, 6, 2, 1])[0]
        if self.known.get(key) is None:
            action = "put"
        if action == "put":
            said = "&".join(f"{name}={value}" for name, value in tags.items())
            body, mode = blob(self.random.choice(SMALL), key), self.random.choice(MODES)
            self.attempt(key, tags, lambda: self.s3.put_object(Body=body, Tagging=said, **where, **mode))
        elif action == "tag":
            pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
            self.attempt(key, tags, lambda: self.s3.put_object_tagging(Tagging={"TagSet": pairs}, **where))
        elif action == "untag":
            self.attempt(key, {}, lambda: self.s3.delete_object_tagging(**where))
        else:
            self.attempt(key, None, lambda: self.s3.delete_object(**where))

    def look(self, key):
        return tags_of(self.s3, self.bucket, key)


def tags_of(s3, bucket, key, **version):
    try:
        got = s3.get_object_tagging(Bucket=bucket, Key=key, **version)["TagSet"]
    except ClientError as error:
        only(error, *NOT_THERE, "MethodNotAllowed")
        return None
    return {tag["Key"]: tag["Value"] for tag in got}


class Locks(Worker):
    """Locks versions in every way and tries to be rid of them, while a lifecycle rule deletes whatever it may.

    A place is (key, version id), a state (mode, until, hold); None if the version is gone.
    """

    bucket = VAULT
    START = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)

    def step(self):
        versions = sorted(place for place, state in self.known.items() if state is not None)
        actions = {"put": 4, "hold": 3, "retain": 3, "delete": 3, "bypass": 2}
        action = self.random.choices(list(actions), actions.values())[0] if len(versions) > 5 else "put"
        if action == "put":
            return self.put()
        place = self.random.choice(versions)
        mode, until, hold = self.known[place]
        where = dict(Bucket=self.bucket, Key=place[0], VersionId=place[1])
        later = (until or self.START) + datetime.timedelta(days=self.random.randrange(1, 30))
        if action == "hold":
            status = {"Status": "OFF" if hold else "ON"}
            call, state = lambda: self.s3.put_object_legal_hold(LegalHold=status, **where), (mode, until, not hold)
        elif action == "retain":
            mode = mode or self.random.choice(["GOVERNANCE", "COMPLIANCE"])
            retention = {"Mode": mode, "RetainUntilDate": later}
            call = lambda: self.s3.put_object_retention(Retention=retention, **where)  # noqa: E731
            state = (mode, later, hold)
        else:
            more = {"BypassGovernanceRetention": True} if action == "bypass" else {}
            call, state = lambda: self.s3.delete_object(**where, **more), None
            if hold or mode == "COMPLIANCE" or (mode and not more):
                self.refused(call)
                return None
        try:
            self.attempt(place, state, call, tells=False)
        except ClientError as error:
            # What nothing locks the rule may have deleted.
            only(error, *([] if locks(self.known[place]) else ["NoSuchVersion"]))
            self.open.pop(place)
            self.known[place] = None

    def put(self):
        key = f"{self.label}/{self.random.randrange(6)}"
        mode = self.random.choice([None, "GOVERNANCE", "COMPLIANCE"])
        hold = self.random.random() < 0.3
        lock = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": self.START} if mode else {}
        lock |= {"ObjectLockLegalHoldStatus": "ON"} if hold else {}
        made = self.s3.put_object(Bucket=self.bucket, Key=key, Body=key.encode(), **lock)
        # The id of one without an answer is not known: it is there or not.
        place = (key, made["VersionId"])
        self.known[place] = (mode, self.START if mode else None, hold)
        self.touched.add(place)
        self.acknowledged += 1

    def refused(self, call):
        try:
            answer = call()
        except ClientError as error:
            only(error, "AccessDenied")
        else:
            raise AssertionError(f"a locked version was deleted: {answer}")

    def look(self, place):
        key, version = place
        try:
            got = self.s3.head_object(Bucket=self.bucket, Key=key, VersionId=version)
        except ClientError as error:
            only(error, *NOT_THERE)
            return None
        assert got["ContentLength"] == len(key)
        hold = got.get("ObjectLockLegalHoldStatus") == "ON"
        return got.get("ObjectLockMode"), got.get("ObjectLockRetainUntilDate"), hold

    def found(self, place, allowed):
        got = self.look(place)
        gone = any(state is None or not locks(state) for state in allowed)
        assert got in allowed or (got is None and gone), f"{place} is locked as {got}, allowed {allowed}"
        return got


def locks(state):
    """Whether a state keeps a version from lifecycle rules: only no retention and no hold lets it go."""
    return bool(state and (state[0] or state[2]))


class Configurations(Worker):
    """Puts and deletes what a bucket is configured to do; a state is the configuration, None if there is none."""

    def __init__(self, name):
        super().__init__(name)
        self.bucket = SET

    def step(self):
        kind = self.random.choice(sorted(KINDS))
        number = self.random.randrange(1_000_000)
        if self.known.get(kind) is None or self.random.random() < 0.8:
            state, call = KINDS[kind].put(self, number)
        else:
            state, call = None, KINDS[kind].delete(self)
        self.attempt(kind, state, call, tells=False)

    def look(self, kind):
        try:
            return KINDS[kind].get(self)
        except ClientError as error:
            only(error, *NOT_CONFIGURED)
            return None


class Kind:
    """A configuration as boto3 names it. `make` gives one that bears a number; `kept` is what of the answer is it."""

    def __init__(self, call, argument, make, empty=None, named=False):
        self.call, self.argument, self.make, self.empty, self.named = call, argument, make, empty, named

    def names(self, worker):
        return dict(Bucket=worker.bucket) | ({"Id": "one"} if self.named else {})

    def put(self, worker, number):
        state = self.make(number)
        call = getattr(worker.s3, f"put_bucket_{self.call}")
        return state, lambda: call(**self.names(worker), **{self.argument: state})

    def delete(self, worker):
        if self.empty is not None:
            call = getattr(worker.s3, f"put_bucket_{self.call}")
            return lambda: call(**self.names(worker), **{self.argument: self.empty})
        call = getattr(worker.s3, f"delete_bucket_{self.call.removesuffix('_configuration')}", None)
        call = call or getattr(worker.s3, f"delete_bucket_{self.call}")
        return lambda: call(**self.names(worker))

    def get(self, worker):
        got = getattr(worker.s3, f"get_bucket_{self.call}")(**self.names(worker))
        got = got.get(self.argument, got)
        # Of what is given back only what is put.
        got.pop("ResponseMetadata", None), got.pop("TransitionDefaultMinimumObjectSize", None)
        return got or None


def inventory(number):
    to = {"Bucket": f"arn:aws:s3:::{LOGS}", "Format": "CSV", "Prefix": f"lists/{number}"}
    return {
        "Id": "one",
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "Schedule": {"Frequency": "Daily"},
        "OptionalFields": ["Size", "ETag"],
        "Destination": {"S3BucketDestination": to},
    }


def lifecycle(number):
    expire = {"Filter": {"Prefix": f"{number}/"}, "Expiration": {"Days": 1}}
    return {"Rules": [{"ID": str(number), "Status": "Enabled", **expire}]}


def replication(number):
    rule = {"ID": str(number), "Priority": 1, "Status": "Enabled", "Filter": {"Prefix": f"{number}/"}}
    to = {"DeleteMarkerReplication": {"Status": "Disabled"}, "Destination": {"Bucket": f"arn:aws:s3:::{THERE}"}}
    return {"Role": "arn:aws:iam::111122223333:role/replicator", "Rules": [rule | to]}


QUEUE = "arn:aws:sqs:us-east-1:111122223333:orders"
KINDS = {
    "cors": Kind(
        "cors",
        "CORSConfiguration",
        lambda n: {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": [f"https://{n}.example.com"]}]},
    ),
    "website": Kind("website", "WebsiteConfiguration", lambda n: {"IndexDocument": {"Suffix": f"{n}.html"}}),
    "logging": Kind(
        "logging",
        "BucketLoggingStatus",
        lambda n: {"LoggingEnabled": {"TargetBucket": LOGS, "TargetPrefix": f"configured/{n}/"}},
        empty={},
    ),
    "inventory": Kind("inventory_configuration", "InventoryConfiguration", inventory, named=True),
    "lifecycle": Kind("lifecycle_configuration", "LifecycleConfiguration", lifecycle),
    "notification": Kind(
        "notification_configuration",
        "NotificationConfiguration",
        lambda n: {
            "QueueConfigurations": [{"Id": str(n), "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}],
        },
        empty={},
    ),
    "replication": Kind("replication", "ReplicationConfiguration", replication),
    "tagging": Kind("tagging", "Tagging", lambda n: {"TagSet": [{"Key": "n", "Value": str(n)}]}),
}


def versions_of(s3, bucket):
    """(key, version id, is a delete marker) of all versions."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    return {
        (one["Key"], one["VersionId"], kind == "DeleteMarkers")
        for page in pages
        for kind in ("Versions", "DeleteMarkers")
        for one in page.get(kind, [])
    }


def log_objects(s3, prefix="requests/"):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=LOGS, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]
