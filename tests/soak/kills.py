"""Kill `inv full` or a server at random moments, again and again: the old rows must serve, and the next run succeed.

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

from eduguard import cloud, postgres
from eduguard.database import Database, connect, read_value

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
    full(state)
    before, seconds = rows(state), min(timed(state) for _ in range(3))
    began, counts = time.monotonic(), {"warm": 0, "cold": 0, "server": 0}
    while sum(counts.values()) < options.kills and time.monotonic() - began < 60 * options.minutes:
        kind = chance.choice(list(counts))
        break_one(state, kind, chance.uniform(0, 1.1 * seconds * (2 if kind == "cold" else 1)))
        postgres.ensure_running(state / "postgres")
        if rows(state) != before:
            sys.exit(f"kill {sum(counts.values()) + 1} ({kind}): the rows are others")
        counts[kind] += 1
        full(state)
        if rows(state) != before or leftovers(state):
            sys.exit(f"kill {sum(counts.values())} ({kind}): the next run left {leftovers(state) or 'other rows'}")
        print(f"{sum(counts.values())} survived, the last of them {kind}", flush=True)
    print(f"{sum(counts.values())} kills survived: {counts}; {time.monotonic() - began:.0f} s")
    postgres.stop(state / "postgres")
    cloud.stop(state / "cloud")


def break_one(state: Path, kind: str, delay: float) -> None:
    """Begin `inv full` and kill it, or the server under it, after a while."""
    if kind == "cold":
        drop_templates(state)
    process = begin(state)
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


def begin(state: Path) -> subprocess.Popen[str]:
    """Begin `inv full` in a process group of its own."""
    environment = os.environ | {"INVOKE_STATE_FOLDER": str(state), "DATABASE_URL": ""}
    return subprocess.Popen(
        [INV, "full"], cwd=ROOT, env=environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def full(state: Path) -> None:
    """Run `inv full`, which must succeed."""
    process = begin(state)
    output, errors = process.communicate()
    if process.returncode != 0:
        sys.exit(f"the next run failed:\n{output}{errors}")


def timed(state: Path) -> float:
    """Return the seconds of one run."""
    began = time.perf_counter()
    full(state)
    return time.perf_counter() - began


def live(state: Path) -> Database:
    """Return the database that `inv full` makes."""
    return Database.from_url(postgres.ensure_running(state / "postgres")).named("eduguard")


def rows(state: Path) -> str:
    """Return the checksum of what a rebuild brings back the same."""
    with connect(live(state), purpose="soak") as conn:
        return str(read_value(conn, ROWS))


def leftovers(state: Path) -> list[str]:
    """Return the databases that should not be there after a run."""
    with connect(live(state).maintenance, purpose="soak") as conn:
        found = conn.execute("SELECT datname FROM pg_database WHERE datname ~ '^eduguard_next$|_trial$' ORDER BY 1")
        return [name for (name,) in found]


def drop_templates(state: Path) -> None:
    """Let the next run build everything anew: no template is finished any more."""
    with connect(live(state).maintenance, purpose="soak") as conn:
        for (name,) in conn.execute("SELECT datname FROM pg_database WHERE datname ~ '^eduguard_template_'").fetchall():
            conn.execute(f'COMMENT ON DATABASE "{name}" IS NULL')


if __name__ == "__main__":
    main()
