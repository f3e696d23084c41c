"""kill -9 of the key module, again and again: every key is whole or absent, and all that was acknowledged holds."""

import datetime
import json
import os
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.crt.auth
from botocore.compat import get_current_datetime
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import sdk
from gateway import BINARY, clean_environment

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))
SEED = int(os.environ.get("CRASH_SEED", "20261125"))
WORKERS = 4
DOWN = (BotoCoreError, HTTPClientError, OSError)
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
# What the trusted clock takes from a start: each start is so much later than the one before.
STEP = datetime.timedelta(days=3)


class Clock:
    """The wall clock of the gateway and of its clients, set ahead."""

    def __init__(self, directory, patch):
        self.ahead = datetime.timedelta()
        self.library = directory / "wall_clock.so"
        source = Path(__file__).with_name("wall_clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.library, source, "-ldl"], check=True)
        patch.setattr(botocore.crt.auth, "get_current_datetime", self.now)

    def now(self, **how):
        return get_current_datetime(**how) + self.ahead

    def set_ahead(self, gateway):
        """To be called while the gateway is down."""
        self.ahead += STEP
        seconds = int(self.ahead.total_seconds())
        gateway.environment |= {"LD_PRELOAD": self.library, "CLOCK_AHEAD_SECONDS": seconds}


class World:
    """What the server has acknowledged, and what it was asked for when it died."""

    def __init__(self):
        # Ciphertext -> the key that must open it.
        self.boxes = {}
        self.aliases = {}
        # Keys whose deletion was acknowledged, with a ciphertext of theirs; those where it may have happened.
        self.doomed, self.undecided = {}, set()

    def take(self, other):
        self.boxes |= other.boxes
        self.aliases |= other.aliases
        self.doomed |= other.doomed
        self.undecided |= other.undecided
        for gone in self.undecided | self.doomed.keys():
            self.boxes = {box: key for box, key in self.boxes.items() if key != gone}
            self.aliases = {name: key for name, key in self.aliases.items() if key != gone}


class Manager(threading.Thread):
    """Makes keys of its own and changes them until the server is gone."""

    def __init__(self, kms, seed):
        super().__init__()
        self.kms, self.random, self.known, self.fault = kms, random.Random(seed), World(), None

    def run(self):
        try:
            while True:
                self.step()
        except DOWN:
            pass  # the server is gone
        except ClientError as error:
            # A refusal is no crash: nothing here may be refused.
            self.fault = error

    def step(self):
        key_id = self.random.choice([self.created, self.replicated, self.imported])()
        for _ in range(self.random.randrange(1, 4)):
            box = self.kms.encrypt(KeyId=key_id, Plaintext=key_id.encode())["CiphertextBlob"]
            self.known.boxes[box] = key_id
            if self.random.randrange(2):
                self.alias(key_id)
        if self.random.randrange(2):
            self.doom(key_id, box)

    def created(self):
        key_id = self.kms.create_key()["KeyMetadata"]["KeyId"]
        for _ in range(self.random.randrange(3)):
            self.kms.rotate_key_on_demand(KeyId=key_id)
        return key_id

    def replicated(self):
        key_id = self.kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        self.kms.replicate_key(KeyId=key_id, ReplicaRegion="us-west-2")
        self.kms.rotate_key_on_demand(KeyId=key_id)
        return key_id

    def imported(self):
        key_id = self.kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
        self.bring_in(key_id)
        if self.random.randrange(2):
            self.bring_in(key_id, ImportType="NEW_KEY_MATERIAL")
            self.kms.rotate_key_on_demand(KeyId=key_id)
        return key_id

    def bring_in(self, key_id, **more):
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        parameters = self.kms.get_parameters_for_import(KeyId=key_id, **wrapping)
        public = serialization.load_der_public_key(parameters["PublicKey"])
        self.kms.import_key_material(
            KeyId=key_id,
            ImportToken=parameters["ImportToken"],
            EncryptedKeyMaterial=public.encrypt(os.urandom(32), OAEP),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
            **more,
        )

    def alias(self, key_id):
        """A new one, or one of this worker's that now names this key."""
        mine = sorted(self.known.aliases)
        if mine and self.random.randrange(3) == 0:
            name = self.random.choice(mine)
            del self.known.aliases[name]
            if self.random.randrange(2):
                self.kms.delete_alias(AliasName=name)
                return
            self.kms.update_alias(AliasName=name, TargetKeyId=key_id)
        else:
            name = f"alias/{key_id}/{self.random.getrandbits(32):08x}"
            self.kms.create_alias(AliasName=name, TargetKeyId=key_id)
        self.known.aliases[name] = key_id

    def doom(self, key_id, box):
        """Schedules the deletion; of some keys only to cancel it."""
        self.known.undecided.add(key_id)
        self.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
        if self.random.randrange(3) == 0:
            self.kms.cancel_key_deletion(KeyId=key_id)
            self.kms.enable_key(KeyId=key_id)
            box = self.kms.encrypt(KeyId=key_id, Plaintext=key_id.encode())["CiphertextBlob"]
            self.known.undecided.remove(key_id)
            self.known.boxes[box] = key_id
        else:
            self.known.undecided.remove(key_id)
            self.known.doomed[key_id] = box


def rotate_store_key(server):
    return subprocess.Popen(
        [BINARY, "root", "rotate", "--config", server.settings],
        env=clean_environment(**server.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def load(server, kms, dice):
    """Work, a rotation of the store key in the midst of it, the end; gives what was acknowledged."""
    managers = [Manager(kms, dice.getrandbits(32)) for _ in range(WORKERS)]
    for manager in managers:
        manager.start()
    time.sleep(dice.uniform(0.2, 0.8))
    rotation = rotate_store_key(server)
    time.sleep(dice.uniform(0.0, 0.4))
    server.kill()
    rotation.wait(30)
    acknowledged = World()
    for manager in managers:
        manager.join()
        assert manager.fault is None, manager.fault
        acknowledged.take(manager.known)
    return acknowledged


def keys_of(kms):
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1000})
    return {key["KeyId"] for page in pages for key in page["Keys"]}


def check(kms, west, world, boxes, seen=frozenset()):
    """All that is there is whole, but for what was `seen` before; all that `world` knows is there; `boxes` open."""
    # Keys first: with a key that ends meanwhile its aliases go too.
    listed = keys_of(kms)
    pages = kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 100})
    aliases = {a["AliasName"]: a["TargetKeyId"] for page in pages for a in page["Aliases"] if "TargetKeyId" in a}
    assert world.aliases.items() <= aliases.items()
    assert set(aliases.values()) <= listed

    def opens(item):
        box, key_id = item
        assert kms.decrypt(CiphertextBlob=box)["Plaintext"] == key_id.encode()

    def is_destroyed(item):
        return item[0] if end_of(kms, *item) else None

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(opens, boxes.items()))
        destroyed = set(pool.map(is_destroyed, world.doomed.items())) - {None}
        list(pool.map(lambda key_id: check_whole(kms, west, key_id, world), listed - seen))
    return listed, destroyed


