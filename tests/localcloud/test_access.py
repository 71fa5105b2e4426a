"""Nobody gets in without the key, whichever way of signing a request is used."""

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import botocore.auth
import pytest
from botocore.auth import HmacV1Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from localcloud.access.chunks import Chain
from localcloud.access.version4 import Claim
from localcloud.credentials import Credentials as Key

V4 = Config(signature_version="s3v4")
V2_HEADER = Config(signature_version="s3")


def fetch(url: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Send a request as it is; return status and body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, named, method=method), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@contextmanager
def clock(offset: timedelta) -> Iterator[None]:
    """Make botocore sign as if it were another time."""
    patch = pytest.MonkeyPatch()
    patch.setattr(
        botocore.auth, "get_current_datetime", lambda *_, **__: datetime.now(UTC).replace(tzinfo=None) + offset
    )
    yield
    patch.undo()


@pytest.fixture
def stored(s3: Any, bucket: str) -> dict[str, str]:
    """An object with a name that has to be quoted."""
    named = {"Bucket": bucket, "Key": "students/ñ 1+2.jpg"}
    s3.put_object(**named, Body=b"photo")
    return named


@pytest.mark.parametrize("config", [V4, V2_HEADER], ids=["version 4", "version 2"])
def test_a_request_signed_in_its_header_is_let_in(cloud: Any, stored: dict[str, str], config: Config):
    assert cloud.client("s3", config=config).get_object(**stored)["Body"].read() == b"photo"


@pytest.mark.parametrize("config", [V4, None], ids=["version 4", "version 2"])
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_a_presigned_url_is_let_in_until_it_expires_and_only_as_it_was_signed(
    cloud: Any, stored: dict[str, str], config: Config | None, style: str
):
    config = (config or Config()).merge(Config(s3={"addressing_style": style}))
    endpoint = cloud.endpoint.replace("127.0.0.1", "localhost") if style == "virtual" else cloud.endpoint
    client = cloud.client("s3", config=config, endpoint_url=endpoint)
    url = client.generate_presigned_url("get_object", stored, ExpiresIn=60)
    port = urllib.parse.urlsplit(url).port
    host = urllib.parse.urlsplit(url).netloc

    def ask(url: str) -> tuple[int, bytes]:
        return fetch(url.replace(host, f"127.0.0.1:{port}"), Host=host)

    assert ask(url) == (200, b"photo")
    assert ask(url.replace("students", "strangers"))[0] == 403
    name, _, signature = url.rpartition("ignature=")
    assert ask(f"{name}ignature={'0' if signature[0] != '0' else '1'}{signature[1:]}")[0] == 403
    status, body = ask(client.generate_presigned_url("get_object", stored, ExpiresIn=-1))
    assert status in {400, 403}
    assert b"photo" not in body


def test_a_presigned_url_is_answered_by_the_service_it_is_signed_for(cloud: Any, bucket: str):
    url = cloud.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    status, body = fetch(url)
    assert (status, b"<GetCallerIdentityResponse" in body) == (200, True)
    assert bucket.encode() not in body


def test_a_url_that_was_good_expires(cloud: Any, stored: dict[str, str]):
    with clock(timedelta(seconds=-61)):
        url = cloud.client("s3", config=V4).generate_presigned_url("get_object", stored, ExpiresIn=60)
    status, body = fetch(url)
    assert (status, b"<Code>AccessDenied</Code><Message>Request has expired" in body) == (403, True)


@pytest.mark.parametrize("service", ["s3", "rekognition", "sts"])
def test_a_signature_an_hour_old_is_refused_as_aws_does(cloud: Any, service: str, error_of: Any):
    client = cloud.client(service)
    ask = {"s3": "list_buckets", "rekognition": "list_collections", "sts": "get_caller_identity"}[service]
    with clock(timedelta(hours=-1)):
        answer = error_of(getattr(client, ask))
    expected = {
        "s3": ("RequestTimeTooSkewed", 403),
        "rekognition": ("InvalidSignatureException", 400),
        "sts": ("SignatureDoesNotMatch", 403),
    }
    assert answer[::2] == expected[service]
    with clock(timedelta(minutes=14)):
        getattr(client, ask)()


