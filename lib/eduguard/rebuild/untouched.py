"""Whether anybody has written to a database since it was cloned: what a command may replace without losing anything.

PostgreSQL gives each row version the ID of the transaction that wrote it (xmin) and a place (ctid; "System Columns" in
its manual), and CREATE DATABASE copies both. So the fingerprint of all of them, in every table and in the catalogue,
is the same in a clone for as long as no row was inserted, updated or deleted, and nothing created, altered or dropped.
"""

from typing import TYPE_CHECKING

from eduguard.postgres.database import Database, connect, read_value

if TYPE_CHECKING:
    from psycopg import Connection

# Statistics are PostgreSQL's own to write; our mark is written anew in each clone.
_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND NOT c.relisshared AND n.nspname <> 'eduguard' AND n.nspname !~ '^pg_(temp|toast)'
AND c.relname NOT IN ('pg_statistic', 'pg_statistic_ext_data')
AND (n.nspname <> 'pg_catalog' OR has_table_privilege(c.oid, 'SELECT'))
ORDER BY 1, 2
"""
_PART = """
SELECT {name} || ' ' || count(*) || ' ' || coalesce(sum(hashtextextended(xmin::text || ctid::text, 0)), 0) FROM {table}
"""
# What no row of the database itself holds, and what a rename would not carry over.
_IS_PLAIN = """
SELECT d.datacl IS NULL AND d.datconnlimit = -1 AND NOT d.datistemplate
AND d.dattablespace = (SELECT dattablespace FROM pg_database WHERE datname = 'template0')
AND d.datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
AND shobj_description(d.oid, 'pg_database') IS NULL
AND NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = d.oid)
AND NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = d.datname)
AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE database = d.datname)
AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datid = d.oid AND pid <> pg_backend_pid())
FROM pg_database d WHERE d.datname = current_database()
"""
TRANSACTION_ID = "SELECT pg_current_xact_id()::text::bigint"  # of this transaction, one more than any before it


def fingerprint(conn: "Connection", inputs: str) -> str:
    """Return the hash of every row version's transaction and place, whatever the row says; read-only.

    Args:
        conn: in a transaction.
        inputs: the hash of the files that the database was made of; the fingerprint begins with it.

    Raises:
        psycopg.Error: for a table that the role may not read, or not all of.
    """
    from psycopg import sql

    # A policy that hides rows is an error then, not a smaller answer.
    conn.execute("SELECT set_config('row_security', 'off', true)")
    parts = sql.SQL(" UNION ALL ").join(
        sql.SQL(_PART).format(name=sql.Literal(f"{schema}.{table}"), table=sql.Identifier(schema, table))
        for schema, table in conn.execute(_TABLES).fetchall()
    )
    found = conn.execute(
        sql.SQL(
            "SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM ({} UNION ALL "
            "SELECT schemaname || '.' || sequencename || ' ' || coalesce(last_value, 0) FROM pg_sequences) AS p (part)"
        ).format(parts)
    ).fetchone()
    return f"{inputs} {found[0] if found else ''}"


def observe(database: Database, recorded: str) -> int | None:
    """Look whether a database is as it was when its fingerprint was recorded, and nobody else is in it.

    Returns:
        the ID of a transaction that began before the look, or None where something was written or somebody is in.

    Raises:
        EduguardError: when the role may not read all of it.
    """
    with connect(database, purpose="seed") as conn, conn.transaction():
        began = int(read_value(conn, TRANSACTION_ID))
        if not read_value(conn, _IS_PLAIN) or fingerprint(conn, recorded.partition(" ")[0]) != recorded:
            return None
    return began
