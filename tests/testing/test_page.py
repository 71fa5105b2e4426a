"""The examples of docs/testing.md pass, each with the library that it uses."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
DJANGO = """
import django
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}})
django.setup()
"""

Suite = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("test_plain.py", "psycopg"),
        ("test_markers.py", "psycopg"),
        ("test_sqlalchemy.py", "sqlalchemy"),
        ("test_django.py", "django"),
    ],
)
def test_the_examples_of_the_page_pass(suite: Suite, tmp_path: Path, name: str, library: str) -> None:
    pytest.importorskip(library)
    (tmp_path / name).write_text(EXAMPLES[name])
    (tmp_path / "conftest.py").write_text(DJANGO if library == "django" else "")
    done = suite("-o", f"eduguard_project={ROOT}")
    assert done.returncode == 0, done.stdout


def test_every_example_is_run() -> None:
    assert set(EXAMPLES) == {"test_plain.py", "test_markers.py", "test_sqlalchemy.py", "test_django.py"}