@pytest.mark.parametrize(
    ("wrong", "codes"),
    [
        ("aws_access_key_id", {"s3": "InvalidAccessKeyId", "rekognition": "UnrecognizedClientException"}),
        ("aws_secret_access_key", {"s3": "SignatureDoesNotMatch", "rekognition": "InvalidSignatureException"}),
    ],
)
def test_another_key_is_refused(cloud: Any, error_of: Any, wrong: str, codes: dict[str, str]):
    for service, ask in (("s3", "list_buckets"), ("rekognition", "list_collections")):
        client = cloud.client(service, **{wrong: "A" * 20})
        assert error_of(getattr(client, ask))[0] == codes[service]


@pytest.mark.parametrize(
    "path",
    ["/", "/photos", "/photos?list-type=2", "/localcloud/faults", "/moto-api/data.json", "/latest/meta-data/iam/"],
)
def test_an_unsigned_request_gets_nothing(cloud: Any, path: str):
    status, body = fetch(cloud.endpoint + path)
    assert status in {400, 403}
    assert b"AccessDenied" in body or b"MissingAuthenticationToken" in body


def test_an_object_that_everybody_may_read_is_read_with_the_key_only(cloud: Any, s3: Any, bucket: str):
    s3.put_object(Bucket=bucket, Key="k", Body=b"photo", ACL="public-read")
    assert fetch(f"{cloud.endpoint}/{bucket}/k")[0] == 403


def test_a_body_other_than_the_signed_one_is_refused(cloud: Any, s3: Any, stored: dict[str, str]):
    url = f"{cloud.endpoint}/{stored['Bucket']}/k"
    request = AWSRequest("PUT", url, data=b"photo")
    botocore.auth.S3SigV4Auth(cloud.key, "s3", "us-east-1").add_auth(request)
    status, body = fetch(url, method="PUT", body=b"other", **dict(request.headers.items()))
    assert (status, b"XAmzContentSHA256Mismatch" in body) == (400, True)
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=stored["Bucket"])["Contents"]] == [stored["Key"]]


def test_a_header_that_was_not_signed_is_refused(cloud: Any, stored: dict[str, str]):
    url = cloud.client("s3", config=V4).generate_presigned_url("put_object", stored)
    status, body = fetch(url, method="PUT", body=b"x", x_amz_acl="public-read", Content_Type="image/jpeg")
    assert (status, b"not signed: x-amz-acl" in body) == (403, True)


def form(fields: dict[str, str], content: bytes) -> tuple[bytes, str]:
    """Encode a form as a browser does."""
    edge = uuid4().hex
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()
    ]
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="p.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    return "".join(parts).encode() + head.encode() + content + f"\r\n--{edge}--\r\n".encode(), edge


@pytest.mark.parametrize("config", [V4, None], ids=["version 4", "version 2"])
def test_a_form_is_let_in_as_its_policy_says(cloud: Any, s3: Any, bucket: str, config: Config | None):
    client = cloud.client("s3", **({"config": config} if config else {}))
    rules = [["content-length-range", 1, 10], {"acl": "private"}]
    signed = client.generate_presigned_post(bucket, "photo-${filename}", {"acl": "private"}, rules, ExpiresIn=60)

    def post(fields: dict[str, str], content: bytes = b"photo") -> int:
        body, edge = form(fields, content)
        return fetch(signed["url"], method="POST", body=body, Content_Type=f"multipart/form-data; boundary={edge}")[0]

    fields = signed["fields"]
    assert post(fields) == 204
    assert s3.get_object(Bucket=bucket, Key="photo-p.jpg")["Body"].read() == b"photo"
    assert post(fields, b"more than ten bytes") == 403
    assert post(fields | {"acl": "public-read"}) == 403
    assert post(fields | {"x-amz-meta-a": "b"}) == 403
    assert post({"key": "photo", "acl": "private"}) == 403
    name = "x-amz-signature" if config else "signature"
    assert post(fields | {name: "0" * len(fields[name])}) == 403
    expired = client.generate_presigned_post(bucket, "k", ExpiresIn=-60)["fields"]
    assert post(expired) == 403
    forged = json.loads(base64.b64decode(fields["policy"])) | {"expiration": "2999-01-01T00:00:00Z"}
    assert post(fields | {"policy": base64.b64encode(json.dumps(forged).encode()).decode()}) == 403


