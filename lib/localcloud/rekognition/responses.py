"""From an HTTP request to the answer of an operation."""

from __future__ import annotations

import functools
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from uuid import uuid4

from moto.core.utils import get_service_model
from moto.rekognition.models import rekognition_backends
from moto.rekognition.responses import RekognitionResponse

from localcloud.access.gate import SERVICE
from localcloud.rekognition import (
    collection,
    comparing,
    detection,
    images,
    indexing,
    listing,
    searching,
    tags,
    user_search,
    users,
)
from localcloud.rekognition.breaking import break_off
from localcloud.rekognition.call import Call
from localcloud.rekognition.exceptions import FrameworkError, RekognitionError
from localcloud.rekognition.faults import Breakage
from localcloud.rekognition.numbers import write_json
from localcloud.rekognition.tokens import TokenMaker
from localcloud.rekognition.validation import read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import ServiceModel, Shape

    from localcloud.rekognition.call import Json
    from localcloud.rekognition.models import CollectionsBackend

    Answer: TypeAlias = tuple[int, dict[str, str], str]

# An operation returns its answer, or its JSON text if it can contain thousands of faces.
OPERATIONS: Final[Mapping[str, Callable[[Call], Json | str]]] = {
    "CreateCollection": collection.create_collection,
    "DescribeCollection": collection.describe_collection,
    "ListCollections": collection.list_collections,
    "DeleteCollection": collection.delete_collection,
    "IndexFaces": indexing.index_faces,
    "DeleteFaces": indexing.delete_faces,
    "ListFaces": listing.list_faces,
    "SearchFaces": searching.search_faces,
    "SearchFacesByImage": searching.search_faces_by_image,
    "DetectFaces": detection.detect_faces,
    "CompareFaces": comparing.compare_faces,
    "CreateUser": users.create_user,
    "DeleteUser": users.delete_user,
    "ListUsers": users.list_users,
    "AssociateFaces": users.associate_faces,
    "DisassociateFaces": users.disassociate_faces,
    "SearchUsers": user_search.search_users,
    "SearchUsersByImage": user_search.search_users_by_image,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "ListTagsForResource": tags.list_tags_for_resource,
}
_TARGET: Final = "RekognitionService"
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
CONTENT_TYPE: Final = "application/x-amz-json-1.1"


class CollectionsResponse(RekognitionResponse):
    """Answers our operations itself and leaves the others to moto."""

    use_raw_body = True

    def call_action(self) -> Answer:
        """Answer the request, with errors in AWS's format."""
        try:
            return int(HTTPStatus.OK), _headers(), self._answer()
        except RekognitionError as error:
            return error.status, _headers(), error.body()

    def _answer(self) -> str:
        action = self._operation()
        backend = self._backend()
        breakage = backend.service.switch.strike(action, self.current_account, self.region)
        if breakage is Breakage.DROP:
            return break_off("")
        parameters = read_request(self.body, _input_shape(action))
        operation = OPERATIONS.get(action)
        if operation is None:
            if "Image" in parameters:
                images.check(parameters["Image"], backend)
            text = self._stock_answer(action)
        else:
            text = _text(operation(self._call(backend, parameters)))
        return break_off(text) if breakage is Breakage.CUT else text

    def _operation(self) -> str:
        """Return the requested operation.

        Raises:
            FrameworkError: when it belongs to another service, or the request does not follow this protocol.
        """
        signed_for = self.normalized_request.environ.get(SERVICE)
        if signed_for != "rekognition":
            message = f"Credential should be scoped to correct service: 'rekognition', not '{signed_for}'."
            raise FrameworkError("InvalidSignatureException", message)
        target = str(self.headers.get("X-Amz-Target", ""))
        service, _, operation = target.partition(".")
        if self.method != "POST":
            raise FrameworkError("UnknownOperationException", "Only POST is offered", status=HTTPStatus.NOT_FOUND)
        if service != _TARGET or operation not in _model().operation_names:
            raise FrameworkError("UnknownOperationException", f"The operation {target} does not exist")
        return operation

    def _backend(self) -> CollectionsBackend:
        if not _ACCOUNT.fullmatch(self.current_account):  # it becomes the name of a folder
            raise FrameworkError(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        regions = rekognition_backends[self.current_account]
        if self.region not in regions:
            raise FrameworkError(
                "InvalidSignatureException",
                f"Credential should be scoped to a valid region, not '{self.region}': Rekognition is not offered there",
            )
        return cast("CollectionsBackend", regions[self.region])

    def _call(self, backend: CollectionsBackend, parameters: Json) -> Call:
        store, faults = backend.store, backend.service.switch.faults
        return Call(
            parameters=parameters,
            store=store,
            engine=backend.service.engine,
            buckets=backend,
            tokens=TokenMaker(secret=store.secret, lifetime=faults.token_lifetime or None),
            visibility_delay=faults.visibility_delay,
            account=self.current_account,
            region=self.region,
            partition=self.partition,
        )

    def _stock_answer(self, action: str) -> str:
        try:
            _, _, body = super().call_action()
        except NotImplementedError as error:
            raise FrameworkError("UnknownOperationException", f"The local cloud does not offer {action}") from error
        return body.decode() if isinstance(body, bytes) else str(body)


@functools.lru_cache(maxsize=1)
def _model() -> ServiceModel:
    model: ServiceModel = get_service_model("rekognition")
    return model


@functools.cache
def _input_shape(action: str) -> Shape | None:
    return _model().operation_model(action).input_shape


def _headers() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid4()), "Content-Type": CONTENT_TYPE}


def _text(answer: Any) -> str:
    return answer if isinstance(answer, str) else write_json(answer)
