"""boto3: multipart uploads."""

import pytest

from sdk import MIB, assert_refused, blob, body_of, md5_hex, refusal, upload

PART = 5 * MIB


def etag_of(parts):
    import hashlib

    return f'"{md5_hex(b"".join(hashlib.md5(p).digest() for p in parts))}-{len(parts)}"'


@pytest.fixture(scope="module")
def three(s3, module_bucket):
    parts = [blob(PART, 1), blob(PART + 1, 2), blob(3, 3)]
    done = upload(s3, module_bucket, "three", parts)
    return done, parts


def test_complete(s3, module_bucket, three):
    done, parts = three
    whole = b"".join(parts)
    assert done["ETag"] == etag_of(parts)
    assert done["ServerSideEncryption"] == "AES256"
    assert done["Location"].endswith(f"/{module_bucket}/three")
    assert body_of(s3, module_bucket, "three") == whole
    head = s3.head_object(Bucket=module_bucket, Key="three")
    assert (head["ContentLength"], head["ETag"]) == (len(whole), done["ETag"])


@pytest.mark.parametrize(
    "first, last", [(0, 0), (PART - 1, PART), (PART, PART), (2 * PART - 1, 2 * PART + 3), (0, 2 * PART + 3)]
)
def test_ranges_over_parts(s3, module_bucket, three, first, last):
    whole = b"".join(three[1])
    assert body_of(s3, module_bucket, "three", Range=f"bytes={first}-{last}") == whole[first : last + 1]


def test_part_numbers(s3, module_bucket, three):
    for number, part in enumerate(three[1], 1):
        got = s3.get_object(Bucket=module_bucket, Key="three", PartNumber=number)
        head = s3.head_object(Bucket=module_bucket, Key="three", PartNumber=number)
        assert got["Body"].read() == part
        assert got["PartsCount"] == head["PartsCount"] == 3
        assert got["ContentLength"] == head["ContentLength"] == len(part)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    got = refusal(s3.get_object, Bucket=module_bucket, Key="three", PartNumber=4)
    assert (got.status, got.code, got.message) == (
        416,
        "InvalidPartNumber",
        "The requested partnumber is not satisfiable",
    )
    assert got.response["Error"]["ActualPartCount"] == "3"
    assert_refused(
        lambda: s3.get_object(Bucket=module_bucket, Key="three", PartNumber=1, Range="bytes=0-1"),
        400,
        "InvalidRequest",
        "Cannot specify both Range header and partNumber query parameter",
    )
    s3.put_object(Bucket=module_bucket, Key="single", Body=b"x")
    assert body_of(s3, module_bucket, "single", PartNumber=1) == b"x"
    assert refusal(s3.get_object, Bucket=module_bucket, Key="single", PartNumber=2).status == 416


def test_attributes(s3, module_bucket):
    parts = [blob(PART), b"end"]
    upload(
        s3,
        module_bucket,
        "attributes",
        parts,
        create={"ChecksumAlgorithm": "SHA256"},
        each={"ChecksumAlgorithm": "SHA256"},
    )
    got = s3.get_object_attributes(
        Bucket=module_bucket, Key="attributes", ObjectAttributes=["ObjectParts", "ObjectSize", "Checksum"], MaxParts=1
    )
    assert got["ObjectSize"] == PART + 3
    whole = s3.head_object(Bucket=module_bucket, Key="attributes", ChecksumMode="ENABLED")["ChecksumSHA256"]
    # Here alone without the number of parts.
    assert got["Checksum"] == {"ChecksumSHA256": whole.removesuffix("-2"), "ChecksumType": "COMPOSITE"}
    listed = got["ObjectParts"]
    assert (listed["TotalPartsCount"], listed["IsTruncated"], listed["MaxParts"]) == (2, True, 1)
    assert [(p["PartNumber"], p["Size"]) for p in listed["Parts"]] == [(1, PART)]