def chunked(cloud: Any, url: str, pieces: list[bytes], *, spoil: bool = False) -> tuple[int, bytes]:
    """PUT in signed chunks with a signed trailer, as the SDKs for Java and JavaScript do."""
    content = b"".join(pieces)
    request = AWSRequest("PUT", url, data=b"")
    request.headers["x-amz-content-sha256"] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    request.headers["x-amz-decoded-content-length"] = str(len(content))
    request.headers["x-amz-trailer"] = "x-amz-checksum-sha256"
    request.headers["content-encoding"] = "aws-chunked"
    SigV4Auth(cloud.key, "s3", "us-east-1").add_auth(request)
    signature = request.headers["Authorization"].rpartition("=")[2]
    date = request.headers["X-Amz-Date"]
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    nothing = hashlib.sha256(b"").hexdigest()
    secret = cloud.key.secret_key

    def sign(kind: str, *digests: str) -> str:
        key = f"AWS4{secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = "\n".join([kind, date, scope, signature, *digests])
        return hmac.digest(key, text.encode(), "sha256").hex()

    body = b""
    for piece in [*pieces, b""]:
        signature = sign("AWS4-HMAC-SHA256-PAYLOAD", nothing, hashlib.sha256(piece).hexdigest())
        sent = piece[:-1] + b"!" if spoil and piece else piece
        body += f"{len(piece):x};chunk-signature={signature}\r\n".encode() + sent + (b"\r\n" if piece else b"")
    trailer = f"x-amz-checksum-sha256:{base64.b64encode(hashlib.sha256(content).digest()).decode()}\n"
    signature = sign("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(trailer.encode()).hexdigest())
    body += f"{trailer.strip()}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
    return fetch(url, method="PUT", body=body, **dict(request.headers.items()))


def test_signed_chunks_are_put_together_and_a_changed_one_is_refused(cloud: Any, s3: Any, bucket: str):
    url = f"{cloud.endpoint}/{bucket}/k"
    assert chunked(cloud, url, [b"a" * 70_000, b"photo"])[0] == 200
    found = s3.get_object(Bucket=bucket, Key="k")
    assert (found["Body"].read(), found.get("ContentEncoding")) == (b"a" * 70_000 + b"photo", None)
    status, body = chunked(cloud, url, [b"b" * 70_000, b"photo"], spoil=True)
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read()[:1] == b"a"


def test_the_chain_of_chunks_is_that_of_the_guide_of_aws():
    # The example of the S3 reference: 65 KiB of "a" in chunks of 64 KiB.
    key = Key(access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    claim = Claim(
        access_key_id=key.access_key_id,
        date="20130524",
        region="us-east-1",
        service="s3",
        signed_headers=[],
        signature="4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        timestamp="20130524T000000Z",
    )
    chain = Chain(key, claim)
    chain.check(b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
    chain.check(b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")
    chain.check(b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://example.com"}, id="a web page"),
        pytest.param({"Origin": "http://bucket.s3-website.us-east-1.amazonaws.com"}, id="a web page on AWS"),
        pytest.param({"Origin": "null"}, id="a sandboxed page"),
        pytest.param({"Host": "example.com"}, id="a name that resolves here"),
        pytest.param({"Host": "[::1"}, id="a name that is none"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="a picture in a web page"),
    ],
)
def test_what_a_web_page_sends_is_refused_even_if_it_is_signed(
    cloud: Any, s3: Any, bucket: str, headers: dict[str, str]
):
    s3.put_object(Bucket=bucket, Key="k", Body=b"photo")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    status, body = fetch(url, **headers)
    assert (status, b"serves programs of this machine only" in body) == (403, True)
    assert fetch(f"{cloud.endpoint}/localcloud/health?nonce={'0' * 32}", **headers)[0] == 403


def test_a_chunk_without_end_and_a_version_2_header_without_a_date_are_refused(cloud: Any, bucket: str):
    url = f"{cloud.endpoint}/{bucket}/k"
    signer = HmacV1Auth(Credentials(cloud.key.access_key, cloud.key.secret_key))
    request = AWSRequest("GET", url)
    signer.add_auth(request)
    assert fetch(url, Authorization=request.headers["Authorization"])[0] == 403
    status, body = cloud.send(
        f"/{bucket}/k",
        method="PUT",
        body=b"ffff\r\nabc",
        scope="rekognition",
        x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    )
    assert status in {400, 403}, body


@pytest.mark.parametrize("service", ["s3", "rekognition"])
def test_a_date_header_does_for_the_date_of_aws(cloud: Any, service: str):
    client = cloud.client(service)
    client.meta.events.register("before-call", lambda params, **_: params["headers"].update(Date="now"))
    assert client.list_buckets() if service == "s3" else client.list_collections()
