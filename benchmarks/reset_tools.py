"""Reset a database to the same tables and rows with other tools; each has a project with our migrations and rows."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from school import Row

_ONE_INSERT = 500  # rows
# Django's name of a foreign key's field, if it is not the column's name without `_id`.
_DJANGO_FIELDS = {"class_id": "class_field"}
_DJANGO_PLAIN = {"external_image_id", "aws_collection_id", "id"}
_DJANGO_DEFAULTS: dict[str, dict[str, object]] = {
    "teachers": {"created_at": "2026-01-01T00:00:00Z"},
    "classes": {"schedule": []},
    "legal_guardians": {"created_at": "2026-01-01T00:00:00Z"},
    "students": {"created_at": "2026-01-01T00:00:00Z", "aws_collection_id": None},
    "student_faces": {"created_at": "2026-01-01T00:00:00Z", "face_id": "placeholder"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder of a tool's project, what it is made of, and its server."""

    folder: Path
    tools: Path
    psql: Path
    migrations: Sequence[Path]
    tables: dict[str, list[Row]]
    rows: Path
    schema: Path

    @property
    def name(self) -> str:
        """Return the name of this tool's database."""
        return f"eduguard_bench_{self.folder.name}"

    @property
    def url(self) -> str:
        """Return the URL of this tool's database."""
        return f"postgresql://postgres@127.0.0.1:5432/{self.name}?sslmode=disable"

    def run(self, *command: object, **environment: str) -> None:
        """Run a program in the project's folder and expect success."""
        own = {"HOME": str(self.tools), "PGHOST": "127.0.0.1", "PGUSER": "postgres"}
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=os.environ | own | environment,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")

    def sql(self, database: str, *arguments: object) -> None:
        """Run psql on a database of the server."""
        url = f"postgresql://postgres@127.0.0.1:5432/{database}"
        self.run(self.psql, "-qX", "-v", "ON_ERROR_STOP=1", "-d", url, *arguments)

    def create(self) -> None:
        """Recreate the database, empty."""
        drop = f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)"
        self.sql("postgres", "-c", drop, "-c", f"CREATE DATABASE {self.name} TEMPLATE template0")

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


Way = Callable[[], None]
_RAILS_APPLICATION = """require "active_record/railtie"
class Bench < Rails::Application
  config.root = File.dirname(__dir__)
  config.eager_load = false
  config.logger = Logger.new(nil)
  config.active_record.schema_format = :sql
  config.active_record.dump_schema_after_migration = false
end
"""
_RAILS_SEEDS = """JSON.parse(File.read(Rails.root.join("rows.json"))).each do |table, rows|
  model = Class.new(ActiveRecord::Base) { self.table_name = table }
  rows.each_slice(1000) { |slice| model.insert_all!(slice) }
end
"""
_KNEX_SEED = """const tables = require("../rows.json");
exports.seed = async (knex) => {
  for (const [table, rows] of Object.entries(tables)) await knex.batchInsert(table, rows, 1000);
};
"""
_DJANGO_SETTINGS = """SECRET_KEY = "bench"
INSTALLED_APPS = ["school"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "{name}", "USER": "postgres",
    "HOST": "127.0.0.1", "PORT": "5432"}}}}
"""


def psql(place: Place) -> Way:
    """Run one SQL file with the tables and the rows."""

    def once() -> None:
        place.create()
        place.sql(place.name, "-f", place.schema, "-f", place.rows)

    return once


def clone(place: Place, strategy: str) -> Way:
    """Clone a database that contains the rows, and do nothing else."""
    template = f"{place.name}_template"
    psql(place)()
    place.sql(
        "postgres",
        "-c",
        f"DROP DATABASE IF EXISTS {template}",
        "-c",
        f"ALTER DATABASE {place.name} RENAME TO {template}",
    )
    drop = f"DROP DATABASE IF EXISTS {place.name} WITH (FORCE)"
    create = f"CREATE DATABASE {place.name} TEMPLATE {template} STRATEGY {strategy}"
    return lambda: place.sql("postgres", "-c", drop, "-c", create)


def dslr(place: Place) -> Way:
    """Restore a snapshot, which is itself a bare clone."""
    program = place.tools / "py" / "bin" / "dslr"
    psql(place)()
    place.run(program, "--url", place.url.partition("?")[0], "snapshot", "bench", "-y")
    return lambda: place.run(program, "--url", place.url.partition("?")[0], "restore", "bench")


def dbmate(place: Place) -> Way:
    """Drop, create and migrate; psql loads the rows."""
    program = place.tools / "node" / "node_modules" / ".bin" / "dbmate"
    for migration in place.migrations:
        place.write(f"db/migrations/{migration.name}", f"-- migrate:up\n{migration.read_text()}\n-- migrate:down\n")
    flags = ("--url", place.url, "--no-dump-schema")

    def once() -> None:
        place.run(program, *flags, "drop")
        place.run(program, *flags, "up")
        place.sql(place.name, "-f", place.rows)

    return once


