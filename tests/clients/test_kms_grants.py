"""boto3 and aws-cli: grants of KMS keys."""

import json
import os
import random
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

import sdk
from gateway import MAIN
from programs import AWS_V2, aws_environment, find, run
from sdk import assert_refused, refusal

ROOT = f"arn:aws:iam::{MAIN.account}:root"
APP = f"arn:aws:iam::{MAIN.account}:user/app"
ADMIN = f"arn:aws:iam::{MAIN.account}:user/grants-admin"
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "6"))


def grants_of(kms, key_id, size=50, **filters):
    pages = kms.get_paginator("list_grants").paginate(KeyId=key_id, **filters, PaginationConfig={"PageSize": size})
    return [grant for page in pages for grant in page["Grants"]]


def retirable(kms, principal, size=50):
    pages = kms.get_paginator("list_retirable_grants")
    pages = pages.paginate(RetiringPrincipal=principal, PaginationConfig={"PageSize": size})
    return {grant["GrantId"] for page in pages for grant in page["Grants"]}


def test_a_grant_from_its_beginning_to_its_end(kms, fresh_key):
    key_id, arn = fresh_key["KeyId"], fresh_key["Arn"]
    terms = {
        "KeyId": key_id,
        "GranteePrincipal": APP,
        "RetiringPrincipal": ADMIN,
        "Operations": ["Decrypt", "GenerateDataKey", "DescribeKey"],
        "Constraints": {"EncryptionContextSubset": {"Department": "IT"}},
        "Name": "app-may-decrypt",
    }
    assert refusal(kms.create_grant, **terms, DryRun=True).code == "DryRunOperationException"
    assert grants_of(kms, key_id) == []
    made, again = kms.create_grant(**terms), kms.create_grant(**terms)
    assert made["GrantId"] == again["GrantId"]
    assert made["GrantToken"] != again["GrantToken"]
    (listed,) = grants_of(kms, key_id)
    listed.pop("CreationDate")
    assert listed == terms | {"KeyId": arn, "GrantId": made["GrantId"], "IssuingAccount": ROOT}
    assert made["GrantId"] in retirable(kms, ADMIN)
    box = kms.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=[made["GrantToken"], again["GrantToken"]])
    assert kms.decrypt(CiphertextBlob=box["CiphertextBlob"], GrantTokens=[made["GrantToken"]])["Plaintext"] == b"x"
    assert refusal(kms.retire_grant, GrantToken=made["GrantToken"], DryRun=True).code == "DryRunOperationException"
    kms.retire_grant(GrantToken=again["GrantToken"])
    assert grants_of(kms, key_id) == []
    assert made["GrantId"] not in retirable(kms, ADMIN)
    assert_refused(
        lambda: kms.revoke_grant(KeyId=key_id, GrantId=made["GrantId"]),
        400,
        "NotFoundException",
        f"Grant ID {made['GrantId']} does not exist",
    )
    assert kms.create_grant(**terms)["GrantId"] != made["GrantId"]


def test_pages(kms, fresh_key):
    key_id = fresh_key["KeyId"]
    principal = f"arn:aws:iam::{MAIN.account}:user/pages-admin"

    def make(n):
        grantee = (APP, ADMIN)[n % 2]
        made = kms.create_grant(
            KeyId=key_id, GranteePrincipal=grantee, RetiringPrincipal=principal, Operations=["Encrypt"]
        )
        return made["GrantId"], grantee

    made = dict(make(n) for n in range(60))
    for size in (7, 60, 100):
        listed = {grant["GrantId"]: grant["GranteePrincipal"] for grant in grants_of(kms, key_id, size)}
        assert listed == made
    assert len(kms.list_grants(KeyId=key_id)["Grants"]) == 50
    assert {grant["GrantId"] for grant in grants_of(kms, key_id, 7, GranteePrincipal=APP)} == {
        grant for grant, grantee in made.items() if grantee == APP
    }
    assert retirable(kms, principal, 7) == set(made)
    one = next(iter(made))
    assert [grant["GrantId"] for grant in grants_of(kms, key_id, GrantId=one)] == [one]
    kms.revoke_grant(KeyId=key_id, GrantId=one)
    assert grants_of(kms, key_id, GrantId=one) == []
    marker = kms.list_grants(KeyId=key_id, Limit=5)["NextMarker"]
    for wrong in (marker[:-2], marker + "A", "x"):
        assert refusal(kms.list_grants, KeyId=key_id, Marker=wrong).code == "InvalidMarkerException"
    assert refusal(kms.list_keys, Marker=marker).code == "InvalidMarkerException"


def test_a_grant_to_a_service(kms):
    key_id = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    parties = {"GranteeServicePrincipal": "s3.amazonaws.com", "RetiringServicePrincipal": "s3.amazonaws.com"}
    terms = {"KeyId": key_id, "Operations": ["GenerateMac"], **parties}
    assert refusal(kms.create_grant, **terms).code == "ValidationException"
    constraints = {"SourceArn": f"arn:aws:dynamodb:us-east-1:{MAIN.account}:table/T"}
    kms.create_grant(**terms, Constraints=constraints)
    (listed,) = grants_of(kms, key_id, GranteeServicePrincipal="s3.amazonaws.com")
    assert listed.items() >= (parties | {"Constraints": constraints}).items()
    assert "GranteePrincipal" not in listed and "RetiringPrincipal" not in listed


