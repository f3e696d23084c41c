"""Cross-origin requests: the configuration, preflights, and what real answers say to browsers."""

import pytest

from browser import make_public, send
from sdk import assert_refused, client, refusal

ORIGIN = "https://app.example.com"
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
RULES = [
    {
        "ID": "app",
        "AllowedOrigins": [ORIGIN, "https://*.apps.example.com"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["x-amz-*", "content-type"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 3000,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
]
NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


@pytest.fixture
def cors(s3, bucket):
    """A bucket with the rules, and an object in it."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    return bucket


def preflight(server, path, origin=ORIGIN, method="PUT", headers=None):
    named = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return send(server, "OPTIONS", path, headers={name: value for name, value in named.items() if value is not None})


def said(reply):
    """What an answer says of other origins."""
    names = ("access-control-", "vary")
    return {name: value for name, value in reply.headers.items() if name.startswith(names)}


def test_the_configuration_is_kept_and_removed(s3, bucket):
    assert_refused(lambda: s3.get_bucket_cors(Bucket=bucket), 404, "NoSuchCORSConfiguration")
    got = refusal(s3.get_bucket_cors, Bucket=bucket)
    assert got.message == "The CORS configuration does not exist"
    assert got.response["Error"]["BucketName"] == bucket
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES[1:]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES[1:]
    assert s3.delete_bucket_cors(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.delete_bucket_cors(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert_refused(lambda: s3.get_bucket_cors(Bucket=bucket), 404, "NoSuchCORSConfiguration")


def test_bad_configurations(s3, bucket):
    def put(rules):
        return refusal(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": rules})

    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    assert put([]).code == "MalformedXML"
    got = put([rule | {"AllowedMethods": ["MYMETHOD"]}])
    assert (got.status, got.code) == (400, "InvalidRequest")
    assert got.message == "Found unsupported HTTP method in CORS config. Unsupported method is MYMETHOD"
    assert put([rule | {"AllowedOrigins": ["*.*"]}]).code == "InvalidRequest"
    assert put([rule] * 101).code == "InvalidRequest"
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule] * 100})
    assert len(s3.get_bucket_cors(Bucket=bucket)["CORSRules"]) == 100


def test_a_body_has_a_limit_and_needs_a_checksum(raw, bucket):
    body = b"<CORSConfiguration>" + b" " * 65536 + b"</CORSConfiguration>"
    got = raw.request("PUT", f"/{bucket}", "cors", {"content-md5": "x"}, body=body)
    assert got.status == 400, got
    got = raw.request("PUT", f"/{bucket}", "cors", body=b"<CORSConfiguration/>")
    assert (got.status, got.code) == (400, "InvalidRequest"), got
    assert "Content-MD5" in got.message


@pytest.mark.parametrize("key", ["", "/k", "/absent", "/%F0%9F%98%80?partNumber=1&uploadId=x", "/k?X-Amz-Signature=x"])
def test_a_preflight_that_is_allowed(server, cors, key):
    got = preflight(server, f"/{cors}{key}", headers="X-Amz-Date, Content-Type")
    assert (got.status, got.body) == (200, b""), got
    assert said(got) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "x-amz-date, content-type",
        "access-control-expose-headers": "ETag, x-amz-version-id",
        "access-control-max-age": "3000",
        "vary": VARY,
    }


def test_a_preflight_by_virtual_host(server, cors):
    headers = {"Origin": "https://x", "Access-Control-Request-Method": "HEAD"}
    got = send(server, "OPTIONS", "/k", headers=headers, host=f"{cors}.s3.example.com")
    assert said(got) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "HEAD",
        "vary": VARY,
    }


def test_preflights_that_are_refused(server, s3, cors):
    for origin, method, headers in [
        ("https://evil.example.com", "PUT", None),
        (ORIGIN, "DELETE", None),
        (ORIGIN, "PUT", "range"),
        ("null", "GET", None),
    ]:
        got = preflight(server, f"/{cors}/k", origin, method, headers)
        assert (got.status, got.code, got.message) == (403, "AccessForbidden", NOT_ALLOWED), got
        assert f"<Method>{method}</Method><ResourceType>OBJECT</ResourceType>".encode() in got.body
        assert said(got) == {}
    many = [f"x-amz-{i}" for i in range(101)]
    assert preflight(server, f"/{cors}/k", headers=",".join(many[:100] * 10)).status == 200
    got = preflight(server, f"/{cors}/k", headers=",".join(many))
    assert (got.status, got.code, got.message) == (403, "AccessForbidden", NOT_ALLOWED), got
    got = preflight(server, f"/{cors}", "https://evil.example.com")
    assert b"<ResourceType>BUCKET</ResourceType>" in got.body
    got = preflight(server, "/no-such-bucket-here/k")
    assert (got.status, got.code, got.message) == (403, "AccessForbidden", "CORSResponse: Bucket not found"), got
    s3.delete_bucket_cors(Bucket=cors)
    got = preflight(server, f"/{cors}/k")
    assert (got.status, got.code) == (403, "AccessForbidden")
    assert got.message == "CORSResponse: CORS is not enabled for this bucket."


def test_preflights_that_are_none(server, cors):
    got = send(server, "OPTIONS", f"/{cors}/k")
    assert (got.status, got.code) == (400, "BadRequest"), got
    assert got.message == "Insufficient information. Origin request header needed."
    for method in ("", "OPTIONS", "get", "MY"):
        got = preflight(server, f"/{cors}/k", method=method)
        assert (got.status, got.code) == (400, "BadRequest"), got
        assert got.message == f"Invalid Access-Control-Request-Method: {method or 'null'}"


def test_real_answers_say_it_too(server, s3, raw, cors):
    real = {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT",
        "access-control-expose-headers": "ETag, x-amz-version-id",
        "access-control-max-age": "3000",
        "vary": VARY,
    }
    path = f"/{cors}/k"
    assert said(raw.request("GET", path, headers={"origin": ORIGIN})) == real
    assert said(raw.request("PUT", path, headers={"origin": ORIGIN}, body=b"new")) == real
    assert said(raw.request("GET", f"/{cors}", "list-type=2", headers={"origin": ORIGIN})) == real
    got = raw.request("HEAD", path, headers={"origin": "https://x"})
    assert said(got) == {"access-control-allow-origin": "*", "access-control-allow-methods": "HEAD", "vary": VARY}
    # A method, an origin, or headers to come, that no rule allows; and no origin at all.
    assert said(raw.request("DELETE", path, headers={"origin": ORIGIN})) == {}
    assert said(raw.request("GET", path, headers={"origin": "https://x"})) == {}
    assert said(raw.request("GET", path)) == {}


def test_errors_say_it_too(server, raw, cors):
    for got in (
        raw.request("GET", f"/{cors}/absent", headers={"origin": ORIGIN}),
        send(server, "GET", f"/{cors}/k", headers={"Origin": ORIGIN}),
        send(server, "GET", f"/{cors}/k?X-Amz-Algorithm=x", headers={"Origin": ORIGIN}),
        raw.request("GET", f"/{cors}", "policy", headers={"origin": ORIGIN}),
    ):
        assert got.status >= 400
        assert said(got)["access-control-allow-origin"] == ORIGIN, got


def test_presigned_and_unsigned_requests_of_a_page(server, s3, cors):
    from urllib.parse import urlsplit

    signer = client(server, signature_version="s3v4")
    url = urlsplit(signer.generate_presigned_url("get_object", Params={"Bucket": cors, "Key": "k"}))
    got = send(server, "GET", f"{url.path}?{url.query}", headers={"Origin": "https://a.apps.example.com"})
    assert (got.status, got.body) == (200, b"data")
    assert said(got)["access-control-allow-origin"] == "https://a.apps.example.com"
    # The browser asks first, at the same URL.
    assert preflight(server, f"{url.path}?{url.query}", method="GET").status == 200
    make_public(s3, cors, "s3:GetObject")
    got = send(server, "GET", f"/{cors}/k", headers={"Origin": ORIGIN})
    assert (got.status, said(got)["access-control-allow-origin"]) == (200, ORIGIN)
