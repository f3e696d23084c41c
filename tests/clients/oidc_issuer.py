"""A small OpenID Connect issuer over https: what AssumeRoleWithWebIdentity is verified with, and faults on demand."""

import base64
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CURVES = {
    "ES256": (ec.SECP256R1(), "P-256", 32),
    "ES384": (ec.SECP384R1(), "P-384", 48),
    "ES512": (ec.SECP521R1(), "P-521", 66),
}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value, length=None):
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A key pair for one algorithm."""

    def __init__(self, kid, algorithm):
        self.kid, self.algorithm = kid, algorithm
        if algorithm in CURVES:
            self.private = ec.generate_private_key(CURVES[algorithm][0])
        else:
            self.private = rsa.generate_private_key(65537, 2048)

    @property
    def jwk(self):
        known = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        numbers = self.private.public_key().public_numbers()
        if self.algorithm in CURVES:
            _, name, length = CURVES[self.algorithm]
            return known | {"kty": "EC", "crv": name, "x": number(numbers.x, length), "y": number(numbers.y, length)}
        return known | {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}

    def sign(self, data):
        digest = HASHES[self.algorithm[2:]]
        if self.algorithm in CURVES:
            length = CURVES[self.algorithm][2]
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(length, "big") + s.to_bytes(length, "big")
        return self.private.sign(data, padding.PKCS1v15(), digest)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        issuer = self.server.issuer
        issuer.asked.append(self.path)
        documents = {
            "/pool/.well-known/openid-configuration": {
                "issuer": issuer.named or issuer.url,
                "jwks_uri": f"{issuer.url}/keys",
            },
            "/pool/keys": {"keys": [key.jwk for key in issuer.published]},
        }
        if issuer.redirect:
            self.send_response(302)
            self.send_header("Location", f"{issuer.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        document = documents.get(self.path)
        body = json.dumps(document).encode()
        self.send_response(200 if document else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Issuer:
    """Runs until it is stopped. `published` are the keys that it tells; `named` and `redirect` are faults."""

    def __init__(self, certificate):
        self.keys = {algorithm: Key(algorithm.lower(), algorithm) for algorithm in ALGORITHMS}
        self.published = list(self.keys.values())
        self.asked, self.named, self.redirect = [], None, False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.issuer = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[0], certificate[1])
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"https://localhost:{self.server.server_port}/pool"

    def token(self, algorithm="RS256", key=None, header=None, **claims):
        now = int(time.time())
        key = key or self.keys[algorithm]
        known = {"iss": self.url, "sub": "repo:us/main", "aud": "app", "iat": now, "exp": now + 300}
        parts = [{"alg": key.algorithm, "kid": key.kid, "typ": "JWT"} | (header or {}), known | claims]
        signed = ".".join(b64(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{b64(key.sign(signed.encode()))}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
