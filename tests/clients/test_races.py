"""The same thing done by many at once: one wins, the others are told so in AWS's words, and nothing is half-made."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

import sdk
from conftest import bucket_name
from sdk import MIB, blob, body_of, refusal, upload

AT_ONCE = 8


@pytest.fixture(scope="module")
def clients(server):
    """One client, which threads may share: each has a connection of its own."""
    return [sdk.client(server, max_pool_connections=AT_ONCE)] * AT_ONCE


def race(clients, act):
    """What each of them met: "ok" or a code. All begin together."""
    barrier = Barrier(len(clients))

    def run(numbered):
        number, client = numbered
        barrier.wait(30)
        try:
            act(client, number)
        except sdk.ClientError as error:
            return sdk.Refusal(error)
        return None

    with ThreadPoolExecutor(len(clients)) as pool:
        met = list(pool.map(run, enumerate(clients)))
    assert all(refused is None or refused.status < 500 for refused in met), met
    return ["ok" if refused is None else refused.code for refused in met]


@pytest.mark.parametrize("turn", range(5))
def test_a_bucket_is_made_once(clients, s3, turn):
    name = f"{bucket_name()}-race"
    # In us-east-1 the owner's second request succeeds too.
    assert race(clients, lambda s3, _: s3.create_bucket(Bucket=name)) == ["ok"] * AT_ONCE
    assert [b["Name"] for b in s3.list_buckets(Prefix=name)["Buckets"]] == [name]
    deleted = race(clients, lambda s3, _: s3.delete_bucket(Bucket=name))
    assert deleted.count("ok") == 1 and set(deleted) == {"ok", "NoSuchBucket"}


def test_in_another_region_the_second_is_refused(server, s3):
    clients = [sdk.client(server, region="us-west-2", max_pool_connections=AT_ONCE)] * AT_ONCE
    name = bucket_name() + "-west"
    place = {"LocationConstraint": "us-west-2"}
    made = race(clients, lambda s3, _: s3.create_bucket(Bucket=name, CreateBucketConfiguration=place))
    assert made.count("ok") == 1 and set(made) == {"ok", "BucketAlreadyOwnedByYou"}


def test_last_write_wins_whole(clients, s3, bucket):
    """Overwritten by all at once: what is read is one of the bodies, and its ETag and tag are that body's."""
    bodies = [blob(300_000, n) for n in range(AT_ONCE)]
    for _ in range(3):
        put = lambda s3, n: s3.put_object(Bucket=bucket, Key="k", Body=bodies[n], Tagging=f"n={n}")  # noqa: E731
        assert race(clients, put) == ["ok"] * AT_ONCE
        got = s3.get_object(Bucket=bucket, Key="k")
        winner = bodies.index(got["Body"].read())
        assert got["ETag"] == f'"{sdk.md5_hex(bodies[winner])}"'
        assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "n", "Value": str(winner)}]


def test_versions_of_one_key_all_stay(clients, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert race(clients, lambda s3, n: s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n)) == ["ok"] * AT_ONCE
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert len({v["VersionId"] for v in versions}) == AT_ONCE and [v["IsLatest"] for v in versions].count(True) == 1
    bodies = {body_of(s3, bucket, "k", VersionId=v["VersionId"]) for v in versions}
    assert bodies == {b"%d" % n for n in range(AT_ONCE)}
    # The same version deleted by all: gone once, and no error for the others.
    gone = versions[0]["VersionId"]
    assert race(clients, lambda s3, _: s3.delete_object(Bucket=bucket, Key="k", VersionId=gone)) == ["ok"] * AT_ONCE
    left = s3.list_object_versions(Bucket=bucket)
    assert len(left["Versions"]) == AT_ONCE - 1 and "DeleteMarkers" not in left
    assert race(clients, lambda s3, _: s3.delete_object(Bucket=bucket, Key="k")) == ["ok"] * AT_ONCE
    markers = s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
    assert len(markers) == AT_ONCE and [m["IsLatest"] for m in markers].count(True) == 1


@pytest.fixture
def begun(s3, bucket):
    args = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"])
    etags = [s3.upload_part(PartNumber=n, Body=blob(5 * MIB, n), **args)["ETag"] for n in (1, 2)]
    return args, {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}


