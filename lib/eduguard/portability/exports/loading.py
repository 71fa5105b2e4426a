"""Load the files of an export into a database beside the live one, starting at the export's migration."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard import migrations
from eduguard.errors import EduguardError
from eduguard.fixtures import afterwards, catalogue, resting_keys
from eduguard.plurals import amount
from eduguard.portability.exports.manifest import Manifest, TableFile
from eduguard.portability.exports.schema import read_schema
from eduguard.postgres import Database, connect

if TYPE_CHECKING:
    from psycopg import Connection

_READ = 1 << 20  # bytes


def check_migrations(manifest: Manifest, folder: Path) -> None:
    """Refuse an export whose migrations are missing from the folder or have different content there.

    Raises:
        EduguardError: naming the migrations.
    """
    if strange := migrations.list_strange(folder, manifest.migrations):
        raise EduguardError(
            f"The export is of a database with other migrations than {folder}: {', '.join(strange)}",
            hint="Check out the version that the source was migrated with, or export again. Nothing was loaded.",
        )


def load_export(database: Database, folder: Path, manifest: Manifest, migrations_folder: Path) -> tuple[str, ...]:
    """Migrate a new database to the export's migration, copy the rows, and apply and return the later migrations.

    Raises:
        EduguardError: if PostgreSQL refuses rows; names their file.
    """
    migrations.apply(database, migrations_folder, to=manifest.newest_migration)
    with connect(database, purpose="load") as conn, conn.transaction():
        _copy_all(conn, folder, manifest.tables)
    return migrations.apply(database, migrations_folder)


def _copy_all(conn: "Connection", folder: Path, files: Sequence[TableFile]) -> None:
    from psycopg import sql

    schema = read_schema(conn)
    if unknown := [each.table for each in files if each.table not in schema]:
        raise EduguardError(f"The migrations make no table {', '.join(unknown)}", hint="Export again.")
    names = {each.table: sql.Identifier(schema[each.table].schema, schema[each.table].own_name) for each in files}
    if names:  # a migration may have inserted rows that are in the export too
        conn.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names.values())))
    own = [each.table for each in files if schema[each.table].schema == "public"]
    with resting_keys.keys_at_rest(conn, own):
        for each in files:
            _copy(conn, folder / each.file, names[each.table], each)
    tables = catalogue.read_tables(conn)
    loaded = [tables[name] for name in own if name in tables]
    afterwards.advance_sequences(conn, loaded)
    afterwards.refresh_views(conn, loaded)


def _copy(conn: "Connection", path: Path, name: object, file: TableFile) -> None:
    from psycopg import DatabaseError, sql

    columns = sql.SQL(", ").join(map(sql.Identifier, file.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER)").format(name, columns)
    cursor = conn.cursor()
    try:
        with cursor.copy(statement) as copy, path.open("rb") as opened:
            while chunk := opened.read(_READ):
                copy.write(chunk)
    except DatabaseError as error:  # hide the error's detail, which may show a value
        where = (error.diag.context or "").partition(":")[0]
        raise EduguardError(
            f"{path}: {error.diag.message_primary}" + (f" ({where})" if where else ""),
            hint="The live database was not changed. Export again with a rule that the table's constraints allow.",
        ) from None
    if cursor.rowcount != file.rows:
        raise EduguardError(f"{path}: {amount(cursor.rowcount, 'row')}, and the manifest says {file.rows:,}")
