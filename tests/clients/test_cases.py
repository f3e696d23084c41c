"""Faults that users met on other servers, each named after its report (project and number of issue or pull request).

Several are rows or parameters elsewhere: s3s PR 608 in test_post_object.py, seaweedfs 9281 and rustfs PR 2008,
localstack 5410 and 7782 and others in test_sse.py and test_sse_refusals.py, rustfs 1397 in test_canary.py.
"""

import base64
import hashlib

import pytest

import sdk
from modes import CUSTOMER, CUSTOMER_KEY, KMS, OTHER_CUSTOMER
from sdk import MIB, as_copy_source, assert_refused, blob, body_of, md5_b64, md5_hex, refusal, upload

C = "x-amz-server-side-encryption-customer-"
CUSTOMER_HEADERS = {
    C + "algorithm": "AES256",
    C + "key": base64.b64encode(CUSTOMER_KEY).decode(),
    C + "key-MD5": md5_b64(CUSTOMER_KEY),
}


def set_default(s3, bucket, algorithm, key=None):
    rule = {"SSEAlgorithm": algorithm} | ({"KMSMasterKeyID": key["Arn"]} if key else {})
    s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]}
    )


class TestBytes:
    def test_seaweedfs_7363_default_sse_s3_reads_plaintext(self, s3, bucket):
        set_default(s3, bucket, "AES256")
        data = blob(1_600_000)
        s3.put_object(Bucket=bucket, Key="k", Body=data)
        assert hashlib.sha256(body_of(s3, bucket, "k")).digest() == hashlib.sha256(data).digest()

    def test_seaweedfs_7492_one_small_part_under_default_encryption(self, s3, bucket):
        set_default(s3, bucket, "AES256")
        upload(s3, bucket, "k", [blob(5000)])
        assert body_of(s3, bucket, "k") == blob(5000)

    def test_seaweedfs_8776_default_kms_stores_what_headers_would(self, s3, bucket, key):
        set_default(s3, bucket, KMS, key)
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        assert body_of(s3, bucket, "k") == b"x"
        assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == key["Arn"]

    def test_seaweedfs_8215_sse_c_of_19_mb(self, s3, bucket):
        data = blob(19_000_000)
        s3.put_object(Bucket=bucket, Key="k", Body=data, **CUSTOMER)
        assert body_of(s3, bucket, "k", **CUSTOMER) == data

    def test_seaweedfs_1828_250_mb_in_parts(self, s3, bucket, tmp_path):
        data = blob(250_000_000)
        (tmp_path / "up").write_bytes(data)
        s3.upload_file(str(tmp_path / "up"), bucket, "k")
        s3.download_file(bucket, "k", str(tmp_path / "down"))
        assert (tmp_path / "down").read_bytes() == data

    @pytest.mark.parametrize("sse", [{}, {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": KMS}], ids=str)
    def test_rustfs_pr_5618_copy_onto_itself(self, s3, bucket, sse):
        data = blob(100_000)
        s3.put_object(Bucket=bucket, Key="k", Body=data, ServerSideEncryption="AES256")
        s3.copy_object(
            Bucket=bucket, Key="k", CopySource=f"{bucket}/k", MetadataDirective="REPLACE", Metadata={"a": "b"}, **sse
        )
        assert body_of(s3, bucket, "k") == data

    def test_silo_109_small_sse_c_copies_into_a_bucket_with_a_default(self, s3, bucket):
        set_default(s3, bucket, "AES256")
        for size in (0, 1, 128 * 1024):
            s3.put_object(Bucket=bucket, Key="c", Body=blob(size), **CUSTOMER)
            s3.copy_object(Bucket=bucket, Key="plain", CopySource=f"{bucket}/c", **as_copy_source(CUSTOMER))
            assert body_of(s3, bucket, "plain") == blob(size)


class TestRanges:
    def test_rustfs_2673_range_has_a_body(self, s3, bucket):
        s3.put_object(Bucket=bucket, Key="k", Body=blob(100), ServerSideEncryption="AES256")
        assert body_of(s3, bucket, "k", Range="bytes=0-49") == blob(100)[:50]

    def test_minio_5494_sse_c_ranges_beyond_64_kib(self, s3, bucket):
        data = blob(100 * MIB)
        s3.put_object(Bucket=bucket, Key="k", Body=data, **CUSTOMER)
        for at, length in ((10, 10), (65536, 64 * MIB), (100 * MIB - 100, 100)):
            got = body_of(s3, bucket, "k", Range=f"bytes={at}-{at + length - 1}", **CUSTOMER)
            assert got == data[at : at + length]
        assert refusal(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={100 * MIB}-", **CUSTOMER).status == 416

    def test_s3proxy_698_open_range_has_the_right_length(self, s3, bucket):
        s3.put_object(Bucket=bucket, Key="k", Body=blob(1000))
        assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")["ContentLength"] == 990

    def test_ozone_5964_range_in_part_2_under_a_default(self, s3, bucket, key):
        set_default(s3, bucket, KMS, key)
        parts = [blob(5 * MIB, n) for n in (1, 2, 3)]
        upload(s3, bucket, "k", parts)
        at = 6 * MIB
        assert body_of(s3, bucket, "k", Range=f"bytes={at}-{at + 999}") == b"".join(parts)[at : at + 1000]


class TestSizes:
    def test_cloud37_207_listed_size_is_the_plaintexts(self, s3, bucket):
        s3.put_object(Bucket=bucket, Key="k", Body=blob(124_804))
        assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 124_804
        assert s3.list_objects_v2(Bucket=bucket, MaxKeys=1000)["Contents"][0]["Size"] == 124_804

    def test_minio_pr_14637_listed_size_of_parts(self, s3, bucket):
        set_default(s3, bucket, "AES256")
        upload(s3, bucket, "k", [blob(5 * MIB), b"x"])
        for listed in (s3.list_objects_v2(Bucket=bucket), s3.list_objects(Bucket=bucket)):
            assert listed["Contents"][0]["Size"] == 5 * MIB + 1
        assert s3.list_object_versions(Bucket=bucket)["Versions"][0]["Size"] == 5 * MIB + 1

    def test_minio_17377_an_unreadable_object_is_listed(self, s3, kms, bucket, fresh_key):
        for n in range(3):
            s3.put_object(
                Bucket=bucket, Key=f"k{n}", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId=fresh_key["KeyId"]
            )
        kms.schedule_key_deletion(KeyId=fresh_key["KeyId"], PendingWindowInDays=7)
        assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k0", "k1", "k2"]
        assert s3.list_object_versions(Bucket=bucket)["Versions"]


class TestETags:
    def test_minio_pr_14578_part_under_default_kms(self, s3, bucket, key):
        set_default(s3, bucket, KMS, key)
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=1, Body=b"x")
        assert (part["ServerSideEncryption"], part["SSEKMSKeyId"]) == (KMS, key["Arn"])
        assert len(part["ETag"].strip('"')) == 32 and int(part["ETag"].strip('"'), 16) >= 0

    def test_minio_pr_17304_part_copies_complete_with_their_etags(self, s3, bucket, key):
        set_default(s3, bucket, KMS, key)
        data = blob(10 * MIB)
        s3.put_object(Bucket=bucket, Key="src", Body=data)
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        args = dict(Bucket=bucket, Key="k", UploadId=upload_id)
        parts = []
        for number, span in ((1, "bytes=0-5242879"), (2, "bytes=5242880-10485759")):
            etag = s3.upload_part_copy(CopySource=f"{bucket}/src", CopySourceRange=span, PartNumber=number, **args)[
                "CopyPartResult"
            ]["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **args)
        assert body_of(s3, bucket, "k") == data

    def test_localstack_1092_kms_etag_is_no_md5(self, s3, bucket):
        etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS)["ETag"].strip('"')
        assert len(etag) == 32 and etag != md5_hex(b"x")

    def test_minio_12337_a_single_put_never_looks_multipart(self, s3, bucket):
        for size in (0, 10, 9 * MIB):
            assert "-" not in s3.put_object(Bucket=bucket, Key="k", Body=blob(size))["ETag"]

    def test_sdk_java_v2_7082_same_bytes_under_kms_have_other_etags(self, s3, bucket):
        assert (
            len({s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS)["ETag"] for _ in range(2)})
            == 2
        )


class TestHeaders:
    def test_minio_6389_parts_need_no_sse_header(self, s3, bucket):
        upload(s3, bucket, "k", [b"x"], create={"ServerSideEncryption": "AES256"})

    def test_s3cmd_276_sse_header_on_head_is_400(self, raw, s3, bucket):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        assert raw.request("HEAD", f"/{bucket}/k", headers={"x-amz-server-side-encryption": "AES256"}).status == 400

    def test_localstack_6604_an_upload_keeps_its_kms_headers(self, s3, bucket, key):
        done = upload(
            s3,
            bucket,
            "k",
            [b"x"],
            create={"ServerSideEncryption": KMS, "SSEKMSKeyId": key["KeyId"], "BucketKeyEnabled": True},
        )
        head = s3.head_object(Bucket=bucket, Key="k")
        for answer in (done, head):
            assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"], answer["BucketKeyEnabled"]) == (
                KMS,
                key["Arn"],
                True,
            )

    def test_localstack_4951_a_copy_follows_request_then_default(self, s3, bucket, key):
        s3.put_object(Bucket=bucket, Key="src", Body=b"x")
        got = s3.copy_object(
            Bucket=bucket, Key="asked", CopySource=f"{bucket}/src", ServerSideEncryption=KMS, SSEKMSKeyId=key["KeyId"]
        )
        assert got["SSEKMSKeyId"] == key["Arn"]
        set_default(s3, bucket, KMS, key)
        s3.copy_object(Bucket=bucket, Key="default", CopySource=f"{bucket}/src")
        assert s3.head_object(Bucket=bucket, Key="default")["SSEKMSKeyId"] == key["Arn"]

    def test_localstack_3463_bucket_key_flag_is_kept(self, s3, bucket):
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, BucketKeyEnabled=True)
        assert put["BucketKeyEnabled"] is True and s3.head_object(Bucket=bucket, Key="k")["BucketKeyEnabled"] is True

    def test_rustfs_2041_plain_puts_need_no_customer_key(self, s3, bucket):
        assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"

    def test_s3_tests_190_an_asked_for_encryption_is_answered(self, raw, bucket):
        put = raw.request("PUT", f"/{bucket}/k", headers={"x-amz-server-side-encryption": "AES256"}, body=b"x")
        assert put.headers["x-amz-server-side-encryption"] == "AES256"


