"""The report of `inv status` in at most ten lines: what there is, what is wrong, and what to run."""

from collections.abc import Iterator, Mapping
from typing import Any

from eduguard.checks.status import Report
from eduguard.plurals import amount

_MOST_SCHOOLS = 3  # with a line for each


def summarise(report: Report) -> dict[str, str]:
    """Return the lines by name; a pure function."""
    lines = {"target": f"{report['target']}, protection {report['protection']}"}
    lines["database"] = _describe_database(report)
    if report["migrations"]["problem"] or report["migrations"]["applied"] is not None:
        lines["migrations"] = _describe_migrations(report["migrations"])
    if "students" in report["rows"]:
        lines["students"] = f"{report['rows']['students']:,}"
    if report["faces"]["placeholders"] is not None:
        lines["faces"] = _describe_faces(report)
    lines |= _describe_schools(report["schools"])
    if report["cloud"]["folder"]:
        lines["cloud"] = report["cloud"]["endpoint"] or "stopped: `inv up` starts it"
    if beside := report["database"].get("beside"):
        lines["beside"] = _describe_beside(report["database"]["name"], beside)
    return lines


def _describe_database(report: Report) -> str:
    database = report["database"]
    if not database["is_running"]:
        return "the server is stopped: `inv up` starts it"
    if not database["exists"]:
        return f"{database['name']} does not exist: `inv full` makes it"
    rows = report["rows"]
    return f"{database['name']}: {amount(sum(rows.values()), 'row')} in {amount(len(rows), 'table')}"


def _describe_migrations(migrations: Mapping[str, Any]) -> str:
    if problem := migrations["problem"]:
        return str(problem)
    applied, pending = migrations["applied"], migrations["pending"]
    if not pending:
        return f"{len(applied)} applied, none pending"
    return f"{len(applied)} applied, {len(pending)} pending from {pending[0]}: `inv migrate` applies them"


def _describe_faces(report: Report) -> str:
    rows, faces = report["rows"]["student_faces"], report["faces"]
    waiting, there = faces["placeholders"], faces["in_collection"]
    linked = (
        f"{amount(rows, 'row')}, {amount(waiting, 'waits', 'wait')} for their FaceId: `inv sync-faces`"
        if waiting
        else f"{amount(rows, 'row')}, all linked"
    )
    return f"{linked}; {'unknown how many' if there is None else f'{there:,}'} in the collections"


def _describe_schools(schools: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield a line for each school if there are few; if there are many, only for the first ones with a problem."""
    shown = [each for each in schools.items() if each[1]["rows"] is not None or each[1]["in_collection"] is not None]
    if len(shown) > _MOST_SCHOOLS:
        shown = [each for each in shown if each[1]["placeholders"] or each[1]["rows"] != each[1]["in_collection"]]
    for name, school in shown[:_MOST_SCHOOLS]:
        faces = "no collection" if school["in_collection"] is None else f"{amount(school['in_collection'], 'face')} in"
        rows = (
            ""
            if school["rows"] is None
            else f"{amount(school['rows'], 'row')}, {school['placeholders']:,} not linked; "
        )
        yield name, f"{rows}{faces} {school['collection']}"


def _describe_beside(name: str, beside: list[str]) -> str:
    templates = sum("_template_" in each for each in beside)
    parts = ["one to go back to: `inv undo`"] if f"{name}_previous" in beside else []
    parts += [amount(templates, "template")] if templates else []
    others = [each for each in beside if "_template_" not in each and each != f"{name}_previous"]
    return "; ".join([*parts, *([f"{len(others)} more (--verbose)"] if others else [])])