def end_of(kms, key_id, box):
    """A key whose deletion was acknowledged waits or is gone, and opens nothing. Says whether it is gone."""
    state = state_of(kms, key_id)
    assert state in ("PendingDeletion", "PendingReplicaDeletion", None), state
    code = sdk.refusal(kms.decrypt, CiphertextBlob=box).code
    # Its time may be up between the two calls.
    assert code == "AccessDeniedException" or (state and code == "KMSInvalidStateException"), code
    return state is None


def state_of(kms, key_id):
    """None is a key that does not exist."""
    try:
        return kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
    except kms.exceptions.NotFoundException:
        return None


def check_whole(kms, west, key_id, world):
    state = state_of(kms, key_id)
    if state != "Enabled":
        may_wait = key_id in world.doomed or key_id in world.undecided
        assert may_wait or state == "PendingImport", (key_id, state)
        return
    assert key_id not in world.doomed
    kms.get_key_policy(KeyId=key_id)
    metadata = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    box = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    for region in [key["Region"] for key in metadata.get("MultiRegionConfiguration", {}).get("ReplicaKeys", [])]:
        assert region == "us-west-2" and west.decrypt(CiphertextBlob=box)["Plaintext"] == b"x"


def check_trail(server, listed, destroyed, world):
    """A key and the record of its making are there together or not at all; so are its end and that record."""
    assert "chain whole" in server.command("audit", "verify").stdout
    records = [json.loads(line)["record"] for line in server.command("audit", "export", "-").stdout.splitlines()]
    here = [r for r in records if r["awsRegion"] == "us-east-1" and "errorCode" not in r]
    made = [r["responseElements"]["keyMetadata"]["keyId"] for r in here if r["eventName"] == "CreateKey"]
    ended = [r["serviceEventDetails"]["keyId"] for r in here if r["eventName"] == "DeleteKey"]
    assert len(set(made)) == len(made) and len(set(ended)) == len(ended)
    assert set(made) == listed | set(ended)
    assert destroyed <= set(ended) <= world.doomed.keys() | world.undecided


def test_kill_9_leaves_every_key_whole_or_absent(own_server, tmp_path, monkeypatch):
    dice, world, last, clock = random.Random(SEED), World(), World(), Clock(tmp_path, monkeypatch)
    kms, west = sdk.client(own_server, "kms"), sdk.client(own_server, "kms", region="us-west-2")
    own_server.kill()
    seen = set()
    for _ in range(ROUNDS):
        own_server.start()
        seen, _ = check(kms, west, world, last.boxes, seen)
        last = load(own_server, kms, dice)
        world.take(last)
        clock.set_ahead(own_server)
        if dice.randrange(2):
            # The first thing that a gateway does is what has become due.
            own_server.start()
            own_server.kill()
    own_server.start()
    listed, destroyed = check(kms, west, world, world.boxes)
    assert own_server.stop() == 0
    check_trail(own_server, listed, destroyed, world)
    assert destroyed, "keys came to their end"
    # The log of all processes of this gateway.
    assert own_server.log().count("the older generation of the store key is gone") > 1
    assert "panicked" not in own_server.log()
