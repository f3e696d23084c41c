"""Temporary credentials, as the programs of users get them and sign with them in every form."""

import json
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest
from botocore import UNSIGNED
from botocore.config import Config

import programs
import raw
import sdk
from gateway import MAIN, OTHER, REGION, Caller, Strongroom, clean_environment
from oidc_issuer import ALGORITHMS, Issuer, Key
from sdk import refusal
from test_presigned import fetch

ACCOUNT = MAIN.account
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"


def policy(action, resource="*", **more):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(principal, action="sts:AssumeRole", **more):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def session_of(answer):
    made = answer["Credentials"]
    return sdk.new_session(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


class Site:
    """A gateway with a user `dev`, who may do nothing but get credentials, and roles."""

    def __init__(self, server):
        self.server, self.iam = server, sdk.client(server, "iam")
        self.iam.create_user(UserName="dev")
        key = self.iam.create_access_key(UserName="dev")["AccessKey"]
        self.dev = Caller(ACCOUNT, key["AccessKeyId"], key["SecretAccessKey"], "dev")
        allowed = policy(["sts:AssumeRole", "sts:GetFederationToken", "sts:TagSession"])
        self.iam.put_user_policy(UserName="dev", PolicyName="p", PolicyDocument=allowed)
        self.dev_arn = f"arn:aws:iam::{ACCOUNT}:user/dev"
        self.sts = sdk.client(server, "sts", self.dev)
        self.role("work", {"AWS": self.dev_arn}, ["s3:*", "kms:*"])
        sdk.client(server).create_bucket(Bucket="work")

    def role(self, name, principal, action, iam=None, **more):
        iam = iam or self.iam
        assume = ["sts:AssumeRole", "sts:TagSession"]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(principal, assume, **more))
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(action))

    def assume(self, name="work", **more):
        answer = self.sts.assume_role(RoleArn=ROLE + name, RoleSessionName="night", **more)
        return session_of(answer)

    def client(self, service, session, **config):
        return sdk.client(self.server, service, session=session, **config)


@pytest.fixture(scope="module")
def issuer(certificate):
    issuer = Issuer(certificate)
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory, certificate):
    extra = f'oidc_ca_file = "{certificate[2]}"\noidc_hosts = ["localhost"]\npresigned_v2 = true'
    gateway = Strongroom(tmp_path_factory.mktemp("sessions"), extra=extra).start()
    yield Site(gateway)
    assert gateway.stop() == 0, gateway.log()[-4000:]
    assert "panicked" not in gateway.log()


