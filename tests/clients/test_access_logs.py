"""boto3: server access logs, from the switch to the lines, read with AWS's documented expression."""

import json
import re
import time

import pytest

import sdk
from browser import make_public, multipart, send
from gateway import ALICE, MAIN, OTHER, Strongroom
from modes import MODES
from sdk import assert_refused, body_of, refusal

DEADLINE_SECONDS = 20
OWNER = "a1" * 32

# Amazon S3 User Guide, "Querying access logs for requests by using Amazon Athena": the table's input.regex.
LINE = re.compile(
    r"([^ ]*) ([^ ]*) \[(.*?)\] ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) (\"[^\"]*\"|-) (-|[0-9]*) ([^ ]*) ([^ ]*) "
    r"([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) (\"[^\"]*\"|-) ([^ ]*)(?: ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*))?.*$"
)
FIELDS = [
    "bucketowner",
    "bucket_name",
    "requestdatetime",
    "remoteip",
    "requester",
    "requestid",
    "operation",
    "key",
    "request_uri",
    "httpstatus",
    "errorcode",
    "bytessent",
    "objectsize",
    "totaltime",
    "turnaroundtime",
    "referrer",
    "useragent",
    "versionid",
    "hostid",
    "sigv",
    "ciphersuite",
    "authtype",
    "endpoint",
    "tlsversion",
]


def policy(source="shelf", target="logs"):
    statement = {
        "Sid": "S3ServerAccessLogsPolicy",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": ["s3:PutObject"],
        "Resource": f"arn:aws:s3:::{target}/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"},
            "StringEquals": {"aws:SourceAccount": "111122223333"},
        },
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def switch_on(s3, prefix="", source="shelf", target="logs", **more):
    enabled = {"TargetBucket": target, "TargetPrefix": prefix, **more}
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": enabled})


def names(s3):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="logs").get("Contents", [])]


def entries(s3):
    """Every line of every log object, by field."""
    found = []
    for name in names(s3):
        for line in body_of(s3, "logs", name).decode().splitlines():
            fields = LINE.fullmatch(line)
            assert fields, line
            assert line.endswith((" - - -", " - Yes -")), line
            found.append(dict(zip(FIELDS, fields.groups(), strict=True)))
    return found


def wait_for(s3, count):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(found := entries(s3)) < count:
        assert time.monotonic() < deadline, f"{len(found)} lines of {count}: {found}"
        time.sleep(0.1)
    assert len(found) == count, found
    return found


def start(server, interval):
    server.stop()
    server.environment["STRONGROOM_ACCESS_LOG_INTERVAL"] = interval
    server.start()
    s3 = sdk.client(server)
    for bucket in ("shelf", "logs"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_policy(Bucket="logs", Policy=policy())
    return server


@pytest.fixture
def logs(own_server):
    """A gateway that delivers often, with a bucket and one for its logs."""
    return start(own_server, "200ms")


@pytest.fixture
def rare_logs(own_server):
    """A gateway that delivers at its end."""
    return start(own_server, "1h")


def test_a_status_comes_back_as_it_was_set(s3, bucket):
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    for form in ({"SimplePrefix": {}}, {"PartitionedPrefix": {"PartitionDateSource": "DeliveryTime"}}):
        enabled = {"TargetBucket": bucket, "TargetPrefix": "p/", "TargetObjectKeyFormat": form}
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
        assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == enabled
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    enabled = {"TargetBucket": "there-is-no-such", "TargetPrefix": ""}
    assert_refused(
        lambda: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled}),
        400,
        "InvalidTargetBucketForLogging",
        "The target bucket for logging does not exist",
    )


