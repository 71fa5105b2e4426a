"""A clone with the fixtures is not seeded again, unless a file has changed or another command asks for it."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eduguard.postgres import Database

ROOT = Path(__file__).parents[2]
Inv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    """A copy of the fixtures that a test may change; each has templates of its own."""
    folder = tmp_path / "seed_data"
    shutil.copytree(ROOT / "seed_data", folder)
    with (folder / "01_stages.yaml").open("a") as file:
        file.write(f"# {tmp_path}\n")
    return folder


@pytest.fixture
def run(inv: Inv, fixtures: Path) -> Inv:
    def on_copy(*arguments: str, **options: bool) -> subprocess.CompletedProcess[str]:
        return inv(*arguments, INVOKE_SEED_FOLDER=str(fixtures), **options)

    return on_copy


@pytest.mark.slow
def test_the_fixtures_of_a_seeded_clone_are_not_read_again_by_the_command_that_made_it(
    run: Inv, database: Database
) -> None:
    first = run("full").stdout
    assert "6 applied" in first
    assert "129 inserted" in first
    second = run("full").stdout
    assert "nothing is pending" in second
    assert f"{database.next.name}: cloned with the fixtures in it" in second
    third = run("rebuild", "--seeded", "seed", "--next").stdout
    assert "129 unchanged" in third, "another command takes nothing for granted"


@pytest.mark.slow
def test_a_fixture_edited_after_the_clone_was_made_is_refused(run: Inv, fixtures: Path) -> None:
    run("full")
    run("rebuild", "--seeded")
    file = fixtures / "11_class_enrollments.yaml"
    file.write_text(file.read_text().rpartition("- id")[0])
    done = run("seed", "--next", check=False)
    assert (done.returncode, "cloned before a file changed" in done.stderr) == (1, True), done.stderr
    assert "128 inserted" in run("full").stdout


@pytest.mark.slow
def test_a_dry_run_shows_what_seed_would_do_and_does_nothing(run: Inv, fixtures: Path) -> None:
    run("full")
    assert "129 unchanged; nothing was changed" in run("seed", "--dry-run").stdout
    stages = fixtures / "01_stages.yaml"
    stages.write_text(stages.read_text().replace("Educación Media", "Enseñanza Media"))
    for _ in range(2):
        said = run("seed", "--dry-run").stdout
        assert ": 129 rows in 12 tables: 0 to insert, 1 to update, 128 unchanged; nothing was changed\n" in said
        assert "table   insert  update  unchanged\nstages  0       1       2\n" in said
        assert f"{stages}:8  update stages: name\n" in said
    assert "1 updated" in run("seed").stdout


@pytest.mark.slow
def test_full_works_with_fixtures_that_have_no_student_yet(inv: Inv, database: Database, tmp_path: Path) -> None:
    (tmp_path / "01_stages.yaml").write_text("- {id: first, name: First, position: 1}\n")
    own = {
        "INVOKE_TARGETS_LOCAL_COLLECTION": f"{database.name}-empty",
        "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": f"{database.name}-empty-2",
        "INVOKE_SEED_FOLDER": str(tmp_path),
    }
    for _ in range(2):
        assert f"{database.name} is ready: 0 students, 0 faces, 0 placeholders" in inv("full", **own).stdout
