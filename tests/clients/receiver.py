"""A webhook: it keeps what it is sent, and answers as it is told to."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gateway import free_port


class Receiver:
    """Listens on 127.0.0.1. `status` is what it answers; what it did not answer 2xx it does not keep."""

    def __init__(self, port=0):
        self.port = port or free_port()
        self.status = 200
        self.refuses = lambda body: False
        self.messages, self.headers, self.refused = [], [], 0
        self.lock = threading.Lock()
        self.http = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/events?from=strongroom"

    def start(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with receiver.lock:
                    status = 503 if receiver.refuses(body) else receiver.status
                    if status < 300:
                        receiver.messages.append(body)
                        receiver.headers.append(
                            (self.path, {name.lower(): value for name, value in self.headers.items()})
                        )
                    else:
                        receiver.refused += 1
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def stop(self):
        if self.http:
            self.http.shutdown()
            self.http.server_close()
            self.http = None

    def records(self):
        """All records without the test events."""
        with self.lock:
            return [record for message in self.messages for record in message.get("Records", [])]

    def test_events(self):
        with self.lock:
            return [message for message in self.messages if message.get("Event") == "s3:TestEvent"]

    def wait(self, holds, seconds=30):
        """Waits until `holds` says yes of the records."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            records = self.records()
            if holds(records):
                return records
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {len(self.records())} records: {self.records()[-3:]}")

    def wait_for(self, count, seconds=30):
        return self.wait(lambda records: len(records) >= count, seconds)