def least(shape):
    """Some value of a shape: what its call needs to get as far as its grant tokens."""
    if shape.type_name == "structure":
        return {name: least(shape.members[name]) for name in shape.required_members}
    values = {"string": (shape.metadata.get("enum") or ["x"])[0], "blob": b"x", "list": [], "integer": 1}
    return values[shape.type_name]


def code_of(call, **given):
    try:
        call(**given)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def test_every_operation_with_grant_tokens_checks_them(kms, fresh_key):
    made = kms.create_grant(KeyId=fresh_key["KeyId"], GranteePrincipal=APP, Operations=["Encrypt"])
    token = made["GrantToken"]
    model, asked = kms.meta.service_model, []
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        if "GrantTokens" not in shape.members:
            continue
        given = least(shape)
        for member in ("KeyId", "SourceKeyId", "DestinationKeyId"):
            if member in given:
                given[member] = fresh_key["KeyId"]
        if name in ("Decrypt", "ReEncrypt"):
            given["CiphertextBlob"] = b"x"
        if name == "CreateGrant":
            given |= {"GranteePrincipal": APP, "Operations": ["Encrypt"]}
        call = getattr(kms, {v: k for k, v in kms.meta.method_to_api_mapping.items()}[name])
        for tokens in (["x"], [token, "x"], [token[:-4]], [token.swapcase()]):
            got = refusal(call, **given, GrantTokens=tokens)
            assert got.code == "InvalidGrantTokenException", (name, got)
        assert "Token" not in code_of(call, **given, GrantTokens=[token]), name
        asked.append(name)
    assert len(asked) == 17, asked


@pytest.mark.parametrize("version", [1, 2])
def test_aws_cli(server, kms, version):
    aws = find("aws") if version == 1 else AWS_V2
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]

    def call(line):
        done = run([aws, "kms", *line.split(), "--output", "json"], aws_environment(server))
        return json.loads(done.stdout) if done.stdout else None

    terms = f"--key-id {key_id} --operations Decrypt Encrypt --retiring-principal {ADMIN}"
    first = call(f"create-grant {terms} --grantee-principal {APP} --constraints EncryptionContextEquals={{a=b}}")
    second = call(f"create-grant {terms} --grantee-principal {APP} --name n")
    listed = call(f"list-grants --key-id {key_id} --grantee-principal {APP} --page-size 1")["Grants"]
    assert {grant["GrantId"] for grant in listed} == {first["GrantId"], second["GrantId"]}
    assert {"EncryptionContextEquals": {"a": "b"}} in [grant.get("Constraints") for grant in listed]
    found = call(f"list-retirable-grants --retiring-principal {ADMIN}")["Grants"]
    assert {first["GrantId"], second["GrantId"]} <= {grant["GrantId"] for grant in found}
    call(f"describe-key --key-id {key_id} --grant-tokens {first['GrantToken']}")
    call(f"retire-grant --grant-token {first['GrantToken']}")
    call(f"revoke-grant --key-id {key_id} --grant-id {second['GrantId']}")
    assert call(f"list-grants --key-id {key_id}")["Grants"] == []


class Granter(threading.Thread):
    """Makes and ends grants until the server is gone. `made` is what must be there, `ended` what must not."""

    def __init__(self, server, key_id, seed):
        super().__init__()
        self.server, self.key_id, self.random = server, key_id, random.Random(seed)
        self.made, self.ended, self.fault = set(), set(), None

    def run(self):
        kms = sdk.client(self.server, "kms")
        try:
            while True:
                self.step(kms)
        except (BotoCoreError, HTTPClientError, OSError):
            pass  # the server is gone
        except ClientError as error:
            self.fault = error

    def step(self, kms):
        made = kms.create_grant(
            KeyId=self.key_id, GranteePrincipal=APP, RetiringPrincipal=ADMIN, Operations=["Encrypt"]
        )
        self.made.add(made["GrantId"])
        if self.random.randrange(2):
            # From here on it is not known, until there is an answer.
            self.made.remove(made["GrantId"])
            kms.revoke_grant(KeyId=self.key_id, GrantId=made["GrantId"])
            self.ended.add(made["GrantId"])


def test_kill_9_leaves_every_grant_whole_or_absent(own_server):
    key_id = sdk.client(own_server, "kms").create_key()["KeyMetadata"]["KeyId"]
    made, ended = set(), set()
    for number in range(ROUNDS):
        granters = [Granter(own_server, key_id, number * 10 + worker) for worker in range(4)]
        for granter in granters:
            granter.start()
        threading.Event().wait(random.Random(number).uniform(0.2, 0.8))
        own_server.kill()
        for granter in granters:
            granter.join()
            assert granter.fault is None, granter.fault
            made |= granter.made
            ended |= granter.ended
        own_server.start()
        kms = sdk.client(own_server, "kms")
        listed = {grant["GrantId"] for grant in grants_of(kms, key_id)}
        assert made <= listed and not ended & listed
        assert retirable(kms, ADMIN) == listed, "both ways lead to the same grants"
        assert {grant["GrantId"] for grant in grants_of(kms, key_id, GranteePrincipal=APP)} == listed
    assert made and ended
    for grant in listed:
        kms.revoke_grant(KeyId=key_id, GrantId=grant)
    assert retirable(kms, ADMIN) == set()
    assert own_server.stop() == 0