def supabase(place: Place) -> Way:
    """Drop what is in the database, migrate, load the rows as INSERTs, because Supabase does not accept COPY."""
    program = place.tools / "node" / "node_modules" / ".bin" / "supabase"
    for migration in place.migrations:
        place.write(f"supabase/migrations/2026010100{migration.name[:4]}_m.sql", migration.read_text())
    place.write("supabase/config.toml", 'project_id = "bench"\n[db.seed]\nenabled = true\nsql_paths = ["./seed.sql"]\n')
    place.write("supabase/seed.sql", "".join(_inserts(place.tables)))
    place.create()
    return lambda: place.run(program, "db", "reset", "--db-url", place.url, "--yes")


def knex(place: Place) -> Way:
    """Roll all migrations back, migrate, seed; Knex does not drop a database."""
    program = place.tools / "node" / "node_modules" / ".bin" / "knex"
    read = 'require("fs").readFileSync'
    for file in place.migrations:
        up, down = json.dumps(str(file)), json.dumps(str(file.with_suffix(".rollback.sql")))
        raw = f'exports.up = k => k.raw({read}({up}, "utf8"));\nexports.down = k => k.raw({read}({down}, "utf8"));\n'
        place.write(f"migrations/{file.stem}.js", raw)
    place.write("seeds/rows.js", _KNEX_SEED)
    place.write("rows.json", json.dumps(place.tables))
    place.write("knexfile.js", f"module.exports = {{client: 'pg', connection: {json.dumps(place.url)}}};\n")
    (place.folder / "node_modules").symlink_to(place.tools / "node" / "node_modules")
    place.create()

    def once() -> None:
        place.run(program, "migrate:rollback", "--all")
        place.run(program, "migrate:latest")
        place.run(program, "seed:run")

    return once


def rails(place: Place) -> Way:
    """Drop, create, migrate and seed in one run of rake."""
    place.write("config/application.rb", _RAILS_APPLICATION)
    place.write("Rakefile", 'require_relative "config/application"\nRails.application.load_tasks\n')
    place.write("config/database.yml", f"development:\n  adapter: postgresql\n  url: {place.url}\n")
    place.write("config/environment.rb", 'require_relative "application"\nRails.application.initialize!\n')
    for migration in place.migrations:
        name = "".join(map(str.capitalize, migration.stem[5:].split("_")))
        body = f'def up = execute(File.read("{migration}"))'
        place.write(
            f"db/migrate/2026010100{migration.stem}.rb", f"class {name} < ActiveRecord::Migration[6.1]\n  {body}\nend\n"
        )
    place.write("db/seeds.rb", _RAILS_SEEDS)
    timed = {
        table: [
            row | {"created_at": "2026-01-01"} if "created_at" in _DJANGO_DEFAULTS.get(table, {}) else row
            for row in rows
        ]
        for table, rows in place.tables.items()
    }
    place.write("rows.json", json.dumps(timed))
    return lambda: place.run("rake", "db:drop", "db:create", "db:migrate", "db:seed")


def django(place: Place) -> Way:
    """Drop and create with psql, migrate, loaddata."""
    python = place.tools / "py" / "bin" / "python"
    psql(place)()
    manage = (python, "-m", "django")
    settings = {"DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(place.folder)}
    place.write("bench_settings.py", _DJANGO_SETTINGS.format(name=place.name))
    place.write("school/__init__.py", "")
    place.write("inspect.sh", f"{python} -m django inspectdb {' '.join(place.tables)} > school/models.py\n")
    place.run("sh", "inspect.sh", **settings)
    before: list[tuple[str, str]] = []
    place.write("school/migrations/__init__.py", "")
    for file in place.migrations:
        sql = f"migrations.RunSQL(open({str(file)!r}).read())"
        text = (
            f"from django.db import migrations\nclass Migration(migrations.Migration):\n    dependencies = {before}\n"
        )
        place.write(f"school/migrations/m{file.stem}.py", f"{text}    operations = [{sql}]\n")
        before = [("school", f"m{file.stem}")]
    place.write("rows.json", json.dumps(list(_django_objects(place.tables))))

    def once() -> None:
        place.create()
        place.run(*manage, "migrate", **settings)
        place.run(*manage, "loaddata", "rows.json", **settings)

    return once


def _django_objects(tables: dict[str, list[Row]]) -> list[dict[str, object]]:
    return [
        {
            "model": f"school.{table.replace('_', '')}",
            "pk": row["id"],
            "fields": {_django_field(column): value for column, value in row.items() if column != "id"}
            | _DJANGO_DEFAULTS.get(table, {}),
        }
        for table, rows in tables.items()
        for row in rows
    ]


def _django_field(column: str) -> str:
    if column in _DJANGO_PLAIN:
        return column
    return _DJANGO_FIELDS.get(column, column.removesuffix("_id"))


def _inserts(tables: dict[str, list[Row]]) -> list[str]:
    return [
        f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES\n{_values(rows[start : start + _ONE_INSERT])};\n"
        for table, rows in tables.items()
        for start in range(0, len(rows), _ONE_INSERT)
    ]


def _values(rows: list[Row]) -> str:
    quoted = (", ".join("'" + str(value).replace("'", "''") + "'" for value in row.values()) for row in rows)
    return ",\n".join(f"({values})" for values in quoted)
