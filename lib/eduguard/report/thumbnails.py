"""Small pictures of the photos in a bucket, in the form that a page embeds."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from eduguard.aws import Bucket
from eduguard.errors import EduguardError
from eduguard.identifiers import photo_key, split_external_image_id
from eduguard.jpeg import encode, open_upright

_SIDE = 112  # pixels
_AT_ONCE = 8


def read_thumbnails(names: Iterable[str], bucket: Bucket) -> Mapping[str, str]:
    """Return a data URL of each photo by external image id, without missing and damaged photos; read-only."""
    wanted = sorted(set(names))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        made = threads.map(lambda name: _read(name, bucket), wanted)
        return {name: url for name, url in zip(wanted, made, strict=True) if url}


def _read(name: str, bucket: Bucket) -> str | None:
    parts = split_external_image_id(name)
    try:
        picture = open_upright(bucket.download(photo_key(*parts)), name) if parts else None
    except EduguardError:
        return None
    if picture is None:
        return None
    picture.thumbnail((_SIDE, _SIDE))
    return f"data:image/jpeg;base64,{b64encode(encode(picture)).decode('ascii')}"