def test_an_object_with_one_checksum_of_the_whole_shows_none_of_its_parts(s3, module_bucket):
    kind = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    each = {"ChecksumAlgorithm": "CRC32"}
    upload(s3, module_bucket, "of the whole", [blob(PART), b"end"], create=kind, each=each)
    here = {"Bucket": module_bucket, "Key": "of the whole"}
    whole = s3.head_object(ChecksumMode="ENABLED", **here)
    got = s3.get_object_attributes(ObjectAttributes=["ObjectParts", "Checksum"], **here)
    assert got["ObjectParts"] == {"TotalPartsCount": 2}
    assert got["Checksum"] == {"ChecksumCRC32": whole["ChecksumCRC32"], "ChecksumType": "FULL_OBJECT"}
    part = s3.head_object(PartNumber=2, ChecksumMode="ENABLED", **here)
    assert part["ContentLength"] == 3 and "ChecksumCRC32" not in part and "ChecksumType" not in part


def test_where_an_object_lies_is_told_encoded_as_in_a_form(s3, module_bucket):
    args, parts = started(s3, module_bucket, "a b/c+d/é", count=1)
    done = s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
    assert done["Location"].endswith(f"/{module_bucket}/a+b%2Fc%2Bd%2F%C3%A9"), done["Location"]


def started(s3, bucket, key, count=2, size=PART, **create):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key, **create)["UploadId"]
    args = dict(Bucket=bucket, Key=key, UploadId=upload_id)
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(PartNumber=n, Body=blob(size, n), **args)["ETag"]}
        for n in range(1, count + 1)
    ]
    return args, parts


NO_PART = (
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
    "entity tag may not match the part's entity tag."
)
NO_UPLOAD = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."


def test_refused_completions_leave_the_upload(s3, bucket):
    args, parts = started(s3, bucket, "k")
    wrong = [parts[0] | {"ETag": '"00000000000000000000000000000000"'}, parts[1]]
    rows = [
        (
            list(reversed(parts)),
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ),
        ([parts[0], parts[0]], 400, "InvalidPartOrder", None),
        (wrong, 400, "InvalidPart", NO_PART),
        (parts + [parts[1] | {"PartNumber": 3}], 400, "InvalidPart", NO_PART),
        (
            [parts[0] | {"PartNumber": 10001}],
            400,
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
        ),
    ]
    for listed, status, code, message in rows:
        complete = lambda listed=listed: s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **args)  # noqa: E731
        assert_refused(complete, status, code, message)
        assert refusal(s3.head_object, Bucket=bucket, Key="k").status == 404
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
    assert body_of(s3, bucket, "k") == blob(PART, 1) + blob(PART, 2)


def test_a_small_part_before_the_last(s3, bucket):
    args, parts = started(s3, bucket, "k", size=PART - 1)
    got = refusal(s3.complete_multipart_upload, MultipartUpload={"Parts": parts}, **args)
    assert (got.status, got.code, got.message) == (
        400,
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
    )
    error = got.response["Error"]
    assert (error["MinSizeAllowed"], error["ProposedSize"], error["PartNumber"]) == ("5242880", str(PART - 1), "1")
    last = s3.complete_multipart_upload(MultipartUpload={"Parts": parts[1:]}, **args)
    assert last["ETag"].endswith('-1"') and body_of(s3, bucket, "k") == blob(PART - 1, 2)


def test_completing_twice_and_afterwards(s3, bucket):
    args, parts = started(s3, bucket, "k", count=1)
    first = s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
    rows = [
        lambda: s3.upload_part(PartNumber=2, Body=b"x", **args),
        lambda: s3.list_parts(**args),
        lambda: s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId="none", MultipartUpload={"Parts": parts}),
        lambda: s3.upload_part(Bucket=bucket, Key="other", UploadId=args["UploadId"], PartNumber=1, Body=b"x"),
    ]
    for call in rows:
        assert_refused(call, 404, "NoSuchUpload", NO_UPLOAD)
    # As with S3: for clients that did not hear the first answer.
    assert s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)["ETag"] == first["ETag"]
    s3.abort_multipart_upload(**args)
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == first["ETag"]


def test_a_part_sent_again_counts_last(s3, bucket):
    args, parts = started(s3, bucket, "k", count=2)
    parts[1]["ETag"] = s3.upload_part(PartNumber=2, Body=b"again", **args)["ETag"]
    assert [p["Size"] for p in s3.list_parts(**args)["Parts"]] == [PART, 5]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
    assert body_of(s3, bucket, "k") == blob(PART, 1) + b"again"


@pytest.mark.parametrize("number", [0, 10001, -1])
def test_part_numbers_out_of_range(s3, bucket, number):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    assert_refused(
        lambda: s3.upload_part(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=number, Body=b"x"),
        400,
        "InvalidArgument",
        "Part number must be an integer between 1 and 10000, inclusive",
    )


