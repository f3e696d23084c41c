"""`gs://` and `az://` against stand-ins on this machine (clouds.py); the services themselves were not to be had."""

import json
import time

import pytest

import sdk
from clouds import Azure, Google, running
from gateway import Strongroom
from sdk import MIB, blob, body_of, upload

PLACE = "blobs/some/prefix"
# A service account as the client has them for stand-ins: no token is asked for.
NO_OAUTH = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}


def settings(kind, url):
    options = {
        Google: {"google_service_account_key": json.dumps(NO_OAUTH | {"gcs_base_url": url}), "allow_http": "true"},
        Azure: {
            "azure_storage_endpoint": url,
            "azure_storage_account_name": "account",
            "azure_storage_account_key": "c2VjcmV0",
            "allow_http": "true",
        },
    }[kind]
    scheme = "gs" if kind is Google else "az"
    lines = "".join(f"{name} = '{value}'\n" for name, value in options.items())
    return f'sweep_interval = "1s"\nstore = "{scheme}://{PLACE}"\n[store_options]\n{lines}'


@pytest.mark.parametrize("kind", [Google, Azure])
def test_objects_go_to_a_cloud_and_come_back(kind, tmp_path):
    with running(kind) as (cloud, url):
        gateway = Strongroom(tmp_path / "gateway", extra=settings(kind, url)).start()
        s3 = sdk.client(gateway)
        s3.create_bucket(Bucket="own")
        whole = {str(size): blob(size) for size in (10, 200_000, 5 * MIB, 20 * MIB + 1)}
        for key, data in whole.items():
            s3.put_object(Bucket="own", Key=key, Body=data)
        parts = [blob(5 * MIB, 1), blob(5 * MIB, 2), b"end"]
        upload(s3, "own", "parts", parts)
        for key, data in (whole | {"parts": b"".join(parts)}).items():
            assert body_of(s3, "own", key) == data
        assert (
            body_of(s3, "own", str(20 * MIB + 1), Range="bytes=6000000-6000010")
            == whole[str(20 * MIB + 1)][6000000:6000011]
        )

        # An aborted upload is swept at the next pass, be it that one of its blobs is gone already.
        upload_id = s3.create_multipart_upload(Bucket="own", Key="k")["UploadId"]
        before = set(cloud.objects)
        for number in (1, 2):
            s3.upload_part(Bucket="own", Key="k", UploadId=upload_id, PartNumber=number, Body=blob(100_000))
        cloud.objects.pop((set(cloud.objects) - before).pop())
        s3.abort_multipart_upload(Bucket="own", Key="k", UploadId=upload_id)
        deadline = time.monotonic() + 20
        while set(cloud.objects) != before:
            assert time.monotonic() < deadline, gateway.log()[-3000:]
            time.sleep(0.1)

        assert {bucket for _, bucket, *_ in cloud.requests} == {"blobs"}
        assert all(name.startswith("some/prefix/") for name in cloud.objects)
        assert not any(blob(200_000)[:1000] in stored for stored in cloud.objects.values())
        assert gateway.stop() == 0
        assert "the sweeper failed" not in gateway.log()
        report = json.loads(gateway.command("scrub", "--json").stdout)
        assert (report["versions"], report["damage"], report["orphans"]) == (5, [], [])
        other = Strongroom(tmp_path / "other", extra=settings(kind, url))
        assert "belongs to another data directory" in other.command("serve", check=False).stderr

        # A lost blob is found by its name: the listing has several pages.
        victim = next(name for name, stored in cloud.objects.items() if 200_000 < len(stored) < 210_000)
        kept = cloud.objects.pop(victim)
        found = gateway.command("scrub", "--json", check=False)
        assert [d["place"] for d in json.loads(found.stdout)["damage"]][0] == "own/200000"
        cloud.objects[victim] = kept
