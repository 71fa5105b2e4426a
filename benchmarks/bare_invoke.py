"""The minimum that an Invoke task needs to recreate the tables: it checks nothing, locks nothing and keeps nothing."""

import compileall
import sys
from pathlib import Path

from reset_tools import Place, Way

_TASKS = """from invoke import task

@task
def reset(c):
    import psycopg

    url = "postgresql://postgres@127.0.0.1:5432/"
    with psycopg.connect(url + "postgres", autocommit=True) as conn:
        conn.execute("CREATE DATABASE {name}_next TEMPLATE template0")
        with open("{schema}") as schema, psycopg.connect(url + "{name}_next", autocommit=True) as new:
            new.execute(schema.read())
        with conn.transaction():
            conn.execute("ALTER DATABASE {name} RENAME TO {name}_previous")
            conn.execute("ALTER DATABASE {name}_next RENAME TO {name}")
"""


def once(place: Place) -> Way:
    """Run an Invoke task that does only what it must: CREATE DATABASE, the tables through psycopg, two renames."""
    place.write("tasks.py", _TASKS.format(name=place.name, schema=place.schema))
    compileall.compile_dir(place.folder, quiet=1)
    return lambda: place.run(Path(sys.executable).parent / "inv", "reset")


def prepare(place: Place) -> Way:
    """Restore the state that the task starts from: one database, and none beside it."""

    def make() -> None:
        for name in (f"{place.name}_previous", place.name):
            place.sql("postgres", "-c", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        place.create()

    return make
