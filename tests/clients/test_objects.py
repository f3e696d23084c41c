"""boto3: objects, conditions, ranges, metadata."""

import datetime
import io

import pytest

import sdk
from gateway import OTHER
from sdk import assert_refused, blob, body_of, md5_hex, refusal

SIZES = [0, 1, 4095, 65535, 65536, 65537, 131072, 1_000_001]


@pytest.mark.parametrize("size", SIZES)
def test_put_get_head(s3, module_bucket, size):
    data, key = blob(size), f"plain/{size}"
    put = s3.put_object(Bucket=module_bucket, Key=key, Body=data)
    got = s3.get_object(Bucket=module_bucket, Key=key)
    head = s3.head_object(Bucket=module_bucket, Key=key)
    assert got["Body"].read() == data
    assert put["ETag"] == got["ETag"] == head["ETag"] == f'"{md5_hex(data)}"'
    assert got["ContentLength"] == head["ContentLength"] == size
    assert {a["ServerSideEncryption"] for a in (put, got, head)} == {"AES256"}
    assert got["ContentType"] == "binary/octet-stream"
    assert got["AcceptRanges"] == "bytes"
    listed = s3.list_objects_v2(Bucket=module_bucket, Prefix=key)["Contents"]
    assert [(o["Size"], o["ETag"]) for o in listed if o["Key"] == key] == [(size, put["ETag"])]


KEYS = [
    "a b",
    "a+b",
    "a%2Bb",
    "a%20b",
    "a//b",
    "/leading",
    "trailing/",
    "..",
    "../up",
    "a/../b",
    "a/./b",
    ".",
    "~tilde",
    "q?uery=1&x",
    "semi;colon",
    "quote\"'`",
    "<xml>&amp;",
    "back\\slash",
    "ümläut",
    "日本語",
    "👩‍👩‍👧",
    "é",
    "e\u0301",
    "x" * 1024,
    "é" * 512,
    "new\nline",
    "tab\t",
    "bell\x07",
    "%",
    "%zz",
    "#hash",
    "a=b",
    "*",
    "{}|^[]",
    "con",
    "k/x",
    "k",
]


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_odd_keys(s3, module_bucket, key):
    data = key.encode() + b"!"
    s3.put_object(Bucket=module_bucket, Key=key, Body=data)
    assert body_of(s3, module_bucket, key) == data
    assert s3.head_object(Bucket=module_bucket, Key=key)["ContentLength"] == len(data)
    listed = s3.list_objects_v2(Bucket=module_bucket, Prefix=key)
    assert key in [o["Key"] for o in listed["Contents"]]
    s3.copy_object(Bucket=module_bucket, Key="copied", CopySource={"Bucket": module_bucket, "Key": key})
    assert body_of(s3, module_bucket, "copied") == data
    if any(c < " " and c not in "\t\n" for c in key):
        # S3 writes it as a reference that XML 1.0 does not allow, and the SDK cannot read that.
        s3.delete_object(Bucket=module_bucket, Key=key)
        return
    deleted = s3.delete_objects(Bucket=module_bucket, Delete={"Objects": [{"Key": key}]})
    assert [d["Key"] for d in deleted["Deleted"]] == [key]
    assert refusal(s3.head_object, Bucket=module_bucket, Key=key).status == 404


def test_key_limit(s3, module_bucket):
    assert_refused(
        lambda: s3.put_object(Bucket=module_bucket, Key="x" * 1025, Body=b""),
        400,
        "KeyTooLongError",
        "Your key is too long",
    )


RANGES = [
    ("bytes=0-0", (0, 1)),
    ("bytes=0-49", (0, 50)),
    ("bytes=10-", (10, None)),
    ("bytes=-1", (-1, None)),
    ("bytes=-70000", (-70000, None)),
    ("bytes=65535-65536", (65535, 65537)),
    ("bytes=65536-131071", (65536, 131072)),
    ("bytes=199999-", (199999, None)),
    ("bytes=100-999999999", (100, None)),
    ("bytes=-999999999", (0, None)),
]


@pytest.mark.parametrize("header, expected", RANGES)
def test_ranges(s3, module_bucket, header, expected):
    data = blob(200_000)
    s3.put_object(Bucket=module_bucket, Key="ranged", Body=data)
    got = s3.get_object(Bucket=module_bucket, Key="ranged", Range=header)
    want = data[slice(*expected)]
    assert got["Body"].read() == want
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    first = range(len(data))[slice(*expected)][0]
    assert got["ContentRange"] == f"bytes {first}-{first + len(want) - 1}/200000"
    assert got["ContentLength"] == len(want)


