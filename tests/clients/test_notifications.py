"""Event notifications: to a webhook and to NATS, through failures of both sides."""

import hashlib
import json
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import sdk
from gateway import OTHER, Strongroom, free_port
from modes import CUSTOMER
from programs import find
from receiver import Receiver

QUEUE = "arn:aws:sqs:us-east-1:111122223333:orders"
TOPIC = "arn:aws:sns:us-east-1:111122223333:news"
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:thumbs"
BUS = "arn:aws:events:us-east-1:111122223333:event-bus/default"
GONE = "arn:aws:sqs:us-east-1:111122223333:gone"


def target(arn, url, more=""):
    return f'[[notification_targets]]\narn = "{arn}"\nurl = "{url}"\n{more}\n'


@pytest.fixture
def gateway(tmp_path, hook):
    extra = "".join(target(arn, hook.url) for arn in (QUEUE, TOPIC, FUNCTION, BUS))
    extra += target(GONE, f"http://127.0.0.1:{free_port()}/")
    server = Strongroom(tmp_path / "own", extra=extra).start()
    yield server
    server.kill()


def to(arn=QUEUE, events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"), name="rule", **rules):
    filter_rules = [{"Name": name, "Value": value} for name, value in rules.items()]
    more = {"Filter": {"Key": {"FilterRules": filter_rules}}} if rules else {}
    return {"Id": name, "QueueArn": arn, "Events": list(events), **more}


def configure(s3, bucket, *queues, **more):
    configuration = {"QueueConfigurations": list(queues)} if queues else {}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration | more)


def bucket_of(s3, *queues, name="events", **more):
    s3.create_bucket(Bucket=name)
    configure(s3, name, *queues, **more)
    return name


def names(records):
    return [(record["eventName"], urllib.parse.unquote_plus(record["s3"]["object"]["key"])) for record in records]


def test_a_write_is_told_as_aws_tells_it(gateway, hook):
    s3 = sdk.client(gateway)
    bucket = bucket_of(s3, to())
    (test,) = hook.test_events()
    assert list(test) == ["Service", "Event", "Time", "Bucket", "RequestId", "HostId"]
    assert (test["Service"], test["Bucket"]) == ("Amazon S3", bucket)
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    (record,) = hook.wait_for(1)
    metadata = put["ResponseMetadata"]
    assert record.pop("eventTime").endswith("Z")
    assert len(record["s3"]["object"].pop("sequencer")) == 18
    assert record == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:111122223333"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": metadata["RequestId"], "x-amz-id-2": metadata["HostId"]},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "rule",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "111122223333"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {"key": "a", "size": 5, "eTag": put["ETag"].strip('"')},
        },
    }
    path, headers = hook.headers[-1]
    assert (path, headers["content-type"]) == ("/events?from=strongroom", "application/json")
    assert "authorization" not in headers and len(headers["x-strongroom-event-id"]) == 32


def test_sizes_are_those_of_the_plaintext_in_every_mode(gateway, hook):
    """minio 8407: not those of what is stored."""
    s3 = sdk.client(gateway)
    bucket = bucket_of(s3, to())
    modes = [{}, {"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms:dsse"}, CUSTOMER]
    sizes = [0, 48, 32 * 1024 + 1, 300_000]
    for at, mode in enumerate(modes):
        for size in sizes:
            s3.put_object(Bucket=bucket, Key=f"{at}/{size}", Body=b"x" * size, **mode)
    for record in hook.wait_for(len(modes) * len(sizes)):
        stored = record["s3"]["object"]
        assert stored["size"] == int(stored["key"].split("/")[1]), stored
        assert len(stored["eTag"]) == 32


@pytest.mark.parametrize(
    "key", ["a b", "a+b", "ü/€/😀", "..//.", "%2F", "&<>\"'", "x" * 1024, "a\x01b", "tab\tnew\nline"]
)
def test_odd_keys_come_back_as_they_were(gateway, hook, key):
    s3 = sdk.client(gateway)
    bucket = bucket_of(s3, to())
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    (record,) = hook.wait_for(1)
    shown = record["s3"]["object"]["key"]
    assert urllib.parse.unquote_plus(shown) == key
    assert " " not in shown and shown.isascii()


