"""AWS CLI versions 1 and 2: s3, s3api, kms, in every encryption mode."""

import base64
import json
import os
import urllib.request

import pytest

import programs
import sdk
from conftest import bucket_name
from sdk import MIB, blob

KEY = bytes(range(100, 132))


class Cli:
    """One version of the CLI against one server, in a directory of its own."""

    def __init__(self, program, server, directory):
        self.program, self.directory = program, directory
        self.env = programs.aws_environment(server)
        # For what a test only needs and looks at: each start of the program takes more than a second.
        verify = str(server.tls[2]) if server.tls else None
        self.s3, self.kms = (sdk.client(server, service, verify=verify) for service in ("s3", "kms"))
        (directory / "key.bin").write_bytes(KEY)

    def __call__(self, *args, check=True):
        return programs.run([self.program, *args], self.env, check=check, cwd=self.directory)

    def json(self, *args):
        out = self(*args, "--output", "json").stdout
        return json.loads(out) if out.strip() else {}

    def file(self, name, data):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def read(self, name):
        return (self.directory / name).read_bytes()


# Each version over one transport only, since each start of the program takes a second; the framings that version 1
# sends over http and version 2 over https are boto3's, and tested there.
@pytest.fixture(params=["v1 https", "v2 http"])
def aws(request, tmp_path):
    version, transport = request.param.split()
    server = request.getfixturevalue("server" if transport == "http" else "tls_server")
    program = programs.find("aws") if version == "v1" else programs.AWS_V2
    assert os.path.exists(program), f"{program}: run ./test, which unpacks it"
    return Cli(program, server, tmp_path)


@pytest.fixture
def at(aws):
    """The URL of a new bucket."""
    name = bucket_name()
    aws.s3.create_bucket(Bucket=name)
    return f"s3://{name}"


SSE = {
    "none": ([], []),
    "sse-s3": (["--sse", "AES256"], []),
    "sse-kms": (["--sse", "aws:kms"], []),
    "sse-kms-key": (["--sse", "aws:kms", "--sse-kms-key-id", "alias/cli"], []),
    "sse-c": (
        ["--sse-c", "AES256", "--sse-c-key", "fileb://key.bin"],
        ["--sse-c", "AES256", "--sse-c-key", "fileb://key.bin"],
    ),
}


SHOWN = {
    "none": ("AES256", None, None),
    "sse-s3": ("AES256", None, None),
    "sse-kms": ("aws:kms", "alias/aws/s3", None),
    "sse-kms-key": ("aws:kms", "alias/cli", None),
    "sse-c": (None, None, "AES256"),
}


def needs_alias(aws):
    try:
        aws.kms.describe_key(KeyId="alias/cli")
    except aws.kms.exceptions.NotFoundException:
        made = aws.kms.create_key(Description="for the CLI")["KeyMetadata"]["KeyId"]
        aws.kms.create_alias(AliasName="alias/cli", TargetKeyId=made)


def is_encrypted(aws, at, name, mode):
    """Says HEAD of another client."""
    sse, alias, customer = SHOWN[mode]
    read = sdk.customer_key(KEY) if customer else {}
    head = aws.s3.head_object(Bucket=at.removeprefix("s3://"), Key=name, **read)
    named = aws.kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"] if alias else None
    told = tuple(head.get(member) for member in ("ServerSideEncryption", "SSEKMSKeyId", "SSECustomerAlgorithm"))
    assert told == (sse, named, customer)


@pytest.mark.parametrize("mode", SSE)
def test_cp(aws, at, mode):
    needs_alias(aws)
    write, read = SSE[mode]
    sizes = {"small": 10, "large": 17 * MIB}
    for name, size in sizes.items():
        aws.file(f"tree/{name}", blob(size))
    aws("s3", "cp", "--recursive", "tree", at, *write)
    aws("s3", "cp", "--recursive", at, "back", *read)
    for name, size in sizes.items():
        assert aws.read(f"back/{name}") == blob(size)
    copy = ["--sse-c-copy-source", "AES256", "--sse-c-copy-source-key", "fileb://key.bin"] if mode == "sse-c" else []
    aws("s3", "cp", f"{at}/large", f"{at}/copy", *write, *copy)
    aws("s3", "cp", f"{at}/copy", "copy.back", *read)
    assert aws.read("copy.back") == blob(17 * MIB)
    for name in ("small", "large", "copy"):
        is_encrypted(aws, at, name, mode)


@pytest.mark.parametrize("mode", SSE)
def test_sync_and_mv_with_every_sse_option(aws, at, mode):
    """A tree up, an object moved, which is a copy, and all down again, each with the options of the mode."""
    needs_alias(aws)
    write, read = SSE[mode]
    for name, size in (("a", 5), ("sub/large", 9 * MIB)):
        aws.file(f"tree/{name}", blob(size))
    aws("s3", "sync", "tree", f"{at}/tree", *write)
    copy = ["--sse-c-copy-source", "AES256", "--sse-c-copy-source-key", "fileb://key.bin"] if mode == "sse-c" else []
    aws("s3", "mv", f"{at}/tree/sub/large", f"{at}/tree/moved", *write, *copy)
    aws("s3", "sync", f"{at}/tree", "back", *read)
    assert aws.read("back/a") == blob(5) and aws.read("back/moved") == blob(9 * MIB)
    assert not (aws.directory / "back/sub").exists()
    for name in ("tree/a", "tree/moved"):
        is_encrypted(aws, at, name, mode)


