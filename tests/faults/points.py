"""One point: a command interrupted at one message or request, and what must hold then and after the next run."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from judgement import Judge, State
from scenarios import Scenario
from school import Place
from wires import MESSAGE, REQUEST, WAYS, Fault

LONGEST = 60  # points per command; more are thinned out by a stride, so that all commands take less than two hours
_KILLED = -9
_COMMAND = re.compile(r"inv ((?:[a-z-]+ ?)+(?:FOLDER|--[a-z-]+ [\w-]+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undisturbed:
    """An undisturbed run of a command."""

    counts: dict[str, int]
    judge: Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one point."""

    fault: Fault
    outcome: str
    """done, failed, killed, or not reached"""
    problems: tuple[str, ...]
    remedies: int = 0


def choose_points(counts: dict[str, int], limit: int) -> list[Fault]:
    """Return the points of a command, in their order; more than the limit are thinned out by a stride.

    The stride is odd, so that all of the four ways are used in turn.
    """
    every = [
        Fault(kind=kind, number=number, way=way)
        for kind in (MESSAGE, REQUEST)
        for number in range(1, counts[kind] + 1)
        for way in WAYS
    ]
    if len(every) <= limit:
        return every
    stride = -(-len(every) // limit) | 1
    return every[stride // 2 :: stride]


def prepare(places: Sequence[Place], scenario: Scenario, folder: Path) -> Undisturbed:
    """Run a command undisturbed, and count what it sends."""
    place = places[0]
    for each in places if scenario.has_templates else ():
        each.put_back(scenario.stage)
        each.run(_words(scenario.words, folder))
    place.put_back(scenario.stage)
    before = place.observe()
    done = place.run(_words(scenario.words, folder))
    assert done.code == 0, f"{scenario.name}: {done.output}{done.errors}"
    judge = scenario.judge(before, place.observe())
    assert problems_of(judge, judge.after) == [], scenario.name
    return Undisturbed(counts=dict(done.counts), judge=judge)


def problems_of(judge: Judge, found: State) -> list[str]:
    """Say what is wrong after a command that reported success."""
    return judge.judge(found) + judge.judge_done(found)


def try_point(place: Place, scenario: Scenario, undisturbed: Undisturbed, fault: Fault, folder: Path) -> Report:
    """Interrupt the command, judge what is left, check that the doctor names it, and run the command again."""
    judge, problems, remedies = undisturbed.judge, list[str](), 0
    place.put_back(scenario.stage)
    done = place.run(_words(scenario.words, folder), fault)
    if not done.is_struck:
        return Report(fault=fault, outcome="not reached", problems=tuple(_problems_of_end(done.code, done.errors)))
    found = place.observe()
    problems += judge.judge(found) + _problems_of_end(done.code, done.errors)
    if done.code == 0:
        # A template that could not be made may leave a draft, which `inv status` names and the next run drops.
        problems += judge.judge_done(replace(found, unfinished=()))
    findings = _ask_doctor(place)
    problems += _find_unnamed(found, findings)
    left = [each for each in found.places() if each not in judge.before.places() and each not in judge.after.places()]
    if left and fault.number % 2:
        remedies, failures = _apply_remedies(place, findings, left, folder)
        problems += failures
    problems += _run_again(place, scenario, undisturbed, found, folder)
    outcome = "done" if done.code == 0 else "killed" if done.code == _KILLED else "failed"
    return Report(fault=fault, outcome=outcome, problems=tuple(problems), remedies=remedies)


def _problems_of_end(code: int, errors: str) -> list[str]:
    if code in {0, _KILLED}:
        return []
    is_clear = code in {1, 2} and "error: " in errors and "Traceback" not in errors
    return [] if is_clear else [f"status {code}: {errors.strip()}"]


def _run_again(place: Place, scenario: Scenario, undisturbed: Undisturbed, found: State, folder: Path) -> list[str]:
    judge = undisturbed.judge
    is_done = bool(scenario.then) and found.rows == judge.after.rows
    done = place.run(_words(scenario.then if is_done else scenario.words, folder))
    if done.code != 0 and (told := re.search(r"`inv ([^`]+)`", done.errors)):  # the error says what to do first
        place.run(told[1].split())
        done = place.run(_words(scenario.words, folder))
    if done.code != 0:
        return [f"the next run fails: {done.errors.strip()}"]
    state = place.observe()
    if is_done:
        return [] if state.rows == judge.before.rows else ["the next run has not brought back what was before"]
    return [f"after the next run: {each}" for each in judge.judge_done(state)]


def _ask_doctor(place: Place) -> list[dict[str, Any]]:
    done = place.run(["doctor", "--json"])
    findings: list[dict[str, Any]] = json.loads(done.output)["findings"]
    return findings


def _find_unnamed(found: State, findings: Sequence[dict[str, Any]]) -> list[str]:
    """Say what is left or broken without a remedy from the doctor."""
    broken = [f"doctor: {each['text']}" for each in findings if each["verdict"] == "broken"]
    drift = [each["text"] for each in findings if each["verdict"] == "drift" and each["remedy"]]
    named = {text.partition(":")[0] for text in drift}
    if any(text.startswith("pending") for text in named):
        return broken
    known = {row_id for (table, row_id) in found.rows or {} if table == "students"}
    unnamed = []
    for state, externals in found.places().items():
        ours = [each for each in externals if each.rpartition("-photo-")[0] in known]
        if ours and f"{len(ours)} with only {state}" not in named:
            unnamed.append(f"doctor does not name {len(ours)} with only {state}")
    if found.unlinked() and not any("hold the placeholder" in text for text in drift):
        unnamed.append(f"doctor does not name {found.unlinked()} rows without their FaceId")
    return broken + unnamed


def _apply_remedies(
    place: Place, findings: Sequence[dict[str, Any]], left: Sequence[str], folder: Path
) -> tuple[int, list[str]]:
    """Run the doctor's remedies for what is left; nothing may be left then."""
    copy = folder / f"pulled-{place.name}"
    problems, count = [], 0
    for finding in findings:
        if any(finding["text"].partition(":")[0].endswith(f" with only {state}") for state in left):
            for words in _COMMAND.findall(finding["remedy"]):
                source = copy if "pull" in finding["remedy"] else folder / "bucket"
                done = place.run([word.replace("FOLDER", str(source)) for word in words.split()])
                count += 1
                if done.code:
                    problems.append(f"the remedy `inv {words}` fails: {done.errors.strip()}")
    still = place.observe().places()
    return count, problems + [f"the remedy leaves {still[state]} with only {state}" for state in left if state in still]


def _words(text: str, folder: Path) -> list[str]:
    return [word.replace("{folder}", str(folder)) for word in text.split()]
