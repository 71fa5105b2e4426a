"""Repeatedly kill `inv full` or a server at random moments: the old rows must serve, and the next run must succeed.

Sometimes `inv seed-full` after a reset is killed instead, or runs while another client writes: rows that the client has
committed must be there afterwards.

python tests/soak/kills.py --kills 200
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from eduguard.aws import local_cloud
from eduguard.postgres import Database, connect, embedded, read_value

ROOT = Path(__file__).resolve().parents[2]
INV = Path(sys.executable).parent / "inv"
ROWS = """
SELECT md5(string_agg(r, E'\\n' ORDER BY r)) FROM (
    SELECT id || rut || first_name || last_name || birth_date || grade_id AS r FROM students
    UNION ALL SELECT id || student_id || external_image_id || face_id FROM student_faces
    UNION ALL SELECT t::text FROM classes t
) rows
"""


def main() -> None:
    """Kill for the given number of times, and print what was killed and how often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many, whatever the kills")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chance, state = random.Random(options.seed), ROOT / ".eduguard" / "soak"
    run(state, "full")
    before, seconds = rows(state), min(timed(state) for _ in range(3))
    began, counts = time.monotonic(), dict.fromkeys(("warm", "cold", "server", "seed-full", "write"), 0)
    while sum(counts.values()) < options.kills and time.monotonic() - began < 60 * options.minutes:
        kind = chance.choice(list(counts))
        delay = chance.uniform(0, 1.1 * seconds * (2 if kind == "cold" else 1))
        if kind in {"seed-full", "write"}:
            run(state, "reset")
            (break_one if kind == "seed-full" else write_beside)(state, "seed-full", delay)
            run(state, "seed-full")
        else:
            break_one(state, kind, delay)
            embedded.ensure_running(state / "postgres")
        if rows(state) != before:
            sys.exit(f"kill {sum(counts.values()) + 1} ({kind}): the rows are others")
        counts[kind] += 1
        run(state, "full")
        if rows(state) != before or leftovers(state):
            sys.exit(f"kill {sum(counts.values())} ({kind}): the next run left {leftovers(state) or 'other rows'}")
        print(f"{sum(counts.values())} survived, the last of them {kind}", flush=True)
    print(f"{sum(counts.values())} survived: {counts}; {time.monotonic() - began:.0f} s")
    embedded.stop(state / "postgres")
    local_cloud.stop(state / "cloud")


def break_one(state: Path, kind: str, delay: float) -> None:
    """Begin `inv full` or `inv seed-full` and kill it, or the server under it, after a while."""
    if kind == "cold":
        drop_templates(state)
    process = begin(state, "seed-full" if kind == "seed-full" else "full")
    time.sleep(delay)
    if kind == "server":
        pid = (state / "postgres" / "data" / "postmaster.pid").read_text().split()[0]
        os.kill(int(pid), signal.SIGKILL)
        _, errors = process.communicate()
        if "Traceback" in errors:
            sys.exit(f"a traceback when the server was killed:\n{errors}")
    else:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def write_beside(state: Path, command: str, delay: float) -> None:
    """Begin a command, and insert a row after a while in another session; the row must be there at the end."""
    process = begin(state, command)
    time.sleep(delay)
    try:
        with psycopg.connect(live(state).url) as conn:
            conn.execute("INSERT INTO stages (id, name, position) VALUES ('own', 'own', 99)")
        committed = True
    except psycopg.OperationalError:
        committed = False  # the session was ended, and got an error
    output, errors = process.communicate()
    if process.returncode != 0:
        sys.exit(f"inv {command} failed beside a client:\n{output}{errors}")
    with connect(live(state), purpose="soak") as conn:
        if committed and not read_value(conn, "SELECT count(*) FROM stages WHERE id = 'own'"):
            sys.exit(f"a row that was committed is lost:\n{output}{errors}")


def begin(state: Path, command: str) -> subprocess.Popen[str]:
    """Begin a command in its own process group."""
    environment = os.environ | {"INVOKE_STATE_FOLDER": str(state), "DATABASE_URL": ""}
    return subprocess.Popen(
        [INV, command], cwd=ROOT, env=environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(state: Path, command: str) -> None:
    """Run a command, which must succeed."""
    process = begin(state, command)
    output, errors = process.communicate()
    if process.returncode != 0:
        sys.exit(f"the next run failed:\n{output}{errors}")


def timed(state: Path) -> float:
    """Return the seconds of one run."""
    began = time.perf_counter()
    run(state, "full")
    return time.perf_counter() - began


def live(state: Path) -> Database:
    """Return the database that `inv full` makes."""
    return Database.from_url(embedded.ensure_running(state / "postgres")).named("eduguard")


def rows(state: Path) -> str:
    """Return the checksum of the rows that a rebuild restores unchanged."""
    with connect(live(state), purpose="soak") as conn:
        return str(read_value(conn, ROWS))


def leftovers(state: Path) -> list[str]:
    """Return the databases that should not be there after a run."""
    with connect(live(state).maintenance, purpose="soak") as conn:
        found = conn.execute("SELECT datname FROM pg_database WHERE datname ~ '^eduguard_next$|_trial$' ORDER BY 1")
        return [name for (name,) in found]


def drop_templates(state: Path) -> None:
    """Mark all templates as unfinished, so that the next run builds everything again."""
    with connect(live(state).maintenance, purpose="soak") as conn:
        for (name,) in conn.execute("SELECT datname FROM pg_database WHERE datname ~ '^eduguard_template_'").fetchall():
            conn.execute(f'COMMENT ON DATABASE "{name}" IS NULL')


if __name__ == "__main__":
    main()
