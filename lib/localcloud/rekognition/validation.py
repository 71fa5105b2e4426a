"""Check a request against the service model of botocore: one check for every operation.

AWS answers with the text of its Java framework: "2 validation errors detected: Value '' at 'collectionId' failed to
satisfy constraint: Member must have length greater than or equal to 1; ...".
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from localcloud.rekognition.exceptions import FrameworkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

    Json: TypeAlias = dict[str, Any]

# AWS's answer to a JSON value of the wrong type is unknown, because no client sends one.
WRONG_TYPE_CODE: Final = "ValidationException"
_UNREADABLE: Final = "SerializationException"
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "blob": (bytes,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
# The only character classes in the model that Python's regular expressions lack.
_UNICODE_CLASSES: Final = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}


def read_request(body: bytes, shape: Shape | None) -> Json:
    """Turn the body of a request into its parameters: blobs are decoded and nulls are omitted.

    Raises:
        FrameworkError: when the body is not JSON, a blob is not base64, or a constraint of the model is broken.
    """
    try:
        value = json.loads(body or b"{}")
    except (
        ValueError,
        RecursionError,
    ) as error:  # not only for invalid JSON: a number can have too many digits for Python
        raise FrameworkError(_UNREADABLE, "The request body is not JSON") from error
    if not isinstance(value, dict):
        raise FrameworkError(_UNREADABLE, "Start of structure or map was expected")
    if shape is None:
        return {}
    parameters: Json = _decode(value, shape)
    _refuse_violations(list(_violations(parameters, shape, "")))
    return parameters


def _refuse_violations(violations: list[str]) -> None:
    if violations:
        noun = "error" if len(violations) == 1 else "errors"
        message = f"{len(violations)} validation {noun} detected: {'; '.join(violations)}"
        raise FrameworkError("ValidationException", message)


def _decode(value: Any, shape: Shape) -> Any:
    """Decode blobs, drop nulls and members unknown to the model; leave wrong types to the check."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: _decode(value[name], member) for name, member in _present(value, shape)}
    if shape.type_name == "list" and isinstance(value, list):
        return [_decode(item, shape.member) for item in value]  # type: ignore[attr-defined]
    if shape.type_name == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise FrameworkError(_UNREADABLE, "A blob of the request is not base64") from error
    return value


def _present(value: Json, shape: Shape) -> Iterator[tuple[str, Shape]]:
    for name, member in shape.members.items():  # type: ignore[attr-defined]
        if value.get(name) is not None:
            yield name, member


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if not _has_type(value, shape):
        raise FrameworkError(
            WRONG_TYPE_CODE,
            f"1 validation error detected: {_at(value, path)}: Member must be of type {shape.type_name}",
        )
    yield from (f"{_at(value, path)}: {constraint}" for constraint in _broken(value, shape))
    if shape.type_name == "structure":
        yield from _structure_violations(value, shape, path)
    elif shape.type_name == "list":
        yield from _item_violations(value, shape, path)
    elif shape.type_name == "map":
        yield from _map_violations(value, shape, path)


def _has_type(value: Any, shape: Shape) -> bool:
    if isinstance(value, bool) and shape.type_name != "boolean":
        return False
    return isinstance(value, _TYPES[shape.type_name])


def _structure_violations(value: Json, shape: Shape, path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if name not in value:
            yield f"Value null at '{prefix}{_lower_camel(name)}' failed to satisfy constraint: Member must not be null"
    for name, member in _present(value, shape):
        yield from _violations(value[name], member, f"{prefix}{_lower_camel(name)}")


def _item_violations(value: list[Any], shape: Shape, path: str) -> Iterator[str]:
    member: Shape = shape.member  # type: ignore[attr-defined]
    if member.type_name == "structure":
        for position, item in enumerate(value, start=1):
            yield from _violations(item, member, f"{path}.{position}.member")
        return
    # AWS names the list, not the item, and every constraint of an item.
    if any(not _has_type(item, member) or _broken(item, member) for item in value):
        yield f"{_at(value, path)}: Member must satisfy constraint: [{', '.join(_constraints(member))}]"


def _map_violations(value: Json, shape: Shape, path: str) -> Iterator[str]:
    for words, member, items in (
        ("Map keys", shape.key, value.keys()),  # type: ignore[attr-defined]
        ("Map value", shape.value, value.values()),  # type: ignore[attr-defined]
    ):
        if any(not _has_type(item, member) or _broken(item, member) for item in items):
            yield f"{_at(value, path)}: {words} must satisfy constraint: [{', '.join(_constraints(member))}]"


def _broken(value: Any, shape: Shape) -> list[str]:
    """Return the texts of the shape's own constraints that the value breaks."""
    is_number = shape.type_name in {"integer", "long", "float", "double"}
    if not is_number and not hasattr(value, "__len__"):
        return []
    size = value if is_number else len(value)
    limits = shape.metadata
    broken = []
    if "max" in limits and size > limits["max"]:
        broken.append(_maximum(shape))
    if "min" in limits and size < limits["min"]:
        broken.append(_minimum(shape))
    if "enum" in limits and value not in limits["enum"]:
        broken.append(_enumeration(shape))
    if "pattern" in limits and not _compiled(limits["pattern"]).fullmatch(value):
        broken.append(_pattern(shape))
    return broken


def _constraints(shape: Shape) -> list[str]:
    texts = {"max": _maximum, "min": _minimum, "enum": _enumeration, "pattern": _pattern}
    return [text(shape) for name, text in texts.items() if name in shape.metadata]


def _maximum(shape: Shape) -> str:
    return f"Member must have {_measure(shape)} less than or equal to {shape.metadata['max']}"


def _minimum(shape: Shape) -> str:
    return f"Member must have {_measure(shape)} greater than or equal to {shape.metadata['min']}"


def _measure(shape: Shape) -> str:
    return "value" if shape.type_name in {"integer", "long", "float", "double"} else "length"


def _enumeration(shape: Shape) -> str:
    return f"Member must satisfy enum value set: [{', '.join(shape.metadata['enum'])}]"


def _pattern(shape: Shape) -> str:
    return f"Member must satisfy regular expression pattern: {shape.metadata['pattern']}"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in _UNICODE_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _at(value: Any, path: str) -> str:
    return f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint"


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lower_camel(name: str) -> str:
    return name[:1].lower() + name[1:]
