"""Answer DescribeCollection and ListFaces from prepared files: a server that costs as little as possible.

python benchmarks/list_faces_server.py FOLDER FACES writes the pages, prints the port and serves until it is stopped.
"""

import json
import sys
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

PAGE = 4096


def face_id(number: int) -> str:
    """Return an id that looks as random as Rekognition's but is the same in each run."""
    return str(UUID(bytes=md5(b"%d" % number, usedforsecurity=False).digest()))


def write_pages(folder: Path, faces: int) -> int:
    """Write the pages in the order of FaceIds, as AWS lists them; return the number of pages."""
    listed = sorted((face_id(number), number) for number in range(faces))
    starts = range(0, faces, PAGE)
    for page, start in enumerate(starts):
        answer: dict[str, Any] = {"FaceModelVersion": "7.0"}
        answer["Faces"] = [_face(name, number) for name, number in listed[start : start + PAGE]]
        if page + 1 < len(starts):
            answer["NextToken"] = str(page + 1)
        (folder / str(page)).write_text(json.dumps(answer, separators=(",", ":")))
    return len(starts)


def _face(name: str, number: int) -> dict[str, Any]:
    return {
        "FaceId": name,
        "BoundingBox": dict.fromkeys(("Width", "Height", "Left", "Top"), 0.2350350022315979),
        "ImageId": name[::-1],
        "ExternalImageId": f"student-{number:07}-photo-1",
        "Confidence": 99.99739837646484,
        "IndexFacesModelVersion": "7.0",
    }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are sent in separate writes
    folder: Path
    faces: int

    def do_POST(self) -> None:
        """Answer one request, whatever its signature."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Amz-Target"].endswith("ListFaces"):
            body = (self.folder / asked.get("NextToken", "0")).read_bytes()
        elif self.headers["X-Amz-Target"].endswith("ListTagsForResource"):
            body = b'{"Tags":{"eduguard-school":"school-001"}}'
        else:
            arn = f"arn:aws:rekognition:us-east-1:123456789012:collection/{asked['CollectionId']}"
            body = json.dumps({"CollectionARN": arn, "FaceCount": self.faces, "FaceModelVersion": "7.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Write the pages and serve them."""
    Handler.folder, Handler.faces = Path(sys.argv[1]), int(sys.argv[2])
    write_pages(Handler.folder, Handler.faces)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