def test_requests_of_every_kind_are_lines(logs):
    s3, alice, other = (sdk.client(logs, who=who) for who in (MAIN, ALICE, OTHER))
    make_public(s3, "shelf", "s3:GetObject", "open/")
    switch_on(s3)
    s3.put_object(Bucket="shelf", Key="open/a b.txt", Body=b"0123456789")
    s3.get_object(Bucket="shelf", Key="open/a b.txt", Range="bytes=2-4")["Body"].read()
    s3.head_object(Bucket="shelf", Key="open/a b.txt")
    assert refusal(alice.get_object, Bucket="shelf", Key="closed").status == 403
    assert refusal(other.list_objects_v2, Bucket="shelf").status == 403
    assert refusal(s3.get_object, Bucket="shelf", Key="open/none").status == 404
    headers = {"User-Agent": 'a "quoted" agent', "Referer": "http://example.com/x"}
    assert send(logs, "GET", "/shelf/open/a%20b.txt", headers=headers).body == b"0123456789"
    url = sdk.client(logs, signature_version="s3v4").generate_presigned_url(
        "get_object", {"Bucket": "shelf", "Key": "open/a b.txt"}
    )
    assert send(logs, "GET", url.split(str(logs.port), 1)[1]).status == 200
    forged = url[:-4] + "0000"
    assert send(logs, "GET", forged.split(str(logs.port), 1)[1]).status == 403
    s3.delete_object(Bucket="shelf", Key="open/a b.txt")
    s3.list_buckets()

    lines = wait_for(s3, 10)
    assert {(line["bucketowner"], line["bucket_name"], line["remoteip"]) for line in lines} == {
        (OWNER, "shelf", "127.0.0.1")
    }
    told = [(line["operation"], line["httpstatus"], line["errorcode"], line["objectsize"]) for line in lines]
    expected = [
        ("REST.PUT.OBJECT", "200", "-", "10"),
        ("REST.GET.OBJECT", "206", "-", "10"),
        ("REST.HEAD.OBJECT", "200", "-", "10"),
        ("REST.GET.OBJECT", "403", "AccessDenied", "-"),
        ("REST.GET.BUCKET", "403", "AccessDenied", "-"),
        ("REST.GET.OBJECT", "404", "NoSuchKey", "-"),
        ("REST.GET.OBJECT", "200", "-", "10"),
        ("REST.GET.OBJECT", "200", "-", "10"),
        ("REST.GET.OBJECT", "403", "SignatureDoesNotMatch", "-"),
        ("REST.DELETE.OBJECT", "204", "-", "10"),
    ]
    # Lines are in no particular order, as with AWS.
    assert sorted(told) == sorted(expected)

    def one(**fields):
        (found,) = [line for line in lines if fields.items() <= line.items()]
        return found

    put, head, deleted = (one(operation=f"REST.{method}.OBJECT") for method in ("PUT", "HEAD", "DELETE"))
    ranged, missing, refused = one(httpstatus="206"), one(httpstatus="404"), one(errorcode="SignatureDoesNotMatch")
    by_alice, by_other = one(operation="REST.GET.OBJECT", errorcode="AccessDenied"), one(operation="REST.GET.BUCKET")
    anonymous, presigned = one(requester="-", httpstatus="200"), one(authtype="QueryString", httpstatus="200")
    assert [put[name] for name in ("key", "bytessent", "requester")] == ["open/a%20b.txt", "-", OWNER]
    assert (ranged["bytessent"], head["bytessent"], anonymous["bytessent"]) == ("3", "-", "10")
    assert by_alice["requester"] == "arn:aws:iam::111122223333:user/alice"
    assert (by_other["requester"], by_other["key"]) == ("b2" * 32, "-")
    assert int(missing["bytessent"]) > 100
    signed = [(line["sigv"], line["authtype"], line["requester"] != "-") for line in (put, anonymous, presigned)]
    assert signed == [("SigV4", "AuthHeader", True), ("-", "-", False), ("SigV4", "QueryString", True)]
    assert (refused["requester"], refused["authtype"]) == ("-", "QueryString")
    assert anonymous["useragent"] == '"a %22quoted%22 agent"'
    assert anonymous["referrer"] == '"http://example.com/x"'
    assert anonymous["request_uri"] == '"GET /shelf/open/a%20b.txt HTTP/1.1"'
    assert "X-Amz-Signature=***" in presigned["request_uri"]
    assert deleted["endpoint"] == f"127.0.0.1:{logs.port}"
    for line in lines:
        assert 0 <= int(line["turnaroundtime"]) <= int(line["totaltime"]) < 20_000
        assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", line["requestdatetime"])
        assert (line["ciphersuite"], line["tlsversion"]) == ("-", "-")


def test_sizes_are_of_what_clients_see_in_every_mode(logs):
    s3, kms = sdk.client(logs), sdk.client(logs, "kms")
    key = kms.create_key()["KeyMetadata"]
    switch_on(s3)
    for mode in MODES:
        s3.put_object(Bucket="shelf", Key=mode.name, Body=b"x" * 1000, **mode.writing(key))
        assert len(body_of(s3, "shelf", mode.name, **mode.read)) == 1000
    for line in wait_for(s3, 2 * len(MODES)):
        sent = "1000" if line["operation"] == "REST.GET.OBJECT" else "-"
        assert (line["objectsize"], line["bytessent"]) == ("1000", sent), line


