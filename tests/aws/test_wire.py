"""Requests to an endpoint outside AWS: Cloudflare R2 refuses checksums that are not required."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eduguard.aws.bucket import Bucket, open_bucket

Received = list[tuple[str, dict[str, str], bytes]]


@pytest.fixture
def received() -> Received:
    return []


@pytest.fixture
def bucket(received: Received) -> Iterator[Bucket]:
    """A bucket on a server that only records its requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.append((self.command, headers, self.rfile.read(int(headers.get("content-length", 0)))))
            body = b"jpeg" if self.command == "GET" else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"e"')
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Print no request log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    credentials = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    endpoint = f"http://127.0.0.1:{server.server_port}"
    yield open_bucket("photos", region="auto", endpoint=endpoint, credentials=credentials)
    server.shutdown()
    thread.join()
    server.server_close()


def test_photos_are_sent_and_fetched_without_checksums(bucket: Bucket, received: Received, tmp_path: Path) -> None:
    photo = tmp_path / "photo-1.jpg"
    photo.write_bytes(b"\xff\xd8 picture")
    bucket.put("students/student-001/photo-1.jpg", photo.read_bytes())
    assert bucket.download("students/student-001/photo-1.jpg") == b"jpeg"
    (put, sent, body), (get, asked, _) = received
    assert (put, get, body) == ("PUT", "GET", photo.read_bytes())
    assert sent["content-length"] == str(len(body))
    assert "transfer-encoding" not in sent
    assert "aws-chunked" not in sent.get("content-encoding", "")
    assert [name for name in sent | asked if "checksum" in name or "trailer" in name] == []
    assert not sent["x-amz-content-sha256"].startswith("STREAMING")
    assert "/auto/s3/" in sent["authorization"]
