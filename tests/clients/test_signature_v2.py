"""Signature Version 2, in all its forms where it is turned on, and how it is refused where it is not."""

import base64
import datetime
import hashlib
import hmac
import json
import socket
import subprocess
from email.utils import format_datetime
from urllib.parse import urlencode

import pytest

import programs
import sdk
from browser import multipart, send
from conftest import bucket_name
from gateway import MAIN, Strongroom, clean_environment
from modes import KMS
from sdk import MIB, blob, body_of, md5_b64, md5_hex, refusal

UNSUPPORTED = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
NEEDS_V4 = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."


@pytest.fixture(scope="module")
def old_server(tmp_path_factory):
    gateway = Strongroom(tmp_path_factory.mktemp("v2"), extra="signature_v2 = true\npresigned_v2 = false").start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]


@pytest.fixture(scope="module")
def v2(old_server):
    """boto3 that signs headers with Version 2."""
    return sdk.client(old_server, signature_version="s3")


@pytest.fixture(scope="module")
def v4(old_server):
    return sdk.client(old_server, signature_version="s3v4")


@pytest.fixture(scope="module")
def shelf(v4):
    name = bucket_name()
    v4.create_bucket(Bucket=name)
    return name


def signature(text, who=MAIN):
    return base64.b64encode(hmac.new(who.secret_key.encode(), text.encode(), hashlib.sha1).digest()).decode()


def now(minutes=0):
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    return format_datetime(moment, usegmt=True)


def request(
    server, method, path, headers=None, body=None, signed_path=None, date="date", when=None, who=MAIN, host=None
):
    """A request that is signed in its header."""
    named = {date: when or now()} | (headers or {})
    lower = {name.lower(): value for name, value in named.items()}
    amz = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower) if name.startswith("x-amz-"))
    line = "" if "x-amz-date" in lower else lower.get("date", "")
    text = "\n".join([method, lower.get("content-md5", ""), lower.get("content-type", ""), line, amz])
    text += signed_path or path
    named["Authorization"] = f"AWS {who.access_key}:{signature(text, who)}"
    return send(server, method, path, body, named, host)


