"""/metrics as a scraper reads it."""

import http.client
import re
from collections import defaultdict

import pytest

import sdk
from gateway import MAIN, Strongroom, free_port
from modes import CUSTOMER, KMS
from raw import Raw

SAMPLE = re.compile(r'([a-z_0-9]+)(?:\{((?:[a-z_]+="[^"\\\n]*",?)*)\})? (\S+)')
SUFFIXES = {
    "counter": {"_total"},
    "gauge": {""},
    "info": {"_info"},
    "histogram": {"_bucket", "_sum", "_count"},
}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """(content type, text, secrets that went by) of a gateway that has served a little of everything."""
    port = free_port()
    gateway = Strongroom(tmp_path_factory.mktemp("metrics"), extra=f'metrics_listen = "127.0.0.1:{port}"').start()
    s3, kms = sdk.client(gateway), sdk.client(gateway, "kms")
    s3.create_bucket(Bucket="hidden-bucket")
    for args in ({}, {"ServerSideEncryption": KMS}, CUSTOMER):
        s3.put_object(Bucket="hidden-bucket", Key="hidden-key", Body=b"x", **args)
    sdk.body_of(s3, "hidden-bucket", "hidden-key", **CUSTOMER)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    assert sdk.refusal(kms.encrypt, KeyId=key, Plaintext=b"x").code == "DisabledException"
    Raw(gateway).request("GET", "/hidden-bucket", "hidden-query=1", headers={"x-amz-meta-hidden": "1"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert gateway.stop() == 0
    return answer.headers["content-type"], text, ["hidden", MAIN.access_key, MAIN.secret_key, key]


def test_it_is_openmetrics(scraped):
    kind, text, _ = scraped
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("\n# EOF\n")
    types, helps, seen = {}, set(), set()
    buckets = defaultdict(list)
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types
            types[name] = kind
        elif line.startswith("# HELP "):
            helps.add(line.split()[2])
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name, labels, value = found.groups()
            family = next(f for f in types if name.startswith(f) and name[len(f) :] in SUFFIXES[types[f]])
            assert line not in seen and float(value) >= 0
            seen.add(line)
            if name.endswith("_bucket"):
                bound = re.search('le="([^"]+)"', labels).group(1)
                rest = re.sub('le="[^"]+",?', "", labels)
                buckets[family, rest].append((float(bound), float(value)))
    assert helps == set(types) and buckets
    for rows in buckets.values():
        assert rows == sorted(rows) and [count for _, count in rows] == sorted(count for _, count in rows)
        assert rows[-1][0] == float("inf")


def test_what_was_done_is_counted(scraped):
    _, text, _ = scraped
    for line in (
        's3_requests_total{op="PutObject",code="200",sse="sse-s3",cut_by=""} 1',
        's3_requests_total{op="PutObject",code="200",sse="sse-kms",cut_by=""} 1',
        's3_requests_total{op="PutObject",code="200",sse="sse-c",cut_by=""} 1',
        's3_requests_total{op="GetObject",code="200",sse="sse-c",cut_by=""} 1',
        'kms_requests_total{op="Encrypt",result="DisabledException"} 1',
    ):
        assert line in text.splitlines(), line


def test_nobody_and_nothing_is_named(scraped):
    _, text, secrets = scraped
    assert [secret for secret in secrets if secret in text] == []
