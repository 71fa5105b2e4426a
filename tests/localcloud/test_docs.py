"""What the documentation names exists, and what exists is documented."""

import dataclasses
import importlib
import re
from pathlib import Path
from typing import Any

import botocore.session

from localcloud.rekognition.faults import Faults
from localcloud.rekognition.responses import OPERATIONS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "local-cloud.md").read_text()
DIFFERENCES = (DOCS / "rekognition-differences.md").read_text()


def test_every_choice_that_is_listed_can_be_found_in_the_code():
    named = set(re.findall(r"`(?!localcloud)([a-z_]+)\.([A-Za-z_.]+)`", DIFFERENCES))
    assert len(named) > 20
    for module, name in named:
        found: Any = importlib.import_module(f"localcloud.rekognition.{module}")
        for part in name.split("."):
            found = getattr(found, part)


def test_every_operation_is_listed_and_is_one_of_rekognition():
    known = botocore.session.get_session().get_service_model("rekognition").operation_names
    assert set(OPERATIONS) <= set(known)
    assert [name for name in OPERATIONS if name not in PAGE] == []


def test_every_fault_is_described():
    assert [field.name for field in dataclasses.fields(Faults) if f"| `{field.name}` |" not in PAGE] == []


def test_every_module_is_named():
    modules = {path.stem for path in (Path(importlib.import_module("localcloud").__file__ or "").parent).rglob("*.py")}
    plumbing = {"__init__", "__main__", "errors", "call", "idempotency", "numbers", "service", "tokens"}
    assert {name for name in modules - plumbing if not re.search(rf"\b{name}\b", PAGE)} == set()