def test_boto3_does_its_work(v2, shelf):
    v2.put_object(Bucket=shelf, Key="a b/ü+c", Body=b"data", Metadata={"a": "1"}, ContentType="text/x")
    got = v2.get_object(Bucket=shelf, Key="a b/ü+c")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"data", {"a": "1"}, "text/x")
    assert v2.list_objects_v2(Bucket=shelf, Prefix="a b/")["KeyCount"] == 1
    assert [bucket["Name"] for bucket in v2.list_buckets()["Buckets"]]
    data = blob(9 * MIB)
    sdk.upload(v2, shelf, "parts", [data[: 5 * MIB], data[5 * MIB :]])
    assert body_of(v2, shelf, "parts") == data
    v2.copy_object(Bucket=shelf, Key="copy", CopySource={"Bucket": shelf, "Key": "parts"})
    v2.put_object_tagging(Bucket=shelf, Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert v2.get_object_tagging(Bucket=shelf, Key="copy")["TagSet"] == [{"Key": "k", "Value": "v"}]
    v2.delete_objects(Bucket=shelf, Delete={"Objects": [{"Key": "copy"}, {"Key": "parts"}]})
    assert refusal(v2.head_object, Bucket=shelf, Key="copy").status == 404


def test_s3cmd_does_its_work(old_server, tmp_path):
    settings = tmp_path / "s3cfg"
    host = f"127.0.0.1:{old_server.port}"
    settings.write_text(
        f"[default]\naccess_key = {MAIN.access_key}\nsecret_key = {MAIN.secret_key}\nhost_base = {host}\n"
        f"host_bucket = {host}\nuse_https = False\nsignature_v2 = True\n"
    )
    (tmp_path / "file").write_bytes(blob(100_000))
    bucket = bucket_name()

    def s3cmd(*args):
        command = [programs.find("s3cmd"), "-c", settings, *args]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment(), timeout=120)

    s3cmd("mb", f"s3://{bucket}")
    s3cmd("put", tmp_path / "file", f"s3://{bucket}/dir/a b")
    assert f"s3://{bucket}/dir/a b" in s3cmd("ls", "-r", f"s3://{bucket}").stdout
    s3cmd("get", f"s3://{bucket}/dir/a b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == blob(100_000)
    s3cmd("rb", "-r", f"s3://{bucket}")


def test_libs3_does_its_work(old_server, v4, tmp_path):
    """The `s3` of libs3 2.0, which knows nothing newer and ends with 0 whatever befalls it: what it says counts."""
    bucket, data = bucket_name(), blob(300_000)
    (tmp_path / "file").write_bytes(data)
    env = clean_environment(
        S3_ACCESS_KEY_ID=MAIN.access_key,
        S3_SECRET_ACCESS_KEY=MAIN.secret_key,
        S3_HOSTNAME=f"127.0.0.1:{old_server.port}",
    )

    def libs3(*args):
        done = programs.run([programs.find("s3"), "-u", "-r", "0", *args], env, cwd=tmp_path)
        assert "ERROR" not in done.stderr, done.stderr
        return done.stdout

    libs3("create", bucket)
    assert bucket in libs3("list")
    libs3(
        "put", f"{bucket}/dir/a", "filename=file", "contentType=text/x", "x-amz-meta-team=red", f"md5={md5_b64(data)}"
    )
    libs3("get", f"{bucket}/dir/a", "filename=back")
    assert (tmp_path / "back").read_bytes() == data
    libs3("get", f"{bucket}/dir/a", "filename=some", "startByte=1000", "byteCount=500")
    assert (tmp_path / "some").read_bytes() == data[1000:1500]
    libs3("copy", f"{bucket}/dir/a", f"{bucket}/copied")
    # Of the names that HTTP takes in any case, like ETag, it knows one case only, which is not the one that they come in.
    assert "x-amz-meta-team: red" in libs3("head", f"{bucket}/copied")
    head = v4.head_object(Bucket=bucket, Key="copied")
    assert (head["ContentType"], head["ContentLength"]) == ("text/x", len(data))
    listed = libs3("list", bucket, "allDetails=1", "delimiter=/")
    assert "Common Prefix: dir/" in listed and f' 292K  "{md5_hex(data)}" ' in listed, listed
    assert f"OwnerID {'a1' * 32} main" in libs3("getacl", f"{bucket}/copied")
    url = libs3("gqs", f"{bucket}/copied").strip()
    assert send(old_server, "GET", url[url.index(f"/{bucket}") :]).body == data
    for name in ("/dir/a", "/copied", ""):
        libs3("delete", bucket + name)
    assert bucket not in libs3("list")


def test_presigned_urls_are_taken_too(old_server, v2, shelf):
    v2.put_object(Bucket=shelf, Key="url", Body=b"x")
    url = v2.generate_presigned_url("get_object", Params={"Bucket": shelf, "Key": "url"})
    assert "Signature=" in url and "X-Amz-" not in url
    assert send(old_server, "GET", url[url.index(f"/{shelf}") :]).body == b"x"


def test_the_date_may_stand_in_either_header(old_server, shelf):
    for date in ("date", "x-amz-date"):
        assert request(old_server, "GET", f"/{shelf}/", date=date).status == 200
        assert request(old_server, "GET", f"/{shelf}/", date=date, when=now().replace("GMT", "+0000")).status == 200
        for minutes in (-16, 16):
            got = request(old_server, "GET", f"/{shelf}/", date=date, when=now(minutes))
            assert (got.status, got.code) == (403, "RequestTimeTooSkewed"), got
        assert request(old_server, "GET", f"/{shelf}/", date=date, when=now(14)).status == 200
        got = request(old_server, "GET", f"/{shelf}/", date=date, when="today")
        assert (got.status, got.message) == (403, "AWS authentication requires a valid Date or x-amz-date header"), got
    # x-amz-date stands over Date.
    headers = {"x-amz-date": now()}
    assert request(old_server, "GET", f"/{shelf}/", headers, when=now(-60)).status == 200


def test_what_is_signed(old_server, shelf):
    path = f"/{shelf}/signed"
    assert request(old_server, "PUT", path, {"x-amz-meta-a": "1", "Content-Type": "a/b"}, b"x").status == 200
    # A sub-resource is signed, any other parameter is not.
    assert request(old_server, "GET", f"{path}?acl&x=y", signed_path=f"{path}?acl").status == 200
    virtual = request(old_server, "GET", "/signed", signed_path=path, host=f"{shelf}.s3.example.com")
    assert virtual.status == 200
    for wrong in (f"{path}?x=y", f"{path}2", "/"):
        got = request(old_server, "GET", path, signed_path=wrong)
        assert (got.status, got.code) == (403, "SignatureDoesNotMatch"), got
        assert b"<StringToSign>GET" in got.body and b"<CanonicalRequest>" not in got.body


def presigned(server, method, path, text, query, headers=None, body=None):
    """A URL of a signer who signed `text`, and the request that its holder makes of it."""
    expires = int(datetime.datetime.now(datetime.UTC).timestamp()) + 60
    by = urlencode(
        {
            "AWSAccessKeyId": MAIN.access_key,
            "Expires": expires,
            "Signature": signature(text.format(expires=expires)),
        }
    )
    return send(server, method, f"{path}?{by}{query}", body, headers)


@pytest.mark.parametrize(
    "signed, headers, query, reworded, parameters",
    [
        (
            "x-amz-meta-owner:team-a\nx-amz-tagging:class=secret",
            {"x-amz-meta-owner": "team-a", "x-amz-tagging": "class=secret"}, "",
            {}, "&x-amz-meta-owner=team-a%0Ax-amz-tagging:class=secret",
        ),
        ("x-amz-meta-a:1,2", {}, "&x-amz-meta-a=1,2", {"x-amz-meta-a": "1"}, "&x-amz-meta-a=2"),
        (
            "x-amz-server-side-encryption:AES256", {}, "&x-amz-server-side-encryption=AES256",
            {}, "&x-amz-server-side-encryption%3AAES256=",
        ),
        ("x-amz-meta-a:1:2", {"x-amz-meta-a": "1:2"}, "", {}, "&x-amz-meta-a%3A1=2"),
    ],
)  # fmt: skip
def test_a_url_cannot_be_put_in_other_words(old_server, v4, shelf, signed, headers, query, reworded, parameters):
    path = f"/{shelf}/{bucket_name()}"
    text = f"PUT\n\n\n{{expires}}\n{signed}\n{path}"
    assert presigned(old_server, "PUT", path, text, query, headers, b"x").status == 200
    v4.delete_object(Bucket=shelf, Key=path.rpartition("/")[2])
    got = presigned(old_server, "PUT", path, text, parameters, reworded, b"x")
    assert (got.status, got.code) in ((400, "InvalidRequest"), (403, "SignatureDoesNotMatch")), got
    assert refusal(v4.head_object, Bucket=shelf, Key=path.rpartition("/")[2]).status == 404


def test_what_is_not_signed_chooses_no_operation(old_server, v4, shelf):
    """A URL that creates a bucket, or deletes an object, is none for sub-resources that Version 2 does not know."""
    body = b"<AbacStatus><Status>Enabled</Status></AbacStatus>"
    for path in (f"/{shelf}", f"/{shelf}/"):
        got = presigned(old_server, "PUT", path, f"PUT\n\n\n{{expires}}\n/{shelf}/", "&abac", body=body)
        assert (got.status, got.code) == (403, "AccessDenied"), got
        assert got.message == "Signature Version 2 does not sign the query parameter abac: use Version 4."
    got = request(old_server, "PUT", f"/{shelf}/?abac", body=body, signed_path=f"/{shelf}/")
    assert (got.status, got.code) == (403, "AccessDenied"), got
    assert v4.get_bucket_abac(Bucket=shelf)["AbacStatus"]["Status"] == "Disabled"


def test_headers_that_are_signed_once(old_server, shelf):
    path = f"/{shelf}/types"
    date = now()
    text = f"PUT\n\na/b\n{date}\n{path}"
    lines = [
        f"PUT {path} HTTP/1.1", "Host: localhost", f"Date: {date}", "Content-Length: 0", "Connection: close",
        f"Authorization: AWS {MAIN.access_key}:{signature(text)}", "Content-Type: a/b",
    ]  # fmt: skip

    def sent(*more):
        with socket.create_connection(("127.0.0.1", old_server.port), timeout=20) as connection:
            connection.sendall("".join(f"{line}\r\n" for line in (*lines, *more, "")).encode())
            return connection.makefile("rb").read()

    assert sent().startswith(b"HTTP/1.1 200 ")
    got = sent("Content-Type: text/html")
    assert got.startswith(b"HTTP/1.1 400 ") and b"<Code>InvalidRequest</Code>" in got, got


def test_headers_that_are_none(old_server, shelf):
    def sent(authorization):
        return send(old_server, "GET", f"/{shelf}/", headers={"Date": now(), "Authorization": authorization})

    for bad in ("AWS nothing", "AWS :x"):
        got = sent(bad)
        assert (got.status, got.code) == (400, "InvalidArgument"), got
        assert got.message == "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"
    assert sent("AWS NOBODY:x").code == "InvalidAccessKeyId"
    assert sent(f"AWS {MAIN.access_key}:").code == "SignatureDoesNotMatch"
    assert sent(f"AWS {MAIN.access_key}:x").code == "SignatureDoesNotMatch"


def test_kms_wants_version_4(v2, v4, shelf):
    got = refusal(v2.put_object, Bucket=shelf, Key="kms", Body=b"x", ServerSideEncryption=KMS)
    assert (got.status, got.code, got.message) == (400, "InvalidArgument", NEEDS_V4)
    v4.put_object(Bucket=shelf, Key="kms", Body=b"x", ServerSideEncryption=KMS)
    got = refusal(v2.get_object, Bucket=shelf, Key="kms")
    assert (got.status, got.code, got.message) == (400, "InvalidArgument", NEEDS_V4)
    assert refusal(v2.head_object, Bucket=shelf, Key="kms").status == 400
    v2.put_object(Bucket=shelf, Key="s3", Body=b"x", ServerSideEncryption="AES256")
    assert body_of(v2, shelf, "s3") == b"x"


def form(bucket, more=(), who=MAIN):
    """A form that Version 2 signs."""
    expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    fields = [("key", "form"), *more]
    conditions = [{"bucket": bucket}, *({name: value} for name, value in fields)]
    policy = {"expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"), "conditions": conditions}
    encoded = base64.b64encode(json.dumps(policy).encode()).decode()
    return [*fields, ("AWSAccessKeyId", who.access_key), ("policy", encoded), ("signature", signature(encoded, who))]


