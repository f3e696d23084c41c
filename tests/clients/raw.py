"""Requests that no SDK would send: own Signature Version 4, own framing, plain sockets."""

import base64
import datetime
import hashlib
import hmac
import re
import socket
import ssl
import zlib
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from gateway import MAIN, REGION

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAM_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAM_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAM_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def crc32_b64(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


@dataclass
class Reply:
    """An answer; `status` is None if the connection ended without one."""

    status: int | None
    headers: dict = field(default_factory=dict)
    body: bytes = b""

    def _element(self, name):
        found = re.search(rf"<{name}>(.*?)</{name}>", self.body.decode(errors="replace"), re.S)
        return found and found.group(1)

    @property
    def code(self):
        return self._element("Code")

    @property
    def message(self):
        text = self._element("Message") or ""
        for entity, char in (
            ("&quot;", '"'),
            ("&#39;", "'"),
            ("&apos;", "'"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&amp;", "&"),
        ):
            text = text.replace(entity, char)
        return text

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:600]!r}"


@dataclass
class Signed:
    """A signed head, and what the signatures of its chunks need."""

    headers: list
    signature: str
    key: bytes
    stamp: str
    scope: str

    def chunk(self, previous, data):
        """Signature of a chunk after the one with signature `previous`."""
        text = [
            "AWS4-HMAC-SHA256-PAYLOAD",
            self.stamp,
            self.scope,
            previous,
            EMPTY_SHA256,
            hashlib.sha256(data).hexdigest(),
        ]
        return _hmac(self.key, "\n".join(text)).hex()

    def trailer(self, previous, lines):
        text = [
            "AWS4-HMAC-SHA256-TRAILER",
            self.stamp,
            self.scope,
            previous,
            hashlib.sha256(lines.encode()).hexdigest(),
        ]
        return _hmac(self.key, "\n".join(text)).hex()


