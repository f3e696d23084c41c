"""Docker's registry with its images in a bucket: pushed and pulled as `docker` does it, deleted, and the garbage collected."""

import hashlib
import http.client
import json
import subprocess
import time

import pytest

import programs
from gateway import MAIN, REGION, clean_environment, free_port
from sdk import MIB, blob

START_SECONDS = 30
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Registry:
    """Its process, and what a client of images asks it."""

    def __init__(self, directory, server, bucket, storage):
        self.port = free_port()
        self.settings = directory / "config.yml"
        s3 = {
            "accesskey": MAIN.access_key,
            "secretkey": MAIN.secret_key,
            "region": REGION,
            "regionendpoint": server.endpoint,
            "bucket": bucket,
            "rootdirectory": "/images",
            "secure": False,
            "v4auth": True,
            "chunksize": 5 * MIB,
            # A blob is moved to its place by parts from here on.
            "multipartcopythresholdsize": 5 * MIB,
            "multipartcopychunksize": 5 * MIB,
        } | storage
        settings = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"s3": s3, "delete": {"enabled": True}, "redirect": {"disable": False}},
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        # JSON is YAML.
        self.settings.write_text(json.dumps(settings))
        self.log_file = directory / "log"
        self.process = None

    def start(self):
        command = [programs.find("docker-registry"), "serve", self.settings]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, env=clean_environment(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                assert self.ask("GET", "/v2/")[0] == 200
                return self
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, self.log_file.read_text()
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(START_SECONDS)

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def push(self, repository, pieces):
        """A blob in pieces, as `docker push` sends a layer: the address of each comes from the answer before it."""
        status, headers, body = self.ask("POST", f"/v2/{repository}/blobs/uploads/", Content_Length="0")
        assert status == 202, body
        sent = 0
        for piece in pieces:
            path = headers["Location"].split(f":{self.port}", 1)[1]
            span = {"Content_Range": f"{sent}-{sent + len(piece) - 1}", "Content_Type": "application/octet-stream"}
            status, headers, body = self.ask("PATCH", path, piece, **span)
            assert status == 202, (body, self.log_file.read_text())
            sent += len(piece)
        path = headers["Location"].split(f":{self.port}", 1)[1]
        digest = sha256(b"".join(pieces))
        status, _, body = self.ask("PUT", f"{path}&digest={digest}", Content_Length="0")
        assert status == 201, (body, self.log_file.read_text())
        return digest

    def pull(self, repository, digest):
        """Where the registry says that the blob lies: by a presigned URL at the gateway."""
        status, headers, _ = self.ask("GET", f"/v2/{repository}/blobs/{digest}")
        assert status == 307
        return headers["Location"]


@pytest.fixture(params=["sse-kms by the bucket", "sse-kms named", "sse-s3"])
def registry(request, server, s3, bucket, key, tmp_path):
    storage = {
        "sse-kms by the bucket": {},
        "sse-kms named": {"encrypt": True, "keyid": key["KeyId"]},
        "sse-s3": {"encrypt": True},
    }[request.param]
    if not storage:
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
        rules = [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    registry = Registry(tmp_path, server, bucket, storage).start()
    registry.key = None if request.param == "sse-s3" else key["Arn"]
    yield registry
    registry.stop()


def stored(s3, bucket, part=""):
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [entry["Key"] for page in listed for entry in page.get("Contents", []) if part in entry["Key"]]


def fetched(url):
    import urllib.request

    with urllib.request.urlopen(url, timeout=60) as got:
        return got.read()


def test_images_are_pushed_pulled_and_collected(registry, s3, bucket):
    # A layer that grows by small pieces, which the driver gathers into parts, and one by large ones.
    layers = [[blob(70_000, 1), blob(6 * MIB, 2), blob(MIB, 3)], [blob(300_000, 4)]]
    config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    digests = [registry.push("team/app", pieces) for pieces in layers]
    registry.push("team/app", [config])
    described = [
        {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": sum(map(len, p)), "digest": d}
        for d, p in zip(digests, layers)
    ]
    about = {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": len(config),
        "digest": sha256(config),
    }
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": described}).encode()
    status, _, body = registry.ask("PUT", "/v2/team/app/manifests/1.0", manifest, Content_Type=MANIFEST)
    assert status == 201, body

    assert json.loads(registry.ask("GET", "/v2/_catalog")[2]) == {"repositories": ["team/app"]}
    assert json.loads(registry.ask("GET", "/v2/team/app/tags/list")[2])["tags"] == ["1.0"]
    assert registry.ask("GET", "/v2/team/app/manifests/1.0", Accept=MANIFEST)[2] == manifest
    for digest, pieces in zip(digests, layers):
        assert fetched(registry.pull("team/app", digest)) == b"".join(pieces)
    for name in stored(s3, bucket):
        head = s3.head_object(Bucket=bucket, Key=name)
        assert head["ServerSideEncryption"] == ("aws:kms" if registry.key else "AES256")
        assert head.get("SSEKMSKeyId") == registry.key
    blobs = stored(s3, bucket, "/blobs/sha256/")
    assert len(blobs) == 4

    assert registry.ask("DELETE", f"/v2/team/app/manifests/{sha256(manifest)}")[0] == 202
    programs.run([programs.find("docker-registry"), "garbage-collect", registry.settings], clean_environment())
    assert stored(s3, bucket, "/blobs/sha256/") == []
    assert registry.ask("GET", "/v2/team/app/manifests/1.0", Accept=MANIFEST)[0] == 404