def test_each_operation_has_its_event(gateway, hook):
    s3 = sdk.client(gateway)
    everything = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put"]
    bucket = bucket_of(s3, to(events=everything))
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"hello")["VersionId"]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    deleted = {"Objects": [{"Key": "copy"}, {"Key": "parts"}]}
    s3.delete_objects(Bucket=bucket, Delete=deleted)
    records = hook.wait_for(9)
    assert names(records[:7]) == [
        ("ObjectCreated:Put", "k"),
        ("ObjectCreated:Copy", "copy"),
        ("ObjectCreated:CompleteMultipartUpload", "parts"),
        ("ObjectTagging:Put", "k"),
        ("ObjectTagging:Delete", "k"),
        ("ObjectRemoved:DeleteMarkerCreated", "k"),
        ("ObjectRemoved:Delete", "k"),
    ]
    assert sorted(names(records[7:])) == [("ObjectRemoved:DeleteMarkerCreated", key) for key in ("copy", "parts")]
    objects = [record["s3"]["object"] for record in records]
    assert [o.get("versionId") for o in objects[:1] + objects[5:7]] == [version, marker, version]
    assert "size" not in objects[5] and "size" not in objects[6] and objects[2]["size"] == 4
    assert [record["eventVersion"] for record in records[:4]] == ["2.1", "2.1", "2.1", "2.3"]
    of_key = [o["sequencer"] for o in (objects[0], objects[5], objects[6])]
    assert of_key == sorted(of_key) and len(set(of_key)) == 3


def test_prefix_and_suffix_choose(gateway, hook):
    s3 = sdk.client(gateway)
    rules = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".jpg"}]}}
    queue = {"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:Put"], "Filter": rules}
    bucket = bucket_of(s3, queue)
    shown = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert len(shown) == 1 and shown[0].pop("Id")
    shown_rules = [{"Name": "Prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".jpg"}]
    assert shown == [queue | {"Filter": {"Key": {"FilterRules": shown_rules}}}]
    for key in ["in/a.png", "out/a.jpg", "in/a.jpg", "in/b.jpg"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert [key for _, key in names(hook.wait_for(2))] == ["in/a.jpg", "in/b.jpg"]
    configure(s3, bucket)
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="in/c.jpg", Body=b"")
    time.sleep(1)
    assert len(hook.records()) == 2


def refusal(call, *arguments, **more):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **more)
    return caught.value.response["Error"]


def test_what_can_not_be_validated_is_refused_unless_that_is_skipped(gateway, hook):
    s3 = sdk.client(gateway)
    s3.create_bucket(Bucket="events")
    unknown = "arn:aws:sqs:us-east-1:111122223333:unknown"
    error = refusal(configure, s3, "events", to(unknown))
    assert (error["Code"], error["Message"], error["ArgumentName"]) == (
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        unknown,
    )
    error = refusal(configure, s3, "events", to(GONE), to(unknown, ["s3:ObjectAcl:Put"], name="2"))
    assert (error["ArgumentName1"], error["ArgumentName2"]) == (GONE, unknown)
    hook.status = 302
    assert refusal(configure, s3, "events", to())["ArgumentName"] == QUEUE
    assert hook.refused == 1, "a redirect is not followed"
    hook.status = 200
    # Functions get no test event, as with AWS.
    function = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}
    configure(s3, "events", LambdaFunctionConfigurations=[function])
    assert hook.test_events() == []

    def unvalidated(arn):
        queues = {"QueueConfigurations": [to(arn)]}
        s3.put_bucket_notification_configuration(
            Bucket="events", NotificationConfiguration=queues, SkipDestinationValidation=True
        )

    for arn in (GONE, unknown):
        unvalidated(arn)
        assert s3.get_bucket_notification_configuration(Bucket="events")["QueueConfigurations"][0]["QueueArn"] == arn


def test_events_for_a_target_that_there_never_was_are_dropped_until_there_is_one(gateway, hook):
    s3 = sdk.client(gateway)
    s3.create_bucket(Bucket="events")
    unknown = "arn:aws:sqs:us-east-1:111122223333:unknown"
    s3.put_bucket_notification_configuration(
        Bucket="events",
        NotificationConfiguration={"QueueConfigurations": [to(unknown)]},
        SkipDestinationValidation=True,
    )
    s3.put_object(Bucket="events", Key="lost", Body=b"x")
    assert gateway.stop() == 0
    gateway.settings.write_text(gateway.settings.read_text() + target(unknown, hook.url))
    gateway.start()
    s3.put_object(Bucket="events", Key="told", Body=b"x")
    (record,) = hook.wait_for(1)
    assert record["s3"]["object"]["key"] == "told"


