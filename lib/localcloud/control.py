"""Our own pages: the proof of the server's identity, the faults on demand, and copies for tests."""

from __future__ import annotations

import dataclasses
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Request, Response
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rekognition.models import rekognition_backends

from localcloud import VERSION
from localcloud.errors import LocalCloudError
from localcloud.health import PATH as HEALTH_PATH
from localcloud.rekognition.cloning import clone_collection
from localcloud.rekognition.exceptions import RekognitionError
from localcloud.rekognition.faults import Faults, FaultSwitch, read_faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from wsgiref.types import WSGIEnvironment

    from localcloud.credentials import Credentials
    from localcloud.rekognition.store import Store

FAULTS_PATH: Final = "/localcloud/faults"
CLONE_PATH: Final = "/localcloud/clone"
COPY_PATH: Final = "/localcloud/copy-objects"
_COLLECTION: Final = re.compile(r"[a-zA-Z0-9_.\-]{1,255}")
_NONCE: Final = re.compile(r"nonce=([0-9a-f]{32,128})")


class Control:
    """Answers the paths below /localcloud/."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        folder: Path,
        switch: FaultSwitch,
        store: Callable[[str, str], Store],
        copy_objects: Callable[[str, str], None],
    ) -> None:
        self._copy_objects = copy_objects
        self._store = store
        self._credentials = credentials
        self._folder = folder
        self._switch = switch

    def answer_anybody(self, environ: WSGIEnvironment) -> Response | None:
        """Answer the request for a proof of the key, which needs no signature; return None for any other request."""
        if environ.get("PATH_INFO") != HEALTH_PATH:
            return None
        found = _NONCE.fullmatch(environ.get("QUERY_STRING", ""))
        if environ["REQUEST_METHOD"] != "GET" or not found:
            return _json({"error": f"GET {HEALTH_PATH}?nonce=, 32 to 128 hexadecimal digits"}, HTTPStatus.BAD_REQUEST)
        address = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        proof = self._credentials.proof(found[1], address, self._folder)
        return _json({"service": "localcloud", "version": VERSION, "proof": proof})

    def answer(self, environ: WSGIEnvironment) -> Response | None:
        """Answer a signed request for one of our pages; return None for any other request."""
        pages = {FAULTS_PATH: self._faults, CLONE_PATH: self._clone, COPY_PATH: self._copy}
        page = pages.get(str(environ.get("PATH_INFO")))
        if page is None:
            return None
        try:
            return page(Request(environ))
        except LocalCloudError as error:
            return _json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        except RekognitionError as error:
            return _json({"error": error.message}, HTTPStatus.BAD_REQUEST)

    def _faults(self, request: Request) -> Response:
        """GET shows the active faults, PUT replaces all of them, DELETE removes them."""
        if request.method == "PUT":
            self._switch.replace(read_faults(_object(request.get_data())))
        elif request.method == "DELETE":
            self._switch.replace(Faults())
        elif request.method != "GET":
            return _json({"error": "GET, PUT or DELETE"}, HTTPStatus.METHOD_NOT_ALLOWED)
        return _json(dataclasses.asdict(self._switch.faults))

    def _clone(self, request: Request) -> Response:
        """POST makes a collection with the faces and users of another."""
        if request.method != "POST":
            return _json({"error": "POST"}, HTTPStatus.METHOD_NOT_ALLOWED)
        fields = _object(request.get_data())
        source, target, region = (str(fields.get(name, "")) for name in ("source", "target", "region"))
        if not _COLLECTION.fullmatch(target) or region not in rekognition_backends[DEFAULT_ACCOUNT_ID]:
            raise LocalCloudError('The body is like {"source": "a", "target": "b", "region": "us-east-1"}')
        clone_collection(self._store(DEFAULT_ACCOUNT_ID, region), source, target)
        return _json({"source": source, "target": target})

    def _copy(self, request: Request) -> Response:
        """POST copies the objects of a bucket into another one."""
        if request.method != "POST":
            return _json({"error": "POST"}, HTTPStatus.METHOD_NOT_ALLOWED)
        fields = _object(request.get_data())
        source, target = (str(fields.get(name, "")) for name in ("source", "target"))
        self._copy_objects(source, target)
        return _json({"source": source, "target": target})


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise LocalCloudError(f"The body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise LocalCloudError('The body is a JSON object such as {"throttle": 3}')
    return value


def _json(value: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(value), status=status, mimetype="application/json")