def post(server, bucket, fields):
    content_type, body = multipart(fields, b"by form")
    return send(server, "POST", f"/{bucket}", body, {"Content-Type": content_type})


def test_forms(old_server, v2, v4, shelf):
    assert post(old_server, shelf, form(shelf)).status == 204
    assert body_of(v4, shelf, "form") == b"by form"
    fields = form(shelf)
    got = post(old_server, shelf, [*fields[:-1], ("signature", "x")])
    assert (got.status, got.code) == (403, "SignatureDoesNotMatch"), got
    for missing in ("AWSAccessKeyId", "Signature"):
        got = post(old_server, shelf, [(name, value) for name, value in fields if name.lower() != missing.lower()])
        assert (got.status, got.code) == (400, "InvalidArgument"), got
        assert f"a field named '{missing}'" in got.message
    got = post(old_server, shelf, form(shelf, [("x-amz-server-side-encryption", KMS)]))
    assert (got.status, got.code, got.message) == (400, "InvalidArgument", NEEDS_V4)
    made = v2.generate_presigned_post(shelf, "by-boto3")
    assert "signature" in made["fields"]
    assert post(old_server, shelf, made["fields"].items()).status == 204


def test_without_the_setting_it_is_refused(server, s3, module_bucket):
    old = sdk.client(server, signature_version="s3")
    got = refusal(old.put_object, Bucket=module_bucket, Key="v2", Body=b"x")
    assert (got.status, got.code, got.message) == (400, "InvalidRequest", UNSUPPORTED)
    got = post(server, module_bucket, form(module_bucket))
    assert (got.status, got.code, got.message) == (400, "InvalidRequest", UNSUPPORTED)
    assert refusal(s3.head_object, Bucket=module_bucket, Key="v2").status == 404