def test_mb_sync_mv_rm_ls_rb(aws):
    at = f"s3://{bucket_name()}"
    aws("s3", "mb", at)
    for name, size in (("a", 0), ("sub/b c", 5), ("sub/ü+%", 100_000), ("deep/er/c", 9 * MIB)):
        aws.file(f"tree/{name}", blob(size))
    aws("s3", "sync", "tree", f"{at}/tree")
    again = aws("s3", "sync", "tree", f"{at}/tree").stdout
    assert "upload:" not in again, "the second run has nothing to do"
    listed = aws("s3", "ls", "--recursive", f"{at}/tree/").stdout
    assert {line.split(None, 3)[3]: int(line.split()[2]) for line in listed.splitlines()} == {
        "tree/a": 0,
        "tree/sub/b c": 5,
        "tree/sub/ü+%": 100_000,
        "tree/deep/er/c": 9 * MIB,
    }
    assert "PRE sub/" in aws("s3", "ls", f"{at}/tree/").stdout
    aws("s3", "mv", f"{at}/tree/a", f"{at}/moved")
    aws("s3", "mv", f"{at}/tree/deep/er/c", f"{at}/big")
    aws("s3", "sync", f"{at}/tree", "back")
    assert aws.read("back/sub/ü+%") == blob(100_000) and not (aws.directory / "back/a").exists()
    aws("s3", "cp", f"{at}/big", "big")
    assert aws.read("big") == blob(9 * MIB)
    aws("s3", "rm", "--recursive", at)
    assert aws("s3", "ls", "--recursive", at, check=False).stdout == ""
    aws("s3", "rb", at)
    assert at.removeprefix("s3://") not in aws("s3", "ls").stdout


def test_presign(aws, at):
    aws.file("f", b"by url")
    aws("s3", "cp", "f", f"{at}/f")
    url = aws("s3", "presign", f"{at}/f", "--expires-in", "60").stdout.strip()
    if url.startswith("http://"):
        with urllib.request.urlopen(url, timeout=20) as got:
            assert got.read() == b"by url"
    else:
        import ssl

        trust = ssl.create_default_context(cafile=aws.env["AWS_CA_BUNDLE"])
        with urllib.request.urlopen(url, timeout=20, context=trust) as got:
            assert got.read() == b"by url"


def test_website(aws, at):
    aws("s3", "website", at, "--index-document", "index.html", "--error-document", "error.html")
    told = aws.s3.get_bucket_website(Bucket=at.removeprefix("s3://"))
    assert (told["IndexDocument"], told["ErrorDocument"]) == ({"Suffix": "index.html"}, {"Key": "error.html"})


def test_ls_and_rm_need_no_key(aws, at):
    """What the customer encrypted is listed, sized and deleted without the key; but not read."""
    for name in ("a/1", "a/2", "b"):
        aws.s3.put_object(Bucket=at.removeprefix("s3://"), Key=name, Body=bytes(1000), **sdk.customer_key(KEY))
    told = aws("s3", "ls", "--recursive", "--summarize", at).stdout
    assert "Total Objects: 3" in told and "Total Size: 3000" in told, told
    assert "400" in aws("s3", "cp", f"{at}/b", "back", check=False).stderr
    aws("s3", "rm", "--recursive", at, "--exclude", "*", "--include", "*1")
    left = aws.s3.list_objects_v2(Bucket=at.removeprefix("s3://"))["Contents"]
    assert [entry["Key"] for entry in left] == ["a/2", "b"]


def test_streams(aws, at):
    import subprocess

    data = blob(9 * MIB)
    subprocess.run([aws.program, "s3", "cp", "-", f"{at}/pipe"], input=data, env=aws.env, check=True, timeout=120)
    got = subprocess.run(
        [aws.program, "s3", "cp", f"{at}/pipe", "-"], env=aws.env, check=True, capture_output=True, timeout=120
    )
    assert got.stdout == data


