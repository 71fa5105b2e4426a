"""Tags of collections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from localcloud.rekognition.call import find_collection
from localcloud.rekognition.exceptions import RekognitionError

if TYPE_CHECKING:
    import sqlite3

    from localcloud.rekognition.call import Call, Json

MOST_TAGS: Final = 200  # of one resource


def tag_resource(call: Call) -> Json:
    """Add tags to a collection or replace their values."""
    with call.store.removing() as connection:
        collection = _tagged(call, connection)
        tags = json.loads(collection["tags"]) | call.parameters["Tags"]
        if len(tags) > MOST_TAGS:
            raise RekognitionError("ServiceQuotaExceededException", f"A resource has at most {MOST_TAGS} tags")
        _write(connection, collection, tags)
    return {}


def untag_resource(call: Call) -> Json:
    """Remove tags from a collection; tags it does not have are ignored."""
    with call.store.removing() as connection:
        collection = _tagged(call, connection)
        tags = json.loads(collection["tags"])
        _write(connection, collection, {key: tags[key] for key in tags if key not in call.parameters["TagKeys"]})
    return {}


def list_tags_for_resource(call: Call) -> Json:
    """Return the tags of a collection."""
    with call.store.reading() as connection:
        return {"Tags": json.loads(_tagged(call, connection)["tags"])}


def _tagged(call: Call, connection: sqlite3.Connection) -> sqlite3.Row:
    arn = call.parameters["ResourceArn"]
    collection = find_collection(connection, arn.rpartition("/")[2])
    # CreateCollection returns an ARN without its prefix, and clients may pass that form on.
    if collection is None or arn.removeprefix("arn:") != call.collection_arn(collection["name"]).removeprefix("arn:"):
        raise RekognitionError("ResourceNotFoundException", f"The resource {arn} does not exist")
    return collection


def _write(connection: sqlite3.Connection, collection: sqlite3.Row, tags: dict[str, str]) -> None:
    connection.execute("UPDATE collection SET tags = ? WHERE id = ?", (json.dumps(tags), collection["id"]))
