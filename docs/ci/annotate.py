"""Turn the output of `inv sync-faces --check --json` into GitHub annotations: one for each collection that drifts.

inv sync-faces --check --json | python annotate.py
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

_DRIFT = ("link", "relink", "missing", "conflict", "orphan", "duplicate", "temporary")
_SHOWN = 20  # items in one annotation


def annotate(text: str) -> Iterator[str]:
    """Yield a GitHub workflow command for each collection that drifts and for each error."""
    try:
        report = json.loads(text)
        errors = [*report.get("errors", []), *filter(None, [report.get("error")])]
        collections = report.get("collections", []) if errors else report["collections"]
    except (ValueError, TypeError, KeyError):
        yield _command(
            "error", "EduGuard DB", "inv sync-faces printed no report: its message is in the log of this step"
        )
        return
    for error in errors:
        yield _command("error", "EduGuard DB", "\n".join(filter(None, [error["message"], error["hint"]])))
    for collection in collections:
        if found := {kind: count for kind in _DRIFT if (count := collection["counts"].get(kind, 0))}:
            yield _command("warning", _name(collection), _describe(found, collection["items"]))


def _name(collection: dict[str, Any]) -> str:
    return " ".join(filter(None, [collection["school"], collection["collection"]]))


def _describe(found: dict[str, int], items: list[dict[str, Any]]) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in found.items())
    more = [f"... and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return "\n".join([counts, *map(_describe_item, items[:_SHOWN]), *more])


def _describe_item(item: dict[str, Any]) -> str:
    change = " → ".join(filter(None, [item["before"], item["after"]]))
    return f"{item['kind']} {item['external_image_id'] or 'without an external image id'}: {change}"


def _command(level: str, title: str, message: str) -> str:
    # The characters to escape in a message and in a property (GitHub Actions toolkit, command.ts).
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    name = title.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{text}"


if __name__ == "__main__":
    for line in annotate(sys.stdin.read()):
        print(line)