class TestCustomerKeys:
    @pytest.fixture
    def stored(self, s3, bucket):
        s3.put_object(Bucket=bucket, Key="c", Body=b"secret", **CUSTOMER)
        return bucket

    def test_minio_6598_head_with_wrong_key(self, s3, stored):
        assert refusal(s3.head_object, Bucket=stored, Key="c", **OTHER_CUSTOMER).status == 403

    def test_silo_84_attributes_with_wrong_key(self, raw, stored):
        wrong = OTHER_CUSTOMER["SSECustomerKey"]
        headers = {
            "x-amz-object-attributes": "ObjectSize",
            C + "algorithm": "AES256",
            C + "key": base64.b64encode(wrong).decode(),
            C + "key-MD5": md5_b64(wrong),
        }
        got = raw.request("GET", f"/{stored}/c", "attributes", headers=headers)
        assert (got.status, got.code) == (403, "AccessDenied")
        got = raw.request("GET", f"/{stored}/c", "attributes", headers=headers | CUSTOMER_HEADERS)
        assert got.status == 200 and b"<ObjectSize>6</ObjectSize>" in got.body

    def test_minio_5625_rotation_with_wrong_source_key(self, s3, stored):
        got = refusal(
            s3.copy_object,
            Bucket=stored,
            Key="c",
            CopySource=f"{stored}/c",
            **OTHER_CUSTOMER,
            **as_copy_source(OTHER_CUSTOMER),
        )
        assert (got.status, got.code) == (403, "AccessDenied")
        assert body_of(s3, stored, "c", **CUSTOMER) == b"secret"

    def test_minio_5625_rotation_with_the_right_source_key(self, s3, stored):
        s3.copy_object(Bucket=stored, Key="c", CopySource=f"{stored}/c", **OTHER_CUSTOMER, **as_copy_source(CUSTOMER))
        assert body_of(s3, stored, "c", **OTHER_CUSTOMER) == b"secret"
        assert refusal(s3.get_object, Bucket=stored, Key="c", **CUSTOMER).code == "AccessDenied"

    def test_minio_7332_headers_on_a_plain_object(self, s3, bucket):
        s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
        assert refusal(s3.get_object, Bucket=bucket, Key="plain", **CUSTOMER).status == 400

    def test_sdk_go_v2_3490_a_forgotten_key_is_explained(self, s3, stored):
        assert refusal(s3.head_object, Bucket=stored, Key="c").status == 400
        assert_refused(
            lambda: s3.get_object(Bucket=stored, Key="c"),
            400,
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
        )

    def test_sdk_java_3001_complete_takes_the_headers(self, raw, s3, bucket):
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", **CUSTOMER)["UploadId"]
        etag = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=1, Body=b"x", **CUSTOMER)["ETag"]
        body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        got = raw.request("POST", f"/{bucket}/k", f"uploadId={upload_id}", headers=CUSTOMER_HEADERS, body=body.encode())
        assert got.status == 200 and got.code is None, got
        assert body_of(s3, bucket, "k", **CUSTOMER) == b"x"

    def test_minio_pr_19896_checksums_of_sse_c_objects(self, s3, bucket):
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ChecksumAlgorithm="SHA256", **CUSTOMER)
        head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", **CUSTOMER)
        assert head["ChecksumSHA256"] == put["ChecksumSHA256"]