def test_complete_without_parts(raw, s3, bucket):
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for body in (
        b"",
        b"<CompleteMultipartUpload/>",
        b"<Wrong/>",
        b"<CompleteMultipartUpload><Part></CompleteMultipartUpload>",
    ):
        got = raw.request("POST", f"/{bucket}/k", f"uploadId={upload_id}", body=body)
        assert got.status == 400 and got.code in ("MalformedXML", "InvalidRequest"), got


@pytest.mark.parametrize(
    "wrap", ['"%s"', "&quot;%s&quot;", "&#34;%s&#34;", "%s"], ids=["quoted", "quot", "number", "bare"]
)
@pytest.mark.parametrize(
    "namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'], ids=["plain", "namespace"]
)
def test_forms_of_the_complete_document(raw, s3, bucket, wrap, namespace):
    args, parts = started(s3, bucket, "k", count=2)
    rows = "".join(
        f"<Part><ETag>{wrap % p['ETag'].strip(chr(34))}</ETag><Unknown>x</Unknown><PartNumber>{p['PartNumber']}</PartNumber></Part>"
        for p in parts
    )
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUpload{namespace}>{rows}</CompleteMultipartUpload>'
    )
    got = raw.request("POST", f"/{bucket}/k", f"uploadId={args['UploadId']}", body=body.encode())
    assert got.status == 200 and got.code is None, got
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 2 * PART


def test_object_size_given(s3, bucket):
    args, parts = started(s3, bucket, "k", count=1, size=4)
    assert_refused(
        lambda: s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, MpuObjectSize=5, **args),
        400,
        "InvalidRequest",
        "The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 4",
    )
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, MpuObjectSize=4, **args)


def test_conditions_on_complete(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    args, parts = started(s3, bucket, "k", count=1)
    assert_refused(
        lambda: s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, IfNoneMatch="*", **args),
        412,
        "PreconditionFailed",
    )
    assert body_of(s3, bucket, "k") == b"old"
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, IfMatch=etag, **args)
    assert body_of(s3, bucket, "k") == blob(PART, 1)


def test_part_copy(s3, bucket):
    data = blob(12 * MIB)
    s3.put_object(Bucket=bucket, Key="src", Body=data)
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="dst")["UploadId"]
    args = dict(Bucket=bucket, Key="dst", UploadId=upload_id)
    source = {"Bucket": bucket, "Key": "src"}
    ranges = ["bytes=0-5242879", "bytes=5242880-12582911"]
    parts = []
    for number, span in enumerate(ranges, 1):
        got = s3.upload_part_copy(CopySource=source, CopySourceRange=span, PartNumber=number, **args)
        assert len(got["CopyPartResult"]["ETag"].strip('"')) == 32
        parts.append({"PartNumber": number, "ETag": got["CopyPartResult"]["ETag"]})
    refused = [
        ("bytes=0-12582912", "InvalidArgument", f"Range specified is not valid for source object of size: {len(data)}"),
        (
            "0-1",
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        ),
    ]
    for span, code, message in refused:
        copy = lambda span=span: s3.upload_part_copy(CopySource=source, CopySourceRange=span, PartNumber=3, **args)  # noqa: E731
        assert_refused(copy, 400, code, message)
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
    assert body_of(s3, bucket, "dst") == data


def test_transfer_manager(s3, bucket, tmp_path):
    data = blob(40 * MIB)
    (tmp_path / "up").write_bytes(data)
    s3.upload_file(str(tmp_path / "up"), bucket, "big")
    s3.download_file(bucket, "big", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == data
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copied")
    assert md5_hex(body_of(s3, bucket, "copied")) == md5_hex(data)


def test_bucket_with_unfinished_uploads(s3):
    s3.create_bucket(Bucket="unfinished")
    upload_id = s3.create_multipart_upload(Bucket="unfinished", Key="k")["UploadId"]
    s3.upload_part(Bucket="unfinished", Key="k", UploadId=upload_id, PartNumber=1, Body=b"x")
    # S3 deletes such a bucket; the uploads go with it.
    s3.delete_bucket(Bucket="unfinished")
    s3.create_bucket(Bucket="unfinished")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="unfinished")
    assert refusal(s3.list_parts, Bucket="unfinished", Key="k", UploadId=upload_id).code == "NoSuchUpload"
