"""Keys that are legal and odd, through every operation on objects: each finds the object of exactly this key."""

import datetime
import re
from urllib.parse import quote, unquote

import pytest

from browser import send
from conftest import bucket_name
from raw import EMPTY_SHA256, Raw, presigned, quoted
from sdk import assert_refused, body_of, md5_b64, refusal

KEYS = {
    "dot": ".",
    "dots": "..",
    "up": "../up",
    "up inside": "a/../b",
    "here inside": "a/./b",
    "two slashes": "//",
    "leading slash": "/a",
    "leading slashes": "//a//b//",
    "trailing slash": "a/",
    "slash": "/",
    "encoded slash": "a%2Fb",
    "encoded percent": "a%252Fb",
    "percent": "100%",
    "percent no hex": "%zz",
    "encoded dots": "%2e%2e/%2e",
    "blank": " ",
    "blanks around": " a  b ",
    "plus": "a+b c",
    "question mark": "a?acl",
    "hash": "a#b",
    "ampersand": "a&b=c;d",
    "angles": "<a>&amp;\"'",
    "backslash": "a\\b",
    "like a list": "?list-type=2",
    "umlaut": "ü",
    "umlaut decomposed": "u\u0308",
    "emoji": "👍🏽/🇩🇪",
    "right to left": "שלום",
    "no character": "\ufdd0",
    "byte order mark": "\ufeffa",
    "line ends": "a\r\nb",
    "tab": "a\tb",
    "delete": "a\x7fb",
    "next line": "a\u0085b\u2028",
    "longest": "k" * 1024,
    "longest in bytes": "é" * 512,
    "deepest": "/" * 1024,
    "like an upload": "a?uploadId=x&partNumber=1",
    "like a version": "a?versionId=null",
}
# What XML 1.0 cannot carry: an SDK that lists without an encoding reads nothing of such a list, on AWS as here.
CONTROLS = {"start of heading": "a\x01b", "escape": "\x1b[31m", "unit separator": "\x1f", "no XML": "\uffff"}


@pytest.fixture(scope="module")
def odd(s3):
    name = bucket_name()
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    return name


@pytest.fixture(scope="module")
def kms_key(kms):
    return kms.create_key()["KeyMetadata"]


@pytest.mark.parametrize("key", [*KEYS.values(), *CONTROLS.values()], ids=[*KEYS, *CONTROLS])
def test_every_operation_by_sdk(s3, odd, kms_key, key):
    here, data = dict(Bucket=odd, Key=key), b"of " + key.encode()
    first = s3.put_object(Body=data, Tagging="a=1", **here)["VersionId"]
    assert s3.get_object(**here)["Body"].read() == data
    assert s3.head_object(**here)["ContentLength"] == len(data)
    assert s3.get_object_attributes(ObjectAttributes=["ObjectSize"], **here)["ObjectSize"] == len(data)
    s3.put_object_tagging(Tagging={"TagSet": [{"Key": "b", "Value": "2"}]}, **here)
    assert s3.get_object_tagging(**here)["TagSet"] == [{"Key": "b", "Value": "2"}]
    s3.delete_object_tagging(**here)
    s3.put_object_acl(ACL="private", **here)
    assert s3.get_object_acl(**here)["Grants"]
    for source in ({"Bucket": odd, "Key": key}, {"Bucket": odd, "Key": key, "VersionId": first}):
        s3.copy_object(Bucket=odd, Key="copied", CopySource=source)
        assert body_of(s3, odd, "copied") == data
    assert body_of(s3, odd, key, VersionId=first) == data
    # The key as a copy's target, and onto itself.
    for source in ("copied", key):
        copy = {"Bucket": odd, "Key": source}
        s3.copy_object(CopySource=copy, MetadataDirective="REPLACE", Metadata={"from": "copy"}, **here)
        got = s3.get_object(**here)
        assert (got["Body"].read(), got["Metadata"]) == (data, {"from": "copy"})
    s3.update_object_encryption(ObjectEncryption={"SSEKMS": {"KMSKeyArn": kms_key["Arn"]}}, **here)
    assert s3.head_object(**here)["ServerSideEncryption"] == "aws:kms"
    assert body_of(s3, odd, key) == data
    if key not in CONTROLS.values():
        # From the odd key's own parts to another version of it. (The answers tell the key.)
        upload_id = s3.create_multipart_upload(**here)["UploadId"]
        source = {"Bucket": odd, "Key": key}
        copied = s3.upload_part_copy(UploadId=upload_id, PartNumber=1, CopySource=source, **here)
        etags = [copied["CopyPartResult"]["ETag"]]
        etags.append(s3.upload_part(UploadId=upload_id, PartNumber=2, Body=b"not completed", **here)["ETag"])
        assert key in [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=odd, Prefix=key)["Uploads"]]
        told = s3.list_parts(UploadId=upload_id, **here)
        assert (told["Key"], [part["ETag"] for part in told["Parts"]]) == (key, etags)
        parts = {"Parts": [{"PartNumber": 1, "ETag": etags[0]}]}
        assert s3.complete_multipart_upload(UploadId=upload_id, MultipartUpload=parts, **here)["Key"] == key
        given_up = s3.create_multipart_upload(**here)["UploadId"]
        s3.abort_multipart_upload(UploadId=given_up, **here)
        assert_refused(lambda: s3.list_parts(UploadId=given_up, **here), 404, "NoSuchUpload")
        assert_refused(lambda: s3.restore_object(RestoreRequest={"Days": 1}, **here), 403, "InvalidObjectState")
        assert s3.get_object(**here)["Body"].read() == data
    for listing in (s3.list_objects, s3.list_objects_v2):
        assert key in [entry["Key"] for entry in listing(Bucket=odd, Prefix=key)["Contents"]]
    versions = s3.list_object_versions(Bucket=odd, Prefix=key)["Versions"]
    mine = [entry["VersionId"] for entry in versions if entry["Key"] == key]
    assert first in mine and len(mine) == (3 if key in CONTROLS.values() else 4)
    s3.delete_object(**here)
    for version in mine:
        s3.delete_object(VersionId=version, **here)
    assert refusal(s3.head_object, **here).status == 404


