"""boto3 and raw: listings."""

import pytest

from sdk import assert_refused

KEYS = ["a", "a/1", "a/2", "a/b/3", "a0", "b", "c d", "c+d", "c%d", "d&<>", "é", "日本", "z//y", "zz"]


@pytest.fixture(scope="module")
def listed(s3):
    s3.create_bucket(Bucket="listed")
    for key in KEYS:
        s3.put_object(Bucket="listed", Key=key, Body=b"x")
    return "listed"


def in_order(keys):
    return sorted(keys, key=lambda k: k.encode())


@pytest.mark.parametrize("page", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_pages_hold_all_keys_in_order(s3, listed, operation, page):
    pages = s3.get_paginator(operation).paginate(Bucket=listed, PaginationConfig={"PageSize": page})
    assert [o["Key"] for answer in pages for o in answer.get("Contents", [])] == in_order(KEYS)


@pytest.mark.parametrize("page", [1, 2, 1000])
@pytest.mark.parametrize(
    "args, keys, prefixes",
    [
        ({"Delimiter": "/"}, [k for k in KEYS if "/" not in k], ["a/", "z/"]),
        ({"Delimiter": "/", "Prefix": "a/"}, ["a/1", "a/2"], ["a/b/"]),
        ({"Delimiter": "b"}, [k for k in KEYS if "b" not in k], ["a/b", "b"]),
        ({"Delimiter": "//"}, [k for k in KEYS if "//" not in k], ["z//"]),
        ({"Prefix": "c"}, ["c d", "c%d", "c+d"], []),
        ({"Prefix": "none"}, [], []),
        ({"Delimiter": "é"}, [k for k in KEYS if k != "é"], ["é"]),
    ],
)
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_delimiters(s3, listed, operation, args, keys, prefixes, page):
    pages = list(s3.get_paginator(operation).paginate(Bucket=listed, PaginationConfig={"PageSize": page}, **args))
    assert [o["Key"] for p in pages for o in p.get("Contents", [])] == in_order(keys)
    assert [c["Prefix"] for p in pages for c in p.get("CommonPrefixes", [])] == in_order(prefixes)


def test_start_after_and_marker(s3, listed):
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=listed, StartAfter="c d")["Contents"]][0] == "c%d"
    assert [o["Key"] for o in s3.list_objects(Bucket=listed, Marker="日本").get("Contents", [])] == []
    # A marker inside a rolled-up prefix does not bring the prefix back.
    rolled = s3.list_objects(Bucket=listed, Delimiter="/", Marker="a/")
    assert "a/" not in [c["Prefix"] for c in rolled.get("CommonPrefixes", [])]


def test_max_keys_edges(s3, raw, listed):
    none = s3.list_objects_v2(Bucket=listed, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    assert s3.list_objects_v2(Bucket=listed, MaxKeys=5000)["MaxKeys"] == 5000
    for bad in ("-1", "x", "99999999999", ""):
        got = raw.request("GET", f"/{listed}", f"list-type=2&max-keys={bad}")
        assert (got.status, got.code) == ((200, None) if bad == "" else (400, "InvalidArgument")), bad
    got = raw.request("GET", f"/{listed}", "encoding-type=base64")
    assert (got.code, got.message) == ("InvalidArgument", "Invalid Encoding Method specified in Request")
    assert_refused(
        lambda: s3.list_objects_v2(Bucket=listed, ContinuationToken="nonsense"),
        400,
        "InvalidArgument",
        "The continuation token provided is incorrect",
    )


def test_url_encoding_on_the_wire(raw, listed):
    body = raw.request("GET", f"/{listed}", "encoding-type=url&list-type=2").body.decode()
    assert "<EncodingType>url</EncodingType>" in body
    for key in ("c+d", "c%2Bd", "c%25d", "d%26%3C%3E", "%C3%A9", "a/b/3"):
        assert f"<Key>{key}</Key>" in body, key
    plain = raw.request("GET", f"/{listed}", "list-type=2").body.decode()
    assert "<Key>d&amp;&lt;&gt;</Key>" in plain


def test_owner(s3, listed):
    assert "Owner" not in s3.list_objects_v2(Bucket=listed)["Contents"][0]
    for answer in (s3.list_objects_v2(Bucket=listed, FetchOwner=True), s3.list_objects(Bucket=listed)):
        assert answer["Contents"][0]["Owner"]["ID"] == "a1" * 32


def test_a_delimiter_skips_a_large_prefix(server, s3, bucket):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=bucket, Key=f"many/{n:04}", Body=b""), range(1200)))
    s3.put_object(Bucket=bucket, Key="zlast", Body=b"")
    got = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert ([c["Prefix"] for c in got["CommonPrefixes"]], [o["Key"] for o in got["Contents"]]) == (["many/"], ["zlast"])
    assert got["IsTruncated"] is False
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    assert [len(p["Contents"]) for p in pages] == [1000, 201]


def test_list_uploads_and_parts(s3, bucket):
    ids = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("u/1", "u/1", "u/2", "v")]
    for number in (3, 1, 2):
        s3.upload_part(Bucket=bucket, Key="u/2", UploadId=ids[2], PartNumber=number, Body=b"%d" % number)
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    got = [(u["Key"], u["UploadId"]) for page in pages for u in page.get("Uploads", [])]
    assert sorted(got) == sorted(zip(("u/1", "u/1", "u/2", "v"), ids))
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [c["Prefix"] for c in rolled["CommonPrefixes"]] == ["u/"] and len(rolled["Uploads"]) == 1
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="u/2", UploadId=ids[2], PaginationConfig={"PageSize": 2}
    )
    parts = [(p["PartNumber"], p["Size"]) for page in pages for p in page["Parts"]]
    assert parts == [(1, 1), (2, 1), (3, 1)]
    for key, upload_id in zip(("u/1", "u/1", "u/2", "v"), ids):
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert_refused(
        lambda: s3.list_parts(Bucket=bucket, Key="v", UploadId=ids[3]),
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
