"""AWS's variables and files do not affect the local cloud; with AWS itself, bad ones give one clear error."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import clients
from eduguard.aws.bucket import open_bucket
from eduguard.aws.rekognition import open_collection
from eduguard.errors import EduguardError

BROKEN = "[profile \nbroken"
NOWHERE = "http://127.0.0.1:9"
Put = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def _new_sessions() -> Iterator[None]:
    """Make new sessions, because a session reads its files only once."""
    clients._session.cache_clear()
    yield
    clients._session.cache_clear()


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Put:
    """Set a variable; if it names a file, write a file with this content."""

    def put(name: str, value: str) -> None:
        if name.endswith("_FILE"):
            (tmp_path / "file").write_text(value)
            value = str(tmp_path / "file")
        monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "gone"),
        ("AWS_DEFAULT_PROFILE", "gone"),
        ("AWS_CONFIG_FILE", BROKEN),
        ("AWS_CONFIG_FILE", "[default]\nretry_mode = none\ndefaults_mode = none\n"),
        ("AWS_SHARED_CREDENTIALS_FILE", BROKEN),
        ("AWS_ENDPOINT_URL", NOWHERE),
        ("AWS_CA_BUNDLE", "/nowhere"),
        ("HTTP_PROXY", NOWHERE),
        ("http_proxy", NOWHERE),
        ("ALL_PROXY", NOWHERE),
    ],
)
def test_an_endpoint_of_ours_is_reached_whatever_is_said_of_aws(
    put: Put, monkeypatch: pytest.MonkeyPatch, cloud_access: dict[str, Any], name: str, value: str
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    put(name, value)
    assert open_collection("nobody-made-it", **cloud_access).describe() is None
    assert not open_bucket("nobody-made-it", **cloud_access).exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_PROFILE", "gone", "gone"),
        ("AWS_CONFIG_FILE", BROKEN, "file"),
        ("AWS_SHARED_CREDENTIALS_FILE", BROKEN, "file"),
        ("AWS_DEFAULTS_MODE", "none", "none"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "none", "none"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "none", "none"),
        ("AWS_ACCOUNT_ID_ENDPOINT_MODE", "none", "none"),
        ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "none", "none"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "none", "none"),
    ],
)
def test_what_boto3_does_not_take_is_one_error(put: Put, name: str, value: str, said: str) -> None:
    put(name, value)
    with pytest.raises(EduguardError, match=said):
        open_collection("any", region="us-east-1", endpoint=None, credentials=None).describe()
