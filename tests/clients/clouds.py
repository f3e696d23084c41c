"""As much of Google Cloud Storage (XML API) and of Azure Blob Storage as a gateway uses of them, in memory.

Written from their documentation, not from what they do: what a test proves with them is that the requests of a gateway
are well formed and that it gets on with answers of that form. Credentials are not looked at.
"""

import itertools
import re
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

# A short page, so that listings go on over several.
PAGE = 3
DATE = "Wed, 25 Nov 2026 12:00:00 GMT"


class Cloud(BaseHTTPRequestHandler):
    """What both have in common. `objects` and `parts` are of the class that `running` makes for each server."""

    protocol_version = "HTTP/1.1"
    # Seconds before an object is read.
    pause = 0
    generation = itertools.count(1)

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        named = {"ETag": f'"{uuid.uuid4().hex}"', "Last-Modified": DATE, "Content-Length": len(body)}
        for name, value in (named | {k.replace("_", "-"): v for k, v in headers.items()}).items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        url = urlsplit(self.path)
        _, bucket, *key = unquote(url.path).split("/", 2)
        query = {name: value[0] for name, value in parse_qs(url.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.requests.append((self.command, bucket, "/".join(key), sorted(query)))
        self.serve("/".join(key), query, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def read(self, key, **headers):
        time.sleep(self.pause)
        if key not in self.objects:
            return self.answer(404)
        whole = self.objects[key]
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or self.headers.get("x-ms-range") or "")
        if not span:
            return self.answer(200, whole, **headers)
        start, end = int(span[1]), min(int(span[2] or len(whole)), len(whole) - 1)
        if start > end:
            return self.answer(416)
        return self.answer(206, whole[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(whole)}", **headers)

    def page(self, query, marker):
        """Names of a page, and where the next begins or an empty text."""
        names = sorted(n for n in self.objects if n.startswith(query.get("prefix", "")) and n > query.get(marker, ""))
        return names[:PAGE], names[PAGE - 1] if len(names) > PAGE else ""


class Google(Cloud):
    def serve(self, key, query, body):
        generation = {"x_goog_generation": next(self.generation)}
        match self.command:
            case "GET" if not key:
                names, after = self.page(query, "continuation-token")
                contents = "".join(
                    f"<Contents><Key>{escape(n)}</Key><LastModified>2026-11-25T12:00:00.000Z</LastModified>"
                    f'<ETag>"e"</ETag><Size>{len(self.objects[n])}</Size></Contents>'
                    for n in names
                )
                more = f"<NextContinuationToken>{escape(after)}</NextContinuationToken>" if after else ""
                self.answer(200, f"<ListBucketResult>{contents}{more}</ListBucketResult>")
            case "GET" | "HEAD":
                self.read(key, **generation)
            case "PUT" if "uploadId" in query:
                self.parts[query["uploadId"], int(query["partNumber"])] = body
                self.answer(200)
            case "PUT" if self.headers.get("x-goog-if-generation-match") == "0" and key in self.objects:
                self.answer(412)
            case "PUT":
                self.objects[key] = body
                self.answer(200, **generation)
            case "POST" if "uploads" in query:
                upload = f"<UploadId>{uuid.uuid4().hex}</UploadId>"
                self.answer(200, f"<InitiateMultipartUploadResult>{upload}</InitiateMultipartUploadResult>")
            case "POST":
                numbers = [int(n) for n in re.findall(r"<PartNumber>(\d+)</PartNumber>", body.decode())]
                self.objects[key] = b"".join(self.parts.pop((query["uploadId"], n)) for n in numbers)
                done = '<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'
                self.answer(200, done, **generation)
            case "DELETE" if "uploadId" in query:
                self.answer(204)
            case "DELETE":
                self.answer(204 if self.objects.pop(key, None) is not None else 404)


class Azure(Cloud):
    def serve(self, key, query, body):
        match self.command, query.get("comp"):
            case "GET", "list":
                names, after = self.page(query, "marker")
                blobs = "".join(
                    f"<Blob><Name>{escape(n)}</Name><Properties><Last-Modified>{DATE}</Last-Modified><Etag>e</Etag>"
                    f"<Content-Length>{len(self.objects[n])}</Content-Length>"
                    "<Content-Type>application/octet-stream</Content-Type></Properties></Blob>"
                    for n in names
                )
                more = f"<NextMarker>{escape(after)}</NextMarker>"
                self.answer(200, f"<EnumerationResults><Blobs>{blobs}</Blobs>{more}</EnumerationResults>")
            case "GET" | "HEAD", _:
                self.read(key)
            case "PUT", "block":
                self.parts[key, query["blockid"]] = body
                self.answer(201)
            case "PUT", "blocklist":
                ids = re.findall(r"<(?:Uncommitted|Latest)>(.*?)</", body.decode())
                self.objects[key] = b"".join(self.parts.pop((key, i)) for i in ids)
                self.answer(201)
            case "PUT", _ if self.headers.get("if-none-match") == "*" and key in self.objects:
                self.answer(409)
            case "PUT", _:
                self.objects[key] = body
                self.answer(201)
            case "POST", "batch":
                each = re.findall(r"Content-ID: (\d+).*?DELETE /[^/]+/(\S+) HTTP", body.decode(), re.S | re.I)
                parts = ""
                for number, name in each:
                    status = "202 Accepted" if self.objects.pop(unquote(name), None) is not None else "404 Not Found"
                    parts += f"--b\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
                    parts += f"HTTP/1.1 {status}\r\nx-ms-version: 2023-11-03\r\n\r\n\r\n"
                self.answer(202, parts + "--b--\r\n", Content_Type="multipart/mixed; boundary=b")


@contextmanager
def running(kind):
    """A server of `kind`: its class, with `objects` and `requests`, and its URL."""
    handler = type(kind.__name__, (kind,), {"objects": {}, "parts": {}, "requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield handler, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
