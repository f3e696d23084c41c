"""Every file of fixtures/s3/answers is a story: requests as they stand on the wire and what is expected of each answer.

A step:
  send      "METHOD /path?query"; `${name}` is a value kept from an earlier answer, `${md5:text}`, `${sha256:text}` and
            `${crc32:text}` are digests in base64, `${bucket}` and `${other}` two fresh buckets
  headers, body (text) or bytes (so many of the letter a)
  how       "anonymous" or "presigned"; who: "alice" or "other"; region
  status    default 200
  code, message, with     of a refusal: all elements but the ids are listed in `with` ("*": any value)
  has       elements of the answer: the text, a list of all texts, or null for an absent one
  shows     headers: the value, "*" for any, or null for an absent one
  content   the whole body
  keep      name: "Element" or "header:name", for later steps
"""

import base64
import datetime
import hashlib
import json
import re
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conftest import bucket_name
from gateway import ALICE, MAIN, OTHER, REGION, ROOT
from raw import EMPTY_SHA256, UNSIGNED, Reply, presigned

STORIES = sorted((ROOT / "fixtures/s3/answers").glob("*.json"))
WHO = {"main": MAIN, "alice": ALICE, "other": OTHER}
IDS = {"RequestId", "HostId"}
DIGESTS = {
    "md5": lambda data: hashlib.md5(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}


class Story:
    def __init__(self, raw, known):
        self.raw, self.known = raw, known

    def fill(self, value):
        if isinstance(value, dict):
            return {name: self.fill(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return re.sub(r"\$\{([^}]+)\}", self._value, value) if isinstance(value, str) else value

    def _value(self, found):
        name, _, text = found.group(1).partition(":")
        return base64.b64encode(DIGESTS[name](text.encode())).decode() if text else self.known[name]

    def send(self, step):
        method, target = step["send"].split(" ", 1)
        path, _, query = target.partition("?")
        body = b"a" * step["bytes"] if "bytes" in step else step.get("body", "").encode()
        headers, who = step.get("headers", {}), WHO[step.get("who", "main")]
        how, region = step.get("how"), step.get("region", REGION)
        # In the canonical query every name has its sign of equality.
        query = "&".join(pair if "=" in pair else pair + "=" for pair in query.split("&")) if query else ""
        if how is None:
            payload = UNSIGNED if body else EMPTY_SHA256
            return self.raw.request(method, path, query, headers, body, payload, who=who, region=region)
        fields = {"host": self.raw.host, "content-length": len(body)} | headers
        if how == "presigned":
            query = presigned(method, self.raw.host, path, query, who=who, headers=headers)
        return self.raw.send(self.raw.head_bytes(method, path, query, fields.items()) + body, method)

    def play(self, step, at):
        step = self.fill(step)
        got = self.send(step)
        where = f"{at} {step['send']}: {got}"
        assert got.status == step.get("status", 200), where
        head = step["send"].startswith("HEAD ")
        if "code" in step and not head:
            self.check_refusal(step, got, where)
        elif got.body.startswith(b"<?xml"):
            assert local(ElementTree.fromstring(got.body)) != "Error", where
        for name, value in step.get("has", {}).items():
            texts = elements(got, name)
            want = value if isinstance(value, list) else [] if value is None else [value]
            shown = texts if isinstance(value, list) or value is None else texts[:1]
            assert shown == want or (value == "*" and texts), f"{name} of {where}"
        for name, value in step.get("shows", {}).items():
            shown = got.headers.get(name)
            assert shown == value or (value == "*" and shown is not None), f"{name} of {where}"
        if "content" in step:
            assert got.body.decode() == step["content"], where
        for name, place in step.get("keep", {}).items():
            kind, _, header = place.partition(":")
            self.known[name] = got.headers[header] if kind == "header" else elements(got, place)[0]

    def check_refusal(self, step, got, where):
        found = {local(child): child.text or "" for child in ElementTree.fromstring(got.body)}
        assert (found["Code"], found["Message"]) == (step["code"], step["message"]), where
        extra = {name: text for name, text in found.items() if name not in IDS | {"Code", "Message"}}
        expected = step.get("with", {})
        assert extra.keys() == expected.keys(), where
        for name, value in expected.items():
            assert value in ("*", extra[name]), f"{name} of {where}"


def local(element):
    return element.tag.rpartition("}")[2]


def elements(got: Reply, name):
    """Texts of all elements of a name, or of `Parent/Name`."""
    parent, _, name = name.rpartition("/")
    root = ElementTree.fromstring(got.body)
    parents = [e for e in root.iter() if not parent or local(e) == parent]
    found = [child.text or "" for p in parents for child in p if local(child) == name]
    return found or [e.text or "" for e in [root] if local(e) == name]


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(raw, s3, path: Path):
    now = datetime.datetime.now(datetime.UTC)
    known = {"past": "Mon, 01 Jan 2001 00:00:00 GMT", "host": raw.host}
    known |= {"day": now.strftime("%Y%m%d"), "stamp": now.strftime("%Y%m%dT%H%M%SZ")}
    for name in ("bucket", "other"):
        known[name] = bucket_name()
        s3.create_bucket(Bucket=known[name])
    story, faults = Story(raw, known), []
    for number, step in enumerate(json.loads(path.read_text())["steps"]):
        try:
            story.play(step, f"{path.stem} step {number}")
        except (AssertionError, LookupError, ElementTree.ParseError) as fault:
            faults.append(str(fault).splitlines()[0])
    assert not faults, "\n".join(faults)


def test_the_stories_are_there():
    assert len(STORIES) >= 13
