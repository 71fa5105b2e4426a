"""A target's profile decides which credentials are used, whatever keys are in the environment."""

from pathlib import Path

import pytest

from eduguard.aws.clients import open_client
from eduguard.errors import EduguardError


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.write_text("[staging-of-tests]\naws_access_key_id = of-the-profile\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


def key_of(profile: str | None) -> str:
    client = open_client("rekognition", region="us-east-1", endpoint=None, credentials=None, profile=profile)
    return str(client._get_credentials().access_key)


def test_the_profile_is_stronger_than_the_environment() -> None:
    assert key_of("staging-of-tests") == "of-the-profile"


def test_a_profile_that_does_not_exist_is_named() -> None:
    with pytest.raises(EduguardError, match=r"(?s)no-such-profile.*aws_profile and bucket_profile of the target"):
        key_of("no-such-profile")
