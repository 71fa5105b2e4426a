"""Time the local cloud over HTTP, with moto's own DetectText as the minimum of a request; print the medians."""

import argparse
import base64
import http.client
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product, repeat
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import numpy as np
import psutil
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from PIL import Image

from localcloud.rekognition import engine
from localcloud.rekognition.store import Store

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "seed_data" / "photos" / "students" / "student-001" / "photo-1.jpg"
ACCOUNT, REGION = "123456789012", "us-east-1"
_PAGE = 4096
_AT_ONCE = 20_000  # rows written in one transaction


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill collections of several sizes, time requests to each, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=[1_000, 100_000], help="sizes of the collections")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    print(f"{'request':<44} {'median':>9} {'least':>9}   ({options.rounds} rounds)")
    with tempfile.TemporaryDirectory(prefix="localcloud-bench-") as folder:
        state = Path(folder)
        report("start to first answer", [start(state) for _ in range(options.rounds)])
        localcloud("stop", state)
        for size in options.faces:
            began = time.perf_counter()
            fill(state, size)
            print(f"# {size:,} faces written in {time.perf_counter() - began:.1f} s")
        measure_requests(state, options.faces, options.rounds)
        localcloud("stop", state)


def measure_requests(state: Path, sizes: list[int], rounds: int) -> None:
    """Time each kind of request."""
    server = json.loads(localcloud("start", state))
    port, access = int(server["endpoint"].rpartition(":")[2]), read_access(state)
    client = boto3.client("rekognition", endpoint_url=server["endpoint"], region_name=REGION, **access)
    send = Sender(port, access)
    image = {"Bytes": PHOTO.read_bytes()}
    text = {"Image": {"Bytes": base64.b64encode(PHOTO.read_bytes()).decode()}}
    report("moto's DetectText", times(rounds, lambda: send("DetectText", text)))
    report("moto's DetectText, boto3", times(rounds, lambda: client.detect_text(Image=image)))
    for size in sizes:
        name = f"faces-{size}"
        first = json.loads(send("ListFaces", {"CollectionId": name, "MaxResults": 1}))["Faces"][0]["FaceId"]
        page = {"CollectionId": name, "MaxResults": _PAGE}
        query = {"CollectionId": name, "FaceId": first}
        listed, found = f"ListFaces {min(size, _PAGE):,} of {size:,}", f"SearchFaces in {size:,}"
        report(listed, times(rounds, lambda page=page: send("ListFaces", page)))
        report(f"{listed}, boto3", times(rounds, lambda page=page: client.list_faces(**page)))
        report(f"{found}, first", times(1, lambda query=query: send("SearchFaces", query), warm=0))
        report(found, times(rounds, lambda query=query: send("SearchFaces", query)))
        by_image = f"SearchFacesByImage in {size:,}, boto3"
        new = draw_pictures()
        for pictures, kind in ((new, "new pictures"), (repeat(image), "the same one")):
            search = partial(client.search_faces_by_image, CollectionId=name)
            report(f"{by_image}, {kind}", times(rounds, lambda s=search, p=pictures: s(Image=next(p))))
        report(f"IndexFaces into {size:,}, boto3", times(rounds, lambda n=name, p=new: index(client, n, next(p))))
        memory = psutil.Process(server["pid"]).memory_info().rss / 2**20
        print(f"# memory of the server after that: {memory:,.0f} MiB")


def draw_pictures() -> Iterator[dict[str, bytes]]:
    """Yield pictures of a face that were never looked at before: a stripe of each has a colour of its own."""
    with Image.open(PHOTO) as photo:
        for colour in product(range(0, 256, 8), repeat=3):
            photo.paste(colour, (0, 0, photo.width, 8))
            encoded = io.BytesIO()
            photo.save(encoded, "JPEG")
            yield {"Bytes": encoded.getvalue()}


def index(client: Any, collection: str, image: dict[str, bytes]) -> None:
    """Index one new picture."""
    client.index_faces(CollectionId=collection, Image=image)


def report(name: str, seconds: list[float]) -> None:
    """Print one line of the table."""
    print(f"{name:<44} {1000 * statistics.median(seconds):>6.1f} ms {1000 * min(seconds):>6.1f} ms", flush=True)


def times(rounds: int, work: Callable[[], object], warm: int = 1) -> list[float]:
    """Return the seconds of each round."""
    return list(_times(rounds + warm, work))[warm:]


def _times(rounds: int, work: Callable[[], object]) -> Iterator[float]:
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        yield time.perf_counter() - began


class Sender:
    """Sends requests without an SDK, whose time would be measured too."""

    def __init__(self, port: int, access: dict[str, str]) -> None:
        self._port = port
        self._key = Credentials(access["aws_access_key_id"], access["aws_secret_access_key"])

    def __call__(self, operation: str, parameters: dict[str, Any]) -> bytes:
        """Send one request; return the body of the answer."""
        request = AWSRequest("POST", f"http://127.0.0.1:{self._port}/", data=json.dumps(parameters))
        request.headers["X-Amz-Target"] = f"RekognitionService.{operation}"
        SigV4Auth(self._key, "rekognition", REGION).add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.request("POST", "/", request.data, dict(request.headers.items()))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(body)
        return body


def read_access(state: Path) -> dict[str, str]:
    """Return the key of a local cloud, in the form that boto3 takes."""
    key = json.loads((state / "key.json").read_text())
    return {f"aws_{name}": value for name, value in key.items()}


def start(state: Path) -> float:
    """Return the seconds from a stopped local cloud to Rekognition's first answer."""
    localcloud("stop", state)
    began = time.perf_counter()
    server = json.loads(localcloud("start", state))
    Sender(int(server["endpoint"].rpartition(":")[2]), read_access(state))("ListCollections", {})
    return time.perf_counter() - began


def localcloud(command: str, state: Path) -> str:
    """Run the command line."""
    arguments = [sys.executable, "-m", "localcloud", command, "--state", str(state)]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def fill(state: Path, size: int) -> None:
    """Write a collection of invented faces."""
    store = Store(state / "rekognition" / ACCOUNT / f"{REGION}.sqlite")
    random = np.random.default_rng(size)
    with store.writing() as connection:
        made = connection.execute(
            "INSERT INTO collection (name, created, face_model) VALUES (?, 0, '7.0')", (f"faces-{size}",)
        )
    for begin in range(0, size, _AT_ONCE):
        count = min(_AT_ONCE, size - begin)
        vectors = random.normal(size=(count, engine.DIMENSIONS)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = [face_row(made.lastrowid, begin + number, vector) for number, vector in enumerate(vectors)]
        with store.writing() as connection:
            connection.executemany(
                "INSERT INTO face (collection, face_id, image_id, indexed, engine, listed, embedding)"
                " VALUES (?, ?, ?, 0, ?, ?, ?)",
                rows,
            )
    store.close()


def face_row(collection: int | None, number: int, vector: np.ndarray) -> tuple[object, ...]:
    """Return the row of an invented face."""
    face_id, image_id = str(uuid4()), str(uuid4())
    listed = {
        "FaceId": face_id,
        "BoundingBox": dict.fromkeys(("Width", "Height", "Left", "Top"), 0.2350350022315979),
        "ImageId": image_id,
        "ExternalImageId": f"student-{number:07}-photo-1",
        "Confidence": 99.99739837646484,
        "IndexFacesModelVersion": "7.0",
    }
    text = json.dumps(listed, separators=(",", ":"))
    return collection, face_id, image_id, engine.VERSION, text, vector.tobytes()


if __name__ == "__main__":
    main()
