"""Buckets as static websites: configuration, documents, redirects, and the pages of errors."""

import json
import subprocess

import pytest

import sdk
from browser import make_public, send
from conftest import bucket_name
from gateway import Strongroom
from modes import CUSTOMER
from sdk import assert_refused, refusal
from test_audit import records

DOMAIN = "web.example.com"
INDEX = {"IndexDocument": {"Suffix": "index.html"}}


@pytest.fixture(scope="module")
def site_server(tmp_path_factory):
    extra = f'website_domains = ["{DOMAIN}"]'
    gateway = Strongroom(tmp_path_factory.mktemp("website"), extra=extra).start()
    yield gateway
    assert gateway.stop() == 0, gateway.log()[-4000:]
    assert "panicked" not in gateway.log()


@pytest.fixture(scope="module")
def s3(site_server):
    return sdk.client(site_server)


class Site:
    """A bucket that everybody may read, and its website."""

    def __init__(self, server, s3):
        self.server, self.s3, self.bucket = server, s3, bucket_name()
        s3.create_bucket(Bucket=self.bucket)
        make_public(s3, self.bucket, "s3:GetObject")

    @property
    def host(self):
        return f"{self.bucket}.{DOMAIN}"

    def configure(self, **configuration):
        self.s3.put_bucket_website(Bucket=self.bucket, WebsiteConfiguration=configuration)

    def put(self, key, body=b"", **args):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **args)

    def list_for_all(self):
        """Who may list the bucket is told that something is not there."""
        allow = {"Effect": "Allow", "Principal": "*"}
        arn = f"arn:aws:s3:::{self.bucket}"
        statements = [
            allow | {"Action": "s3:GetObject", "Resource": f"{arn}/*"},
            allow | {"Action": "s3:ListBucket", "Resource": arn},
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=policy)

    def get(self, path, method="GET", **headers):
        return send(self.server, method, path, headers=headers, host=self.host)


@pytest.fixture
def site(site_server, s3):
    site = Site(site_server, s3)
    site.configure(**INDEX)
    site.put("index.html", b"<h1>home</h1>", ContentType="text/html")
    site.put("docs/index.html", b"<h1>docs</h1>", ContentType="text/html")
    site.put("docs/a b+ü.txt", b"text")
    return site


FULL = {
    "IndexDocument": {"Suffix": "index.html"},
    "ErrorDocument": {"Key": "error.html"},
    "RoutingRules": [
        {
            "Condition": {"KeyPrefixEquals": "a/", "HttpErrorCodeReturnedEquals": "404"},
            "Redirect": {
                "HostName": "h.example.com",
                "HttpRedirectCode": "302",
                "Protocol": "https",
                "ReplaceKeyPrefixWith": "b/",
            },
        },
        {"Redirect": {"ReplaceKeyWith": "k"}},
    ],
}