class TestChecksums:
    def test_rustfs_5756_part_checksums_under_default_kms(self, s3, bucket, key):
        set_default(s3, bucket, KMS, key)
        parts = [blob(5 * MIB, 1), b"end"]
        upload(s3, bucket, "k", parts, create={"ChecksumAlgorithm": "CRC32"}, each={"ChecksumAlgorithm": "CRC32"})
        assert body_of(s3, bucket, "k") == b"".join(parts)

    def test_rustfs_3506_crc64nvme_of_parts_is_that_of_the_whole(self, s3, bucket):
        data = blob(20 * MIB)
        pieces = [data[at : at + 8 * MIB] for at in range(0, len(data), 8 * MIB)]
        done = upload(
            s3, bucket, "k", pieces, create={"ChecksumAlgorithm": "CRC64NVME"}, each={"ChecksumAlgorithm": "CRC64NVME"}
        )
        single = s3.put_object(Bucket=bucket, Key="single", Body=data, ChecksumAlgorithm="CRC64NVME")
        assert done["ChecksumCRC64NVME"] == single["ChecksumCRC64NVME"]

    @pytest.mark.parametrize("trailer", [True, False])
    def test_versitygw_1632_trailer_payload_with_and_without_trailer(self, raw, bucket, trailer):
        from awscrt import checksums

        value = base64.b64encode(checksums.crc64nvme(b"data").to_bytes(8, "big")).decode()
        put = raw.chunked_put(
            f"/{bucket}/k", [b"data"], trailer=f"x-amz-checksum-crc64nvme:{value}" if trailer else None
        )
        assert put.status == 200, put
        assert put.headers["x-amz-checksum-crc64nvme"] == value