def test_assume_role(site):
    work = site.assume()
    told = site.client("sts", work).get_caller_identity()
    assert told["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/work/night"
    s3 = site.client("s3", work)
    s3.put_object(Bucket="work", Key="a", Body=b"x")
    assert sdk.body_of(s3, "work", "a") == b"x"
    got = refusal(sdk.client(site.server, "s3", site.dev).get_object, Bucket="work", Key="a")
    assert (got.status, got.code) == (403, "AccessDenied")
    got = refusal(site.client("iam", work).list_users)
    assert (got.status, got.code) == (403, "AccessDenied")
    got = refusal(site.client("sts", work).get_session_token)
    assert (got.status, got.message) == (403, "Cannot call GetSessionToken with session credentials")
    got = refusal(site.assume, "nobody")
    text = f"User: arn:aws:iam::{ACCOUNT}:user/dev is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    assert (got.status, got.code, got.message) == (403, "AccessDenied", f"{text}nobody")


def test_cross_account_with_external_id(site):
    other = sdk.client(site.server, "iam", OTHER)
    condition = {"StringEquals": {"sts:ExternalId": "agreed"}}
    site.role("partner", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "s3:*", other, Condition=condition)
    arn = f"arn:aws:iam::{OTHER.account}:role/partner"
    for external in ({}, {"ExternalId": "guessed"}):
        got = refusal(site.sts.assume_role, RoleArn=arn, RoleSessionName="night", **external)
        assert (got.status, got.code) == (403, "AccessDenied")
    partner = session_of(site.sts.assume_role(RoleArn=arn, RoleSessionName="night", ExternalId="agreed"))
    assert site.client("sts", partner).get_caller_identity()["Account"] == OTHER.account
    s3 = site.client("s3", partner)
    s3.create_bucket(Bucket="of-partner")
    owned = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert owned == ["of-partner"]


def test_session_policy_and_tags(site):
    narrow = site.client("s3", site.assume(Policy=policy("s3:GetObject", "arn:aws:s3:::work/*")))
    site.client("s3", site.assume()).put_object(Bucket="work", Key="n", Body=b"n")
    assert sdk.body_of(narrow, "work", "n") == b"n"
    got = refusal(narrow.put_object, Bucket="work", Key="n", Body=b"")
    assert "because no session policy allows the s3:PutObject action" in got.message
    home = "arn:aws:s3:::work/${aws:PrincipalTag/Team}/*"
    site.iam.create_role(
        RoleName="team", AssumeRolePolicyDocument=trust({"AWS": site.dev_arn}, ["sts:AssumeRole", "sts:TagSession"])
    )
    site.iam.put_role_policy(RoleName="team", PolicyName="p", PolicyDocument=policy("s3:PutObject", home))
    red = site.client("s3", site.assume("team", Tags=[{"Key": "Team", "Value": "red"}]))
    red.put_object(Bucket="work", Key="red/x", Body=b"")
    assert refusal(red.put_object, Bucket="work", Key="blue/x", Body=b"").status == 403
    assert (
        refusal(site.client("s3", site.assume("team")).put_object, Bucket="work", Key="red/x", Body=b"").status == 403
    )


def test_session_token_and_federation_token(site):
    own = session_of(site.sts.get_session_token(DurationSeconds=900))
    assert site.client("sts", own).get_caller_identity()["Arn"] == site.dev_arn
    got = refusal(site.client("iam", own).get_user)
    assert (got.status, got.code) == (403, "InvalidClientTokenId")
    assert session_of(site.client("sts", own).assume_role(RoleArn=f"{ROLE}work", RoleSessionName="night"))
    root = sdk.client(site.server, "sts")
    root_session = site.client("s3", session_of(root.get_session_token()))
    root_session.put_object(Bucket="work", Key="by-root", Body=b"r")
    bob = site.client("s3", session_of(root.get_federation_token(Name="bob", Policy=policy("s3:GetObject"))))
    assert sdk.body_of(bob, "work", "by-root") == b"r"
    assert refusal(bob.delete_object, Bucket="work", Key="by-root").status == 403
    nobody = site.client("s3", session_of(root.get_federation_token(Name="bob")))
    assert refusal(nobody.get_object, Bucket="work", Key="by-root").status == 403
    # Of a user: what both the user and the session policy allow.
    dev = site.client("s3", session_of(site.sts.get_federation_token(Name="bob", Policy=policy("s3:*"))))
    assert refusal(dev.get_object, Bucket="work", Key="by-root").status == 403


def test_every_form_of_signature(site):
    work = site.assume()
    who = work.get_credentials()
    caller, token = Caller(ACCOUNT, who.access_key, who.secret_key), {"x-amz-security-token": who.token}
    sender = raw.Raw(site.server, caller)
    assert sender.request("PUT", "/work/form", headers=token, body=b"header").status == 200
    for payload in (raw.STREAM_SIGNED, raw.STREAM_SIGNED_TRAILER, raw.STREAM_UNSIGNED_TRAILER):
        trailer = None if payload == raw.STREAM_SIGNED else f"x-amz-checksum-crc32:{raw.crc32_b64(b'chunked')}"
        done = sender.chunked_put("/work/form", [b"chunked"], payload=payload, headers=token, trailer=trailer)
        assert done.status == 200, done
    for version in ("s3v4", "s3"):
        signer = site.client("s3", work, signature_version=version)
        for method, operation, body in [("PUT", "put_object", b"by url"), ("GET", "get_object", None)]:
            url = signer.generate_presigned_url(operation, Params={"Bucket": "work", "Key": "form"}, ExpiresIn=60)
            assert "oken=" in url
            assert fetch(url, method, body).status == 200
            parts = urllib.parse.urlsplit(url)
            query = urllib.parse.parse_qsl(parts.query)
            without = [(name, value) for name, value in query if name.lower() != "x-amz-security-token"]
            altered = [(n, v if n.lower() != "x-amz-security-token" else "A" + v[1:-1] + "=") for n, v in query]
            for pairs, code in ((without, "InvalidAccessKeyId"), (altered, "InvalidToken")):
                got = fetch(parts._replace(query=urllib.parse.urlencode(pairs)).geturl(), method, body)
                assert (got.status, got.code) == ({"InvalidToken": 400}.get(code, 403), code), (version, method)
    kms = site.client("kms", work)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"p"
    site.client("s3", work).put_object(
        Bucket="work", Key="kms", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )


def test_tokens_that_are_not_good(site):
    one, two = site.assume().get_credentials(), site.assume().get_credentials()

    def use(service, token):
        session = sdk.new_session(one.access_key, one.secret_key, token)
        client = site.client(service, session)
        named = {"s3": "list_buckets", "kms": "list_keys", "sts": "get_caller_identity"}[service]
        got = refusal(getattr(client, named))
        return got.status, got.code

    altered = "A" + one.token[1:-6] + "AAAAA" + one.token[-1]
    assert use("s3", None) == (403, "InvalidAccessKeyId")
    assert use("s3", altered) == (400, "InvalidToken")
    assert use("s3", two.token) == (403, "InvalidAccessKeyId")
    for token in (None, altered, two.token):
        assert use("kms", token) == (400, "UnrecognizedClientException")
        assert use("sts", token) == (403, "InvalidClientTokenId")
    session = sdk.new_session(MAIN.access_key, MAIN.secret_key, one.token)
    assert refusal(site.client("s3", session).list_buckets).code == "InvalidToken"


def test_revoked(site):
    site.role("short", {"AWS": site.dev_arn}, "s3:*")
    short = site.client("s3", site.assume("short"))
    url = short.generate_presigned_url("get_object", Params={"Bucket": "work", "Key": "r"}, ExpiresIn=600)
    short.put_object(Bucket="work", Key="r", Body=b"r")
    assert fetch(url).status == 200
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    older = {"DateLessThan": {"aws:TokenIssueTime": moment}}
    revoke = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}
    document = json.dumps({"Version": "2012-10-17", "Statement": [revoke]})
    site.iam.put_role_policy(RoleName="short", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document)
    assert refusal(short.get_object, Bucket="work", Key="r").code == "AccessDenied"
    assert fetch(url).code == "AccessDenied"
    time.sleep(2)
    assert sdk.body_of(site.client("s3", site.assume("short")), "work", "r") == b"r"
    for name in ("p", "AWSRevokeOlderSessions"):
        site.iam.delete_role_policy(RoleName="short", PolicyName=name)
    site.iam.delete_role(RoleName="short")
    assert refusal(short.get_object, Bucket="work", Key="r").code == "InvalidAccessKeyId"
    assert fetch(url).code == "InvalidAccessKeyId"