@pytest.fixture(scope="module")
def locked(s3):
    name = bucket_name() + "-lock"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.mark.parametrize("key", [*KEYS.values(), *CONTROLS.values()], ids=[*KEYS, *CONTROLS])
def test_locks(s3, locked, key):
    """A lock is on the version of exactly this key, and is taken off it."""
    here = dict(Bucket=locked, Key=key)
    version = s3.put_object(Body=b"x", **here)["VersionId"]
    until = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=1)
    s3.put_object_retention(Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until}, **here)
    s3.put_object_legal_hold(LegalHold={"Status": "ON"}, **here)
    assert s3.get_object_retention(**here)["Retention"]["RetainUntilDate"] == until
    assert s3.get_object_legal_hold(**here)["LegalHold"] == {"Status": "ON"}
    assert refusal(s3.delete_object, VersionId=version, **here).code == "AccessDenied"
    # Neither does a list get round it.
    named = {"Objects": [{"Key": key, "VersionId": version}]}
    if key not in CONTROLS.values():
        refused = s3.delete_objects(Bucket=locked, Delete=named, BypassGovernanceRetention=True)
        assert [error["Code"] for error in refused["Errors"]] == ["AccessDenied"]
    s3.put_object_legal_hold(LegalHold={"Status": "OFF"}, VersionId=version, **here)
    s3.delete_object(VersionId=version, BypassGovernanceRetention=True, **here)
    assert refusal(s3.head_object, VersionId=version, **here).status == 404


@pytest.mark.parametrize("key", [*KEYS.values(), *CONTROLS.values()], ids=[*KEYS, *CONTROLS])
def test_presigned(server, odd, key):
    """A link is for exactly this key, in the path as it is signed."""
    host, path = f"127.0.0.1:{server.port}", f"/{odd}/{quoted(key)}"
    for method, body in (("PUT", b"by link"), ("GET", None), ("HEAD", None), ("DELETE", None)):
        got = send(server, method, f"{path}?{presigned(method, host, path)}", body)
        assert got.status in (200, 204), got
        if method == "GET":
            assert got.body == b"by link"


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_deleted_among_many(s3, odd, key):
    """The key comes in a document here; blanks and line ends of it are kept."""
    s3.put_object(Bucket=odd, Key=key, Body=b"x")
    done = s3.delete_objects(Bucket=odd, Delete={"Objects": [{"Key": key}, {"Key": "absent"}]})
    assert "Errors" not in done
    if "\r" not in key:
        assert key in [deleted["Key"] for deleted in done["Deleted"]]
    assert refusal(s3.head_object, Bucket=odd, Key=key).status == 404