class TestKeys:
    def test_localstack_7177_unknown_key(self, s3, bucket):
        assert_refused(
            lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId="bogus"),
            400,
            "KMS.NotFoundException",
            "Invalid keyId 'bogus'",
        )

    def test_minio_14716_an_alias_that_moves_leaves_objects_readable(self, s3, kms, bucket):
        first, second = (kms.create_key()["KeyMetadata"] for _ in range(2))
        kms.create_alias(AliasName="alias/moving", TargetKeyId=first["KeyId"])
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption=KMS, SSEKMSKeyId="alias/moving")
        kms.delete_alias(AliasName="alias/moving")
        kms.create_alias(AliasName="alias/moving", TargetKeyId=second["KeyId"])
        assert body_of(s3, bucket, "k") == b"x"
        assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == first["Arn"]

    def test_local_kms_68_wrong_key_named_for_an_old_blob(self, kms, fresh_key):
        box = kms.encrypt(KeyId=fresh_key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        kms.rotate_key_on_demand(KeyId=fresh_key["KeyId"])
        other = kms.create_key()["KeyMetadata"]["KeyId"]
        assert refusal(kms.decrypt, CiphertextBlob=box, KeyId=other).code == "IncorrectKeyException"
        assert kms.decrypt(CiphertextBlob=box, KeyId=fresh_key["KeyId"])["Plaintext"] == b"x"

    def test_localstack_8083_plaintext_over_the_limit(self, kms, key):
        assert refusal(kms.encrypt, KeyId=key["KeyId"], Plaintext=bytes(5000)).code == "ValidationException"

    def test_localstack_8503_data_keys_are_bound_to_their_context(self, kms, key):
        box = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext={"a": "b"})[
            "CiphertextBlob"
        ]
        assert refusal(kms.decrypt, CiphertextBlob=box).code == "InvalidCiphertextException"

    def test_localstack_5410_disable_by_arn(self, kms, fresh_key):
        kms.disable_key(KeyId=fresh_key["Arn"])
        assert refusal(kms.encrypt, KeyId=fresh_key["KeyId"], Plaintext=b"x").code == "DisabledException"

    def test_vault_10842_wrong_context_is_the_clients_fault(self, kms, key):
        box = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
        assert refusal(kms.decrypt, CiphertextBlob=box, EncryptionContext={"a": "c"}).status == 400

    def test_ministack_pr_1107_two_boxes_share_no_keystream(self, kms, key):
        boxes = [kms.encrypt(KeyId=key["KeyId"], Plaintext=bytes(64))["CiphertextBlob"] for _ in range(2)]
        same = [a == b for a, b in zip(*boxes)]
        assert sum(same[-80:]) < 16, "ciphertexts of the same plaintext look alike"

    def test_kes_392_no_key_lies_open(self, own_server):
        assert own_server.data.stat().st_mode & 0o077 == 0

    def test_aws_cli_4507_aws_s3_without_alias_is_explained(self, s3, bucket):
        rule = {"SSEAlgorithm": KMS, "KMSMasterKeyID": "aws/s3"}
        configuration = {"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]}
        got = refusal(s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration=configuration)
        assert got.code == "KMS.NotFoundException" and "'alias/aws/s3'" in got.message
        rule["KMSMasterKeyID"] = "alias/aws/s3"
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration)
        assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == KMS