def test_the_configuration_is_kept_and_removed(s3, site_server):
    bucket = bucket_name()
    s3.create_bucket(Bucket=bucket)
    got = refusal(s3.get_bucket_website, Bucket=bucket)
    assert (got.status, got.code) == (404, "NoSuchWebsiteConfiguration")
    assert got.message == "The specified bucket does not have a website configuration"
    assert got.response["Error"]["BucketName"] == bucket
    redirect = {"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}}
    for configuration in (INDEX, FULL, redirect):
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)
        got = s3.get_bucket_website(Bucket=bucket)
        del got["ResponseMetadata"]
        assert got == configuration
    for _ in range(2):
        assert s3.delete_bucket_website(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert_refused(lambda: s3.get_bucket_website(Bucket=bucket), 404, "NoSuchWebsiteConfiguration")


def test_a_bad_configuration_changes_nothing(s3, site):
    both = INDEX | {"RedirectAllRequestsTo": {"HostName": "h"}}
    got = refusal(s3.put_bucket_website, Bucket=site.bucket, WebsiteConfiguration=both)
    assert (got.status, got.code) == (400, "InvalidArgument")
    assert got.response["Error"]["ArgumentName"] == "RedirectAllRequestsTo"
    assert got.response["Error"]["ArgumentValue"] == "not null"
    assert s3.get_bucket_website(Bucket=site.bucket)["IndexDocument"] == {"Suffix": "index.html"}


def test_documents(site):
    for path, body in [
        ("/", b"<h1>home</h1>"),
        ("/index.html", b"<h1>home</h1>"),
        ("/?a=b&versionId=x", b"<h1>home</h1>"),
        ("/docs/", b"<h1>docs</h1>"),
        ("/docs/a%20b%2B%C3%BC.txt", b"text"),
        ("/docs/a+b%2B%C3%BC.txt", b"text"),
    ]:
        got = site.get(path)
        assert (got.status, got.body) == (200, body), (path, got)
    got = site.get("/")
    assert got.headers["content-type"] == "text/html"
    assert got.headers["x-amz-server-side-encryption"] == "AES256"
    head = site.get("/docs/", "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "13", b"")


def test_curl_reads_a_website(site):
    host = f"{site.host}:{site.server.port}"
    command = ["curl", "-sS", "-L", "--resolve", f"{host}:127.0.0.1", f"http://{host}/docs", "-w", "\n%{url_effective}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"<h1>docs</h1>\nhttp://{host}/docs/"


def test_conditions_and_ranges(site):
    etag = site.get("/").headers["etag"]
    got = site.get("/", **{"If-None-Match": etag})
    assert (got.status, got.body, got.headers["etag"]) == (304, b"", etag)
    assert "x-amz-error-code" not in got.headers
    got = site.get("/", Range="bytes=4-7")
    assert (got.status, got.body, got.headers["content-range"]) == (206, b"home", "bytes 4-7/13")
    assert site.get("/", **{"If-Match": '"x"'}).status == 412


def test_a_folder_without_its_slash(site):
    got = site.get("/docs")
    assert (got.status, got.headers["location"]) == (302, "/docs/"), got
    assert got.headers["x-amz-error-code"] == "Found"
    assert got.headers["x-amz-error-message"] == "Resource Found"
    site.put("ü x/index.html", b"x")
    assert site.get("/%C3%BC%20x").headers["location"] == "/%C3%BC%20x/"
    # The name of another host after two slashes would lead there.
    site.put("/evil.example.com/index.html", b"here")
    got = site.get("//evil.example.com")
    assert (got.status, got.headers["location"]) == (302, "/%2Fevil.example.com/"), got
    assert site.get("/%2Fevil.example.com/").body == b"here"
    # An object of the folder's name goes first.
    site.put("docs", b"an object")
    assert site.get("/docs").body == b"an object"


def test_only_what_everybody_may_read(site, s3):
    site.put("secret/x.html", b"secret")
    make_public(s3, site.bucket, "s3:GetObject", "docs/")
    assert site.get("/docs/").status == 200
    got = site.get("/secret/x.html")
    assert (got.status, got.headers["x-amz-error-code"]) == (403, "AccessDenied"), got
    assert b"secret</" not in got.body
    # Credentials are of no account.
    assert site.get("/secret/x.html", Authorization="AWS4-HMAC-SHA256 x").status == 403
    assert site.get("/secret/x.html?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=x").status == 403
    s3.put_public_access_block(
        Bucket=site.bucket,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )
    assert site.get("/docs/").status == 403


def test_the_page_of_an_error(site):
    got = site.get("/absent")
    # Who may not list the bucket does not learn what is not there.
    assert (got.status, got.headers["x-amz-error-code"]) == (403, "AccessDenied")
    site.list_for_all()
    got = site.get("/absent/%3Cb%3E")
    assert (got.status, got.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert got.headers["x-amz-error-code"] == "NoSuchKey"
    assert got.headers["x-amz-error-message"] == "The specified key does not exist."
    assert got.headers["x-amz-error-detail-key"] == "absent/<b>"
    page = got.body.decode()
    assert page.startswith("<html>\n<head><title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n<ul>\n")
    assert "<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n" in page
    assert "<li>Key: absent/&lt;b&gt;</li>" in page
    assert f"<li>RequestId: {got.headers['x-amz-request-id']}</li>" in page
    assert f"<li>HostId: {got.headers['x-amz-id-2']}</li>" in page
    head = site.get("/absent", "HEAD")
    assert (head.status, head.body, head.headers["x-amz-error-code"]) == (404, b"", "NoSuchKey")


def test_the_error_document(site):
    site.list_for_all()
    site.configure(**INDEX, ErrorDocument={"Key": "errors/404.html"})
    got = site.get("/absent")
    assert got.status == 404
    parts = got.body.decode().partition(
        "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>"
    )
    assert "<li>Key: absent</li>" in parts[0]
    assert "<li>Code: NoSuchKey</li>" in parts[2] and "<li>Key: errors/404.html</li>" in parts[2]
    site.put("errors/404.html", b"<h1>lost</h1>", ContentType="text/html")
    # What is asked of the object is not asked of the document.
    got = site.get("/absent", Range="bytes=0-1", **{"If-None-Match": "*"})
    assert (got.status, got.body) == (404, b"<h1>lost</h1>")
    assert got.headers["content-type"] == "text/html"
    assert got.headers["x-amz-error-code"] == "NoSuchKey"
    assert got.headers["x-amz-error-detail-key"] == "absent"


def test_everything_goes_elsewhere(site):
    site.configure(RedirectAllRequestsTo={"HostName": "example.com"})
    for path, location in [("/", "http://example.com/"), ("/a%20b/c?x=y", "http://example.com/a%20b/c")]:
        got = site.get(path)
        assert (got.status, got.headers["location"]) == (301, location)
    site.configure(RedirectAllRequestsTo={"HostName": "example.com", "Protocol": "https"})
    assert site.get("/index.html").headers["location"] == "https://example.com/index.html"


def test_routing_rules(site):
    site.list_for_all()
    site.put("old/there", b"x")
    site.configure(
        **INDEX,
        RoutingRules=[
            {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/"}},
            {
                "Condition": {"KeyPrefixEquals": "img/", "HttpErrorCodeReturnedEquals": "404"},
                "Redirect": {"ReplaceKeyWith": "none.png", "HttpRedirectCode": "307"},
            },
            {
                "Condition": {"HttpErrorCodeReturnedEquals": "404"},
                "Redirect": {"HostName": "archive.example.com", "Protocol": "https"},
            },
        ],
    )
    host = site.host
    for path, status, location in [
        ("/old/there", 301, f"http://{host}/new/there"),
        ("/img/a.png", 307, f"http://{host}/none.png"),
        ("/absent", 301, "https://archive.example.com/absent"),
        ("/", 200, None),
        ("/docs", 302, "/docs/"),
    ]:
        got = site.get(path)
        assert (got.status, got.headers.get("location")) == (status, location), path


def test_an_object_may_say_to_look_elsewhere(site):
    site.put("moved", b"body", WebsiteRedirectLocation="https://example.com/there?x=y")
    site.put("near", b"", WebsiteRedirectLocation="/docs/")
    got = site.get("/moved")
    assert (got.status, got.headers["location"], got.body) == (301, "https://example.com/there?x=y", b"")
    assert site.get("/near", "HEAD").headers["location"] == "/docs/"


def test_hosts_without_a_website(site_server, s3):
    bucket = bucket_name()
    s3.create_bucket(Bucket=bucket)
    for host, code, name in [
        (f"{bucket}.{DOMAIN}", "NoSuchWebsiteConfiguration", bucket),
        (f"no-such-bucket.{DOMAIN}", "NoSuchBucket", "no-such-bucket"),
        (f"Not_A_Name.{DOMAIN}", "NoSuchBucket", "not_a_name"),
    ]:
        got = send(site_server, "GET", "/", host=host)
        assert (got.status, got.headers["x-amz-error-code"]) == (404, code), got
        assert f"<li>BucketName: {name}</li>" in got.body.decode()
    # The domain itself is the API's.
    assert b"<Code>AccessDenied</Code>" in send(site_server, "GET", "/", host=DOMAIN).body


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(site, method):
    got = site.get("/index.html", method)
    assert (got.status, got.headers["x-amz-error-code"]) == (405, "MethodNotAllowed"), got
    assert b"<title>405 Method Not Allowed</title>" in got.body
    assert site.get("/").body == b"<h1>home</h1>"


def test_encryption_that_a_visitor_cannot_use(site):
    site.put("kms.html", b"x", ServerSideEncryption="aws:kms")
    got = site.get("/kms.html")
    assert (got.status, got.headers["x-amz-error-code"]) == (400, "InvalidArgument")
    assert got.headers["x-amz-error-message"] == (
        "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
    )
    site.put("customer.html", b"x", **CUSTOMER)
    got = site.get("/customer.html")
    assert (got.status, got.headers["x-amz-error-code"]) == (400, "InvalidRequest")


def test_pages_of_another_origin(site, s3):
    rule = {"AllowedOrigins": ["https://x.example.com"], "AllowedMethods": ["GET"]}
    s3.put_bucket_cors(Bucket=site.bucket, CORSConfiguration={"CORSRules": [rule]})
    for path in ("/", "/absent"):
        got = site.get(path, Origin="https://x.example.com")
        assert got.headers["access-control-allow-origin"] == "https://x.example.com", path
    assert "access-control-allow-origin" not in site.get("/").headers


def test_a_refused_visit_is_in_the_trail(tmp_path):
    gateway = Strongroom(tmp_path / "own", extra=f'website_domains = ["{DOMAIN}"]').start()
    try:
        site = Site(gateway, sdk.client(gateway))
        site.configure(**INDEX)
        site.put("private/x", b"x")
        make_public(site.s3, site.bucket, "s3:GetObject", "docs/")
        request_id = site.get("/private/x").headers["x-amz-request-id"]
    finally:
        gateway.stop()
    of_visit = [record for record in records(gateway) if record.get("requestID") == request_id]
    # One record, although the index document that the key could have stood for was looked for too.
    assert [(record["requestParameters"]["key"], record["errorCode"]) for record in of_visit] == [
        ("private/x", "AccessDenied")
    ]