@pytest.mark.parametrize("key", [*KEYS.values(), *CONTROLS.values()], ids=[*KEYS, *CONTROLS])
def test_as_they_stand_on_the_wire(raw, odd, key):
    """Percent-encoded once in the path, and only what must be: dots and slashes are not normalised away."""
    path = f"/{odd}/{quoted(key)}"
    assert raw.request("PUT", path, body=b"raw").status == 200
    assert raw.request("GET", path).body == b"raw"
    source = {"x-amz-copy-source": f"/{odd}/{quote(key, safe='/')}"}
    assert raw.request("PUT", f"/{odd}/copy-of-odd", headers=source).status == 200
    assert raw.request("GET", f"/{odd}/copy-of-odd").body == b"raw"
    listed = raw.request("GET", f"/{odd}", f"encoding-type=url&list-type=2&prefix={quote(key, safe='')}")
    keys = [unquote(name.replace("+", " ")) for name in re.findall(r"<Key>(.*?)</Key>", listed.body.decode())]
    assert key in keys
    created = raw.request("POST", path, "uploads=").body.decode()
    upload_id = re.search("<UploadId>(.*)</UploadId>", created).group(1)
    part = raw.request("PUT", path, f"partNumber=1&uploadId={upload_id}", body=b"part").headers["etag"]
    body = f"<Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
    assert raw.request("POST", path, f"uploadId={upload_id}", body=body).code is None
    assert raw.request("GET", path).body == b"part"
    # Deleted with every character as a reference.
    references = "".join(f"&#{ord(c)};" for c in key)
    body = f"<Delete><Object><Key>{references}</Key></Object></Delete>".encode()
    done = raw.request("POST", f"/{odd}", "delete=", headers={"content-md5": md5_b64(body)}, body=body)
    assert done.status == 200 and b"<Error>" not in done.body, done
    assert raw.request("GET", path).status == 404


def test_odd_keys_do_not_meet(s3, bucket):
    """All at once in one bucket: none is another's, and the order is that of the bytes."""
    for key in KEYS.values():
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in KEYS.values():
        assert body_of(s3, bucket, key) == key.encode()
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(KEYS.values(), key=str.encode)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == listed
    by_delimiter = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    tops = sorted({key.split("/")[0] + "/" for key in KEYS.values() if "/" in key}, key=str.encode)
    assert [prefix["Prefix"] for prefix in by_delimiter["CommonPrefixes"]] == tops


@pytest.mark.parametrize("key", ["k" * 1025, "é" * 512 + "x", "/" * 1025], ids=["plain", "in bytes", "slashes"])
def test_a_key_of_1025_bytes_is_refused_by_every_operation(s3, raw, odd, key):
    here = dict(Bucket=odd, Key=key)
    upload, tags = {"UploadId": "x"}, {"TagSet": [{"Key": "a", "Value": "b"}]}
    part = upload | {"PartNumber": 1}
    until = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)
    encryption = {"SSEKMS": {"KMSKeyArn": "arn:aws:kms:us-east-1:111122223333:key/x"}}
    for call in (
        lambda: s3.put_object(Body=b"", **here),
        lambda: s3.copy_object(CopySource=f"{odd}/absent", **here),
        lambda: s3.get_object(**here),
        lambda: s3.get_object_attributes(ObjectAttributes=["ETag"], **here),
        lambda: s3.delete_object(**here),
        lambda: s3.put_object_tagging(Tagging=tags, **here),
        lambda: s3.get_object_tagging(**here),
        lambda: s3.delete_object_tagging(**here),
        lambda: s3.put_object_acl(ACL="private", **here),
        lambda: s3.get_object_acl(**here),
        lambda: s3.put_object_retention(Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until}, **here),
        lambda: s3.get_object_retention(**here),
        lambda: s3.put_object_legal_hold(LegalHold={"Status": "ON"}, **here),
        lambda: s3.get_object_legal_hold(**here),
        lambda: s3.restore_object(RestoreRequest={"Days": 1}, **here),
        lambda: s3.update_object_encryption(ObjectEncryption=encryption, **here),
        lambda: s3.create_multipart_upload(**here),
        lambda: s3.upload_part(Body=b"x", **part, **here),
        lambda: s3.upload_part_copy(CopySource=f"{odd}/absent", **part, **here),
        lambda: s3.list_parts(**upload, **here),
        lambda: s3.complete_multipart_upload(**upload, **here),
        lambda: s3.abort_multipart_upload(**upload, **here),
    ):
        assert_refused(call, 400, "KeyTooLongError", "Your key is too long")
    assert refusal(s3.head_object, **here).status == 400
    assert raw.request("PUT", f"/{odd}/{quoted(key)}", body=b"x").code == "KeyTooLongError"
    (error,) = s3.delete_objects(Bucket=odd, Delete={"Objects": [{"Key": key}]})["Errors"]
    assert error["Code"] == "KeyTooLongError"
    # As the source of a copy there is no such object.
    assert refusal(s3.copy_object, Bucket=odd, Key="x", CopySource={"Bucket": odd, "Key": key}).status in (400, 404)


