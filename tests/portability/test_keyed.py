"""The key of exports: where it may be kept, and how it is made."""

import base64
import stat
from pathlib import Path

import pytest

from eduguard.errors import EduguardError
from eduguard.portability import Key, default_file, find_key

HEX = "ab" * 32


@pytest.mark.parametrize("text", [HEX, HEX.upper(), base64.b64encode(bytes.fromhex(HEX)).decode()])
def test_the_environment_has_the_key(text: str, tmp_path: Path) -> None:
    key, is_new = find_key(tmp_path / "key", tmp_path / "checkout", {"ANONYMISE_KEY": text})
    assert (key, is_new, list(tmp_path.iterdir())) == (Key(bytes.fromhex(HEX)), False, [])


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "own" / "key"
    first, is_new = find_key(file, tmp_path / "checkout", {})
    assert (is_new, stat.S_IMODE(file.stat().st_mode), len(first.secret)) == (True, 0o600, 32)
    assert find_key(file, tmp_path / "checkout", {}) == (first, False)
    assert first.secret.hex() not in repr(first)


@pytest.mark.parametrize("text", ["ab", "zz" * 32, "not a key", "ab" * 31, "é" * 32])
def test_what_is_not_a_key_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    with pytest.raises(EduguardError, match="ANONYMISE_KEY does not hold the key") as refused:
        find_key(tmp_path / "key", tmp_path / "checkout", {"ANONYMISE_KEY": text})
    assert text not in str(refused.value).replace("ANONYMISE_KEY does not hold the key", "") or text == "ab"


def test_a_file_in_the_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EduguardError, match="may not be in the checkout"):
        find_key(tmp_path / "checkout" / "key", tmp_path / "checkout", {})


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(HEX)
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(EduguardError, match="Others may read the key"):
        find_key(tmp_path / "key", tmp_path / "checkout", {})


def test_the_key_is_among_the_users_settings(tmp_path: Path) -> None:
    assert default_file({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "eduguard" / "anonymise.key"
    assert default_file({}) == Path.home() / ".config" / "eduguard" / "anonymise.key"


def test_keys_have_fingerprints() -> None:
    assert Key(bytes(32)).fingerprint != Key(bytes(31) + b"1").fingerprint
