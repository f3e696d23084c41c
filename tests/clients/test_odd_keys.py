"""Keys that are legal and odd, through every operation on objects: each finds the object of exactly this key."""

import re
from urllib.parse import quote, unquote

import pytest

from conftest import bucket_name
from raw import EMPTY_SHA256, Raw, quoted
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


@pytest.mark.parametrize("key", [*KEYS.values(), *CONTROLS.values()], ids=[*KEYS, *CONTROLS])
def test_every_operation_by_sdk(s3, odd, key):
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
        assert s3.get_object(**here)["Body"].read() == data
    for listing in (s3.list_objects, s3.list_objects_v2):
        assert key in [entry["Key"] for entry in listing(Bucket=odd, Prefix=key)["Contents"]]
    versions = s3.list_object_versions(Bucket=odd, Prefix=key)["Versions"]
    mine = [entry["VersionId"] for entry in versions if entry["Key"] == key]
    assert first in mine and len(mine) == (1 if key in CONTROLS.values() else 2)
    s3.delete_object(**here)
    for version in mine:
        s3.delete_object(VersionId=version, **here)
    assert refusal(s3.head_object, **here).status == 404


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
    for call in (
        lambda: s3.put_object(Body=b"", **here),
        lambda: s3.create_multipart_upload(**here),
        lambda: s3.copy_object(CopySource=f"{odd}/absent", **here),
        lambda: s3.get_object(**here),
        lambda: s3.get_object_tagging(**here),
        lambda: s3.delete_object(**here),
    ):
        assert_refused(call, 400, "KeyTooLongError", "Your key is too long")
    assert refusal(s3.head_object, **here).status == 400
    assert raw.request("PUT", f"/{odd}/{quoted(key)}", body=b"x").code == "KeyTooLongError"
    (error,) = s3.delete_objects(Bucket=odd, Delete={"Objects": [{"Key": key}]})["Errors"]
    assert error["Code"] == "KeyTooLongError"
    # As the source of a copy there is no such object.
    assert refusal(s3.copy_object, Bucket=odd, Key="x", CopySource={"Bucket": odd, "Key": key}).status in (400, 404)


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
