"""Each shell line of the workflow in docs/ci.md runs, against the local cloud."""

import json
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "ci" / "attendance.yml").read_text(encoding="utf-8"))
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
CHECK = next(step["run"] for step in STEPS if "--check" in step["run"])


@pytest.fixture
def shell(full: Database, state_folder: Path, tmp_path: Path):
    """Run the lines of a step as GitHub's `shell: bash` does, in a repository that has this project as a submodule."""
    (tmp_path / "eduguard-db").symlink_to(ROOT)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_school.py").write_text("def test_school(school_db):\n    assert school_db.connection\n")
    own = {
        "PATH": f"{INV.parent}:{os.environ['PATH']}",
        "DATABASE_URL": full.shown_url,
        "INVOKE_TARGET": "local",
        "INVOKE_STATE_FOLDER": str(state_folder),
        "INVOKE_TARGETS_LOCAL_COLLECTION": "tests",
        "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": "tests-2",
        "INVOKE_TARGETS_LOCAL_BUCKET": "tests",
        "PIP_DRY_RUN": "1",  # the set-up is checked, but not done again
    }

    def run(lines: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", lines],
            cwd=tmp_path / folder,
            env=os.environ | own,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def annotate(text: str) -> list[str]:
    spec = spec_from_file_location("annotate", ROOT / "docs" / "ci" / "annotate.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.annotate(text))


def test_the_page_names_the_jobs_and_each_shell_has_pipefail() -> None:
    jobs = re.findall(r"^\| `(\w+)` \| (?:each|at)", PAGE, flags=re.MULTILINE)
    assert jobs == list(WORKFLOW["jobs"])
    assert WORKFLOW["defaults"]["run"]["shell"] == "bash"
    secrets = set(re.findall(r"secrets\.(\w+)", (ROOT / "docs" / "ci" / "attendance.yml").read_text()))
    assert all(f"`{secret}`" in PAGE for secret in secrets)


def test_each_command_of_the_workflow_has_its_flags() -> None:
    commands = {part for step in STEPS for part in re.findall(r"inv [\w-]+(?: --[\w-]+)*", step["run"])}
    assert {command.split()[1] for command in commands} == {"full", "sync-faces", "doctor"}
    for command in commands:
        name, *flags = command.split()[1:]
        told = subprocess.run([INV, name, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert [flag for flag in flags if not re.search(rf"{flag}\b", told)] == []


@pytest.mark.slow
def test_drift_is_a_warning_and_status_2_and_a_failure_an_error_and_status_1(shell, full: Database) -> None:
    assert (done := shell(CHECK, "eduguard-db")).returncode == 0, done.stderr
    assert done.stdout == ""
    with connect(full, purpose="tests") as conn:
        conn.execute("UPDATE student_faces SET face_id = 'placeholder' WHERE external_image_id = 'student-001-photo-1'")
    drift = shell(CHECK, "eduguard-db")
    assert drift.returncode == 2
    assert re.fullmatch(
        r"::warning title=school-001 tests::1 link%0Alink student-001-photo-1: placeholder → [0-9a-f-]{36}\n",
        drift.stdout,
    )
    [accepting] = re.findall(r"```yaml\nrun: (.*?)\n```", PAGE)
    assert accepting.startswith(CHECK)
    assert shell(accepting, "eduguard-db").returncode == 0
    failed = shell(accepting.replace("--check", "--check --school nowhere"), "eduguard-db")
    assert failed.returncode == 1
    assert failed.stdout.startswith("::error title=EduGuard DB::")
    assert "There is no school nowhere" in failed.stdout + failed.stderr


def test_an_annotation_is_one_line_whatever_it_says() -> None:
    counts, item = (
        {"missing": 25, "unchanged": 3},
        {"kind": "missing", "external_image_id": "x", "before": "f", "after": None},
    )
    collection = {"collection": "c", "school": "a:b,c", "counts": counts, "items": [item] * 25}
    report = json.dumps({"collections": [collection], "errors": [{"message": "100 %\nlost", "hint": None}]})
    error, warning = annotate(report)
    assert error == "::error title=EduGuard DB::100 %25%0Alost"
    assert warning == f"::warning title=a%3Ab%2Cc c::25 missing{'%0Amissing x: f' * 20}%0A... and 5 more"
    assert [line.partition("::")[2].partition(" ")[0] for line in annotate("")] == ["error"]
    assert annotate('{"collections": [{"collection": "c", "school": null, "counts": {}, "items": []}]}') == []


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS, ids=[f"{number} {step['name']}" for number, step in enumerate(STEPS)])
def test_each_step_succeeds(shell, step: dict[str, Any]) -> None:
    if "pip install" in step["run"]:
        pytest.importorskip("pip", reason="this environment was made without pip")
    done = shell(step["run"], step.get("working-directory", "."))
    assert done.returncode == 0, done.stdout + done.stderr
