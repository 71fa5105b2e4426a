"""The documentation agrees with the project's commands, settings and files."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"


@pytest.fixture(scope="session")
def tasks() -> dict[str, str]:
    listed = subprocess.run([INV, "--list", "--list-format=json"], cwd=ROOT, capture_output=True, text=True, check=True)
    suite = json.loads(listed.stdout)
    groups = {"": suite} | {f"{group['name']} ": group for group in suite["collections"]}
    return {f"{first}{task['name']}": task["help"] for first, group in groups.items() for task in group["tasks"]}


def setting_paths(values: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    paths = []
    for key, value in values.items():
        is_group = isinstance(value, dict) and key != "collections"  # its keys are the schools of an installation
        paths += setting_paths(value, (*prefix, key)) if is_group else [(*prefix, key)]
    return paths


SETTINGS = yaml.safe_load((ROOT / "invoke.yaml").read_text())


def test_the_readme_lists_every_command(tasks: dict[str, str]) -> None:
    table = [
        name
        for row in re.findall(r"^\| (`inv .*?) \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
        for name in re.findall(r"`inv ([a-z-]+(?: [a-z-]+)?)(?: [A-Z…]+)*`", row)
    ]
    assert sorted(set(table)) == sorted(tasks)


def test_every_command_has_help(tasks: dict[str, str]) -> None:
    assert [name for name, text in tasks.items() if not text] == []


@pytest.mark.parametrize("name", ["full", "reset", "seed-full"])
def test_the_help_of_a_composite_is_its_recipe(name: str, tasks: dict[str, str]) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("suite_tasks", ROOT / "tasks.py")
    assert spec
    assert spec.loader
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    recipe = getattr(suite, name.replace("-", "_"))
    steps = [getattr(step, "task", step).name.replace("_", "-") for step in [*recipe.pre, *recipe.post]]
    told = re.split(r": |; ", tasks[name], maxsplit=1)[1].rstrip(".")
    assert [re.sub(r"\(|\)| once", "", step).strip() for step in told.split("→")] == steps


def test_the_readme_names_our_commands_and_migrations_beside_those_of_the_pnpm_scripts(tasks: dict[str, str]) -> None:
    section = (
        (ROOT / "README.md").read_text().partition("## If you come from the pnpm scripts")[2].partition("\n## ")[0]
    )
    ours = re.findall(r"^\| `pnpm .*? \| `inv ([a-z-]+)`", section, flags=re.MULTILINE)
    assert set(ours) == {"reset", "seed-full", "seed", "migrate", "sync-faces", "full"} <= set(tasks)
    named = re.findall(r"^\| .*?\| `([0-9]{4}_\w+\.sql)` \|", section, flags=re.MULTILINE)
    assert named == sorted(
        file.name for file in (ROOT / "migrations").glob("*.sql") if not file.name.endswith(".rollback.sql")
    )


def make(*arguments: str, folder: Path = ROOT) -> list[str]:
    """Return what make would run, with .venv ready."""
    command = ["make", "--dry-run", "--no-print-directory", "--old-file=.venv/ready", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_make_runs_every_command_by_its_name(tasks: dict[str, str]) -> None:
    ran = make(*(name.replace(" ", "-") for name in tasks), "COLLECTION=X", "ARGS=a b")
    assert ran == [f".venv/bin/inv {name} --collection X a b" for name in tasks]


def test_make_without_a_name_lists_the_commands() -> None:
    assert make() == make("help") == [".venv/bin/inv help"]


def test_make_leaves_a_name_that_it_does_not_know_to_invoke() -> None:
    assert make("migrations", "tests", "no-such/thing") == [
        f".venv/bin/inv {name}" for name in ("migrations", "tests", "no-such/thing")
    ]


def test_files_and_folders_of_a_commands_name_do_not_stop_make(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "reset").mkdir()
    for name in ("seed", "test.sh", "status.c"):
        (tmp_path / name).touch()
    assert make("reset", "seed", "test", "status", folder=tmp_path) == [
        f".venv/bin/inv {name}" for name in ("reset", "seed", "test", "status")
    ]


@pytest.mark.parametrize("path", setting_paths(SETTINGS), ids=".".join)
def test_every_setting_has_a_comment_or_a_described_twin_and_a_line_in_the_docs(path: tuple[str, ...]) -> None:
    described = (ROOT / "docs" / "settings.md").read_text()
    if path[0] == "targets":
        assert f"| `{path[-1]}` | `INVOKE_TARGETS_LOCAL_{path[-1].upper()}`" in described
    elif path[0] == "tasks":
        assert f"`{'.'.join(path)}`" in described
    else:
        assert f"| `{path[0]}` | `INVOKE_{path[0].upper()}` |" in described


def test_no_setting_is_a_boolean_or_a_list() -> None:
    def leaves(value: Any) -> list[Any]:
        return [leaf for child in value.values() for leaf in leaves(child)] if isinstance(value, dict) else [value]

    assert [leaf for leaf in leaves(SETTINGS) if isinstance(leaf, bool | list)] == []


def test_no_two_settings_share_a_variable() -> None:
    variables = ["_".join(path).upper() for path in setting_paths(SETTINGS)]
    assert len(variables) == len(set(variables))


@pytest.mark.parametrize("document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]), ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_architecture_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = [path.stem for path in (ROOT / "lib" / "eduguard").rglob("*.py") if path.stem != "__init__"]
    assert [module for module in modules if f"`{module}`" not in text] == []


def test_constraints_pin_versions_and_hashes_and_name_no_index() -> None:
    text = (ROOT / "constraints.txt").read_text()
    pins = re.findall(r"^\S.*$", text, flags=re.MULTILINE)
    assert [pin for pin in pins if "==" not in pin] == []
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pins)


def test_make_sets_a_moved_checkout_up_again(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    inv = tmp_path / ".venv" / "bin" / "inv"
    inv.parent.mkdir(parents=True)
    command = ["make", "--dry-run", "--no-print-directory", "status"]

    def sets_up(interpreter: str) -> bool:
        inv.write_text(f"#!{interpreter}\nimport sys\nprint('Invoke')\n")
        inv.chmod(0o755)
        (tmp_path / ".venv" / "ready").touch()
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return "venv --quiet --clear" in done.stdout

    assert [sets_up(sys.executable), sets_up("/no/such/python")] == [False, True]