def test_completed_once(clients, s3, bucket, begun):
    """With AWS a repeated Complete succeeds too; it must not make a second version."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    args, parts = begun
    got = race(clients, lambda s3, _: s3.complete_multipart_upload(MultipartUpload=parts, **args))
    assert "ok" in got and set(got) <= {"ok", "NoSuchUpload"}
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1
    assert body_of(s3, bucket, "k") == blob(5 * MIB, 1) + blob(5 * MIB, 2)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_completed_or_aborted(clients, s3, bucket, begun):
    args, parts = begun

    def act(s3, n):
        if n % 2:
            s3.abort_multipart_upload(**args)
        else:
            s3.complete_multipart_upload(MultipartUpload=parts, **args)

    got = race(clients, act)
    completed, aborted = set(got[::2]), set(got[1::2])
    assert completed <= {"ok", "NoSuchUpload"} and aborted <= {"ok", "NoSuchUpload"}
    if "ok" in completed:
        assert body_of(s3, bucket, "k") == blob(5 * MIB, 1) + blob(5 * MIB, 2)
    else:
        assert "ok" in aborted and refusal(s3.head_object, Bucket=bucket, Key="k").status == 404
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert refusal(s3.list_parts, **args).code == "NoSuchUpload"


def test_one_part_number_by_all(clients, s3, bucket):
    """One of the bodies is the part, and its ETag the one to complete with."""
    args = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"])
    bodies = [blob(200_000, n) for n in range(AT_ONCE)]
    assert race(clients, lambda s3, n: s3.upload_part(PartNumber=1, Body=bodies[n], **args)) == ["ok"] * AT_ONCE
    (part,) = s3.list_parts(**args)["Parts"]
    s3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, **args)
    stored = body_of(s3, bucket, "k")
    assert stored in bodies and part["ETag"] == f'"{sdk.md5_hex(stored)}"'


def test_parts_sent_while_it_is_aborted(clients, s3, bucket):
    args = dict(Bucket=bucket, Key="k", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"])

    def act(s3, n):
        if n == 0:
            s3.abort_multipart_upload(**args)
        else:
            s3.upload_part(PartNumber=n, Body=blob(100_000, n), **args)

    got = race(clients, act)
    assert got[0] == "ok" and set(got) <= {"ok", "NoSuchUpload"}
    assert refusal(s3.list_parts, **args).code == "NoSuchUpload"
    s3.delete_bucket(Bucket=bucket)


def test_if_none_match_and_if_match_have_one_winner(clients, s3, bucket):
    create = lambda s3, n: s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n, IfNoneMatch="*")  # noqa: E731
    got = race(clients, create)
    assert got.count("ok") == 1 and set(got) <= {"ok", "PreconditionFailed", "ConditionalRequestConflict"}
    # Swapped by all from the same state: one sees it.
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    swap = lambda s3, n: s3.put_object(Bucket=bucket, Key="k", Body=b"new %d" % n, IfMatch=etag)  # noqa: E731
    got = race(clients, swap)
    assert got.count("ok") == 1 and set(got) <= {"ok", "PreconditionFailed", "ConditionalRequestConflict"}
    assert body_of(s3, bucket, "k") == b"new %d" % got.index("ok")
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    got = race(clients, lambda s3, _: s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag))
    assert got.count("ok") >= 1 and set(got) <= {"ok", "PreconditionFailed", "NoSuchKey", "ConditionalRequestConflict"}
    assert refusal(s3.head_object, Bucket=bucket, Key="k").status == 404


def test_complete_under_a_condition_has_one_winner(clients, s3, bucket):
    uploads = []
    for n in range(AT_ONCE):
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        etag = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=1, Body=b"%d" % n)["ETag"]
        uploads.append({"UploadId": upload_id, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}})

    def act(s3, n):
        s3.complete_multipart_upload(Bucket=bucket, Key="k", IfNoneMatch="*", **uploads[n])

    got = race(clients, act)
    assert got.count("ok") == 1 and set(got) <= {"ok", "PreconditionFailed", "ConditionalRequestConflict"}
    assert body_of(s3, bucket, "k") == b"%d" % got.index("ok")


def test_copies_onto_each_other(clients, s3, bucket):
    """Two keys copied over each other in both directions, in other modes: each stays readable, as one of the two."""
    first, second = blob(6 * MIB, 1), blob(6 * MIB, 2)
    upload(s3, bucket, "a", [first])
    s3.put_object(Bucket=bucket, Key="b", Body=second, ServerSideEncryption="aws:kms")

    def act(s3, n):
        source, target = ("a", "b") if n % 2 else ("b", "a")
        sse = {"ServerSideEncryption": "aws:kms"} if n % 4 < 2 else {}
        s3.copy_object(Bucket=bucket, Key=target, CopySource=f"{bucket}/{source}", **sse)

    assert race(clients, act) == ["ok"] * AT_ONCE
    for key in ("a", "b"):
        assert body_of(s3, bucket, key) in (first, second)


def test_a_bucket_deleted_while_it_is_written_to(clients, s3):
    """Either the bucket goes and no write was acknowledged after that, or a write kept it."""
    for _ in range(5):
        name = bucket_name() + "-gone"
        s3.create_bucket(Bucket=name)

        def act(s3, n, name=name):
            if n == 0:
                s3.delete_bucket(Bucket=name)
            else:
                s3.put_object(Bucket=name, Key=f"k{n}", Body=b"x")

        got = race(clients, act)
        assert set(got) <= {"ok", "NoSuchBucket", "BucketNotEmpty"}
        if got[0] == "ok":
            assert set(got[1:]) == {"NoSuchBucket"} and refusal(s3.head_bucket, Bucket=name).status == 404
        else:
            kept = {f"k{n}" for n in range(1, AT_ONCE) if got[n] == "ok"}
            assert {o["Key"] for o in s3.list_objects_v2(Bucket=name)["Contents"]} == kept


def test_aborted_by_all(clients, s3, bucket, begun):
    """It goes once; to the others it is gone, and its parts with it."""
    args, parts = begun
    got = race(clients, lambda s3, _: s3.abort_multipart_upload(**args))
    assert "ok" in got and set(got) <= {"ok", "NoSuchUpload"}
    assert refusal(s3.complete_multipart_upload, MultipartUpload=parts, **args).code == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


def test_completed_with_other_lists_of_parts(clients, s3, bucket, begun):
    """One list makes the object. Who brought another list is not told that it succeeded."""
    args, parts = begun
    lists = [{"Parts": parts["Parts"][:1]}, {"Parts": parts["Parts"][1:]}, parts]
    bodies = [blob(5 * MIB, 1), blob(5 * MIB, 2), blob(5 * MIB, 1) + blob(5 * MIB, 2)]
    got = race(clients, lambda s3, n: s3.complete_multipart_upload(MultipartUpload=lists[n % 3], **args))
    winners = {n % 3 for n in range(AT_ONCE) if got[n] == "ok"}
    assert len(winners) == 1 and set(got) <= {"ok", "NoSuchUpload"}, got
    assert body_of(s3, bucket, "k") == bodies[winners.pop()]


def test_parts_replaced_while_it_is_completed(clients, s3, bucket, begun):
    """The object has the parts that the list names, by their ETags, or there is none."""
    args, parts = begun

    def act(s3, n):
        if n % 2:
            s3.upload_part(PartNumber=1, Body=blob(5 * MIB, 10 + n), **args)
        else:
            s3.complete_multipart_upload(MultipartUpload=parts, **args)

    got = race(clients, act)
    assert set(got[1::2]) <= {"ok", "NoSuchUpload"} and set(got[::2]) <= {"ok", "InvalidPart", "NoSuchUpload"}, got
    if "ok" in got[::2]:
        assert body_of(s3, bucket, "k") == blob(5 * MIB, 1) + blob(5 * MIB, 2)
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    else:
        assert refusal(s3.head_object, Bucket=bucket, Key="k").status == 404


def test_uploads_begun_while_the_bucket_is_deleted(clients, s3):
    """An upload that was begun is in a bucket that is there (AWS deletes buckets with uploads in them)."""
    for _ in range(5):
        name = bucket_name() + "-begun"
        s3.create_bucket(Bucket=name)

        def act(s3, n, name=name):
            if n == 0:
                s3.delete_bucket(Bucket=name)
            else:
                s3.create_multipart_upload(Bucket=name, Key=f"k{n}")

        got = race(clients, act)
        assert set(got) <= {"ok", "NoSuchBucket", "BucketNotEmpty"}, got
        if got[0] == "ok":
            assert refusal(s3.list_multipart_uploads, Bucket=name).code == "NoSuchBucket"
        # A new one of that name has nothing of the old one's.
        s3.create_bucket(Bucket=name)
        begun = {upload["Key"] for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", [])}
        assert begun == (set() if got[0] == "ok" else {f"k{n}" for n in range(1, AT_ONCE) if got[n] == "ok"})


@pytest.mark.parametrize("versioning", [None, "Enabled", "Suspended"])
def test_written_and_deleted(clients, s3, bucket, versioning):
    """A key is there whole or not at all; of versions none is lost, and only the markers of deletes are added."""
    if versioning:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})
    bodies = [blob(40_000, n) for n in range(AT_ONCE)]

    def act(s3, n):
        if n % 2:
            s3.delete_object(Bucket=bucket, Key="k")
        else:
            s3.put_object(Bucket=bucket, Key="k", Body=bodies[n])

    for turn in range(1, 4):
        assert race(clients, act) == ["ok"] * AT_ONCE
        listed = s3.list_object_versions(Bucket=bucket)
        kept, markers = listed.get("Versions", []), listed.get("DeleteMarkers", [])
        entries = (len(kept), len(markers))
        assert entries == (4 * turn, 4 * turn) if versioning == "Enabled" else sum(entries) <= 1, entries
        assert [entry["IsLatest"] for entry in kept + markers].count(True) == min(1, sum(entries))
        for version in kept:
            assert body_of(s3, bucket, "k", VersionId=version["VersionId"]) in bodies
        if not any(version["IsLatest"] for version in kept):
            assert refusal(s3.head_object, Bucket=bucket, Key="k").status == 404


def test_many_are_deleted_by_all(clients, s3, bucket):
    """Each list of keys is deleted whole, whoever else deletes the same ones."""
    keys = [f"k{n}" for n in range(40)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    answers = {}

    def act(s3, n):
        objects = [{"Key": key} for key in (keys if n % 2 else keys[::-1])]
        answers[n] = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})

    assert race(clients, act) == ["ok"] * AT_ONCE
    for answer in answers.values():
        assert "Errors" not in answer and sorted(done["Key"] for done in answer["Deleted"]) == sorted(keys)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_source_deleted_while_it_is_copied(clients, s3, bucket):
    """A copy is whole, or its source was gone; in one piece and as a part."""
    data = blob(300_000)
    for turn in range(5):
        s3.put_object(Bucket=bucket, Key="source", Body=data)
        args = dict(Bucket=bucket, Key="parts", CopySource=f"{bucket}/source", PartNumber=1)
        args["UploadId"] = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]

        def act(s3, n, turn=turn, args=args):
            if n == 0:
                s3.delete_object(Bucket=bucket, Key="source")
            elif n % 2:
                # Of another encryption: the bytes are read, or their keys sealed anew.
                mode = "aws:kms" if n > 4 else "AES256"
                copy = dict(CopySource=f"{bucket}/source", ServerSideEncryption=mode)
                s3.copy_object(Bucket=bucket, Key=f"copy-{turn}-{n}", **copy)
            else:
                s3.upload_part_copy(**args)

        got = race(clients, act)
        assert got[0] == "ok" and set(got) <= {"ok", "NoSuchKey"}, got
        for n in range(1, AT_ONCE, 2):
            if got[n] == "ok":
                assert body_of(s3, bucket, f"copy-{turn}-{n}") == data
            else:
                assert refusal(s3.head_object, Bucket=bucket, Key=f"copy-{turn}-{n}").status == 404
        upload_id = args["UploadId"]
        told = s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload_id).get("Parts", [])
        assert [part["Size"] for part in told] == ([len(data)] if "ok" in got[2::2] else [])
        s3.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload_id)


def test_tags_and_acls_set_by_all(clients, s3, bucket):
    """What is there in the end is one of the sets, whole, and the data is what it was."""
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    sets = [[{"Key": f"key{i}", "Value": str(n)} for i in range(n + 1)] for n in range(AT_ONCE)]

    def act(s3, n):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": sets[n]})
        s3.put_object_acl(Bucket=bucket, Key="k", ACL=("private", "bucket-owner-full-control")[n % 2])
        if n % 3 == 0:
            s3.delete_object_tagging(Bucket=bucket, Key="k")

    assert race(clients, act) == ["ok"] * AT_ONCE
    found = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert found in [*sets, []]
    assert s3.head_object(Bucket=bucket, Key="k").get("TagCount", 0) == len(found)
    assert body_of(s3, bucket, "k") == b"data"


def test_a_configuration_set_and_deleted_by_all(clients, s3, bucket):
    """One of them in the end, or none; and never half of one."""
    sets = [[{"Key": f"key{i}", "Value": str(n)} for i in range(n + 1)] for n in range(AT_ONCE)]

    def act(s3, n):
        if n % 4 == 3:
            s3.delete_bucket_tagging(Bucket=bucket)
        else:
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": sets[n]})

    for _ in range(3):
        assert race(clients, act) == ["ok"] * AT_ONCE
        kept, refused = None, None
        try:
            kept = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        except sdk.ClientError as error:
            refused = sdk.Refusal(error).code
        assert kept in sets or refused == "NoSuchTagSet", (kept, refused)


def test_locked_or_deleted(clients, s3):
    """A version that was locked in time stays; one that was deleted before cannot be locked any more."""
    name = bucket_name() + "-held"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    for turn in range(5):
        version = s3.put_object(Bucket=name, Key=f"k{turn}", Body=b"x")["VersionId"]
        named = dict(Bucket=name, Key=f"k{turn}", VersionId=version)

        def act(s3, n, named=named):
            if n % 2:
                s3.delete_object(**named)
            else:
                s3.put_object_legal_hold(LegalHold={"Status": "ON"}, **named)

        got = race(clients, act)
        holds, deletes = set(got[::2]), set(got[1::2])
        if "ok" in deletes:
            assert holds <= {"NoSuchVersion", "NoSuchKey"}, got
            assert refusal(s3.head_object, **named).status == 404
        else:
            assert "ok" in holds and deletes == {"AccessDenied"}, got
            assert s3.head_object(**named)["ObjectLockLegalHoldStatus"] == "ON"


@pytest.mark.parametrize("kind", ["inline", "blob", "parts"])
def test_reads_while_it_is_written_over(clients, s3, bucket, kind):
    """Every reader gets one of the bodies, whole; copies, in one piece and as a part, too. The key is never absent."""
    size = {"inline": 1000, "blob": 300_000, "parts": 5 * MIB + 1000}[kind]
    bodies = [blob(size, n) for n in range(2)]

    def write(n):
        if kind == "parts":
            upload(s3, bucket, "k", [bodies[n][: 5 * MIB], bodies[n][5 * MIB :]])
        else:
            s3.put_object(Bucket=bucket, Key="k", Body=bodies[n])

    write(0)
    turns = 3 if kind == "parts" else 8

    def act(s3, n):
        for turn in range(turns):
            if n < 2:
                write(turn % 2)
            elif n < 5:
                got = s3.get_object(Bucket=bucket, Key="k")
                assert got["Body"].read() in bodies
                head = s3.head_object(Bucket=bucket, Key="k")
                assert head["ContentLength"] == size
            elif n < 7:
                s3.copy_object(Bucket=bucket, Key=f"copy-{n}", CopySource=f"{bucket}/k")
                assert body_of(s3, bucket, f"copy-{n}") in bodies
            else:
                args = dict(Bucket=bucket, Key="part", UploadId=begun)
                s3.upload_part_copy(PartNumber=turn + 1, CopySource=f"{bucket}/k", **args)

    begun = s3.create_multipart_upload(Bucket=bucket, Key="part")["UploadId"]
    assert race(clients, act) == ["ok"] * AT_ONCE
    sizes = [part["Size"] for part in s3.list_parts(Bucket=bucket, Key="part", UploadId=begun)["Parts"]]
    assert sizes == [size] * turns
