"""For any content of invoke.yaml, the settings are usable, or one error names the one that is not."""

import os
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from eduguard.aws.bucket import open_bucket
from eduguard.aws.rekognition import open_collection
from eduguard.errors import EduguardError
from eduguard.postgres import Database
from eduguard.settings import EMBEDDED, load_settings
from eduguard.values import LOCAL

ROOT = Path(__file__).parents[2]
INV = ROOT / ".venv" / "bin" / "inv"
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
SHIPPED = yaml.safe_load((ROOT / "invoke.yaml").read_text())
del SHIPPED["tasks"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates()
    | st.sampled_from(["", "local", "open", "~", "~nobody/x", "a\x00b", "\ud800", "postgresql://\ud800@x/y", "http://", "x" * 5000]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
TOP = st.dictionaries(st.sampled_from([*SHIPPED, "strange"]) | st.integers(), VALUES, max_size=2)
TARGET = st.dictionaries(st.sampled_from([*SHIPPED["targets"]["local"], "strange"]) | st.integers(), VALUES, max_size=2)


@pytest.mark.slow
@given(top=TOP, target=TARGET, gone=st.sets(st.sampled_from(list(SHIPPED)), max_size=1))
@example(top={}, target={"region": None}, gone=set())
@example(top={}, target={"region": 0}, gone=set())
@example(top={}, target={"bucket_region": "-a-"}, gone=set())
@example(top={"face_models": "~nobody-here/x"}, target={}, gone=set())
@example(top={1: 2}, target={3: 4}, gone=set())
def test_any_values_are_usable_or_refused(top: dict[Any, Any], target: dict[Any, Any], gone: set[str]) -> None:
    values = deepcopy(SHIPPED)
    values["targets"]["local"].update(target)
    values.update(top)
    try:
        settings = load_settings({k: v for k, v in values.items() if k not in gone}, root=ROOT, environment={})
        chosen = settings.target
        if not chosen.is_embedded:
            Database.from_url(chosen.database_url)
    except EduguardError as error:
        assert error.message
        return
    endpoints = [None if each == LOCAL else each for each in (chosen.rekognition_endpoint, chosen.s3_endpoint)]
    open_collection(chosen.collection, region=chosen.region, endpoint=endpoints[0], credentials=KEYS)
    open_bucket(chosen.bucket, region=chosen.bucket_region, endpoint=endpoints[1], credentials=KEYS)
    assert chosen.database_url == EMBEDDED or Database.from_url(chosen.database_url).name
    folders = (settings.migrations_folder, settings.seed_folder, settings.face_models, settings.postgres_bin)
    assert all("\0" not in str(folder) for folder in folders)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose invoke.yaml a test may break."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "lib" / "eduguard", folder / "lib" / "eduguard")
    shutil.copy(ROOT / "tasks.py", folder)
    return folder


@pytest.mark.sampled("refused-list.yaml", "refused-python-object.yaml", "taken-byte-order-mark.yaml")
def test_a_kept_file(checkout: Path, sample: Path) -> None:
    shutil.copy(sample, checkout / "invoke.yaml")
    environment = os.environ | {"PYTHONPATH": str(checkout / "lib"), "DATABASE_URL": "postgresql://127.0.0.1:9/school"}
    done = subprocess.run([INV, "seed"], cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("error: "), "Traceback" in done.stderr) == (1, 1, False), done.stderr
    assert ("Cannot connect to" in done.stderr) is sample.name.startswith("taken")


GIVEN = {  # by file name: its content, and the expected message
    "text.yaml": ("a: [", "text.yaml:1:5: expected the node content"),
    "list.yml": ("- 1", "list.yml:1: this is not a mapping"),
    "own.yaml": ("run: 3", "own.yaml: run must be a mapping"),
    "nested.yaml": ("target: {a: b}", "nested.yaml: target must be a single value"),
    "number.yaml": ("1: 2", "number.yaml: 1 is not the name of a setting"),
    "raises.py": ("x = 1 / 0", "raises.py: division by zero"),
    "executor.yaml": ("tasks: {executor_class: a.b}", "executor.yaml: tasks.executor_class is not eduguard"),
    "text.json": ("{", "text.json: Expecting property name enclosed in double quotes: line 1 column 2"),
    "notes.txt": ("target: local", "notes.txt' is not a settings file"),
    "strange.yaml": ("strange: 1", "strange.yaml: unknown: strange"),
    "typing.yaml": ("target: nowhere", "There is no target 'nowhere' in invoke.yaml and "),
    "missing.yaml": (None, "missing.yaml'"),
    "": (None, "'' is not a settings file"),
    "~nobody-here/x.yaml": (None, "'~nobody-here/x.yaml'"),
    "folder.yaml": (None, "Cannot read FILE: Is a directory"),
    "taken.yaml": ("migrations_folder: elsewhere", f"{ROOT}/elsewhere"),
    "empty.yaml": ("", "Cannot connect to"),
}


def run_inv(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without any server."""
    environment = os.environ | {"DATABASE_URL": "postgresql://127.0.0.1:9/school"} | variables
    return subprocess.run([INV, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.sampled("flag-text.yaml", "flag-missing.yaml", "variable-strange.yaml")
@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("by_flag", [True, False], ids=["flag", "variable"])
def test_a_settings_file_named_on_the_command_line(tmp_path: Path, name: str, by_flag: bool) -> None:
    content, message = GIVEN[name]
    file = str(tmp_path / name) if name[:1] not in ("", "~") else name
    if name.startswith("folder"):
        Path(file).mkdir()
    if content is not None:
        Path(file).write_text(content)
    done = run_inv("-f", file, "migrate") if by_flag else run_inv("migrate", INVOKE_RUNTIME_CONFIG=file)
    assert (done.returncode, done.stderr.count("error: "), "Traceback" in done.stderr) == (1, 1, False), done.stderr
    assert message.replace("FILE", file) in done.stderr


def test_a_key_that_the_files_of_the_user_bring_is_blamed_on_them_too(tmp_path: Path) -> None:
    (tmp_path / ".invoke.yml").write_text("match_treshold: 1\n")
    done = run_inv("seed", HOME=str(tmp_path))
    blamed = f"error: Keys of {tmp_path}/.invoke.yml and invoke.yaml: unknown: match_treshold (did you mean match_threshold?)"
    assert blamed in done.stderr


@pytest.mark.parametrize("content", ["myteam: {x: 1}", "myteam: [1]", "run: {echo: false}\nother: text"])
def test_keys_of_other_projects_in_the_files_of_the_user_are_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / ".invoke.yaml").write_text(content)
    done = run_inv("seed", HOME=str(tmp_path), INVOKE_MYTEAM_X="2")
    assert done.stderr.startswith("error: Cannot connect to"), done.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND", "5", "Cannot connect to"),
        ("INVOKE_MATCH_THRESHOLD", "92.5", "Cannot connect to"),
        ("INVOKE_TARGETS_STAGING_REQUESTS_PER_SECOND", "null", "Cannot connect to"),
        ("INVOKE_SOMETHING_ELSE", "1", "Cannot connect to"),
        ("INVOKE_MATCH_THRESHOLD", "high", "match_threshold is 'high'"),
        ("INVOKE_TARGETS_LOCAL_PROTECTIN", "refuse", "The variable INVOKE_TARGETS_LOCAL_PROTECTIN sets nothing"),
        ("INVOKE_RUN_WATCHERS", "x", "An INVOKE_... environment variable does not fit its setting"),
    ],
)
def test_a_variable_is_taken_passed_over_or_refused_by_name(name: str, value: str, message: str) -> None:
    done = run_inv("seed", **{name: value})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}"), done.stderr


def test_a_file_named_on_the_command_line_is_stronger_than_a_variable(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("target: nowhere\n")
    assert (
        "There is no target 'nowhere'"
        in run_inv("-f", str(tmp_path / "own.yaml"), "seed", INVOKE_TARGET="local").stderr
    )


def test_flags_that_are_not_text_are_refused() -> None:
    environment = os.environ | {"DATABASE_URL": "postgresql://127.0.0.1:9/school"}
    command = [bytes(INV), b"sync-faces", b"--student", b"\xff"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: --student '\\udcff' is not one line of UTF-8 text\n"


def test_a_variable_that_is_not_text_is_refused() -> None:
    environment = os.environb | {b"DATABASE_URL": b"postgresql://me:s3cr3t\xff@127.0.0.1:9/school"}
    done = subprocess.run([INV, "seed"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr, "s3cr3t" in done.stderr) == (1, False, False)
    assert "database_url is not one line of text" in done.stderr
