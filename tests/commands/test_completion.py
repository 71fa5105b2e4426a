"""Completion in a real bash, zsh and fish: what is offered after the words of a line."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
BASH = """eval "$("$1" completion bash)"
compopt() { :; }
inv=$1; shift
COMP_WORDS=("$inv" "$@"); COMP_CWORD=$#
_eduguard "$inv"; printf '%s\\n' "${COMPREPLY[@]}"
"""
# What zsh's own completion adds is written to a file. Ctrl-T shows that the Tab before it has been answered.
ZSHRC = """cd -q "$CHECKOUT"
autoload -Uz compinit; compinit -u -D
eval "$(inv completion zsh)"
compadd() {
  local -a found
  builtin compadd -O found "$@"
  (( $#found )) && print -rl -- $found >> "$ZDOTDIR/offered"
  builtin compadd "$@"
}
finish() { : > "$ZDOTDIR/done" }
zle -N finish; bindkey '^T' finish
: > "$ZDOTDIR/ready"
"""
CASES = [
    (["sta"], ["status"]),
    (["photos", "pu"], ["pull", "push"]),
    (["photos.c"], ["photos.check", "photos.copy"]),
    (["photos.pull", "seed_"], ["seed_data"]),
    (["photos", "check", "--"], ["--accept", "--help", "--json", "--propose"]),
    (["photos.check", "--j"], ["--json"]),
    (["status", "re"], ["rebuild", "reindex", "report", "reset"]),
    (["report", "READ"], ["README.md"]),
    (["evaluate", "--classes", "seed_"], ["seed_data"]),
    (["photos", "pull", "seed_"], ["seed_data"]),
    (["enrol", "student-001", "READ"], ["README.md"]),
    (["enrol", "a b", "READ"], ["README.md"]),
    (["enrol", "--from", "seed_"], ["seed_data"]),
    (["sync-faces", "--student", ""], []),
    (["nothing", ""], []),
    (["status", "--nothing", ""], []),
]
Offered = Callable[[list[str], Path], list[str]]


def need(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"completion is NOT tried in {shell}: it is not installed")


def own_path() -> dict[str, str]:
    return os.environ | {"PATH": f"{INV.parent}:{os.environ['PATH']}", "TERM": "dumb", "CHECKOUT": str(ROOT)}


def type_line(words: list[str]) -> str:
    return " ".join(["inv", *map(shlex.quote, words[:-1]), words[-1]])


def in_bash(words: list[str], _: Path) -> list[str]:
    command = ["bash", "-c", BASH, "bash", str(INV), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def in_fish(words: list[str], folder: Path) -> list[str]:
    script = f"inv completion fish | source; complete -C {shlex.quote(type_line(words))}"
    environment = own_path() | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    command = ["fish", "--no-config", "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def in_zsh(words: list[str], folder: Path) -> list[str]:
    (folder / ".zshrc").write_text(ZSHRC)
    ours, theirs = os.openpty()
    environment = own_path() | {"ZDOTDIR": str(folder)}
    shell = subprocess.Popen(
        ["zsh", "-d", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    try:
        wait_for(folder / "ready")
        os.write(ours, f"{type_line(words)}\t\x14".encode())
        wait_for(folder / "done")
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
        os.close(theirs)
    file = folder / "offered"
    return file.read_text().split() if file.exists() else []


def wait_for(file: Path) -> None:
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.1)
    pytest.fail(f"zsh never wrote {file.name}")


@pytest.mark.sampled(
    "bash-in_bash-words0-answer0",
    "fish-in_fish-words0-answer0",
    "zsh-in_zsh-words0-answer0",
    "bash-in_bash-words6-answer6",
)
@pytest.mark.parametrize(("words", "answer"), CASES)
@pytest.mark.parametrize(("shell", "offered"), [("bash", in_bash), ("fish", in_fish), ("zsh", in_zsh)])
def test_a_shell_offers_what_is_taken(
    shell: str, offered: Offered, words: list[str], answer: list[str], tmp_path: Path
) -> None:
    need(shell)
    assert sorted({each.rstrip("/") for each in offered(words, tmp_path)}) == answer


def test_a_shell_that_is_not_known_is_refused() -> None:
    done = subprocess.run([INV, "completion", "csh"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "inv completion bash, or zsh, or fish" in done.stderr) == (1, True)