def test_s3api(aws, at):
    needs_alias(aws)
    bucket = at.removeprefix("s3://")
    here = ("--bucket", bucket, "--key", "k")
    aws.file("body", blob(1000))
    double = aws.json("s3api", "put-object", *here, "--body", "body", "--server-side-encryption", "aws:kms:dsse")
    assert double["ServerSideEncryption"] == "aws:kms:dsse"
    aws.json("s3api", "get-object", *here, "back")
    assert aws.read("back") == blob(1000)
    put = aws.json(
        "s3api",
        "put-object",
        *here,
        "--body",
        "body",
        "--metadata",
        "a=1",
        "--content-type",
        "text/x",
        "--server-side-encryption",
        "aws:kms",
        "--ssekms-key-id",
        "alias/cli",
        "--bucket-key-enabled",
        "--ssekms-encryption-context",
        base64.b64encode(b'{"x":"y"}').decode(),
    )
    assert put["ServerSideEncryption"] == "aws:kms" and put["BucketKeyEnabled"] is True
    assert put["SSEKMSKeyId"].startswith("arn:aws:kms:us-east-1:111122223333:key/")
    head = aws.json("s3api", "head-object", *here)
    assert (head["ContentLength"], head["Metadata"], head["ContentType"]) == (1000, {"a": "1"}, "text/x")
    aws.json("s3api", "get-object", *here, "--range", "bytes=10-19", "part")
    assert aws.read("part") == blob(1000)[10:20]
    made = aws.json("s3api", "create-multipart-upload", *here)
    part = aws.json(
        "s3api", "upload-part", *here, "--upload-id", made["UploadId"], "--part-number", "1", "--body", "body"
    )
    aws.file("parts.json", json.dumps({"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}).encode())
    done = aws.json(
        "s3api",
        "complete-multipart-upload",
        *here,
        "--upload-id",
        made["UploadId"],
        "--multipart-upload",
        "file://parts.json",
    )
    assert done["ETag"].endswith('-1"')
    attributes = aws.json("s3api", "get-object-attributes", *here, "--object-attributes", "ObjectSize", "ETag")
    assert attributes["ObjectSize"] == 1000
    rule = '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms","KMSMasterKeyID":"alias/cli"},"BucketKeyEnabled":true}]}'
    aws("s3api", "put-bucket-encryption", "--bucket", bucket, "--server-side-encryption-configuration", rule)
    read = aws.json("s3api", "get-bucket-encryption", "--bucket", bucket)
    assert read["ServerSideEncryptionConfiguration"]["Rules"][0]["BucketKeyEnabled"] is True
    aws.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = aws.json("s3api", "put-object", *here, "--body", "body")["VersionId"]
    aws.s3.delete_object(Bucket=bucket, Key="k")
    aws.json("s3api", "get-object", *here, "--version-id", version, "back")
    assert aws.read("back") == blob(1000)
    versions = aws.json("s3api", "list-object-versions", "--bucket", bucket)
    assert len(versions["Versions"]) == 2 and len(versions["DeleteMarkers"]) == 1
    refused = aws("s3api", "get-object", *here, "none", check=False)
    assert refused.returncode != 0 and "NoSuchKey" in refused.stderr


def test_kms(aws):
    """Blobs from files and in base64, which the versions write each in its way; test_kms_operations.py has the rest."""
    key_id = aws.kms.create_key()["KeyMetadata"]["KeyId"]
    aws.file("plain", b"hello")
    encrypt = ("kms", "encrypt", "--key-id", key_id, "--plaintext", "fileb://plain", "--encryption-context", "a=b")
    aws.file("box", base64.b64decode(aws.json(*encrypt)["CiphertextBlob"]))
    got = aws.json("kms", "decrypt", "--ciphertext-blob", "fileb://box", "--encryption-context", "a=b")
    assert base64.b64decode(got["Plaintext"]) == b"hello"
    assert aws("kms", "decrypt", "--ciphertext-blob", "fileb://box", check=False).returncode != 0
    aws.kms.disable_key(KeyId=key_id)
    assert "DisabledException" in aws(*encrypt, check=False).stderr


def test_kms_signing_and_rsa(aws):
    """A signature and a ciphertext go between the CLI and OpenSSL."""

    def made(spec, usage):
        key_id = aws.kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        aws.file(f"{usage}.der", aws.kms.get_public_key(KeyId=key_id)["PublicKey"])
        return key_id

    def openssl(*args):
        return programs.run(["openssl", *args], aws.env, cwd=aws.directory)

    aws.file("message", b"hello")
    signer = made("ECC_NIST_P256", "SIGN_VERIFY")
    how = ("--key-id", signer, "--message", "fileb://message", "--signing-algorithm", "ECDSA_SHA_256")
    aws.file("signature", base64.b64decode(aws.json("kms", "sign", *how)["Signature"]))
    public = ("-verify", "SIGN_VERIFY.der", "-keyform", "DER")
    openssl("dgst", "-sha256", *public, "-signature", "signature", "message")
    assert aws.json("kms", "verify", *how, "--signature", "fileb://signature")["SignatureValid"] is True
    aws.file("message", b"hallo")
    refused = aws("kms", "verify", *how, "--signature", "fileb://signature", check=False)
    assert "KMSInvalidSignatureException" in refused.stderr

    crypter = made("RSA_2048", "ENCRYPT_DECRYPT")
    public = ("-encrypt", "-pubin", "-inkey", "ENCRYPT_DECRYPT.der", "-keyform", "DER")
    oaep = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256")
    openssl("pkeyutl", *public, *oaep, "-in", "message", "-out", "box")
    how = ("--key-id", crypter, "--encryption-algorithm", "RSAES_OAEP_SHA_256")
    opened = aws.json("kms", "decrypt", *how, "--ciphertext-blob", "fileb://box")
    assert base64.b64decode(opened["Plaintext"]) == b"hallo"
