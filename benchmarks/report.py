"""Compare `inv report` with `inv doctor` on a database whose rows have neither photo nor face; print a table."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import own_place
import reindex

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a report with many findings, and run the doctor on the same database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # if root runs this, the server runs as another user
        with reindex.servers(folder, options.findings, with_photos=False) as (database, running):
            reindex.client(running, "rekognition").create_collection(CollectionId=reindex.COLLECTION)
            page, times = folder / "page.html", dict[str, list[float]]()
            own = own_place.environment(folder, DATABASE_URL=database.url) | {
                "INVOKE_TARGETS_LOCAL_COLLECTION": reindex.COLLECTION,
                "INVOKE_TARGETS_LOCAL_BUCKET": reindex.BUCKET,
            }
            for _ in range(options.rounds):
                for words in (("doctor",), ("report", str(page)), ("report", str(page), "--names")):
                    began = time.perf_counter()
                    subprocess.run([INV, *words], cwd=ROOT, env=own, capture_output=True, check=False)
                    times.setdefault(" ".join(["inv", words[0], *words[2:]]), []).append(time.perf_counter() - began)
            size = page.stat().st_size / 1e6
            items = page.read_text(encoding="utf-8").count("<li>")
    print(f"{options.findings:,} rows without photo and face: {items:,} lines, {size:.2f} MB")
    for what, seconds in times.items():
        print(f"{what:<24} {statistics.median(seconds):6.2f} s  (from {min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()
