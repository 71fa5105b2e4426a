"""For any answer to ListFaces, its faces are accepted, or one error says that they are not faces."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eduguard.aws import rekognition
from eduguard.aws.rekognition import Collection, open_collection
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect
from eduguard.schools import Place, Scope
from eduguard.sync.comparison import compare, copy_faces, prepare
from eduguard.sync.plan import pair_up, plan_sync

FACE = {
    "FaceId": "11111111-2222-3333-4444-555555555555",
    "BoundingBox": {"Width": 0.1, "Height": 0.1, "Left": 0.1, "Top": 0.1},
    "ImageId": "11111111-2222-3333-4444-555555555556",
    "ExternalImageId": "student-001-photo-1",
    "Confidence": 99.9,
}
GIANT = "9" * 5000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["", "\x00", "\ud800", "é\u2028", "a" * 300, 10**400, 2**63, FACE["FaceId"]]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FACES = st.lists(
    st.builds(lambda changed, gone: {k: v for k, v in {**FACE, **changed}.items() if k not in gone},
              st.dictionaries(st.sampled_from([*FACE, "UserId", "Strange"]), VALUES, max_size=2),
              st.sets(st.sampled_from(list(FACE)), max_size=1))
    | VALUES, max_size=4,
)  # fmt: skip
PAGES = st.fixed_dictionaries(
    {},
    optional={
        "Faces": FACES | VALUES,
        "NextToken": st.sampled_from(["a", "b", "c"]) | VALUES,
        "FaceModelVersion": VALUES,
    },
)
STATES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("FaceCount", "CollectionARN", "CreationTimestamp", "FaceModelVersion"), VALUES)
)


class Answers(ThreadingHTTPServer):
    """Answers with the given bodies in turn, repeatedly."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.bodies, self.asked = 200, [b""], 0


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Answers

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = self.server.bodies[self.server.asked % len(self.server.bodies)]
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    with Answers() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def collection(answers: Answers) -> Collection:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    endpoint = f"http://127.0.0.1:{answers.server_port}"
    return open_collection("tests", region="us-east-1", endpoint=endpoint, credentials=keys)


@pytest.fixture(scope="module")
def ask(answers: Answers, collection: Collection, server_url: str) -> Iterator[Callable[..., int | None]]:
    """List faces with these bodies as answers; return how many faces were accepted, or None for one clear error."""
    with connect(Database.from_url(server_url), purpose="tests") as conn:
        conn.execute("CREATE TEMP TABLE students (id text, school_id text, aws_collection_id text, grade_id text)")
        conn.execute("CREATE TEMP TABLE student_faces (student_id text, external_image_id text, face_id text)")

        scope = Scope(place=Place(collection="tests"))
        prepare(conn, scope)

        def run(*bodies: bytes, status: int = 200) -> int | None:
            answers.bodies, answers.status, answers.asked = list(bodies), status, 0
            try:
                collection.describe()
            except EduguardError as error:
                assert error.message.count("\n") < 3
            answers.asked = 0
            try:
                pages = list(collection.list_faces())
                copy_faces(conn, pages)
            except EduguardError as error:
                assert "collection tests" in error.message
                return None
            taken = [face for page in pages for face in page]
            compared = compare(conn, scope, unlink_missing=False)
            assert compared.counts() == plan_sync(pair_up([], taken)).counts()
            return len(taken)

        yield run


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pages=st.lists(PAGES, min_size=1, max_size=4))
@example(pages=[{"Faces": [{**FACE, "Confidence": 10**400}, {**FACE, "Confidence": float("nan")}]}])
@example(pages=[{"Faces": [FACE], "NextToken": name} for name in "abab"])
@example(pages=[{"Faces": ""}])
def test_any_page_is_taken_whole_or_refused(ask: Any, pages: list[Any]) -> None:
    copied = ask(*map(body, pages))
    assert copied is None or copied == sum(len(page["Faces"]) for page in pages[: copied_pages(pages)])


@pytest.mark.parametrize("faces", [[], [FACE]])
def test_a_listing_that_never_ends_is_given_up(
    answers: Answers, collection: Collection, monkeypatch: pytest.MonkeyPatch, faces: list[Any]
) -> None:
    monkeypatch.setattr(rekognition, "_MOST_LISTED", 30)
    monkeypatch.setattr(rekognition, "_MOST_EMPTY", 20)
    answers.bodies = [body({"Faces": faces, "NextToken": str(number)}) for number in range(200)]
    answers.status, answers.asked = 200, 0
    with pytest.raises(EduguardError, match="The listing of collection tests in us-east-1 does not end"):
        list(collection.list_faces())
    assert answers.asked == (31 if faces else 21)


def copied_pages(pages: list[Any]) -> int:
    """Return the number of pages up to the first one without a token."""
    return next((number for number, page in enumerate(pages, 1) if not page.get("NextToken")), len(pages))


@pytest.mark.slow
@given(state=STATES)
@example(state={"FaceCount": None, "CollectionARN": "arn"})
@example(state={"FaceCount": 1, "CollectionARN": "arn", "CreationTimestamp": "yesterday"})
@example(state={"CreationTimestamp": 10**400})
def test_any_description_is_taken_or_refused(answers: Answers, collection: Collection, state: Any) -> None:
    answers.bodies, answers.status = [body(state)], 200
    try:
        described = collection.describe()
    except EduguardError as error:
        assert "collection tests" in error.message
    else:
        assert described
        assert (described.face_count, described.arn) == (state["FaceCount"], state["CollectionARN"])


@given(raw=st.binary(max_size=64) | st.text(max_size=64).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_what_is_not_json_is_refused(ask: Any, raw: bytes) -> None:
    assert ask(raw) is None


@pytest.mark.slow
@given(raw=st.binary(max_size=64) | VALUES.map(body), status=st.sampled_from([400, 403, 413]))
def test_any_refusal_of_aws_is_one_error(ask: Any, raw: bytes, status: int) -> None:
    assert ask(raw, status=status) is None


def test_a_kept_answer(ask: Any, sample: Path) -> None:
    is_taken = ask(sample.read_bytes()) is not None
    assert is_taken is sample.name.startswith("taken")