def wait_for_warning(server, text):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while text not in server.log():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_target_under_sse_kms_gets_logs_if_its_key_lets_the_service_in(logs):
    """AWS's key policy for the service; the key that S3 has by itself lets no service in."""
    s3, kms = sdk.client(logs), sdk.client(logs, "kms")
    switch_on(s3)

    def encrypt(**key):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", **key}, "BucketKeyEnabled": True}
        s3.put_bucket_encryption(Bucket="logs", ServerSideEncryptionConfiguration={"Rules": [rule]})

    for key in ({}, {"KMSMasterKeyID": (made := kms.create_key()["KeyMetadata"])["Arn"]}):
        encrypt(**key)
        s3.head_bucket(Bucket="shelf")
        wait_for_warning(logs, "a server access log cannot be delivered")
        assert names(s3) == []
        logs.log_file.write_text("")
    text = json.loads(kms.get_key_policy(KeyId=made["KeyId"], PolicyName="default")["Policy"])
    text["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "kms:GenerateDataKey",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}},
        }
    )
    kms.put_key_policy(KeyId=made["KeyId"], PolicyName="default", Policy=json.dumps(text))
    s3.head_bucket(Bucket="shelf")
    (line,) = wait_for(s3, 1)
    assert line["operation"] == "REST.HEAD.BUCKET"
    head = s3.head_object(Bucket="logs", Key=names(s3)[0])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", made["Arn"])


def test_a_default_retention_of_the_target_is_on_the_log_objects(logs):
    s3 = sdk.client(logs)
    s3.put_bucket_versioning(Bucket="logs", VersioningConfiguration={"Status": "Enabled"})
    default = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket="logs", ObjectLockConfiguration=default)
    switch_on(s3)
    s3.head_bucket(Bucket="shelf")
    wait_for(s3, 1)
    assert s3.head_object(Bucket="logs", Key=names(s3)[0])["ObjectLockMode"] == "GOVERNANCE"


