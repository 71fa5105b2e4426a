"""When and how commands ask for consent before they change or replace a database; without a server."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from eduguard.errors import EduguardError
from eduguard.postgres import Database
from eduguard.rebuild import protection
from eduguard.rebuild.mark import Mark
from eduguard.rebuild.protection import DatabaseState, check_not_refused, check_renameable, require_consent
from eduguard.settings import Target, load_settings

ROOT = Path(__file__).parents[2]
SCHOOL = Database.from_url("postgresql://nowhere.invalid/school")
ABSENT = DatabaseState(server="nowhere.invalid:5432", is_local=True)
STRANGE = replace(ABSENT, oid=16400)
OURS = replace(STRANGE, is_ours=True)
EMPTY = replace(STRANGE, is_empty=True)


def consent(state: DatabaseState, kind: str, answer: str | None = None, **more: object) -> tuple[str, list[str]]:
    """Return the consent that was given, and the questions that were asked."""
    asked: list[str] = []

    def ask(question: str) -> str | None:
        asked.append(question)
        return answer

    return require_consent(state, SCHOOL, kind, ask=ask, **({"confirm": ""} | more)), asked  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "is_there", "is_expendable"),
    [(ABSENT, False, True), (STRANGE, True, False), (OURS, True, True), (EMPTY, True, True)],
)
def test_a_database_that_is_ours_empty_or_absent_is_expendable(
    state: DatabaseState, is_there: bool, is_expendable: bool
) -> None:
    assert (state.exists, state.is_expendable) == (is_there, is_expendable)


@pytest.mark.parametrize("state", [ABSENT, OURS, EMPTY])
def test_an_expendable_database_of_this_machine_is_replaced_without_asking(state: DatabaseState) -> None:
    assert consent(state, "open") == ("", [])


def test_any_database_of_this_machine_is_changed_without_asking() -> None:
    assert consent(STRANGE, "open", replacing=False) == ("", [])
    assert not protection.needs_no_consent(STRANGE, "open", replacing=True)


@pytest.mark.parametrize("kind", ["confirm", "refuse"])
@pytest.mark.parametrize("replacing", [True, False])
def test_nothing_is_done_without_asking_where_the_target_is_not_open(kind: str, replacing: bool) -> None:
    assert not protection.needs_no_consent(OURS, kind, replacing=replacing)


@pytest.mark.parametrize("state", [STRANGE, replace(STRANGE, is_local=False)])
@pytest.mark.parametrize("kind", ["open", "confirm"])
def test_the_name_that_was_passed_is_consent(state: DatabaseState, kind: str) -> None:
    assert consent(state, kind, confirm="school") == ("school", [])


@pytest.mark.parametrize(
    ("state", "kind", "more", "question"),
    [
        (ABSENT, "confirm", {}, "replaced; the protection of its target is `confirm`."),
        (ABSENT, "confirm", {"replacing": False, "by": "inv seed"}, "changed by inv seed; the protection of its target is `confirm`."),
        (replace(ABSENT, is_local=False), "open", {"by": "inv full"}, "replaced by inv full; it is not on this machine."),
        (replace(ABSENT, is_local=False), "open", {"replacing": False}, "changed; it is not on this machine."),
    ],
)  # fmt: skip
def test_the_question_says_what_would_be_done_and_why_it_is_asked(
    state: DatabaseState, kind: str, more: dict[str, object], question: str
) -> None:
    name, asked = consent(state, kind, "school", **more)
    where = "database school on nowhere.invalid:5432 (it does not exist yet)"
    assert (name, asked) == ("school", [f"{where} would be {question}\nType the database's name to go on:"])


@pytest.mark.parametrize(
    ("answer", "confirm", "why"),
    [
        (None, "", "nobody was there to confirm it"),
        ("yes", "", "'yes' is not its name, school"),
        ("", "", "'' is not its name, school"),
        ("school", "other", "'other' is not its name, school"),
        ("school", "school2", "'school2' is not its name, school"),
    ],
)
def test_an_answer_other_than_the_name_is_not_consent(answer: str | None, confirm: str, why: str) -> None:
    with pytest.raises(EduguardError) as raised:
        consent(ABSENT, "confirm", answer, confirm=confirm)
    assert raised.value.message.endswith(f"is not replaced: the protection of its target is `confirm`, and {why}")
    assert raised.value.hint == "To go on, pass --confirm school"


def test_a_database_that_is_not_ours_is_told_by_its_mark() -> None:
    elsewhere = Mark(
        target="staging", command="inv full", created_at=datetime(2026, 1, 1, tzinfo=UTC), inputs=None, live="x",
        replaces=None, written={}, properties=None, is_in_place=False,
    )  # fmt: skip
    assert protection._why_asked(STRANGE, "open") == "it was not made by EduGuard DB"
    marked = "its mark was written elsewhere, by 'inv full' for target 'staging'"
    assert protection._why_asked(replace(STRANGE, mark=elsewhere), "open") == marked


@pytest.mark.parametrize("name", ["template0", "template1", "postgres", "defaultdb"])
def test_a_template_and_the_maintenance_database_are_never_replaced(name: str) -> None:
    database = replace(SCHOOL, name=name, maintenance_name="defaultdb" if name == "defaultdb" else None)
    with pytest.raises(EduguardError, match=f"^{name} is never replaced"):
        check_renameable(database)


def test_any_other_database_can_be_renamed() -> None:
    check_renameable(SCHOOL)
    check_renameable(replace(SCHOOL, name="postgres", maintenance_name="defaultdb"))


def target(kind: str) -> Target:
    values = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    del values["tasks"]
    values["targets"]["local"]["protection"] = kind
    return load_settings(values, root=ROOT, environment={}).target


@pytest.mark.parametrize("kind", ["open", "confirm"])
def test_a_command_is_not_refused_where_the_target_is_open_or_asks(kind: str) -> None:
    check_not_refused(target(kind), "reset")


def test_a_refused_command_is_named_with_its_target() -> None:
    with pytest.raises(EduguardError, match="`inv reset` is refused: the protection of target local is `refuse`"):
        check_not_refused(target("refuse"), "reset")