def test_expired(tmp_path):
    """The gateway's clock goes on by less than the skew that signatures may have, and over the end of a session."""
    library = tmp_path / "wall_clock.so"
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    clock = {"LD_PRELOAD": library, "CLOCK_AHEAD_SECONDS": "-850"}
    gateway = Strongroom(tmp_path / "expiry", extra="presigned_v2 = true", environment=clock).start()
    try:
        session = session_of(sdk.client(gateway, "sts").get_session_token(DurationSeconds=900))
        s3 = sdk.client(gateway, session=session)
        s3.create_bucket(Bucket="expiry")
        urls = {}
        for version in ("s3v4", "s3"):
            signer = sdk.client(gateway, session=session, signature_version=version)
            urls[version] = signer.generate_presigned_url("list_objects", Params={"Bucket": "expiry"}, ExpiresIn=3600)
            assert fetch(urls[version]).status == 200
        gateway.stop()
        gateway.environment["CLOCK_AHEAD_SECONDS"] = "800"
        gateway.start()
        got = refusal(s3.list_objects, Bucket="expiry")
        assert (got.status, got.code, got.message) == (400, "ExpiredToken", "The provided token has expired.")
        got = refusal(sdk.client(gateway, "kms", session=session).list_keys)
        assert (got.status, got.code) == (400, "ExpiredTokenException")
        got = refusal(sdk.client(gateway, "sts", session=session).get_caller_identity)
        assert (got.status, got.code) == (403, "ExpiredToken")
        for version, url in urls.items():
            assert (fetch(url).status, fetch(url).code) == (400, "ExpiredToken"), version
    finally:
        gateway.stop()