def sign(
    method,
    host,
    path,
    query="",
    headers=None,
    payload=UNSIGNED,
    who=MAIN,
    region=REGION,
    service="s3",
    now=None,
    skip=(),
):
    """Signs all headers given but those in `skip`. `path` and `query` are taken as they stand, the query sorted."""
    now = now or datetime.datetime.now(datetime.UTC)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    named = {"host": host, "x-amz-date": stamp, "x-amz-content-sha256": payload} | (headers or {})
    covered = sorted((name.lower(), " ".join(str(value).split())) for name, value in named.items() if name not in skip)
    names = ";".join(name for name, _ in covered)
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&")) if query else []
    lines = "".join(f"{name}:{value}\n" for name, value in covered)
    canonical = "\n".join([method, path, "&".join(f"{name}={value}" for name, value in pairs), lines, names, payload])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + who.secret_key.encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = _hmac(key, part)
    signature = _hmac(key, text).hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={who.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    out = [(name, str(value)) for name, value in named.items()] + [("Authorization", authorization)]
    return Signed(out, signature, key, stamp, scope)


def presigned(method, host, path, query="", who=MAIN, region=REGION, seconds=60, now=None, headers=None):
    """The query of a presigned URL of Signature Version 4 that signs the host and `headers`."""
    now = now or datetime.datetime.now(datetime.UTC)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    covered = sorted({"host": host, **{name.lower(): value for name, value in (headers or {}).items()}}.items())
    names = ";".join(name for name, _ in covered)
    own = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{who.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
    }
    pairs = [pair.partition("=")[::2] for pair in query.split("&")] if query else []
    pairs += [(name, quote(value, safe="-_.~")) for name, value in own.items()]
    query = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    lines = "".join(f"{name}:{value}\n" for name, value in covered)
    canonical = "\n".join([method, path, query, lines, names, UNSIGNED])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + who.secret_key.encode()
    for part in (stamp[:8], region, "s3", "aws4_request"):
        key = _hmac(key, part)
    return f"{query}&X-Amz-Signature={_hmac(key, text).hex()}"


def quoted(key):
    """A key as SigV4 for S3 writes it in a path."""
    return quote(key, safe="/-_.~")


class Raw:
    """Sends requests to one server, one connection each."""

    def __init__(self, server, who=MAIN):
        self.server, self.who = server, who
        self.host = urlsplit(server.endpoint).netloc

    def connect(self):
        parts = urlsplit(self.server.endpoint)
        plain = socket.create_connection((parts.hostname, parts.port), timeout=20)
        if parts.scheme == "https":
            return ssl._create_unverified_context().wrap_socket(plain, server_hostname=parts.hostname)
        return plain

    def signed(self, method, path, query="", headers=None, payload=UNSIGNED, **more):
        return sign(
            method, more.pop("host", self.host), path, query, headers, payload, who=more.pop("who", self.who), **more
        )

    def head_bytes(self, method, path, query, headers):
        target = path + ("?" + query if query else "")
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("utf-8")

    def request(self, method, path, query="", headers=None, body=b"", payload=None, length=True, **more):
        """A signed request with a body of plain bytes; `length` False leaves Content-Length out, a number is a lie."""
        payload = payload or (UNSIGNED if body else EMPTY_SHA256)
        signed = self.signed(method, path, query, headers, payload, **more)
        fields = list(signed.headers)
        if length is True and (body or method in ("PUT", "POST")):
            fields.append(("Content-Length", len(body)))
        elif length is not True and length is not False:
            fields.append(("Content-Length", length))
        return self.send(self.head_bytes(method, path, query, fields) + body, method)

    def send(self, data, method="PUT", close_after=False):
        """Sends bytes as they are and reads one answer."""
        with self.connect() as stream:
            try:
                stream.sendall(data)
                if close_after:
                    stream.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                pass  # the server has answered and closed before it read all: the answer is there to be read
            return read_reply(stream, method)

    def chunked_put(
        self,
        path,
        chunks,
        *,
        payload=STREAM_UNSIGNED_TRAILER,
        headers=None,
        trailer=None,
        decoded=None,
        http_chunked=False,
        tamper=None,
        end=b"\r\n",
    ):
        """An aws-chunked upload. `trailer` is name:value text; `tamper` may change the encoded body."""
        total = sum(len(chunk) for chunk in chunks)
        named = {"content-encoding": "aws-chunked"} | (headers or {})
        if decoded is not False:
            named["x-amz-decoded-content-length"] = total if decoded is None else decoded
        if trailer:
            named.setdefault("x-amz-trailer", trailer.split(":")[0])
        signed = self.signed("PUT", path, "", named, payload)
        body = encode_chunks(signed, chunks, payload, trailer, end)
        body = tamper(body) if tamper else body
        fields = list(signed.headers)
        if http_chunked:
            fields.append(("Transfer-Encoding", "chunked"))
            # Frames of a length that meets no border of the chunks inside.
            frames = [body[at : at + 997] for at in range(0, len(body), 997)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames) + b"0\r\n\r\n"
        else:
            fields.append(("Content-Length", len(body)))
        return self.send(self.head_bytes("PUT", path, "", fields) + body)


def encode_chunks(signed, chunks, payload, trailer, end=b"\r\n"):
    out, previous = b"", signed.signature
    for chunk in [*chunks, b""]:
        if payload.startswith(STREAM_SIGNED):
            previous = signed.chunk(previous, chunk)
            out += f"{len(chunk):x};chunk-signature={previous}\r\n".encode()
        else:
            out += f"{len(chunk):x}\r\n".encode()
        out += chunk + b"\r\n" if chunk else b""
    if trailer:
        out += trailer.encode() + b"\r\n"
        if payload.startswith(STREAM_SIGNED):
            out += f"x-amz-trailer-signature:{signed.trailer(previous, trailer + chr(10))}\r\n".encode()
    return out + end


def read_head(stream, buffer=b""):
    while b"\r\n\r\n" not in buffer:
        try:
            piece = stream.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            piece = b""
        if not piece:
            return None, {}, buffer
        buffer += piece
    head, _, rest = buffer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, rest


def read_reply(stream, method="PUT"):
    """Reads one final answer; a 100 before it is noted as header `x-saw-100`."""
    status, headers, rest = read_head(stream)
    saw = {}
    while status == 100:
        saw = {"x-saw-100": "yes"}
        status, headers, rest = read_head(stream, rest)
    if status is None:
        return Reply(None, saw, rest)
    if method == "HEAD" or status in (204, 304):
        return Reply(status, headers | saw, b"")
    want = int(headers["content-length"]) if "content-length" in headers else None
    while want is None or len(rest) < want:
        try:
            piece = stream.recv(65536)
        except (ConnectionResetError, ssl.SSLError, TimeoutError):
            break
        if not piece:
            break
        rest += piece
        if want is None and rest.endswith(b"0\r\n\r\n"):
            break
    return Reply(status, headers | saw, rest)
