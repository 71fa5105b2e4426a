"""Each message that docs/troubleshooting.md explains is one that the code has."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OF_OTHERS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "Unauthorized",
    "Unable to locate credentials",
}  # AWS's, R2's


@pytest.fixture(scope="module")
def texts() -> str:
    """Return all texts in the code; the parts of one expression are joined by `…` in place of each value."""
    found = []
    for path in (ROOT / "lib" / "eduguard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


MESSAGES = [
    message
    for row in re.findall(r"^\| (.*?) \|", PAGE, flags=re.MULTILINE)
    for message in re.findall(r"`([^`]+)`", row)
    if message not in OF_OTHERS and not message.startswith("inv ")
]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_message_is_one_of_ours(message: str, texts: str) -> None:
    parts = [part.strip() for part in message.split("…") if len(part.strip()) > 3]
    assert parts
    assert [part for part in parts if part not in texts] == []


def test_the_page_explains_messages_of_each_part() -> None:
    assert len(MESSAGES) > 10
