"""The example of docs/evaluate.md is what the command prints; similarities depend on the processor."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from eduguard.postgres import Database

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "evaluate.md").read_text(encoding="utf-8")
Inv = Callable[..., subprocess.CompletedProcess[str]]


def form(text: str) -> list[str]:
    """The lines of a transcript without its figures and ids, and without the table, whose rows depend on them."""
    lines = [line for line in text.splitlines() if not re.match(r"[0-9.]+[*+]* ", line)]
    return [re.sub(r"student-\d+-photo-\d+|[0-9][0-9.]*", "#", re.sub(r" +", " ", line)) for line in lines]


def test_the_transcript_is_what_the_command_prints(full: Database, inv: Inv) -> None:
    command, told = re.findall(r"```console\n\$ inv (.*?)\n(.*?)```", PAGE, re.DOTALL)[0]
    printed = inv(*command.split()).stdout
    assert form(printed) == form(told)
    for line in (
        "evaluate   24 photos to search for, 1 class photo with at least 6 faces",
        "evaluate   24 photos of 8 students, 0 of them with one photo only",
    ):
        assert line in printed
        assert line in told
    assert "\n95*  " in printed
    assert "\n95*  " in told


def test_the_example_of_labels_is_of_the_form_that_is_read(tmp_path: Path) -> None:
    from eduguard.evaluation import read_labels

    (text,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "labels.csv").write_text(text)
    for name in ("class-1b-lenguaje.jpg", "visitors.jpg"):
        (tmp_path / name).touch()
    labels = read_labels(tmp_path)
    assert labels[tmp_path / "class-1b-lenguaje.jpg"] == {"student-001", "student-002"}
    assert labels[tmp_path / "visitors.jpg"] == frozenset()