def test_metrics_tell_how_many_events_wait(tmp_path, hook):
    port = free_port()
    extra = f'metrics_listen = "127.0.0.1:{port}"\n' + target(QUEUE, hook.url)
    server = Strongroom(tmp_path / "own", extra=extra).start()

    def shows(*wanted):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as got:
            lines = got.read().decode().splitlines()
        return all(line in lines for line in wanted)

    def wait(*wanted):
        deadline = time.monotonic() + 30
        while not shows(*wanted):
            assert time.monotonic() < deadline, wanted
            time.sleep(0.2)

    try:
        s3 = sdk.client(server)
        bucket = bucket_of(s3, to())
        hook.status = 500
        s3.put_object(Bucket=bucket, Key="a", Body=b"x")
        wait("notifications_waiting 1", "notifications_delivered_total 0")
        hook.status = 200
        wait("notifications_waiting 0", "notifications_delivered_total 1", "notifications_dropped_total 0")
    finally:
        server.kill()


def test_nothing_is_lost_when_the_gateway_is_killed_and_the_target_is_down(gateway, hook):
    s3 = sdk.client(gateway)
    bucket = bucket_of(s3, to())
    hook.stop()
    written = set()
    for round in range(3):
        for number in range(20):
            key = f"{round}/{number}"
            s3.put_object(Bucket=bucket, Key=key, Body=b"x" * number)
            written.add(key)
        gateway.kill()
        gateway.start()
        s3 = sdk.client(gateway)
    hook.start()
    records = hook.wait(lambda records: {key for _, key in names(records)} >= written, 90)
    assert {key for _, key in names(records)} == written


def test_a_kill_while_events_are_delivered_loses_none(gateway, hook):
    s3 = sdk.client(gateway)
    bucket = bucket_of(s3, to())
    written = set()
    for round in range(4):
        for number in range(40):
            key = f"{round}/{number}"
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
            written.add(key)
        gateway.kill()
        gateway.start()
        s3 = sdk.client(gateway)
    hook.wait(lambda records: {key for _, key in names(records)} == written, 60)


def test_a_target_that_is_down_keeps_no_other_waiting(gateway, hook):
    s3 = sdk.client(gateway)
    s3.create_bucket(Bucket="events")
    s3.put_bucket_notification_configuration(
        Bucket="events",
        NotificationConfiguration={
            "QueueConfigurations": [to(GONE, name="1", prefix="gone/")],
            "TopicConfigurations": [
                {
                    "TopicArn": TOPIC,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "here/"}]}},
                }
            ],
        },
        SkipDestinationValidation=True,
    )
    for number in range(60):
        s3.put_object(Bucket="events", Key=f"gone/{number}", Body=b"")
        s3.put_object(Bucket="events", Key=f"here/{number}", Body=b"")
    records = hook.wait_for(60, 15)
    assert {key for _, key in names(records)} == {f"here/{number}" for number in range(60)}


def test_an_event_that_is_refused_lets_others_pass_and_is_tried_again(gateway, hook):
    s3 = sdk.client(gateway)
    bucket = bucket_of(s3, to())
    hook.refuses = lambda body: body["Records"][0]["s3"]["object"]["key"] == "poison"
    for key in ["poison", "a", "b"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert [key for _, key in names(hook.wait_for(2))] == ["a", "b"]
    assert hook.refused >= 1
    hook.refuses = lambda body: False
    assert [key for _, key in names(hook.wait_for(3))] == ["a", "b", "poison"]


def test_the_event_bus_gets_all_events_in_its_own_form(gateway, hook):
    s3 = sdk.client(gateway)
    bucket = bucket_of(s3, EventBridgeConfiguration={})
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}
    s3.put_object(Bucket=bucket, Key="a b", Body=b"hello")
    end = time.monotonic() + 30
    while not hook.messages and time.monotonic() < end:
        time.sleep(0.05)
    (event,) = hook.messages
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert (event["detail"]["object"]["key"], event["detail"]["object"]["size"]) == ("a b", 5)


