"""STS and the protocol that it shares with IAM, as the programs of users speak it: who am I, and what is refused."""

import json
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import programs
import sdk
from gateway import ALICE, MAIN, OTHER, REGION, Caller
from sdk import refusal

STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
ROOT_ARN = "arn:aws:iam::111122223333:root"
ALICE_ARN = "arn:aws:iam::111122223333:user/alice"


def fetch(request):
    """Status, headers and body, errors alike."""
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def presigned(server, who=MAIN, headers=None, expires=60):
    """The URL that EKS's and Vault's logins make."""
    url = f"{server.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers=headers or {})
    SigV4QueryAuth(Credentials(who.access_key, who.secret_key), "sts", REGION, expires).add_auth(request)
    return request.url


@pytest.mark.parametrize("program", ["v1", "v2"])
def test_aws_cli(server, program):
    aws = programs.find("aws") if program == "v1" else programs.AWS_V2
    for who, arn in [(MAIN, ROOT_ARN), (ALICE, ALICE_ARN)]:
        done = programs.run([aws, "sts", "get-caller-identity"], programs.aws_environment(server, who))
        told = json.loads(done.stdout)
        assert (told["Account"], told["Arn"]) == (who.account, arn)
        assert told["UserId"] == who.account if who is MAIN else told["UserId"].startswith("AIDA")
    wrong = Caller(MAIN.account, MAIN.access_key, "wrong")
    done = programs.run([aws, "sts", "get-caller-identity"], programs.aws_environment(server, wrong), check=False)
    assert done.returncode != 0 and "(SignatureDoesNotMatch)" in done.stderr
    unheard = Caller(MAIN.account, "AKIAUNHEARD000000000", "wrong")
    done = programs.run([aws, "sts", "get-caller-identity"], programs.aws_environment(server, unheard), check=False)
    assert "(InvalidClientTokenId)" in done.stderr
    assert "The security token included in the request is invalid." in done.stderr


def test_boto3(server):
    for who, arn in [(MAIN, ROOT_ARN), (ALICE, ALICE_ARN), (OTHER, "arn:aws:iam::444455556666:root")]:
        told = sdk.client(server, "sts", who).get_caller_identity()
        assert (told["Account"], told["Arn"]) == (who.account, arn)
        assert told["ResponseMetadata"]["RequestId"]
    sts = sdk.client(server, "sts")
    assert sts.get_access_key_info(AccessKeyId=OTHER.access_key)["Account"] == OTHER.account
    got = refusal(sts.get_access_key_info, AccessKeyId="AKIA-not-a-key-id---")
    assert (got.status, got.code) == (400, "ValidationError")
    assert got.message.startswith("1 validation error detected: Value 'AKIA-not-a-key-id---' at 'accessKeyId' failed")
    got = refusal(sdk.client(server, "sts", ALICE).get_access_key_info, AccessKeyId=OTHER.access_key)
    assert (got.status, got.code) == (403, "AccessDenied")
    assert got.message.startswith(f"User: {ALICE_ARN} is not authorized to perform: sts:GetAccessKeyInfo")


def test_every_operation_has_an_answer(server):
    """What is not served is refused as such, through the SDK's own serializers."""
    got = refusal(sdk.client(server, "iam").list_server_certificates)
    assert (got.status, got.code) == (501, "NotImplemented")
    got = refusal(sdk.client(server, "iam").change_password, OldPassword="old-secret", NewPassword="new-secret")
    assert (got.status, got.code) == (501, "NotImplemented")
    assert "old-secret" not in server.log() and "new-secret" not in server.log()


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_regions(server, service):
    """Clients sign for the Region that they are set to, or for the global one."""
    codes = {}
    for region in ["us-east-1", "us-west-2", "eu-north-1"]:
        client = sdk.client(server, service, region=region)
        call = client.get_session_token if service == "sts" else client.list_mfa_devices
        try:
            call()
            codes[region] = "served"
        except client.exceptions.ClientError as error:
            codes[region] = "refused" if error.response["Error"]["Code"] == "SignatureDoesNotMatch" else "served"
    assert codes == {"us-east-1": "served", "us-west-2": "served", "eu-north-1": "refused"}