@pytest.mark.parametrize("header", ["bytes=200000-", "bytes=200001-200002", "bytes=-0"])
def test_ranges_past_the_end(s3, module_bucket, header):
    s3.put_object(Bucket=module_bucket, Key="ranged", Body=blob(200_000))
    got = refusal(s3.get_object, Bucket=module_bucket, Key="ranged", Range=header)
    assert (got.status, got.code, got.message) == (416, "InvalidRange", "The requested range is not satisfiable")
    assert got.response["Error"]["ActualObjectSize"] == "200000"
    assert got.response["Error"]["RangeRequested"] == header


@pytest.mark.parametrize("header", ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=", "bytes=0-1,5-6"])
def test_ranges_that_are_none_give_the_whole(s3, module_bucket, header):
    s3.put_object(Bucket=module_bucket, Key="whole", Body=blob(100))
    got = s3.get_object(Bucket=module_bucket, Key="whole", Range=header)
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()) == (200, blob(100))


def test_range_of_an_empty_object(s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="empty", Body=b"")
    assert refusal(s3.get_object, Bucket=module_bucket, Key="empty", Range="bytes=0-0").status == 416


def test_metadata_and_standard_headers(s3, module_bucket):
    given = {
        "Metadata": {"plain": "value", "mixed-case": "Value With  Blanks", "empty": ""},
        "ContentType": "text/plain; charset=utf-8",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="x.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Expires": datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC),
        "StorageClass": "STANDARD_IA",
    }
    s3.put_object(Bucket=module_bucket, Key="headers", Body=b"x", **given)
    for answer in (
        s3.get_object(Bucket=module_bucket, Key="headers"),
        s3.head_object(Bucket=module_bucket, Key="headers"),
    ):
        got = {name: answer[name] for name in given if name != "Expires"}
        # HTTP folds blanks in signed values only; what is stored is what came.
        assert got == {name: value for name, value in given.items() if name != "Expires"}
        assert answer["ExpiresString"].startswith("Tue, 01 Jan 2030")


def test_response_overrides(s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="over", Body=b"x", ContentType="text/plain")
    got = s3.get_object(
        Bucket=module_bucket,
        Key="over",
        ResponseContentType="image/png",
        ResponseCacheControl="no-store",
        ResponseContentDisposition="inline",
        ResponseContentEncoding="br",
        ResponseContentLanguage="fr",
        ResponseExpires=datetime.datetime(2031, 1, 1),
    )
    assert (got["ContentType"], got["CacheControl"], got["ContentDisposition"]) == ("image/png", "no-store", "inline")
    assert (got["ContentEncoding"], got["ContentLanguage"]) == ("br", "fr")


def test_missing_things(s3, module_bucket):
    rows = [
        (
            lambda: s3.get_object(Bucket=module_bucket, Key="none"),
            404,
            "NoSuchKey",
            "The specified key does not exist.",
        ),
        (lambda: s3.head_object(Bucket=module_bucket, Key="none"), 404, "404", "Not Found"),
        (
            lambda: s3.get_object(Bucket="no-such-bucket", Key="k"),
            404,
            "NoSuchBucket",
            "The specified bucket does not exist",
        ),
        (
            lambda: s3.put_object(Bucket="no-such-bucket", Key="k"),
            404,
            "NoSuchBucket",
            "The specified bucket does not exist",
        ),
        (lambda: s3.head_bucket(Bucket="no-such-bucket"), 404, "404", "Not Found"),
        (
            lambda: s3.list_objects_v2(Bucket="no-such-bucket"),
            404,
            "NoSuchBucket",
            "The specified bucket does not exist",
        ),
        (lambda: s3.delete_bucket(Bucket="no-such-bucket"), 404, "NoSuchBucket", "The specified bucket does not exist"),
    ]
    for call, status, code, message in rows:
        assert_refused(call, status, code, message)
    s3.delete_object(Bucket=module_bucket, Key="none")


