"""For any answer to Rekognition's other operations, it is accepted, or one error names the request."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.aws.rekognition import Collection, open_collection
from eduguard.errors import EduguardError

FACE = "11111111-2222-3333-4444-555555555555"
BOX = {"Width": 0.1, "Height": 0.1, "Left": 0.1, "Top": 0.1}
Use = Callable[[Collection], object]
# A call of the client, and an answer with everything that the call reads.
USES: dict[str, tuple[Use, dict[str, Any]]] = {
    "index": (
        lambda each: each.index_face(b"x", "a-photo-1"),
        {
            "FaceRecords": [{"Face": {"FaceId": FACE}, "FaceDetail": {"Quality": {"Sharpness": 9.5}}}],
            "UnindexedFaces": [],
        },
    ),
    "refuse": (
        lambda each: each.index_face(b"x", "a-photo-1"),
        {"FaceRecords": [], "UnindexedFaces": [{"Reasons": ["LOW_SHARPNESS"]}]},
    ),
    "delete": (
        lambda each: each.delete_faces([FACE]),
        {"DeletedFaces": [], "UnsuccessfulFaceDeletions": [{"FaceId": FACE, "Reasons": ["FACE_NOT_FOUND"]}]},
    ),
    "detect": (lambda each: each.detect_faces(b"x"), {"FaceDetails": [{"BoundingBox": BOX}]}),
    "search": (
        lambda each: each.search_by_image(b"x", threshold=90),
        {"FaceMatches": [{"Similarity": 99.5, "Face": {"FaceId": FACE, "ExternalImageId": "a-photo-1"}}]},
    ),
    "list users": (lambda each: each.list_users(), {"Users": [{"UserId": "a"}]}),
    "create user": (lambda each: each.create_user("a"), {}),
    "delete user": (lambda each: each.delete_user("a"), {}),
    "create": (lambda each: each.create(), {"StatusCode": 200}),
    "associate": (
        lambda each: each.associate_faces("a", [FACE]),
        {"UnsuccessfulFaceAssociations": [{"FaceId": FACE, "Reasons": ["LOW_MATCH_CONFIDENCE"]}]},
    ),
    "search users": (
        lambda each: each.search_users_by_image(b"x", threshold=90),
        {"UserMatches": [{"Similarity": 99.5, "User": {"UserId": "a"}}]},
    ),
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(["", "\x00", "\ud800", "é\u2028", 10**400, 2**63, -(10**400)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[..., bool]]:
    """Make a call of the client with this body as the answer, and say whether it was accepted."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        endpoint = f"http://127.0.0.1:{server.server_port}"
        collection = open_collection("tests", region="us-east-1", endpoint=endpoint, credentials=keys)

        def run(use: str, body: bytes, status: int = 200) -> bool:
            server.body, server.status = body, status  # type: ignore[attr-defined]
            try:
                USES[use][0](collection)
            except EduguardError as error:
                assert error.message
                assert error.message.isprintable()
                return False
            return True

        yield run
        server.shutdown()


@pytest.mark.parametrize("use", USES)
def test_an_answer_of_rekognition_is_taken(ask: Any, use: str) -> None:
    assert ask(use, json.dumps(USES[use][1]).encode()) is (use != "refuse")


@pytest.mark.parametrize("answer", [{}, {"UnsuccessfulFaceDeletions": []}, {"DeletedFaces": None}])
def test_an_answer_that_does_not_say_what_was_deleted_is_not_a_success(ask: Any, answer: dict[str, Any]) -> None:
    assert not ask("delete", json.dumps(answer).encode())


def changed(draw: st.DrawFn, value: Any) -> Any:
    """Return the value with one place in it replaced or removed."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inner or draw(st.integers(0, 3)) == 0:
        return draw(VALUES)
    key, copy = draw(st.sampled_from(inner)), value.copy()
    if draw(st.integers(0, 3)) == 0:
        del copy[key]
    else:
        copy[key] = changed(draw, value[key])
    return copy


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, Any]:
    use = draw(st.sampled_from(list(USES)))
    return use, changed(draw, USES[use][1])


@pytest.mark.slow
@given(answer=answers())
def test_any_answer_is_taken_or_refused(ask: Any, answer: tuple[str, Any]) -> None:
    assert ask(answer[0], json.dumps(answer[1]).encode()) in {True, False}


@pytest.mark.slow
@given(
    use=st.sampled_from(list(USES)),
    body=st.binary(max_size=40) | st.sampled_from([b"", b"[]", b"{}", b"null", b'{"FaceRecords": [{', b"<html>"]),
    status=st.sampled_from([200, 400, 403]),
)
def test_any_bytes_are_taken_or_refused(ask: Any, use: str, body: bytes, status: int) -> None:
    assert not (ask(use, body, status) and status != 200)