def test_parts_of_requests_have_lines_of_their_own(logs):
    """Each key of DeleteObjects, and what a copy reads; sizes of an upload form and of a completed upload."""
    s3 = sdk.client(logs)
    switch_on(s3)
    form = sdk.client(logs, signature_version="s3v4").generate_presigned_post("shelf", "form")
    kind, body = multipart(form["fields"].items(), b"12345")
    assert send(logs, "POST", "/shelf", body, {"Content-Type": kind}).status == 204
    s3.copy_object(Bucket="shelf", Key="copy", CopySource="shelf/form")
    upload = s3.create_multipart_upload(Bucket="shelf", Key="parts")["UploadId"]
    where = {"Bucket": "shelf", "Key": "parts", "UploadId": upload}
    copied = s3.upload_part_copy(**where, PartNumber=1, CopySource="shelf/form", CopySourceRange="bytes=1-3")
    parts = [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    keys = [{"Key": key} for key in ("form", "copy", "parts", "none")]
    assert len(s3.delete_objects(Bucket="shelf", Delete={"Objects": keys})["Deleted"]) == 4
    told = [tuple(line[name] for name in ("operation", "key", "httpstatus", "objectsize")) for line in wait_for(s3, 12)]
    expected = [
        ("REST.POST.OBJECT", "form", "204", "5"),
        ("REST.COPY.OBJECT_GET", "form", "200", "5"),
        ("REST.COPY.OBJECT", "copy", "200", "5"),
        ("REST.POST.UPLOADS", "parts", "200", "-"),
        ("REST.COPY.PART_GET", "form", "206", "5"),
        ("REST.COPY.PART", "parts", "200", "3"),
        ("REST.POST.UPLOAD", "parts", "200", "3"),
        ("BATCH.DELETE.OBJECT", "form", "204", "5"),
        ("BATCH.DELETE.OBJECT", "copy", "204", "5"),
        ("BATCH.DELETE.OBJECT", "parts", "204", "3"),
        ("BATCH.DELETE.OBJECT", "none", "204", "-"),
        ("REST.POST.MULTI_OBJECT_DELETE", "-", "200", "-"),
    ]
    assert sorted(told) == sorted(expected)


def test_tls_is_told(certificate, tmp_path):
    server = Strongroom(tmp_path / "tls", tls=certificate)
    server.environment["STRONGROOM_ACCESS_LOG_INTERVAL"] = "200ms"
    server.start()
    try:
        s3 = sdk.client(server, verify=str(certificate[2]))
        for bucket in ("shelf", "logs"):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_policy(Bucket="logs", Policy=policy())
        switch_on(s3)
        s3.head_bucket(Bucket="shelf")
        (line,) = wait_for(s3, 1)
        assert (line["operation"], line["tlsversion"]) == ("REST.HEAD.BUCKET", "TLSv1.3")
        assert line["ciphersuite"].startswith("TLS_")
    finally:
        assert server.stop() == 0


def test_websites_have_names_of_their_own(own_server):
    own_server.environment["STRONGROOM_WEBSITE_DOMAINS"] = "web.example.com"
    server = start(own_server, "200ms")
    s3 = sdk.client(server)
    make_public(s3, "shelf", "s3:GetObject")
    s3.put_bucket_website(Bucket="shelf", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    s3.put_object(Bucket="shelf", Key="index.html", Body=b"home")
    switch_on(s3)
    assert send(server, "GET", "/", host="shelf.web.example.com").body == b"home"
    assert send(server, "POST", "/", host="shelf.web.example.com").status == 405
    got = sorted((line["operation"], line["httpstatus"], line["objectsize"]) for line in wait_for(s3, 2))
    assert got == [("WEBSITE.GET.OBJECT", "200", "4"), ("WEBSITE.POST.OBJECT", "405", "-")]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"SimplePrefix": {}}, r"p/{day}-\d\d-\d\d-\d\d-[0-9A-F]{{16}}"),
        (
            {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}},
            r"p/111122223333/us-east-1/shelf/\d{{4}}/\d\d/\d\d/{day}-00-00-00-[0-9A-F]{{16}}",
        ),
        (
            {"PartitionedPrefix": {"PartitionDateSource": "DeliveryTime"}},
            r"p/111122223333/us-east-1/shelf/\d{{4}}/\d\d/\d\d/{day}-\d\d-\d\d-\d\d-[0-9A-F]{{16}}",
        ),
    ],
    ids=["simple", "event", "delivery"],
)
def test_names_of_log_objects(logs, form, expected):
    s3 = sdk.client(logs)
    switch_on(s3, "p/", TargetObjectKeyFormat=form)
    s3.head_bucket(Bucket="shelf")
    wait_for(s3, 1)
    (name,) = names(s3)
    assert re.fullmatch(expected.format(day=r"\d{4}-\d\d-\d\d"), name), name
    head = s3.head_object(Bucket="logs", Key=name)
    assert (head["ContentType"], head["ServerSideEncryption"]) == ("text/plain", "AES256")


def test_a_target_without_a_policy_gets_nothing_and_nothing_breaks(logs):
    s3 = sdk.client(logs)
    s3.delete_bucket_policy(Bucket="logs")
    switch_on(s3)
    for number in range(3):
        s3.put_object(Bucket="shelf", Key=f"{number}", Body=b"x")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while "a server access log cannot be delivered" not in logs.log():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert names(s3) == []
    assert len(s3.list_objects_v2(Bucket="shelf")["Contents"]) == 3


def test_what_waits_is_delivered_at_the_end(rare_logs):
    s3 = sdk.client(rare_logs)
    switch_on(s3)
    for _ in range(5):
        s3.head_bucket(Bucket="shelf")
    assert names(s3) == []
    assert rare_logs.stop() == 0
    rare_logs.start()
    assert [line["operation"] for line in entries(s3)] == ["REST.HEAD.BUCKET"] * 5


def test_a_crash_loses_no_more_than_what_waits(rare_logs):
    s3 = sdk.client(rare_logs)
    switch_on(s3)
    s3.head_bucket(Bucket="shelf")
    assert rare_logs.stop() == 0
    rare_logs.start()
    s3.head_bucket(Bucket="shelf")
    rare_logs.kill()
    rare_logs.start()
    assert len(entries(s3)) == 1
    s3.head_bucket(Bucket="shelf")
    assert rare_logs.stop() == 0
    rare_logs.start()
    assert len(entries(s3)) == 2


def test_a_log_in_its_own_bucket_does_not_feed_itself(logs):
    s3 = sdk.client(logs)
    s3.put_bucket_policy(Bucket="logs", Policy=policy("logs"))
    switch_on(s3, source="logs")
    sdk.client(logs).head_bucket(Bucket="logs")
    time.sleep(2)
    # Nobody asked for anything meanwhile, so that there are one or two deliveries, and not ten.
    found = names(s3)
    assert 1 <= len(found) <= 2, found