@pytest.mark.parametrize("program", ["v1", "v2"])
def test_aws_cli(site, program, tmp_path):
    aws = programs.find("aws") if program == "v1" else programs.AWS_V2
    config = tmp_path / "config"
    config.write_text(
        f"[profile dev]\naws_access_key_id = {site.dev.access_key}\naws_secret_access_key = {site.dev.secret_key}\n"
        f"[profile work]\nrole_arn = {ROLE}work\nsource_profile = dev\nrole_session_name = cli\n"
    )
    # Credentials of roles are kept under the home directory, and would be taken for those of the next gateway's.
    own = {"HOME": tmp_path, "AWS_CONFIG_FILE": config}
    environment = clean_environment(AWS_DEFAULT_REGION=REGION, AWS_ENDPOINT_URL=site.server.endpoint, **own)
    done = programs.run([aws, "--profile", "work", "sts", "get-caller-identity"], environment)
    assert json.loads(done.stdout)["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/work/cli"
    programs.run([aws, "--profile", "work", "s3", "cp", config, f"s3://work/cli-{program}"], environment)
    options = {"role-arn": f"{ROLE}work", "role-session-name": "by-cli", "duration-seconds": "900"}
    assume = ["sts", "assume-role", *(part for name, value in options.items() for part in (f"--{name}", value))]
    made = json.loads(programs.run([aws, "--profile", "dev", *assume], environment).stdout)
    assert made["AssumedRoleUser"]["Arn"].endswith("assumed-role/work/by-cli")
    for call in (["get-session-token"], ["get-federation-token", "--name", "bob"]):
        made = json.loads(programs.run([aws, "--profile", "dev", "sts", *call], environment).stdout)
        assert made["Credentials"]["AccessKeyId"].startswith("ASIA")


@pytest.fixture(scope="module")
def web(site, issuer):
    """The ARN of a role for the issuer's tokens."""
    provider = site.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["app"])
    arn, named = provider["OpenIDConnectProviderArn"], issuer.url.removeprefix("https://")
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{named}"
    condition = {"StringEquals": {f"{named}:aud": "app"}, "StringLike": {f"{named}:sub": "repo:us/*"}}
    document = trust({"Federated": arn}, "sts:AssumeRoleWithWebIdentity", Condition=condition)
    site.iam.create_role(RoleName="web", AssumeRolePolicyDocument=document)
    site.iam.put_role_policy(RoleName="web", PolicyName="p", PolicyDocument=policy("s3:*"))
    return f"{ROLE}web"


def exchange(site, role, token):
    sts = sdk.new_session().client(
        "sts",
        endpoint_url=site.server.endpoint,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="ci", WebIdentityToken=token)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_web_identity(site, issuer, web, algorithm):
    answer = exchange(site, web, issuer.token(algorithm))
    assert answer["SubjectFromWebIdentityToken"] == "repo:us/main" and answer["Audience"] == "app"
    s3 = site.client("s3", session_of(answer))
    s3.put_object(Bucket="work", Key="web", Body=b"w")
    assert sdk.body_of(s3, "work", "web") == b"w"
    token = issuer.token(algorithm)
    head, _, signature = token.rpartition(".")
    got = refusal(exchange, site, web, f"{head}.{'A' * 8}{signature[8:]}")
    assert (got.status, got.code) == (400, "InvalidIdentityToken")


