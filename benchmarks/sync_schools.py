"""Compare the pace of `inv sync-faces` of many schools with the quota of ListFaces; print a table.

Each school has one student and a collection with one face. The local cloud answers only as many requests of each
operation a second as the quotas allow (its fault `tps`). The first sync also reads each collection's tag; the second
one does not.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import cloud
import own_place
from eduguard.postgres import Database, connect
from localcloud.rekognition import engine
from localcloud.rekognition.store import Store

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
_ROWS = """
INSERT INTO schools SELECT 'school-' || n, 'School ' || n FROM generate_series(1, %(schools)s) n;
INSERT INTO stages VALUES ('s', 's', 1);
INSERT INTO grades VALUES ('g', 's', 'g', 1);
INSERT INTO legal_guardians (id, rut, first_name, last_name) VALUES ('g', '11111111-1', 'a', 'b');
INSERT INTO students (id, rut, first_name, last_name, birth_date, grade_id, legal_guardian_id, school_id)
SELECT 'student-' || lpad(n::text, 7, '0'), (10000000 + n) || '-1', 'a', 'b', '2015-01-01', 'g', 'g', 'school-' || n
FROM generate_series(1, %(schools)s) n;
INSERT INTO student_faces (id, student_id, external_image_id, photo_url)
SELECT id || '-1', id, id || '-photo-1', 'key' FROM students
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill the database and the collections, sync them with each quota, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schools", type=int, default=1_000)
    parser.add_argument("--tps", type=float, nargs="+", default=[5, 50], help="requests a second of each operation")
    options = parser.parse_args(arguments)
    print(f"{options.schools:,} collections {'':<24} seconds  at the quota  beside", flush=True)
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # if root runs this, the server runs as another user
        with servers(folder, options.schools) as (database, endpoint):
            for tps in options.tps:
                tell(folder / "cloud", endpoint, tps)
                with connect(database, purpose="bench") as conn:
                    conn.execute(
                        "DROP TABLE IF EXISTS eduguard.synced; UPDATE student_faces SET face_id = 'placeholder'"
                    )
                for label in ("first sync", "later sync"):
                    seconds = sync(folder, database, tps)
                    floor = options.schools / tps
                    print(
                        f"{label}, {tps:g} a second {'':<20} {seconds:>7.1f} {floor:>13.1f} {seconds / floor:>7.3f} x",
                        flush=True,
                    )


@contextmanager
def servers(folder: Path, schools: int) -> Iterator[tuple[Database, str]]:
    """Yield a database and a local cloud with a row and a face for each school."""
    fill(folder / "cloud", schools)
    (folder / "more.yaml").write_text(
        yaml.dump({"targets": {"local": {"collections": {f"school-{n}": f"bench-{n}" for n in range(1, schools + 1)}}}})
    )
    with own_place.filled_database(folder, _ROWS, {"schools": schools}) as database:
        try:
            yield database, json.loads(cloud.localcloud("start", folder / "cloud"))["endpoint"]
        finally:
            cloud.localcloud("stop", folder / "cloud")


def fill(state: Path, schools: int) -> None:
    """Write a collection of one face for each school."""
    store = Store(state / "rekognition" / cloud.ACCOUNT / f"{cloud.REGION}.sqlite")
    vector = np.full(engine.DIMENSIONS, engine.DIMENSIONS**-0.5, np.float32)
    with store.writing() as connection:
        for number in range(1, schools + 1):
            made = connection.execute(
                "INSERT INTO collection (name, created, face_model, tags) VALUES (?, 0, '7.0', ?)",
                (f"bench-{number}", json.dumps({"eduguard-school": f"school-{number}"})),
            )
            connection.execute(
                "INSERT INTO face (collection, face_id, image_id, indexed, engine, listed, embedding)"
                " VALUES (?, ?, ?, 0, ?, ?, ?)",
                cloud.face_row(made.lastrowid, number, vector),
            )
    store.close()


def tell(state: Path, endpoint: str, tps: float) -> None:
    """Limit the local cloud to this many requests of each operation a second."""
    access = cloud.read_access(state)
    key = Credentials(access["aws_access_key_id"], access["aws_secret_access_key"])
    body = json.dumps({"tps": tps}).encode()
    signed = AWSRequest("PUT", f"{endpoint}/localcloud/faults", data=body)
    SigV4Auth(key, "localcloud", cloud.REGION).add_auth(signed)
    request = urllib.request.Request(signed.url, data=body, method="PUT", headers=dict(signed.headers.items()))  # noqa: S310 -- of this machine
    urllib.request.urlopen(request).close()  # noqa: S310 -- as above


def sync(folder: Path, database: Database, tps: float) -> float:
    """Run the command as a user does; return the seconds it took."""
    own = {
        "DATABASE_URL": database.url,
        "INVOKE_STATE_FOLDER": str(folder),
        "INVOKE_RUNTIME_CONFIG": str(folder / "more.yaml"),
        "INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND": str(tps),
    }
    began = time.perf_counter()
    done = subprocess.run([INV, "sync-faces", "--json"], cwd=ROOT, env=os.environ | own, capture_output=True, text=True)  # noqa: PLW1510 -- checked below
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(re.sub(r"(?s)(.{2000}).*", r"\1", done.stderr))
    return seconds


if __name__ == "__main__":
    main()
