"""The properties of a database itself, not its content: creation options, settings, grants, limit, comment, owner.

A new database has none of them, and CREATE DATABASE does not copy them from a template. Properties that were changed on
the old database since we made it are set on the new one, unless new migrations set the same property differently.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError
from eduguard.postgres import Database, read_value

if TYPE_CHECKING:
    from psycopg import Connection, sql

Key = tuple[str, ...]
Properties = Mapping[Key, str]

_SETTINGS = """
SELECT 'setting', coalesce(r.rolname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,
     unnest(s.setconfig) c WHERE d.datname = %(name)s
UNION ALL
SELECT 'grant', coalesce(g.rolname, ''), a.privilege_type, CASE WHEN a.is_grantable THEN 'grantable' ELSE '' END
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
     LEFT JOIN pg_roles g ON g.oid = a.grantee WHERE d.datname = %(name)s AND a.grantee <> d.datdba
"""
_OTHERS = """
SELECT CASE WHEN datconnlimit <> -1 THEN datconnlimit::text END, shobj_description(oid, 'pg_database'),
       pg_get_userbyid(datdba)
FROM pg_database WHERE datname = %s
"""
_CREATED = """
SELECT pg_encoding_to_char(encoding), datcollate, datctype, to_jsonb(d) ->> 'datlocprovider',
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), to_jsonb(d) ->> 'daticurules',
       CASE WHEN dattablespace <> (SELECT dattablespace FROM pg_database WHERE datname = 'template0') THEN spcname END
FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = %s
"""
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
# Settings that PostgreSQL stores as a list of quoted names (GUC_LIST_QUOTE).
_LISTS = {"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"}
_PUBLIC = ""


def read_properties(conn: "Connection", database: Database) -> Properties:
    """Return the properties of a database; read-only."""
    rows = conn.execute(_SETTINGS, {"name": database.name}).fetchall()
    found: dict[Key, str] = {(kind, role, name): value for kind, role, name, value in rows}
    limit, comment, owner = conn.execute(_OTHERS, [database.name]).fetchone() or (None, None, None)
    others = (("limit",), limit), (("comment",), comment), (("owner",), owner)
    return found | {key: value for key, value in others if value is not None}


def fresh_properties(conn: "Connection") -> Properties:
    """Return the properties of a database that our role has just created."""
    user = str(read_value(conn, "SELECT current_user"))
    return {("grant", _PUBLIC, "CONNECT"): "", ("grant", _PUBLIC, "TEMPORARY"): "", ("owner",): user}


def dump_properties(properties: Properties) -> list[list[str]]:
    """Return the properties as plain lists, for JSON."""
    return sorted([*key, value] for key, value in properties.items())


def load_properties(items: Iterable[list[str]]) -> Properties:
    """Return the properties from the output of `dump_properties`."""
    return {tuple(item[:-1]): item[-1] for item in items}


def find_changes(old: Properties, made: Properties, new: Properties) -> dict[Key, str | None]:
    """Return the properties to set on a new database (None: to remove); a pure function.

    Args:
        old: properties of the database that is replaced.
        made: properties of the same database when we made it; differences from old were made by somebody since.
        new: properties of the new database; differences from made were set by its migrations, and they win.
    """
    keys = sorted({*old, *made})
    return {
        key: old.get(key)
        for key in keys
        if old.get(key) != made.get(key) and new.get(key) == made.get(key) and key != ("owner",)
    } | ({("owner",): old[("owner",)]} if old.get(("owner",)) not in (None, new.get(("owner",))) else {})


def apply_changes(conn: "Connection", database: Database, changes: Mapping[Key, str | None]) -> list[str]:
    """Set the properties, within a transaction; return the statements that the role may not execute."""
    from psycopg import Error

    refused = list[str]()
    # The owner is set last: after that our role can no longer alter the database.
    for key, value in sorted(changes.items(), key=lambda item: (item[0] == ("owner",), item[0])):
        statement = _statement(database, key, value)
        try:
            with conn.transaction():
                conn.execute(statement)
        except Error:
            refused.append(statement.as_string(conn))
    return refused


def find_refused(conn: "Connection", database: Database, made: Properties) -> list[str]:
    """Return the statements that our role may not execute to set a database's properties again; change nothing.

    Each statement is tried on the database itself, which has the property already, and is rolled back.
    """
    from psycopg import Rollback

    old = read_properties(conn, database)
    changes = find_changes(old, made, made)
    refused = list[str]()
    with suppress(Rollback), conn.transaction() as transaction:
        owner = changes.pop(("owner",), None)
        refused += apply_changes(conn, database, changes)
        if owner and not read_value(conn, "SELECT pg_has_role(%s, 'MEMBER')", owner):
            refused.append(_statement(database, ("owner",), owner).as_string(conn))
        raise Rollback(transaction)
    return refused


def describe_creation(conn: "Connection", database: Database) -> list[Any] | None:
    """Return the options that a database was created with, or None if it does not exist; read-only."""
    found = conn.execute(_CREATED, [database.name]).fetchone()
    return list(found) if found else None


def create_like(conn: "Connection", database: Database) -> "sql.Composed":
    """Return the CREATE DATABASE options that give a new database the collation and encoding of this one, if it exists.

    A database without an encoding (SQL_ASCII) is replaced by one in UTF8, because psycopg cannot read text from it.

    Raises:
        EduguardError: when the role may not create databases in its tablespace.
    """
    from psycopg import sql

    created = describe_creation(conn, database)
    if created is None:
        return sql.SQL("ENCODING UTF8").format()
    encoding, collate, ctype, provider, locale, rules, tablespace = created
    options: dict[str, str | None] = {
        "ENCODING": "UTF8" if encoding == "SQL_ASCII" else encoding,
        "LC_COLLATE": collate,
        "LC_CTYPE": ctype,
        "LOCALE_PROVIDER": _PROVIDERS[provider] if provider else None,
        "BUILTIN_LOCALE": locale if provider == "b" else None,
        "ICU_LOCALE": locale if provider == "i" else None,
        "ICU_RULES": rules,
    }
    words = [sql.SQL(f"{name} {{}}").format(sql.Literal(value)) for name, value in options.items() if value]
    if tablespace:
        if not read_value(conn, "SELECT has_tablespace_privilege(%s, 'CREATE')", tablespace):
            raise EduguardError(
                f"{database.name} is in the tablespace {tablespace}, where {conn.info.user} may not create databases",
                hint=f"An administrator can grant it: GRANT CREATE ON TABLESPACE {tablespace} TO {conn.info.user}",
            )
        words.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(tablespace)))
    return sql.SQL(" ").join(words)


def _statement(database: Database, key: Key, value: str | None) -> "sql.Composed":
    from psycopg import sql

    name = sql.Identifier(database.name)
    if key[0] == "setting":
        return _setting(name, key[1], key[2], value)
    if key[0] == "grant":
        role = sql.Identifier(key[1]) if key[1] else sql.SQL("PUBLIC")
        option = sql.SQL(" WITH GRANT OPTION" if value == "grantable" else "")
        given = sql.SQL("GRANT {} ON DATABASE {} TO {}{}")
        taken = sql.SQL("REVOKE {} ON DATABASE {} FROM {}")
        privilege = sql.SQL(key[2])  # PostgreSQL's own name of the privilege
        return taken.format(privilege, name, role) if value is None else given.format(privilege, name, role, option)
    if key[0] == "limit":
        return sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, int(value or -1))
    if key[0] == "comment":
        return sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, value)
    return sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(value or ""))


def _setting(database: "sql.Identifier", role: str, name: str, value: str | None) -> "sql.Composed":
    from psycopg import sql

    place = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
    place = place if role else sql.SQL("DATABASE {}").format(database)
    parts = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
    if value is None:
        return sql.SQL("ALTER {} RESET {}").format(place, parts)
    given = sql.SQL(value) if name in _LISTS else sql.Literal(value)  # already quoted by PostgreSQL
    return sql.SQL("ALTER {} SET {} = {}").format(place, parts, given)
