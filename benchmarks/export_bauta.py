"""Let bauta, a masking tool, write the same rows as CSV files; each of our rules gets bauta's nearest strategy."""

import secrets
from pathlib import Path

import yaml

from eduguard import portability
from eduguard.portability.exports.masking import find_home
from eduguard.portability.exports.schema import Schema, Table
from eduguard.postgres import Database, connect

ROOT = Path(__file__).resolve().parents[1]
# bauta does not know RUTs: `digits` keeps only the form.
_STRATEGIES = {
    "keep": "keep",
    "clear": "null",
    "key": "key",
    "photo": "key",
    "rut": "digits",
    "phone": "digits",
    "first_name": "fakeFirstName",
    "last_name": "fakeLastName",
    "email": "email",
    "date": "dateShift",
}


def command(program: Path, folder: Path, database: Database) -> list[str]:
    """Write the configuration and return the command that masks all tables."""
    (folder / "configuration").mkdir(parents=True)
    info = _write_jobs(folder, database)
    source = {"type": "postgresql", "readOnly": True, "password": "none", **info}  # our server needs no password
    target = {"type": "files", "root": str(folder / "out"), "format": "csv", "compression": "none"}
    _write(folder / "configuration" / "connections.yaml", {"source": source, "target": target})
    return [str(program), "run", "--force", "--config", str(folder / "configuration")]


def _write_jobs(folder: Path, database: Database) -> dict[str, object]:
    with connect(database, purpose="bench") as conn:
        coverage = portability.cover(
            conn, portability.read_schema(conn), portability.read_rules(ROOT / "anonymise.yaml")
        )
        info = conn.info
        where = {"host": info.host, "port": info.port, "user": info.user, "database": info.dbname}
    jobs = {}
    for table in coverage.schema.values():
        rules = {column.name: coverage.rule_of(table.name, column.name).name for column in table.written}
        jobs[table.name] = {
            "sourceQuery": f"SELECT {', '.join(rules)} FROM {table.name}",  # noqa: S608 -- our own tables
            "targetTableFinal": table.name,
            "masking": {"columns": {name: _mask(coverage.schema, table, name, rule) for name, rule in rules.items()}},
        }
    defaults = {
        "sourceConnection": "source",
        "targetConnection": "target",
        "insertStrategy": "overwrite",
        "masking": {"key": secrets.token_urlsafe(32)},
    }
    _write(folder / "configuration" / "jobs.yaml", {"workers": 1, "defaults": defaults, "jobs": jobs})
    return where


def _mask(schema: Schema, table: Table, column: str, rule: str) -> object:
    if rule in ("placeholder", "constant"):
        return {"strategy": "constant", "value": "placeholder"}
    if rule == "uuid":
        return {"strategy": "key", "charset": "hex"}
    if rule == "key":
        return {"strategy": "key", "domain": ".".join(find_home(schema, table, column))}
    return _STRATEGIES[rule]


def _write(file: Path, content: object) -> None:
    file.write_text(yaml.safe_dump(content, sort_keys=False))