NO_NAMES = [".", "..", "...", "a", "ab", "a" * 64, "-abc", "abc-", ".abc", "abc.", "a..b", "a.-b", "192.168.5.4"]
NO_NAMES += [
    "Upper",
    "under_score",
    "a%20b",
    "a%2Bb",
    "a%2Fb",
    "a%00b",
    "%E2%98%83",
    "%F0%9F%91%8D",
    "xn--abc",
    "sthree-abc",
]
NO_NAMES += ["amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap", "abc--x-s3", "abc--table-s3"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_names_of_no_bucket(raw, s3, odd, name):
    """Whatever is asked of them; a HEAD has no body to say so in."""
    create = b"<CreateBucketConfiguration/>"
    source = {"x-amz-copy-source": f"/{odd}/absent"}
    for method, path, query, headers, body in [
        ("PUT", "", "", {}, b""),
        ("PUT", "", "", {}, create),
        ("GET", "", "", {}, b""),
        ("GET", "", "list-type=2", {}, b""),
        ("GET", "", "location=", {}, b""),
        ("PUT", "", "acl=", {"x-amz-acl": "private"}, b""),
        ("DELETE", "", "", {}, b""),
        ("DELETE", "", "policy=", {}, b""),
        ("POST", "", "delete=", {"content-md5": md5_b64(b"")}, b""),
        ("PUT", "/k", "", {}, b"x"),
        ("PUT", "/k", "", source, b""),
        ("GET", "/k", "", {}, b""),
        ("DELETE", "/k", "", {}, b""),
        ("POST", "/k", "uploads=", {}, b""),
        ("GET", "/k", "tagging=", {}, b""),
    ]:
        got = raw.request(method, f"/{name}{path}", query, headers=headers, body=body)
        assert (got.status, got.code) == (400, "InvalidBucketName"), (method, path, query, got)
        assert got.message == "The specified bucket is not valid."
    for path in ("", "/k"):
        assert raw.request("HEAD", f"/{name}{path}").status == 400
    got = raw.request("PUT", f"/{odd}/copy", headers={"x-amz-copy-source": f"/{name}/k"})
    # `a%2Fb` is the key `b/k` of a bucket `a` there.
    assert got.code == "InvalidBucketName", got


@pytest.mark.parametrize("name", ["abc", "a" * 63, "1.2.3", "a-.b", "0", "a.b-c.d", "1-2--3"])
def test_names_at_the_edge(raw, name):
    legal = len(name) >= 3 and "-." not in name
    got = raw.request("PUT", f"/{name}")
    assert got.code == (None if legal else "InvalidBucketName"), got
    if legal:
        assert raw.request("PUT", f"/{name}/..//.", body=b"x").status == 200
        assert raw.request("GET", f"/{name}/..//.").body == b"x"
        assert raw.request("DELETE", f"/{name}/..//.").status == 204
        assert raw.request("DELETE", f"/{name}").status == 204


def test_a_bare_plus_in_a_path_is_a_space(server, odd):
    raw = Raw(server)
    for key in ("one and two", "one+and two"):
        assert raw.request("PUT", f"/{odd}/{quoted(key)}", body=key.encode()).status == 200
    for sent, meant in [("one+and+two", "one and two"), ("one%2Band+two", "one+and two")]:
        # Signed as what it means: AWS shows `%20` in the canonical request of such a path.
        head = raw.signed("GET", f"/{odd}/{quoted(meant)}", "", None, EMPTY_SHA256).headers
        got = raw.send(raw.head_bytes("GET", f"/{odd}/{sent}", "", list(head)), "GET")
        assert (got.status, got.body) == (200, meant.encode()), got


def test_virtual_hosts_take_the_same_keys(server, odd):
    host, raw = f"{odd}.s3.example.com", Raw(server)
    for key in KEYS.values():
        path = "/" + quoted(key)
        assert raw.request("PUT", path, headers={"host": host}, body=key.encode()).status == 200, key
        assert raw.request("GET", f"/{odd}{path}").body == key.encode()
