"""The commands that move a school without its people: anonymise check, export, load."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import CONFIRM, JSON, ROOT, command_line, settings_of
from eduguard.commands.words import Command
from eduguard.errors import LEFT, EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import ask, print_json, print_note, print_step, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

    from eduguard.portability import Coverage, Key, Manifest, Scope, Selection
    from eduguard.postgres import Database

Say = Callable[[str, str], None]
_DRAWING = "`inv photos draw reindex sync-faces`"
_COPYING = "`inv photos copy --from TARGET reindex sync-faces`"

EXAMPLES = {
    "anonymise check": "inv anonymise check",
    "export": "inv export ../school --grade grade-1b",
    "load": "inv load ../school",
}


@task(name="check", help={"json": JSON})
def anonymise_check(c: Context, json: bool = False) -> None:
    """Check that anonymise.yaml has a rule for every column; exit 0 it has, 2 it has not, 1 failed; read-only."""
    from eduguard.postgres import connect
    from eduguard.targets import target_database

    settings = settings_of(c)
    with connect(target_database(settings), purpose="anonymise check") as conn:
        coverage = _cover(conn, settings)
    print_step("anonymise", coverage.summary())
    _record_uncovered(coverage)
    _require_covered(coverage, settings)


@task(
    klass=Command,
    words="FOLDER",
    iterable=["student"],
    help={
        "folder": "a new one",
        "grade": "only the students of this grade, and what they need",
        "student": "only this student, and what they need; can be repeated",
        "school": "only the students of this school, and what they need",
        "dry-run": "count the rows, and write nothing",
        "json": JSON,
        "plain": "do not apply the rules: people are included; asks for the database's name",
        "confirm-plain": "the name of the database that --plain asks for",
    },
)
def export(
    c: Context,
    folder: str,
    grade: str = "",
    student: list[str] | None = None,
    school: str = "",
    dry_run: bool = False,
    json: bool = False,
    plain: bool = False,
    confirm_plain: str = "",
) -> None:
    """Write the rows of the target into a folder, as anonymise.yaml says; the target is only read."""
    settings, scope = settings_of(c), choose_scope(grade, student or [], school)
    say = (lambda *_: None) if json else print_step
    rows, manifest = export_rows(
        settings, None if dry_run else Path(folder), scope, plain=plain, confirm_plain=confirm_plain, say=say
    )
    if json:
        print_json(manifest.as_json() if manifest else {"rows": rows})


def export_rows(
    settings: Settings, folder: Path | None, scope: "Scope", *, plain: bool, confirm_plain: str, say: Say
) -> "tuple[dict[str, int], Manifest | None]":
    """Export the rows of a target, or count them if no folder is given; return the counts and the manifest.

    Raises:
        EduguardError: if the rules do not fit, the name for plain rows is missing, or an original value would be
            exported.
        Exit: with status 2, if a column has no rule.
    """
    from eduguard import migrations, portability
    from eduguard.postgres import connect
    from eduguard.targets import target_database

    database, key = target_database(settings), None
    if plain:
        _require_name(database.name, "leaves with all that it says of people", confirm_plain)
    elif folder:
        key = _find_key(settings)
    with connect(database, purpose="export") as conn, portability.one_snapshot(conn):
        applied = migrations.read_applied(conn)
        if not applied:
            raise EduguardError(f"{database.name} has no record of its migrations", hint="`inv migrate` makes it.")
        coverage = _cover(conn, settings)
        if not plain:
            _require_covered(coverage, settings)
        place = f"{settings.target.name}: {database.name} on {conn.info.host}"
        say("export", f"{place}, read-only, one snapshot, migration {max(applied).partition('_')[0]}")
        selection, rows = portability.count_rows(conn, coverage, scope)
        say("export", portability.describe(selection, scope, rows))
        if not folder:
            return rows, None
        manifest = _write(conn, folder, coverage, selection, key, name=database.name, applied=applied, scope=scope)
    if manifest.leak_scan:
        say("leak", f"0 of {manifest.leak_scan['values']:,} original values found in the output")
    size = sum(each.bytes for each in manifest.tables) / 1e6
    say("export", f"{folder}: {amount(len(manifest.tables), 'file')}, {size:.1f} MB, manifest.json")
    return rows, manifest


@task(
    klass=Command,
    words="FOLDER",
    help={
        "folder": "a folder that `inv export` made",
        "confirm": CONFIRM,
        "confirm-plain": "the name of the source database, if the export includes people",
        "json": JSON,
    },
)
def load(c: Context, folder: str, confirm: str = "", confirm_plain: str = "", json: bool = False) -> None:
    """Replace the database with an export and keep the old one for `undo`: rebuild → copy → migrate → publish."""
    manifest = load_rows(settings_of(c), Path(folder), confirm=confirm, confirm_plain=confirm_plain)
    if any(each.table == "student_faces" and each.rows for each in manifest.tables):
        command = _DRAWING if manifest.is_anonymised else _COPYING
        print_note(f"The rows hold no FaceIds yet. What photos and faces they lack is made by: {command}")


def load_rows(settings: Settings, path: Path, *, confirm: str, confirm_plain: str) -> "Manifest":
    """Load an export beside the target's database and publish it; return its manifest.

    Raises:
        EduguardError: without consent, for incomplete files, and for rows that PostgreSQL refuses.
    """
    from eduguard import portability
    from eduguard.rebuild import lock, protection, publication
    from eduguard.targets import target_database

    manifest = portability.read_manifest(path)
    portability.check_files(path, manifest.tables)
    portability.check_migrations(manifest, settings.migrations_folder)
    live, target = target_database(settings), settings.target
    with lock.hold_lock(live):
        state = protection.inspect(live)
        protection.require_consent(state, live, target.protection, confirm=confirm, ask=ask, by=f"`{command_line()}`")
        if not manifest.is_anonymised:
            _require_name(manifest.database, "was exported with all that it says of people", confirm_plain)
        publication.create_next(live, state, command=command_line(), note=print_note)
        later = portability.load_export(live.next, path, manifest, settings.migrations_folder)
        _note_uncovered(live.next, settings)
        swap = publication.publish(live, print_note)
    rows = sum(each.rows for each in manifest.tables)
    facts = {"database": live.name, "rows": rows, "migration": manifest.newest_migration, "migrated": later}
    record({**facts, **swap.as_json()})
    migrated = f", then {', '.join(later)}" if later else ""
    undo = "; `inv undo` brings the database before back" if state.oid else ""
    loaded = f"{amount(rows, 'row')} at {manifest.newest_migration}{migrated}{swap.summary()}{undo}"
    print_step("load", f"{live.name}: {loaded}")
    return manifest


def _cover(conn: "Connection", settings: Settings) -> "Coverage":
    """Compare the rules with the tables.

    Raises:
        EduguardError: for rules that cannot be followed.
    """
    from eduguard import portability

    rules = portability.read_rules(settings.anonymise_file)
    coverage = portability.cover(conn, portability.read_schema(conn), rules)
    if coverage.problems:
        raise EduguardError("\n".join(coverage.problems), hint="Change these lines of the file.")
    return coverage


def _require_covered(coverage: "Coverage", settings: Settings) -> None:
    """Print what to do if a column has no rule, or a rule has no column.

    Raises:
        Exit: with status 2, if there is such a column or rule.
    """
    remarks = coverage.remarks(settings.migrations_folder)
    for remark in remarks:
        print_step("anonymise", f"! {remark}")
    if remarks:
        _record_uncovered(coverage)
        raise Exit(code=LEFT)


def _record_uncovered(coverage: "Coverage") -> None:
    missing = [{"table": table.name, "column": column.name} for table, column in coverage.missing]
    record({"tables": len(coverage.schema), "missing": missing, "stale": coverage.stale})


def _note_uncovered(database: "Database", settings: Settings) -> None:
    """Print what the rules lack for the newest schema, because the next export needs it."""
    from eduguard.postgres import connect

    with connect(database, purpose="load") as conn:
        coverage = _cover(conn, settings)
    for remark in coverage.remarks(settings.migrations_folder):
        print_note(f"anonymise ! {remark}")


def choose_scope(grade: str, students: list[str], school: str) -> "Scope":
    """Return the students that the flags choose.

    Raises:
        EduguardError: if more than one of the flags is given.
    """
    from eduguard.portability import Scope

    if sum(map(bool, (grade, students, school))) > 1:
        raise EduguardError("--grade, --student and --school exclude each other", hint="Pass one of them, or none.")
    return Scope(grade=grade, students=tuple(students), school=school)


def _find_key(settings: Settings) -> "Key":
    from eduguard import portability

    file = settings.anonymise_key or portability.default_file(os.environ)
    key, is_new = portability.find_key(file, ROOT, os.environ)
    if is_new:
        print_note(f"made the key of exports, {file}: keep it where the source's data may be, and nowhere else")
    return key


def _require_name(name: str, what: str, confirm: str) -> None:
    """Require that the name of a database is passed or typed.

    Raises:
        EduguardError: if it is not.
    """
    answer = confirm or ask(f"{name} {what}.\nType the database's name to go on:")
    if answer != name:
        reason = "nobody was there to confirm it" if answer is None else f"{answer!r} is not its name"
        raise EduguardError(f"{name} {what}, and {reason}", hint=f"To go on, pass --confirm-plain {name}")


def _write(
    conn: "Connection",
    folder: Path,
    coverage: "Coverage",
    selection: "Selection",
    key: "Key | None",
    *,
    name: str,
    applied: "Mapping[str, str]",
    scope: "Scope",
) -> "Manifest":
    from eduguard import portability

    with portability.new_folder(folder) as unfinished:
        if key:
            written = portability.write_masked(conn, coverage, selection, unfinished, key)
        else:
            written = portability.write_plain(conn, coverage, selection, unfinished)
        report = written.report
        manifest = portability.new_manifest(
            database=name,
            is_anonymised=key is not None,
            key_fingerprint=key.fingerprint if key else None,
            rules_sha256=coverage.rules.sha256 if key else None,
            migrations=applied,
            scope=scope.as_json(),
            made_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            leak_scan={"values": report.values, "kept_words": report.kept_words} if report else None,
            tables=written.tables,
        )
        portability.write_manifest(unfinished, manifest)
    return manifest