def test_presigned(server):
    for headers in ({}, {"x-k8s-aws-id": "cluster"}):
        status, answer_headers, body = fetch(urllib.request.Request(presigned(server, ALICE, headers), headers=headers))
        assert (status, answer_headers["Content-Type"]) == (200, "text/xml"), body
        root = ET.fromstring(body)
        assert root.tag == f"{STS}GetCallerIdentityResponse"
        assert root.find(f"{STS}GetCallerIdentityResult/{STS}Arn").text == ALICE_ARN
        request_id = root.find(f"{STS}ResponseMetadata/{STS}RequestId").text
        assert request_id == answer_headers["x-amzn-RequestId"]
    url = presigned(server, ALICE)
    for altered in [url.replace("GetCallerIdentity", "GetSessionToken"), url + "&DurationSeconds=900", url[:-1] + "x"]:
        status, _, body = fetch(altered)
        assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in body, body


def test_errors_are_those_of_the_protocol(server):
    def posted(form, **headers):
        headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
        return fetch(urllib.request.Request(server.endpoint, form.encode(), headers))

    for form, status, code in [
        ("Action=GetCallerIdentity&Version=2011-06-15", 403, "MissingAuthenticationToken"),
        ("Action=Fly&Version=2011-06-15", 400, "InvalidAction"),
        ("Version=2011-06-15", 400, "MissingAction"),
        ("", 400, "MissingAction"),
        ("Action=a&Action=b", 404, "MalformedQueryString"),
        ("x=" + "y" * (1 << 20), 413, "RequestEntityTooLarge"),
    ]:
        got, headers, body = posted(form)
        error = ET.fromstring(body).find(f"{STS}Error")
        assert (got, error.find(f"{STS}Code").text, error.find(f"{STS}Type").text) == (status, code, "Sender"), body
        assert headers["Content-Type"] == "text/xml"
    status, _, body = fetch(f"{server.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15")
    assert status == 403 and "MissingAuthenticationToken" in body


def test_buckets_are_as_before(server, s3):
    """What is S3's stays S3's."""
    status, _, body = fetch(server.endpoint)
    assert status == 403 and "<Code>AccessDenied</Code>" in body and "ErrorResponse" not in body
    s3.create_bucket(Bucket="action")
    s3.put_object(Bucket="action", Key="Action=GetCallerIdentity&Version=2011-06-15", Body=b"x")
    assert sdk.body_of(s3, "action", "Action=GetCallerIdentity&Version=2011-06-15") == b"x"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, body = fetch(urllib.request.Request(f"{server.endpoint}/action?delete", b"<Delete/>", form))
    assert status == 400 and "ErrorResponse" not in body


def test_every_call_is_recorded_once(own_server):
    sts = sdk.client(own_server, "sts", ALICE)
    sts.get_caller_identity()
    refusal(sts.get_access_key_info, AccessKeyId=OTHER.access_key)
    refusal(sdk.client(own_server, "iam").change_password, OldPassword="old-secret", NewPassword="new-secret")
    own_server.stop()
    lines = own_server.command("audit", "export", "-").stdout.splitlines()
    events = [json.loads(line)["record"] for line in lines]
    calls = [e for e in events if e.get("eventSource") in ("sts.amazonaws.com", "iam.amazonaws.com")]
    told = [(e["eventName"], e.get("errorCode"), e["awsRegion"]) for e in calls]
    assert told == [
        ("GetCallerIdentity", None, "us-east-1"),
        ("GetAccessKeyInfo", "AccessDenied", "us-east-1"),
        ("ChangePassword", "NotImplemented", "us-east-1"),
    ]
    assert not [line for line in lines if "old-secret" in line or "new-secret" in line]


def test_presigned_through_boto3(server):
    session = sdk.new_session(MAIN.access_key, MAIN.secret_key)
    sts = sdk.client(server, "sts", session=session)
    for method in ("GET", "POST"):
        url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod=method)
        status, _, body = fetch(urllib.request.Request(url, method=method))
        assert status == 200 and ROOT_ARN in body, body