def test_web_identities_that_are_refused(site, issuer, web):
    now = int(time.time())
    for token, code, text in [
        (issuer.token(aud="other"), "InvalidIdentityToken", "Incorrect token audience"),
        (issuer.token(exp=now - 1), "ExpiredTokenException", "Token expired: current date/time"),
        (issuer.token(sub="repo:them/x"), "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        (issuer.token(iss="https://other.example.com"), "InvalidIdentityToken", "No OpenIDConnect provider found"),
        (issuer.token(header={"alg": "none"}), "InvalidIdentityToken", "is not a valid JWT"),
        (issuer.token(header={"alg": "HS256"}), "InvalidIdentityToken", "is not a valid JWT"),
        (issuer.token(key=Key("rs256", "RS256")), "InvalidIdentityToken", "Couldn't retrieve verification key"),
        (issuer.token(key=Key("unheard", "ES256")), "InvalidIdentityToken", "Couldn't retrieve verification key"),
    ]:
        got = refusal(exchange, site, web, token)
        assert got.code == code and text in got.message, got
    got = refusal(exchange, site, f"{ROLE}nobody", issuer.token())
    assert (got.status, got.message) == (403, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    assert issuer.token() not in site.server.log()


def test_tokens_of_files(site, issuer, web, tmp_path):
    """As pods of Kubernetes and pipelines have them."""
    file = tmp_path / "token"
    file.write_text(issuer.token())
    environment = clean_environment(
        HOME=tmp_path,
        AWS_WEB_IDENTITY_TOKEN_FILE=file,
        AWS_ROLE_ARN=web,
        AWS_ROLE_SESSION_NAME="pod",
        AWS_DEFAULT_REGION=REGION,
        AWS_ENDPOINT_URL=site.server.endpoint,
    )
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/web/pod"
    for aws in (programs.find("aws"), programs.AWS_V2):
        done = programs.run([aws, "sts", "get-caller-identity"], environment)
        assert json.loads(done.stdout)["Arn"] == arn
    script = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    python = Path(programs.find("aws")).with_name("python")
    assert programs.run([python, "-c", script], environment).stdout.strip() == arn


def test_issuers_that_cannot_be_believed(site, certificate):
    fresh = Issuer(certificate)
    provider = site.iam.create_open_id_connect_provider(Url=fresh.url, ClientIDList=["app"])
    document = trust({"Federated": provider["OpenIDConnectProviderArn"]}, "sts:AssumeRoleWithWebIdentity")
    try:
        site.iam.create_role(RoleName="fresh", AssumeRolePolicyDocument=document)
        role = f"{ROLE}fresh"
        fresh.named = "https://another.example.com"
        got = refusal(exchange, site, role, fresh.token())
        assert got.code == "InvalidIdentityToken" and len(fresh.asked) == 1
        fresh.named = None
        # A failure is remembered for ten seconds: an issuer is not asked for each token.
        assert refusal(exchange, site, role, fresh.token()).code == "InvalidIdentityToken" and len(fresh.asked) == 1
        time.sleep(11)
        assert exchange(site, role, fresh.token("ES256"))["Credentials"]
        asked = len(fresh.asked)
        assert exchange(site, role, fresh.token("RS512"))["Credentials"] and len(fresh.asked) == asked
        new = Key("new", "ES256")
        fresh.published = [new]
        time.sleep(11)
        assert exchange(site, role, fresh.token(key=new))["Credentials"]
        assert refusal(exchange, site, role, fresh.token("ES256")).code == "InvalidIdentityToken"
        elsewhere = Issuer(certificate)
        elsewhere.redirect = True
        site.iam.create_open_id_connect_provider(Url=elsewhere.url, ClientIDList=["app"])
        assert refusal(exchange, site, role, elsewhere.token()).code == "InvalidIdentityToken"
        assert elsewhere.asked == ["/pool/.well-known/openid-configuration"]
        elsewhere.stop()
        unlisted = f"https://127.0.0.1:{fresh.server.server_port}/pool"
        site.iam.create_open_id_connect_provider(Url=unlisted, ClientIDList=["app"])
        asked = len(fresh.asked)
        got = refusal(exchange, site, role, fresh.token(iss=unlisted))
        assert got.code == "InvalidIdentityToken" and len(fresh.asked) == asked
        assert "oidc_hosts" in site.server.log()
    finally:
        fresh.stop()
    gone = f"https://localhost:{fresh.server.server_port}/gone"
    site.iam.create_open_id_connect_provider(Url=gone, ClientIDList=["app"])
    got = refusal(exchange, site, role, fresh.token(iss=gone))
    assert (got.status, got.code) == (400, "IDPCommunicationError")
