"""Write FaceIds into rows in one way, once, in its own process; print the seconds and the peak memory as JSON.

python benchmarks/sync_ways.py WAY DATABASE_URL ENDPOINT COLLECTION
"""

import json
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import psycopg

from eduguard.aws.rekognition import open_collection
from eduguard.commands.executor import tune_interpreter
from eduguard.postgres import Database, connect
from eduguard.progress import Progress
from eduguard.schools import Place
from eduguard.sync import Options, run

# The key of the local cloud, which sync.py passes on; the bare server accepts any key.
ACCESS = {name: os.environ.get(name.upper(), "any") for name in ("aws_access_key_id", "aws_secret_access_key")}


def pages(endpoint: str, collection: str) -> Any:
    """Return the pages as boto3 alone reads them."""
    client = boto3.client("rekognition", endpoint_url=endpoint, region_name="us-east-1", **ACCESS)
    return client.get_paginator("list_faces").paginate(CollectionId=collection, PaginationConfig={"PageSize": 4096})


def paginate(_: str, endpoint: str, collection: str) -> int:
    """Read every page and do nothing else."""
    return sum(len(page["Faces"]) for page in pages(endpoint, collection))


def row_by_row(url: str, endpoint: str, collection: str) -> int:
    """Write each face as it arrives, with one statement and one commit for each."""
    query = "UPDATE student_faces SET face_id = %s WHERE external_image_id = %s AND face_id = 'placeholder'"
    with psycopg.connect(url, autocommit=True) as conn:
        return sum(
            conn.execute(query, [face["FaceId"], face["ExternalImageId"]]).rowcount
            for page in pages(endpoint, collection)
            for face in page["Faces"]
        )


def sync(url: str, endpoint: str, collection: str) -> int:
    """Sync as `inv sync-faces` does, with the interpreter tuned in the same way."""
    tune_interpreter()
    with Progress() as progress, connect(Database.from_url(url), purpose="sync") as conn:
        outcome = run(
            conn,
            Place(collection=collection, school="school-001"),
            open_collection(collection, region="us-east-1", endpoint=endpoint, credentials=ACCESS),
            Options(),
            ask=lambda _: None,
            show=lambda _: None,
            progress=progress,
        )
    return outcome.plan.changed + outcome.plan.unchanged


def warm_up(name: str) -> None:
    """Let boto3 read its models, because its start-up is not to be measured."""
    if name == "sync":
        open_collection("any", region="us-east-1", endpoint=None, credentials=ACCESS)
    else:
        boto3.client("rekognition", region_name="us-east-1", **ACCESS)


def main() -> None:
    """Run one way."""
    name, *arguments = sys.argv[1:]
    way = {"paginate": paginate, "row_by_row": row_by_row, "sync": sync}[name]
    warm_up(name)
    began = time.perf_counter()
    faces = way(*arguments)
    seconds = time.perf_counter() - began
    print(json.dumps({"faces": faces, "seconds": seconds, "peak": peak_memory()}))


def peak_memory() -> int:
    """Return the peak memory of this process in bytes; on Linux, getrusage would count the parent's memory too."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