def test_a_webhook_over_tls_sees_the_token(tmp_path, certificate):
    """And one whose certificate is not believed sees nothing."""
    import ssl

    cert, key, ca = certificate
    hook = Receiver().start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    hook.http.socket = context.wrap_socket(hook.http.socket, server_side=True)
    token = tmp_path / "token"
    token.write_text("s3cr3t\n")
    token.chmod(0o600)
    url = f"https://localhost:{hook.port}/"
    extra = target(QUEUE, url, f'token_file = "{token}"\nca_file = "{ca}"') + target(TOPIC, url)
    server = Strongroom(tmp_path / "own", extra=extra).start()
    s3 = sdk.client(server)
    s3.create_bucket(Bucket="events")
    configure(s3, "events", to())
    assert hook.headers[0][1]["authorization"] == "Bearer s3cr3t"
    topic = {"TopicArn": TOPIC, "Events": ["s3:ObjectAcl:Put"]}
    assert refusal(configure, s3, "events", TopicConfigurations=[topic])["ArgumentName"] == TOPIC
    assert "s3cr3t" not in server.log()
    server.stop()
    hook.stop()


class Nats:
    """A server with JetStream, and the few words of its protocol that a test needs."""

    def __init__(self, directory):
        self.directory, self.port, self.process = Path(directory), free_port(), None

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        arguments = [find("nats-server"), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.directory)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                return self.ask("$JS.API.INFO", {}) and self
            except OSError:
                time.sleep(0.1)
        raise AssertionError("nats-server does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def ask(self, subject, question):
        import socket

        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            stream = connection.makefile("rwb")
            stream.readline()
            body = json.dumps(question).encode()
            stream.write(b'CONNECT {"verbose":false}\r\nSUB answers 1\r\n')
            stream.write(f"PUB {subject} answers {len(body)}\r\n".encode() + body + b"\r\n")
            stream.flush()
            while True:
                line = stream.readline().decode()
                if line.startswith("MSG"):
                    return json.loads(stream.read(int(line.split()[-1])))
                if line.startswith("PING"):
                    stream.write(b"PONG\r\n")
                    stream.flush()
                if not line or line.startswith("-ERR"):
                    raise OSError(line)

    def create_stream(self, *subjects):
        made = self.ask(
            "$JS.API.STREAM.CREATE.events", {"name": "events", "subjects": list(subjects), "storage": "file"}
        )
        assert "error" not in made, made

    def messages(self):
        import base64

        state = self.ask("$JS.API.STREAM.INFO.events", {})["state"]
        for number in range(state["first_seq"], state["last_seq"] + 1):
            got = self.ask("$JS.API.STREAM.MSG.GET.events", {"seq": number})["message"]
            yield json.loads(base64.b64decode(got["data"]))


def test_nats_has_every_event_also_after_it_was_away(tmp_path):
    nats = Nats(tmp_path / "nats").start()
    extra = target(QUEUE, f"nats://127.0.0.1:{nats.port}/s3.orders")
    server = Strongroom(tmp_path / "own", extra=extra).start()
    s3 = sdk.client(server)
    s3.create_bucket(Bucket="events")
    # Without a stream nothing would keep what is published.
    assert refusal(configure, s3, "events", to())["Code"] == "InvalidArgument"
    nats.create_stream("s3.>")
    configure(s3, "events", to())
    for number in range(10):
        s3.put_object(Bucket="events", Key=f"{number}", Body=b"hello")
    nats.stop()
    for number in range(10, 20):
        s3.put_object(Bucket="events", Key=f"{number}", Body=b"hello")
    server.kill()
    server.start()
    nats.start()
    wanted = {str(number) for number in range(20)}
    end = time.monotonic() + 90
    found = set()
    while found != wanted and time.monotonic() < end:
        records = [record for message in nats.messages() for record in message.get("Records", [])]
        found = {record["s3"]["object"]["key"] for record in records}
        assert all(record["s3"]["object"]["eTag"] == hashlib.md5(b"hello").hexdigest() for record in records)
        time.sleep(0.2)
    assert found == wanted
    server.kill()
    nats.stop()


def test_a_stranger_may_neither_see_nor_set_it(gateway):
    s3, other = sdk.client(gateway), sdk.client(gateway, who=OTHER)
    bucket = bucket_of(s3, to())
    assert refusal(other.get_bucket_notification_configuration, Bucket=bucket)["Code"] == "AccessDenied"
    assert refusal(configure, other, bucket)["Code"] == "AccessDenied"
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
