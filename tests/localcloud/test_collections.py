"""Collections: create, describe, list, delete, tag."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

ErrorOf = Callable[..., tuple[str, str, int]]


def test_a_collection_is_created_described_and_deleted(rekognition: Any):
    created = rekognition.create_collection(CollectionId="made")
    del created["ResponseMetadata"]
    assert created == {
        "StatusCode": 200,
        "CollectionArn": "aws:rekognition:us-east-1:123456789012:collection/made",  # AWS leaves out the prefix here
        "FaceModelVersion": "7.0",
    }
    described = rekognition.describe_collection(CollectionId="made")
    del described["ResponseMetadata"]
    made = described.pop("CreationTimestamp")
    assert abs(dt.datetime.now(dt.UTC) - made) < dt.timedelta(minutes=1)
    assert described == {
        "FaceCount": 0,
        "FaceModelVersion": "7.0",
        "CollectionARN": "arn:aws:rekognition:us-east-1:123456789012:collection/made",
        "UserCount": 0,
    }
    assert rekognition.delete_collection(CollectionId="made")["StatusCode"] == 200


def test_keys_come_in_the_order_of_aws_and_time_in_seconds(cloud: Any, collection: str, rekognition: Any):
    bodies = []
    rekognition.meta.events.register("after-call", lambda http_response, **_: bodies.append(http_response.text))
    rekognition.describe_collection(CollectionId=collection)
    assert list(json.loads(bodies[-1])) == [
        "FaceCount",
        "FaceModelVersion",
        "CollectionARN",
        "CreationTimestamp",
        "UserCount",
    ]
    assert " " not in bodies[-1]
    assert 1.6e9 < json.loads(bodies[-1])["CreationTimestamp"] < 4e9


def test_a_second_collection_of_a_name_is_refused(rekognition: Any, collection: str, error_of: ErrorOf):
    assert error_of(rekognition.create_collection, CollectionId=collection) == (
        "ResourceAlreadyExistsException",
        f"The collection id: {collection} already exists",
        400,
    )


@pytest.mark.parametrize(
    ("operation", "more", "text"),
    [
        ("describe_collection", {}, "Collection:nobody not found!"),
        ("delete_collection", {}, "The collection id: nobody does not exist"),
        ("list_faces", {}, "The collection id: nobody does not exist"),
        ("search_faces", {"FaceId": str(uuid4())}, "The collection id: nobody does not exist"),
        ("delete_faces", {"FaceIds": [str(uuid4())]}, "The collection id: nobody does not exist"),
        ("index_faces", {"Image": {"Bytes": b"no picture"}}, "The collection id: nobody does not exist"),
        ("search_faces_by_image", {"Image": {"Bytes": b"no picture"}}, "The collection id: nobody does not exist"),
        ("list_users", {}, "The collection id: nobody does not exist"),
        ("create_user", {"UserId": "u"}, "The collection id: nobody does not exist"),
    ],
)
def test_a_missing_collection_is_named_before_the_picture_is_looked_at(
    rekognition: Any, error_of: ErrorOf, operation: str, more: dict[str, Any], text: str
):
    error = error_of(getattr(rekognition, operation), CollectionId="nobody", **more)
    assert error == ("ResourceNotFoundException", text, 400)


def test_names_are_told_apart_by_case(rekognition: Any, collection: str, error_of: ErrorOf):
    assert error_of(rekognition.describe_collection, CollectionId=collection.upper())[0] == "ResourceNotFoundException"


def test_regions_and_accounts_have_collections_of_their_own(cloud: Any, collection: str):
    elsewhere = cloud.client("rekognition", region_name="eu-west-1")
    assert collection not in elsewhere.list_collections()["CollectionIds"]
    elsewhere.create_collection(CollectionId=collection)
    arn = elsewhere.describe_collection(CollectionId=collection)["CollectionARN"]
    assert arn == f"arn:aws:rekognition:eu-west-1:123456789012:collection/{collection}"
    elsewhere.delete_collection(CollectionId=collection)


def test_collections_are_listed_in_pages(cloud: Any):
    client = cloud.client("rekognition", region_name="sa-east-1")
    names = [f"{number}-{'x' * 250}" for number in range(5)]
    for name in names:
        client.create_collection(CollectionId=name)
    pages = list(client.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["CollectionIds"]) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page["CollectionIds"]] == names
    assert pages[0]["FaceModelVersions"] == ["7.0", "7.0"]
    assert "NextToken" not in pages[-1]


def test_deleting_a_collection_deletes_its_faces(rekognition: Any, photo: Callable[[int, int], bytes]):
    for expected in (1, 0):
        rekognition.create_collection(CollectionId="twice")
        if expected:
            rekognition.index_faces(CollectionId="twice", Image={"Bytes": photo(1, 1)})
        assert rekognition.describe_collection(CollectionId="twice")["FaceCount"] == expected
        found = rekognition.search_faces_by_image(CollectionId="twice", Image={"Bytes": photo(1, 1)})["FaceMatches"]
        assert len(found) == expected
        rekognition.delete_collection(CollectionId="twice")


def test_tags_are_set_at_creation_changed_and_removed(rekognition: Any, error_of: ErrorOf):
    rekognition.create_collection(CollectionId="tagged", Tags={"a": "1"})
    arn = rekognition.describe_collection(CollectionId="tagged")["CollectionARN"]
    rekognition.tag_resource(ResourceArn=arn, Tags={"a": "2", "año": "ñ"})
    assert rekognition.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"a": "2", "año": "ñ"}
    rekognition.untag_resource(ResourceArn=arn, TagKeys=["a", "never there"])
    assert rekognition.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"año": "ñ"}
    rekognition.delete_collection(CollectionId="tagged")
    assert error_of(rekognition.list_tags_for_resource, ResourceArn=arn)[0] == "ResourceNotFoundException"


def test_more_than_200_tags_are_too_many(rekognition: Any, collection: str, error_of: ErrorOf):
    arn = rekognition.describe_collection(CollectionId=collection)["CollectionARN"]
    rekognition.tag_resource(ResourceArn=arn, Tags={f"key-{number}": "" for number in range(200)})
    assert error_of(rekognition.tag_resource, ResourceArn=arn, Tags={"more": ""})[0] == "ServiceQuotaExceededException"
