"""Every member of every operation of the KMS model, beyond each of its limits and of each wrong type: what is refused
names the member, and a body that is no such thing is a SerializationException."""

import base64
import hashlib
import json

import botocore.session
import pytest

from raw import Raw

MODEL = botocore.session.Session().get_service_model("kms")
# A form of the model that no request needs to be given, but which must not be ignored where it is.
ATTESTATION = "Recipient"
# Refused as a whole before their form is looked at: there are no VPC endpoint services outside AWS.
NOT_READ = {"XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner"}
NAMES_OF_KEYS = ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId")
# Patterns that take all that a body can hold here.
LOOSE = ("[\\u0020-\\u00FF]*", "[\\w]+")
VALIDATION, SERIALIZATION = "ValidationException", "SerializationException"


def legal(shape, name, key_id):
    """A value of a member that its own rules allow."""
    least = max(1, shape.metadata.get("min", 1))
    if shape.type_name == "list":
        return [legal(shape.member, name, key_id)]
    if shape.type_name == "structure":
        return {inner: legal(member, inner, key_id) for inner, member in shape.members.items()}
    if shape.type_name == "string":
        named = dict.fromkeys(NAMES_OF_KEYS, key_id) | dict.fromkeys(("ReplicaRegion", "PrimaryRegion"), "us-west-2")
        named |= {"AliasName": "alias/x", "Policy": "{}"}
        return shape.enum[0] if shape.enum else named.get(name, "a" * least)
    others = {"blob": base64.b64encode(b"x" * least).decode(), "integer": least, "boolean": False}
    return (others | {"timestamp": 1_900_000_000, "map": {"a": "b"}})[shape.type_name]


def of_wrong_types(shape):
    wrong = {
        "string": (1, True, [], {}),
        "blob": (1, True, [], {}, "!!!"),
        "integer": ("1", True, [], {}, 1.5),
        "boolean": ("true", 1, [], {}),
        "timestamp": ("x", True, [], {}),
        "list": ("x", 1, True, {}),
        "map": ("x", 1, True, [], {"a": 1}, {"a": []}),
        "structure": ("x", 1, True, []),
    }
    return wrong[shape.type_name]


def beyond(shape, name, key_id):
    """Values on the far side of each limit."""
    limits, kind = shape.metadata, shape.type_name
    least, most = limits.get("min"), limits.get("max")
    if kind == "string" and shape.enum:
        yield "NO_SUCH_WORD"
    elif kind in ("string", "blob"):
        text = (lambda n: "a" * n) if kind == "string" else (lambda n: base64.b64encode(b"x" * n).decode())
        if least:
            yield text(least - 1)
        if most:
            yield text(most + 1)
        if limits.get("pattern") not in (None, *LOOSE):
            yield "\u20ac" * max(1, least or 1)
    elif kind == "integer":
        yield from (least - 1, most + 1)
    elif kind == "list":
        if least:
            yield []
        if most:
            yield [legal(shape.member, name, key_id)] * (most + 1)
        if shape.member.type_name == "string" and shape.member.enum:
            yield ["NO_SUCH_WORD"]
        if shape.member.type_name == "structure":
            item = legal(shape.member, name, key_id)
            yield from ([{k: v for k, v in item.items() if k != absent}] for absent in shape.member.required_members)


def broken_inside(shape, name, key_id):
    """Lists and structures whose own form is right and whose content's is not."""
    if shape.type_name == "list":
        yield from ([wrong] for wrong in of_wrong_types(shape.member))
        if shape.member.type_name == "structure":
            yield from ([item] for item in broken_inside(shape.member, name, key_id))
    elif shape.type_name == "structure":
        value = legal(shape, name, key_id)
        for inner, member in shape.members.items():
            yield from (value | {inner: wrong} for wrong in of_wrong_types(member))


def cases(operation, key_id):
    """Request, error and the member that is wrong."""
    shape = MODEL.operation_model(operation).input_shape
    whole = {name: legal(shape.members[name], name, key_id) for name in shape.required_members}
    if operation in ("Decrypt", "ReEncrypt"):
        whole["CiphertextBlob"] = "eA=="
    for name, member in shape.members.items():
        if name in NOT_READ:
            continue
        if name == ATTESTATION:
            yield whole | {name: legal(member, name, key_id)}, "UnsupportedOperationException", name
            continue
        if name in whole and name != "CiphertextBlob" or name in shape.required_members:
            yield {k: v for k, v in whole.items() if k != name}, VALIDATION, name
            yield whole | {name: None}, VALIDATION, name
        for value in beyond(member, name, key_id):
            yield whole | {name: value}, VALIDATION, name
        for value in (*of_wrong_types(member), *broken_inside(member, name, key_id)):
            yield whole | {name: value}, SERIALIZATION, name


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_limits_and_types(server, key, operation):
    raw, count = Raw(server), 0
    headers = {"x-amz-target": f"TrentService.{operation}", "content-type": "application/x-amz-json-1.1"}
    for request, code, member in cases(operation, key["KeyId"]):
        sent = json.dumps(request).encode()
        digest = hashlib.sha256(sent).hexdigest()
        answer = raw.request("POST", "/", headers=headers, body=sent, payload=digest, service="kms")
        body = json.loads(answer.body)
        told = f"{member}: {json.dumps(request)[:200]} was answered {answer.status} {body}"
        assert (answer.status, body.get("__type")) == (400, code), told
        if code == VALIDATION:
            assert member[0].lower() + member[1:] in body["message"], told
        count += 1
    assert count or not MODEL.operation_model(operation).input_shape.members
