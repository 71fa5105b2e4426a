"""Open what a target's settings name: its database, collections and bucket; local servers are started first."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from eduguard.errors import EduguardError
from eduguard.postgres import Database, embedded
from eduguard.schools import Place, Places, choose
from eduguard.settings import Settings
from eduguard.state_folder import state_folder
from eduguard.values import LOCAL

if TYPE_CHECKING:
    from psycopg import Connection

    from eduguard.aws import Bucket, Collection, Identity, Pace
    from eduguard.students import Storage

EMBEDDED_DATABASE = "eduguard"


def postgres_folder(settings: Settings) -> Path:
    """Return the folder of the embedded server."""
    return state_folder(settings.root, settings.state_folder) / "postgres"


def cloud_folder(settings: Settings) -> Path:
    """Return the folder of the local cloud."""
    return state_folder(settings.root, settings.state_folder) / "cloud"


def target_database(settings: Settings) -> Database:
    """Return the target's database; start its server if it is the embedded one."""
    if not settings.target.is_embedded:
        return _of_target(Database.from_url(settings.target.database_url, alone=settings.is_other), settings)
    return _of_target(_embedded_database(postgres_folder(settings), settings.postgres_bin), settings)


def stop_database(settings: Settings) -> bool:
    """Stop the embedded server, whatever the target is; say whether the server was running."""
    _embedded_database.cache_clear()
    return embedded.stop(postgres_folder(settings), binaries=settings.postgres_bin)


def running_database(settings: Settings) -> Database | None:
    """Return the target's database, or None if its embedded server is down; start nothing."""
    if not settings.target.is_embedded:
        return _of_target(Database.from_url(settings.target.database_url, alone=settings.is_other), settings)
    _forget_other_servers()
    status = embedded.read_status(postgres_folder(settings), binaries=settings.postgres_bin)
    found = Database.from_url(status.url).named(EMBEDDED_DATABASE)
    return _of_target(found, settings) if status.is_running else None


def running_cloud(settings: Settings) -> str | None:
    """Return the local cloud's endpoint, or None if it is down; start nothing."""
    from eduguard.aws import local_cloud

    return local_cloud.read_status(cloud_folder(settings)).endpoint


def target_places(settings: Settings, conn: "Connection | None" = None) -> list[Place]:
    """Return the collections that a command works on: those of its school, a named one, or all of the target.

    Without a connection they come from the settings; with one, from the schools in the database; read-only.

    Raises:
        EduguardError: when there is no such school or collection, or when two schools would have one collection.
    """
    places = all_places(settings)
    return choose(
        places.read(conn) if conn else places.configured(settings.school),
        school=settings.school,
        collection=settings.only_collection,
    )


def all_places(settings: Settings) -> Places:
    """Return what the target's settings say about its schools."""
    target = settings.target
    return Places(target=target.name, collection=target.collection, collections=target.collections)


def check_writable(settings: Settings, collection: str) -> None:
    """Refuse to write to a collection that another target of the same account names."""
    if other := settings.target.claimed.get(collection):
        raise EduguardError(
            f"Collection {collection} is target {other}'s too: target {settings.target.name} may not write to it",
            hint=f"Choose the other target, INVOKE_TARGET={other}, or give each target a collection of its own.",
        )


def target_collection(settings: Settings, name: str) -> "Collection":
    """Return a collection of the target; start the local cloud if the collection is in it.

    All collections of one region share a pace, because AWS counts requests by account and region.
    """
    from eduguard.aws import open_collection

    target = settings.target
    rate = target.requests_per_second
    return open_collection(
        name,
        region=target.region,
        **_place(settings, target.rekognition_endpoint, profile=target.aws_profile),
        pace=_pace(target.rekognition_endpoint, target.region, rate) if rate else None,
    )


def target_identity(settings: Settings) -> "Identity":
    """Return the identity that requests to the target's collection use."""
    from eduguard.aws import identify

    target = settings.target
    return identify(
        region=target.region,
        **_place(settings, target.rekognition_endpoint, profile=target.aws_profile),
    )


def target_bucket(settings: Settings) -> "Bucket":
    """Return the target's bucket; start the local cloud if the bucket is in it."""
    from eduguard.aws import open_bucket

    target = settings.target
    return open_bucket(
        target.bucket,
        region=target.bucket_region,
        **_place(settings, target.s3_endpoint, profile=target.bucket_profile),
    )


def target_storage(settings: Settings, place: Place) -> "Storage":
    """Return the storage of the target's photos and of the faces of one place.

    Rekognition can read the bucket itself if both are in the same cloud and region (IndexFaces API reference,
    S3Object), with the caller's rights.
    """
    from eduguard.students import Storage

    target = settings.target
    return Storage(
        collection=target_collection(settings, place.collection),
        school=place.school,
        bucket=target_bucket(settings),
        by_reference=(target.s3_endpoint, target.bucket_region, target.bucket_profile)
        == (target.rekognition_endpoint, target.region, target.aws_profile),
    )


def _of_target(database: Database, settings: Settings) -> Database:
    target = settings.target
    return replace(
        database,
        target=target.name,
        is_embedded=target.is_embedded,
        maintenance_name=target.maintenance_database,
    )


@cache  # the steps of one command line look for the server once
def _embedded_database(folder: Path, binaries: Path | None) -> Database:
    _forget_other_servers()
    return Database.from_url(embedded.ensure_running(folder, binaries=binaries)).named(EMBEDDED_DATABASE)


def _forget_other_servers() -> None:
    # libpq reads from the environment what a URL does not contain, such as a service, or an address in addition to the
    # path of the socket. No URL can prevent all of this, and none of it applies to the embedded server.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


@cache
def _pace(endpoint: str | None, region: str, rate: float) -> "Pace":  # noqa: ARG001 -- one per endpoint and region
    from eduguard.aws import Pace

    return Pace(rate)


class _Place(TypedDict):
    endpoint: str | None
    credentials: dict[str, str] | None
    profile: str | None


def _place(settings: Settings, endpoint: str | None, *, profile: str | None) -> _Place:
    """Return where requests go and with which key; the operator's own key is never sent to the local cloud.

    The env_file's AWS variables take effect when the first client of AWS is made.
    """
    if endpoint != LOCAL:
        os.environ.update(settings.sources.added_variables())
        return {"endpoint": endpoint, "credentials": None, "profile": profile}
    from eduguard.aws import local_cloud

    running = local_cloud.ensure_running(cloud_folder(settings), models=settings.face_models)
    return {"endpoint": running.endpoint, "credentials": running.credentials, "profile": None}


def local_cloud_variables(settings: Settings) -> dict[str, str]:
    """Return the variables that point the AWS CLI and SDKs to the target's local cloud; start it if it is down.

    Raises:
        EduguardError: when nothing of the target is in the local cloud.
    """
    from eduguard.aws import local_cloud

    target = settings.target
    if not target.uses_local_cloud:
        raise EduguardError(f"Nothing of the target {target.name} is in the local cloud")
    running = local_cloud.ensure_running(cloud_folder(settings), models=settings.face_models)
    return {
        "AWS_ENDPOINT_URL": running.endpoint,
        "AWS_ACCESS_KEY_ID": running.access_key_id,
        "AWS_SECRET_ACCESS_KEY": running.secret_access_key,
        "AWS_DEFAULT_REGION": target.region,  # for the AWS CLI and boto3
        "AWS_REGION": target.region,  # for the other SDKs
    }
