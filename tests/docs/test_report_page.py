"""The example of docs/report.md is what the command prints."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from eduguard.postgres import Database

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
Inv = Callable[..., subprocess.CompletedProcess[str]]


def test_the_transcript_is_what_the_command_prints(full: Database, inv: Inv, tmp_path: Path) -> None:
    ((command, told),) = re.findall(r"```console\n\$ inv (.*?)\n(.*?)```", PAGE, re.DOTALL)
    words, name = command.split(), "school.html"
    assert words[-1] == name
    printed = inv(*words[:-1], str(tmp_path / name)).stdout
    assert printed.replace(f"{tmp_path}/", "") == told
