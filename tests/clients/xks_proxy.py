"""A small external key store proxy: the other side of the AWS KMS XKS proxy API, version 1, with faults on demand."""

import base64
import calendar
import hashlib
import hmac
import json
import os
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ACCESS_KEY_ID = "XKSPROXYACCESSKEY234567"
SECRET = "c2VjcmV0LW9mLXRoZS1wcm94eS0wMTIzNDU2Nzg5YWJjZGVm"
MAX_SKEW_SECONDS = 300
PREFIXES = ("", "/second", "/third", "/fourth")

STATUS = {
    "ValidationException": 400,
    "InvalidStateException": 400,
    "InvalidCiphertextException": 400,
    "InvalidKeyUsageException": 400,
    "AuthenticationFailedException": 401,
    "AccessDeniedException": 403,
    "KeyNotFoundException": 404,
    "InvalidUriPathException": 404,
    "ThrottlingException": 429,
    "UnsupportedOperationException": 501,
    "DependencyTimeoutException": 503,
    "InternalException": 500,
}


class Failure(Exception):
    """An error of the specification, by name."""


def b64(data):
    return base64.b64encode(data).decode()


def signature(secret, method, path, headers, signed, body, scope):
    """Signature Version 4, written from AWS's description."""
    date, region, service, _ = scope.split("/")
    lines = [f"{name}:{' '.join(headers[name].split())}\n" for name in signed]
    canonical = "\n".join([method, path, "", "".join(lines), ";".join(signed), hashlib.sha256(body).hexdigest()])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["content-length"]))
        if proxy.delay:
            time.sleep(proxy.delay)
        if proxy.raw is not None:
            self.answer(200, proxy.raw)
            return
        try:
            self.authenticate(body)
            answer = self.serve(proxy, json.loads(body))
        except Failure as failure:
            name = str(failure)
            text = json.dumps({"errorName": name, "errorMessage": "WORDS OF THE PROXY"})
            self.answer(STATUS[name], text.encode())
            return
        self.answer(200, json.dumps(answer).encode())

    def answer(self, status, body):
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # Who waited has given up.

    def authenticate(self, body):
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            algorithm, rest = headers["authorization"].split(" ", 1)
            fields = dict(part.strip().split("=", 1) for part in rest.split(","))
            access_key, scope = fields["Credential"].split("/", 1)
            signed = fields["SignedHeaders"].split(";")
            sent = time.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        except (KeyError, ValueError) as error:
            raise Failure("AuthenticationFailedException") from error
        fresh = abs(time.time() - calendar.timegm(sent)) <= MAX_SKEW_SECONDS
        covers = {"host", "x-amz-date"} <= set(signed) and algorithm == "AWS4-HMAC-SHA256"
        for_us = scope.split("/")[2] == "kms-xks-proxy" and scope.split("/")[0] == headers["x-amz-date"][:8]
        secret = self.server.proxy.credentials.get(access_key)
        if not (fresh and covers and for_us and secret):
            raise Failure("AuthenticationFailedException")
        expected = signature(secret, "POST", self.path, headers, signed, body, scope)
        if not hmac.compare_digest(expected, fields["Signature"]):
            raise Failure("AuthenticationFailedException")

    def serve(self, proxy, request):
        prefix, found, rest = self.path.rpartition("/kms/xks/v1/")
        if not found or prefix not in PREFIXES or self.headers["content-type"] != "application/json":
            raise Failure("InvalidUriPathException")
        proxy.seen.append((rest, request))
        if proxy.failure:
            raise Failure(proxy.failure)
        if rest == "health":
            return proxy.health()
        parts = rest.split("/")
        if len(parts) != 3 or parts[0] != "keys":
            raise Failure("InvalidUriPathException")
        if parts[1] not in proxy.keys:
            raise Failure("KeyNotFoundException")
        return getattr(proxy, parts[2])(parts[1], request)


class XksProxy:
    """Serves until stopped; `failure`, `delay`, `raw` are the faults, `seen` what it was asked."""

    def __init__(self, certificate, port=0):
        self.keys = {f"ext-{n}": os.urandom(32) for n in range(6)}
        self.metadata_of = {}
        self.credentials = {ACCESS_KEY_ID: SECRET}
        self.failure, self.delay, self.raw, self.corrupt = None, 0, None, False
        self.health_status = "ACTIVE"
        self.seen = []
        self.certificate, self.port = certificate, port
        self.server = None

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, self.certificate[:2]))
        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.proxy = self
        self.server, self.port = server, server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def health(self):
        instance = {"id": "hsm-1", "model": "Test", "healthStatus": self.health_status}
        names = {"xksProxyVendor": "Test", "xksProxyModel": "Test 1.0", "ekmVendor": "Test"}
        return {"xksProxyFleetSize": 1, "ekmFleetDetails": [instance], **names}

    def metadata(self, key, _):
        whole = {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}
        return whole | self.metadata_of.get(key, {})

    @staticmethod
    def bound(aad, metadata):
        """The additional data of the key manager: both lengths, so that neither can pass for the other."""
        return len(aad).to_bytes(2, "big") + aad + len(metadata).to_bytes(1, "big") + metadata

    def encrypt(self, key, request):
        assert request["encryptionAlgorithm"] == "AES_GCM"
        assert request["ciphertextDataIntegrityValueAlgorithm"] == "SHA_256"
        plain, aad = (base64.b64decode(request[n]) for n in ("plaintext", "additionalAuthenticatedData"))
        assert len(plain) <= 4300 and len(aad) <= 8192
        iv, metadata = os.urandom(12), b"version=1"
        sealed = AESGCM(self.keys[key]).encrypt(iv, plain, self.bound(aad, metadata))
        ciphertext, tag = sealed[:-16], sealed[-16:]
        integrity = hashlib.sha256(aad + metadata + iv + ciphertext + tag).digest()
        if self.corrupt:
            ciphertext = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
        return {
            "ciphertext": b64(ciphertext),
            "ciphertextMetadata": b64(metadata),
            "initializationVector": b64(iv),
            "authenticationTag": b64(tag),
            "ciphertextDataIntegrityValue": b64(integrity),
        }

    def decrypt(self, key, request):
        names = ("ciphertext", "ciphertextMetadata", "initializationVector", "authenticationTag")
        ciphertext, metadata, iv, tag = (base64.b64decode(request.get(name, "")) for name in names)
        aad = base64.b64decode(request["additionalAuthenticatedData"])
        try:
            plain = AESGCM(self.keys[key]).decrypt(iv, ciphertext + tag, self.bound(aad, metadata))
        except InvalidTag as error:
            raise Failure("InvalidCiphertextException") from error
        return {"plaintext": b64(plain)}