def test_conditional_reads(s3, module_bucket):
    s3.put_object(Bucket=module_bucket, Key="cond", Body=b"x")
    head = s3.head_object(Bucket=module_bucket, Key="cond")
    etag, modified = head["ETag"], head["LastModified"]
    hour = datetime.timedelta(hours=1)
    rows = [
        ({"IfMatch": etag}, 200),
        ({"IfMatch": "*"}, 200),
        ({"IfMatch": '"other"'}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfNoneMatch": '"other"'}, 200),
        ({"IfNoneMatch": "*"}, 304),
        ({"IfModifiedSince": modified - hour}, 200),
        ({"IfModifiedSince": modified}, 304),
        ({"IfUnmodifiedSince": modified}, 200),
        ({"IfUnmodifiedSince": modified - hour}, 412),
        # RFC 9110 13.2.2: entity tags stand over dates.
        ({"IfMatch": etag, "IfUnmodifiedSince": modified - hour}, 200),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": modified}, 200),
        ({"IfNoneMatch": etag, "IfModifiedSince": modified - hour}, 304),
    ]
    for args, expected in rows:
        for call in (s3.get_object, s3.head_object):
            if expected == 200:
                call(Bucket=module_bucket, Key="cond", **args)
            else:
                assert refusal(call, Bucket=module_bucket, Key="cond", **args).status == expected, args


def test_conditional_writes(s3, module_bucket):
    def put(key, **args):
        return s3.put_object(Bucket=module_bucket, Key=key, Body=b"x", **args)

    etag = put("cw-new", IfNoneMatch="*")["ETag"]
    got = refusal(put, "cw-new", IfNoneMatch="*")
    assert (got.status, got.code) == (412, "PreconditionFailed")
    assert got.message == "At least one of the pre-conditions you specified did not hold"
    assert got.response["Error"]["Condition"] == "If-None-Match"
    put("cw-new", IfMatch=etag)
    got = refusal(put, "cw-new", IfMatch='"other"')
    assert (got.status, got.code, got.response["Error"]["Condition"]) == (412, "PreconditionFailed", "If-Match")
    assert_refused(lambda: put("cw-none", IfMatch=etag), 404, "NoSuchKey")
    got = refusal(put, "cw-new", IfNoneMatch=etag)
    assert (got.status, got.code) == (501, "NotImplemented")
    assert got.message == "A header you provided implies functionality that is not implemented"


def test_conditional_deletes(s3, module_bucket):
    etag = s3.put_object(Bucket=module_bucket, Key="cd", Body=b"x")["ETag"]
    assert refusal(s3.delete_object, Bucket=module_bucket, Key="cd", IfMatch='"other"').status == 412
    assert s3.head_object(Bucket=module_bucket, Key="cd")["ETag"] == etag
    s3.delete_object(Bucket=module_bucket, Key="cd", IfMatch=etag)
    assert refusal(s3.head_object, Bucket=module_bucket, Key="cd").status == 404
    s3.put_object(Bucket=module_bucket, Key="cd2", Body=b"x")
    many = s3.delete_objects(Bucket=module_bucket, Delete={"Objects": [{"Key": "cd2", "ETag": '"other"'}]})
    assert [e["Code"] for e in many["Errors"]] == ["PreconditionFailed"]
    assert s3.head_object(Bucket=module_bucket, Key="cd2")["ContentLength"] == 1


def test_concurrent_creation_has_one_winner(server, s3, bucket):
    from concurrent.futures import ThreadPoolExecutor

    def attempt(number):
        mine = sdk.client(server)
        try:
            mine.put_object(Bucket=bucket, Key="race", Body=b"%d" % number, IfNoneMatch="*")
            return 200
        except sdk.ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt, range(8)))
    assert statuses.count(200) == 1 and set(statuses) <= {200, 409, 412}


