"""The pages of our own: whether the server is well, and which faults it has been told to make."""

from __future__ import annotations

import dataclasses
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Request, Response

from localcloud.errors import LocalCloudError
from localcloud.rekognition.faults import Faults, FaultSwitch, read_faults
from localcloud.state import HEALTH_PATH

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

FAULTS_PATH: Final = "/localcloud/faults"


class Control:
    """Answers the paths below /localcloud/."""

    def __init__(self, *, health: dict[str, Any], switch: FaultSwitch) -> None:
        self._health = health
        self._switch = switch

    def answer(self, environ: WSGIEnvironment) -> Response | None:
        """Answer a request for one of our pages; None if it is for somebody else."""
        path = environ.get("PATH_INFO")
        if path == HEALTH_PATH:
            return _json(self._health)
        if path == FAULTS_PATH:
            return self._faults(Request(environ))
        return None

    def _faults(self, request: Request) -> Response:
        """GET shows the faults in force, PUT replaces them all, DELETE ends them."""
        try:
            if request.method == "PUT":
                self._switch.replace(read_faults(_object(request.get_data())))
            elif request.method == "DELETE":
                self._switch.replace(Faults())
            elif request.method != "GET":
                return _json({"error": "GET, PUT or DELETE"}, HTTPStatus.METHOD_NOT_ALLOWED)
        except LocalCloudError as error:
            return _json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        return _json(dataclasses.asdict(self._switch.faults))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LocalCloudError(f"The body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise LocalCloudError('The body is a JSON object such as {"throttle": 3}')
    return value


def _json(value: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(value), status=status, mimetype="application/json")
