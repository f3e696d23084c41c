"""The encryption modes as boto3 arguments, and what each mode promises."""

import base64
import json
from dataclasses import dataclass, field

CUSTOMER_KEY = bytes(range(1, 33))
OTHER_CUSTOMER_KEY = bytes(range(33, 65))
CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY}
OTHER_CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": OTHER_CUSTOMER_KEY}
CONTEXT = base64.b64encode(json.dumps({"project": "apollo", "stage": "3"}).encode()).decode()


@dataclass(frozen=True)
class Mode:
    """`write` starts an object, `read` goes with every read and part; `kms` is replaced by a key's ARN."""

    name: str
    write: dict = field(default_factory=dict)
    read: dict = field(default_factory=dict)
    header: str | None = "AES256"
    etag_is_md5: bool = True
    uses_key: bool = False

    def writing(self, key):
        return self.write | ({"SSEKMSKeyId": key["Arn"]} if self.uses_key else {})

    def shows(self, answer, key=None):
        """Checks the encryption headers of an answer."""
        if self.read:
            assert answer["SSECustomerAlgorithm"] == "AES256"
            assert answer["SSECustomerKeyMD5"] and "ServerSideEncryption" not in answer
            return
        assert answer["ServerSideEncryption"] == self.header
        if self.header == "AES256":
            assert "SSEKMSKeyId" not in answer
        elif self.uses_key:
            assert answer["SSEKMSKeyId"] == key["Arn"]
        else:
            assert answer["SSEKMSKeyId"].startswith("arn:aws:kms:us-east-1:111122223333:key/")
        assert answer.get("BucketKeyEnabled") == self.write.get("BucketKeyEnabled")


KMS, DSSE = "aws:kms", "aws:kms:dsse"
MODES = [
    Mode("default"),
    Mode("sse-s3", {"ServerSideEncryption": "AES256"}),
    Mode("sse-kms", {"ServerSideEncryption": KMS}, header=KMS, etag_is_md5=False),
    Mode("sse-kms-key", {"ServerSideEncryption": KMS}, header=KMS, etag_is_md5=False, uses_key=True),
    Mode(
        "sse-kms-bucket-key",
        {"ServerSideEncryption": KMS, "BucketKeyEnabled": True},
        header=KMS,
        etag_is_md5=False,
        uses_key=True,
    ),
    Mode(
        "sse-kms-context",
        {"ServerSideEncryption": KMS, "SSEKMSEncryptionContext": CONTEXT},
        header=KMS,
        etag_is_md5=False,
        uses_key=True,
    ),
    Mode("dsse-kms", {"ServerSideEncryption": DSSE}, header=DSSE, etag_is_md5=False, uses_key=True),
    Mode("sse-c", CUSTOMER, CUSTOMER, header=None, etag_is_md5=False),
]
FIVE = [mode for mode in MODES if mode.name in ("default", "sse-s3", "sse-kms-key", "dsse-kms", "sse-c")]


def by_name(modes=MODES):
    """Parameters for pytest."""
    import pytest

    return [pytest.param(mode, id=mode.name) for mode in modes]