def test_copy(s3, module_bucket, bucket):
    data = blob(100_000)
    s3.put_object(Bucket=module_bucket, Key="src", Body=data, ContentType="text/x", Metadata={"a": "1"})
    source = {"Bucket": module_bucket, "Key": "src"}
    copied = s3.copy_object(Bucket=bucket, Key="dst", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == f'"{md5_hex(data)}"'
    head = s3.head_object(Bucket=bucket, Key="dst")
    assert (head["ContentType"], head["Metadata"]) == ("text/x", {"a": "1"})
    s3.copy_object(
        Bucket=bucket,
        Key="dst",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        ContentType="text/y",
    )
    head = s3.head_object(Bucket=bucket, Key="dst")
    assert (head["ContentType"], head["Metadata"]) == ("text/y", {"b": "2"})
    s3.delete_object(Bucket=module_bucket, Key="src")
    assert body_of(s3, bucket, "dst") == data


@pytest.mark.parametrize(("named", "found"), [("a+b", "a b"), ("a%20b", "a b"), ("a%2Bb", "a+b"), ("a%252Bb", "a%2Bb")])
def test_copy_sources_are_decoded_as_forms_are(s3, raw, module_bucket, named, found):
    for key in ("a b", "a+b", "a%2Bb"):
        s3.put_object(Bucket=module_bucket, Key=key, Body=key.encode())
    got = raw.request("PUT", f"/{module_bucket}/copied", headers={"x-amz-copy-source": f"/{module_bucket}/{named}"})
    assert got.status == 200, got
    assert body_of(s3, module_bucket, "copied") == found.encode()


def test_copy_refusals(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    here = {"Bucket": bucket, "Key": "k"}
    rows = [
        (
            dict(Key="k", CopySource=here),
            400,
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes.",
        ),
        (
            dict(Key="d", CopySource={"Bucket": bucket, "Key": "none"}),
            404,
            "NoSuchKey",
            "The specified key does not exist.",
        ),
        (
            dict(Key="d", CopySource={"Bucket": "no-such-bucket", "Key": "k"}),
            404,
            "NoSuchBucket",
            "The specified bucket does not exist",
        ),
        (dict(Key="d", CopySource=here, CopySourceIfMatch='"other"'), 412, "PreconditionFailed", None),
        (dict(Key="d", CopySource=here, CopySourceIfNoneMatch="*"), 412, "PreconditionFailed", None),
        (dict(Key="k", CopySource=here, MetadataDirective="REPLACE", IfNoneMatch="*"), 412, "PreconditionFailed", None),
        (dict(Key="none", CopySource=here, IfMatch='"x"'), 404, "NoSuchKey", None),
        (dict(Key="d", CopySource="nonsense"), 400, "InvalidArgument", None),
    ]
    for args, status, code, message in rows:
        assert_refused(lambda args=args: s3.copy_object(Bucket=bucket, **args), status, code, message)


def test_delete_objects(s3, bucket):
    keys = [f"d/{n}" for n in range(1000)]
    for key in keys[:20]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
    assert sorted(d["Key"] for d in gone["Deleted"]) == sorted(keys)
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "d/0"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    too_many = {"Objects": [{"Key": f"{n}"} for n in range(1001)]}
    assert_refused(lambda: s3.delete_objects(Bucket=bucket, Delete=too_many), 400, "MalformedXML")


def test_streams_of_unknown_length_over_https(tls_s3, tls_bucket):
    data = blob(3_000_000)

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.rest = io.BytesIO(data)

        def readable(self):
            return True

        def readinto(self, into):
            piece = self.rest.read(min(len(into), 9973))
            into[: len(piece)] = piece
            return len(piece)

    tls_s3.upload_fileobj(io.BufferedReader(Pipe()), tls_bucket, "stream")
    assert body_of(tls_s3, tls_bucket, "stream") == data


def test_buckets(s3, server):
    name = "buckets-of-their-own"
    s3.create_bucket(Bucket=name)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    head = s3.head_bucket(Bucket=name)
    assert head["BucketRegion"] == "us-east-1"
    assert name in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    # us-east-1 alone answers 200 to the owner.
    s3.create_bucket(Bucket=name)
    west = sdk.client(server, region="us-west-2")
    place = {"LocationConstraint": "us-west-2"}
    west.create_bucket(Bucket="in-the-west", CreateBucketConfiguration=place)
    assert s3.get_bucket_location(Bucket="in-the-west")["LocationConstraint"] == "us-west-2"
    got = refusal(west.create_bucket, Bucket="in-the-west", CreateBucketConfiguration=place)
    assert (got.status, got.code) == (409, "BucketAlreadyOwnedByYou")
    other = sdk.client(server, who=OTHER)
    assert refusal(other.create_bucket, Bucket=name).code == "BucketAlreadyExists"
    s3.put_object(Bucket=name, Key="k", Body=b"")
    assert_refused(
        lambda: s3.delete_bucket(Bucket=name), 409, "BucketNotEmpty", "The bucket you tried to delete is not empty"
    )
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert refusal(s3.head_bucket, Bucket=name).status == 404


def test_list_buckets_pages(s3):
    names = [f"paged-{n:02}" for n in range(7)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 3})
    assert [[b["Name"] for b in page["Buckets"]] for page in pages] == [names[:3], names[3:6], names[6:]]
    assert [b["BucketRegion"] for b in s3.list_buckets(Prefix="paged-00", BucketRegion="us-east-1")["Buckets"]] == [
        "us-east-1"
    ]
    got = refusal(s3.list_buckets, BucketRegion="eu-east-1")
    assert (got.code, got.message) == ("InvalidArgument", "Argument value eu-east-1 is not a valid AWS Region")


@pytest.mark.parametrize(
    "name", ["ab", "x" * 64, "Upper", "under_score", "-dash", "dash-", "a..b", "192.168.0.1", "xn--x"]
)
def test_illegal_bucket_names(raw, name):
    got = raw.request("PUT", f"/{name}")
    assert (got.status, got.code, got.message) == (400, "InvalidBucketName", "The specified bucket is not valid.")


def test_object_attributes(s3, bucket):
    data = blob(1000)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm="SHA256")
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    assert got["ETag"] == put["ETag"].strip('"')
    assert got["ObjectSize"] == 1000 and got["StorageClass"] == "STANDARD"
    assert got["Checksum"]["ChecksumSHA256"] == put["ChecksumSHA256"]
    assert got["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert "ObjectParts" not in got
    size_only = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert size_only["ObjectSize"] == 1000 and "ETag" not in size_only
