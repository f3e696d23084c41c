"""What browsers send: plain requests, multipart forms, and who may read without a signature."""

import http.client
import json

from raw import Reply


def send(server, method, path, body=None, headers=None, host=None):
    """Just this request, unsigned."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        named = {"Host": host} if host else {}
        connection.request(method, path, body=body, headers=named | (headers or {}))
        got = connection.getresponse()
        return Reply(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
    finally:
        connection.close()


def multipart(fields, file=b"", filename="file.txt", boundary="----WebKitFormBoundary7MA4YWxkTrZu0gW", after=()):
    """A form as browsers make it: content type and body. `file` None leaves the file out."""

    def part(name, value, more=""):
        value = value if isinstance(value, bytes) else value.encode()
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        return head.encode() + value + b"\r\n"

    body = b"".join(part(name, value) for name, value in fields)
    if file is not None:
        body += part("file", file, f'; filename="{filename}"\r\nContent-Type: application/octet-stream')
    body += b"".join(part(name, value) for name, value in after)
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def make_public(s3, bucket, actions, prefix=""):
    """Lets everybody do `actions` on the bucket's objects."""
    s3.delete_public_access_block(Bucket=bucket)
    resource = f"arn:aws:s3:::{bucket}/{prefix}*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resource}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
