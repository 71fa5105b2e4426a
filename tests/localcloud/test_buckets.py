"""Buckets behave like moto's, also with several clients at once."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config


def test_many_clients_put_list_and_delete_at_once(cloud: Any, bucket: str):
    def work(number: int) -> int:
        s3 = cloud.client("s3")
        for part in range(5):
            s3.put_object(Bucket=bucket, Key=f"{number}/{part}", Body=b"x" * 1000)
            s3.list_objects_v2(Bucket=bucket)
        s3.delete_object(Bucket=bucket, Key=f"{number}/0")
        return int(s3.list_objects_v2(Bucket=bucket, Prefix=f"{number}/")["KeyCount"])

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [4] * 6


def test_a_signed_url_puts_and_gets(s3: Any, bucket: str):
    named = {"Bucket": bucket, "Key": "a b/ñ"}
    headers = {"Content-Type": "image/jpeg"}
    url = s3.generate_presigned_url("put_object", named | {"ContentType": "image/jpeg"})
    put = urllib.request.Request(url, data=b"hello", method="PUT", headers=headers)
    urllib.request.urlopen(put, timeout=10).close()
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", named), timeout=10) as answer:
        assert answer.read() == b"hello"


@pytest.mark.slow
def test_a_bucket_made_again_keeps_its_settings(own_state: Path, launch: Any, command: Any):
    s3 = launch(own_state).client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="photos", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.create_bucket(Bucket="photos")
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Suspended"})
    command("stop", "--state", str(own_state))
    s3 = launch(own_state).client("s3")
    assert s3.get_bucket_versioning(Bucket="photos")["Status"] == "Suspended"
    assert s3.get_bucket_tagging(Bucket="photos")["TagSet"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.slow
def test_resetting_moto_keeps_what_is_on_disk(own_state: Path, launch: Any):
    server = launch(own_state)
    s3, rekognition = server.client("s3"), server.client("rekognition")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="k", Body=b"v")
    rekognition.create_collection(CollectionId="c")
    assert server.send("/moto-api/reset", method="POST", scope="s3")[0] == 200
    assert s3.get_object(Bucket="photos", Key="k")["Body"].read() == b"v"
    assert rekognition.list_collections()["CollectionIds"] == ["c"]


def test_an_invalid_account_is_refused(cloud: Any, tmp_path: Path):
    status, _ = cloud.send(
        "/",
        method="POST",
        body=b"{}",
        X_Amz_Target="RekognitionService.ListCollections",
        scope="rekognition",
        x_moto_account_id=f"../../../{tmp_path}",
    )
    assert status == 400
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("service", ["s3", "rekognition"])
def test_accounts_are_kept_apart(cloud: Any, bucket: str, collection: str, service: str):
    other = cloud.client(service)
    other.meta.events.register(
        f"before-sign.{service}", lambda request, **_: request.headers.add_header("x-moto-account-id", "210987654321")
    )
    if service == "s3":
        assert bucket not in [each["Name"] for each in other.list_buckets()["Buckets"]]
    else:
        assert collection not in other.list_collections()["CollectionIds"]


def test_an_object_whose_type_is_that_of_a_form_keeps_its_content(s3: Any, bucket: str):
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"a=b", ContentType=kind)
        found = s3.get_object(Bucket=bucket, Key="k")
        assert (found["Body"].read(), found["ContentType"]) == (b"a=b", kind)


NAMES_OF_PAGES = ("moto-api", "moto-api-photos", "localcloud", "latest", "v20180820")
KEYS_OF_PAGES = (
    "reset",
    "data.json",
    "health",
    "faults",
    "meta-data/a",
    "favicon.ico",
    "localcloud/health",
    "sqs_queue/a",
)


@pytest.mark.sampled("moto-api-s3v4", "localcloud-s3")
@pytest.mark.parametrize("signature", ["s3", "s3v4"])
@pytest.mark.parametrize("name", NAMES_OF_PAGES)
def test_a_bucket_may_have_the_name_of_a_page(cloud: Any, name: str, signature: str):
    s3 = cloud.client("s3", config=Config(signature_version=signature, s3={"addressing_style": "path"}))
    s3.create_bucket(Bucket=name)
    for key in KEYS_OF_PAGES:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
        url = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": key})
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == key.encode()
        assert s3.get_object(Bucket=name, Key=key)["Body"].read() == key.encode()
    assert {each["Key"] for each in s3.list_objects_v2(Bucket=name)["Contents"]} == set(KEYS_OF_PAGES)
    for key in KEYS_OF_PAGES:
        s3.delete_object(Bucket=name, Key=key)
    s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("name", [*NAMES_OF_PAGES, "my-s3-control-logs"])
def test_a_bucket_named_by_its_host_may_have_the_name_of_a_page(cloud: Any, name: str):
    port = cloud.endpoint.rpartition(":")[2]

    def send(method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        return cloud.send(path, method=method, body=body, scope="s3", Host=f"{name}.localhost:{port}")

    assert send("PUT", "/")[0] == 200
    for key in (*KEYS_OF_PAGES, "moto-api/data.json", "v20180820/a"):
        assert send("PUT", f"/{key}", key.encode())[0] == 200
        assert send("GET", f"/{key}") == (200, key.encode())
        assert send("DELETE", f"/{key}")[0] == 204
    assert send("DELETE", "/")[0] == 204