class TestAtRest:
    """Cipher faults: equal bytes under one key must never show, nor be exchangeable (ceph 69336, rustfs 4576, minio 6121)."""

    @staticmethod
    def stored(server, size):
        """Contents of all blobs of about `size` bytes."""
        files = [p for p in (server.data / "blobs").rglob("*") if p.is_file()]
        return [p.read_bytes() for p in files if size < p.stat().st_size < size + size // 50 + 1000]

    @staticmethod
    def equal_bytes(one, other):
        return sum(a == b for a, b in zip(one, other)) / min(len(one), len(other))

    @pytest.mark.parametrize("sse", [{}, {"ServerSideEncryption": KMS}, CUSTOMER], ids=["s3", "kms", "c"])
    def test_overwriting_with_the_same_bytes(self, own_server, sse):
        s3 = sdk.client(own_server)
        s3.create_bucket(Bucket="rest")
        for _ in range(2):
            s3.put_object(Bucket="rest", Key="k", Body=blob(100_000), **sse)
        # The overwritten one stays for a while, for readers that have begun.
        one, other = self.stored(own_server, 100_000)
        assert self.equal_bytes(one[64:], other[64:]) < 0.02

    def test_ceph_pr_69336_a_part_sent_again_repeats_no_keystream(self, own_server):
        s3 = sdk.client(own_server)
        s3.create_bucket(Bucket="rest")
        upload_id = s3.create_multipart_upload(Bucket="rest", Key="k", **CUSTOMER)["UploadId"]
        first, second = blob(100_000, 1), blob(100_000, 2)
        for data in (first, second):
            s3.upload_part(Bucket="rest", Key="k", UploadId=upload_id, PartNumber=1, Body=data, **CUSTOMER)
        one, other = self.stored(own_server, 100_000)
        # With one keystream for both, the XOR of the ciphertexts is that of the plaintexts, in one order or the other.
        mixed = bytes(a ^ b for a, b in zip(first, second))
        sealed = bytes(a ^ b for a, b in zip(one[64:], other[64:]))
        assert self.equal_bytes(mixed[:60_000], sealed[:60_000]) < 0.02
