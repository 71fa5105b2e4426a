"""Compare the pace of `inv reindex` with the quota of IndexFaces; print a table.

The local cloud answers only as many requests of each operation a second as the quota allows (its fault `tps`). The
target keeps to a little less, as it does on AWS. Choose quotas that the local cloud's engine can keep up with. A run
that finds nothing to index shows the fixed time of start-up and listing, which does not grow with the photos.
Therefore each measurement uses enough photos for two minutes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import boto3

import cloud
import own_place
from eduguard.aws.local_cloud import LocalCloud, ensure_running
from eduguard.portability.estimate import SHARE
from eduguard.postgres import Database
from sync_schools import tell

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
COLLECTION, BUCKET = "bench", "bench"
_LINE = "{:<14}{:>8}{:>9}{:>14}{:>10}{:>14}"
PICTURE = ROOT / "seed_data" / "photos" / "students" / "student-001" / "photo-1.jpg"
_ROWS = """
INSERT INTO schools SELECT 'school-001', 'School' WHERE NOT EXISTS (SELECT FROM schools WHERE id = 'school-001');
INSERT INTO stages VALUES ('s', 's', 1);
INSERT INTO grades VALUES ('g', 's', 'g', 1);
INSERT INTO legal_guardians (id, rut, first_name, last_name) VALUES ('g', '11111111-1', 'a', 'b');
INSERT INTO students (id, rut, first_name, last_name, birth_date, grade_id, legal_guardian_id, school_id)
SELECT 'student-' || n, (10000000 + n) || '-1', 'a', 'b', '2015-01-01', 'g', 'g', 'school-001'
FROM generate_series(1, %(photos)s) n;
INSERT INTO student_faces (id, student_id, external_image_id, photo_url)
SELECT id || '-1', id, id || '-photo-1', 'students/' || id || '/photo-1.jpg' FROM students
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Index the same photos with each quota, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long the photos take at the quota")
    parser.add_argument("--tps", type=float, nargs="+", default=[2, 5], help="requests a second of each operation")
    options = parser.parse_args(arguments)
    print(_LINE.format("quota", "photos", "seconds", "at the quota", "start-up", "of the quota"), flush=True)
    for tps in options.tps:
        with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # if root runs this, the server runs as another user
            print(measure(folder, tps, round(options.seconds * tps)), flush=True)


def measure(folder: Path, tps: float, photos: int) -> str:
    """Measure one quota; return its line of the table."""
    with servers(folder, photos) as (database, running):
        tell(folder / "cloud", running.endpoint, tps)
        seconds, start_up = (reindex(folder, database, tps) for _ in range(2))
    floor = photos / tps
    shown = (f"{seconds:.1f}", f"{floor:.1f}", f"{start_up:.1f}", f"{floor / seconds:.3f}")
    return _LINE.format(f"{tps:g} a second", photos, *shown)


@contextmanager
def servers(folder: Path, photos: int, *, with_photos: bool = True) -> Iterator[tuple[Database, LocalCloud]]:
    """Yield a database with a row for each student, and a local cloud with a photo for each student or none at all."""
    with own_place.filled_database(folder, _ROWS, {"photos": photos}) as database:
        try:
            running = ensure_running(folder / "cloud")
            bucket = client(running, "s3")
            bucket.create_bucket(Bucket=BUCKET)
            for number in range(1, photos + 1 if with_photos else 1):
                key = f"students/student-{number}/photo-1.jpg"
                bucket.put_object(Bucket=BUCKET, Key=key, Body=PICTURE.read_bytes(), ContentType="image/jpeg")
            yield database, running
        finally:
            cloud.localcloud("stop", folder / "cloud")


def client(running: LocalCloud, service: str) -> "boto3.client":
    """Return a client of the local cloud."""
    return boto3.client(service, region_name=cloud.REGION, endpoint_url=running.endpoint, **running.credentials)


def reindex(folder: Path, database: Database, tps: float) -> float:
    """Run the command as a user does; return the seconds it took."""
    own = {
        "DATABASE_URL": database.url,
        "INVOKE_STATE_FOLDER": str(folder),
        "INVOKE_TARGETS_LOCAL_COLLECTION": COLLECTION,
        "INVOKE_TARGETS_LOCAL_BUCKET": BUCKET,
        "INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND": str(SHARE * tps),
    }
    began = time.perf_counter()
    done = subprocess.run([INV, "reindex", "--json"], cwd=ROOT, env=os.environ | own, capture_output=True, text=True)  # noqa: PLW1510 -- checked below
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr[:2000])
    return seconds


if __name__ == "__main__":
    main()
