"""Pictures: their sources, which ones are refused, and their orientation."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.config import Config
from PIL import Image

ErrorOf = Callable[..., tuple[str, str, int]]
Photo = Callable[[int, int], bytes]
BAD_FORMAT = ("InvalidImageFormatException", "Request has invalid image format", 400)
BAD_OBJECT = (
    "InvalidS3ObjectException",
    "Unable to get object metadata from S3. Check object key, region and/or access permissions.",
    400,
)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "BMP", "TIFF"])
def test_only_jpeg_and_png_are_read(rekognition: Any, photo: Photo, error_of: ErrorOf, kind: str):
    image = {"Bytes": encoded(opened(photo(1, 1)), kind)}
    assert error_of(rekognition.detect_faces, Image=image) == BAD_FORMAT


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"x" * 99, b"text"], ids=["jpeg", "png", "text"]
)
def test_a_broken_picture_is_refused(rekognition: Any, error_of: ErrorOf, content: bytes):
    assert error_of(rekognition.detect_faces, Image={"Bytes": content}) == BAD_FORMAT


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_colour_depth_and_transparency_do_not_matter(rekognition: Any, photo: Photo, kind: str):
    modes = ["L", "RGB"] + (["RGBA", "P", "I;16"] if kind == "PNG" else ["CMYK"])
    for mode in modes:
        picture = opened(photo(1, 1)).convert("L").convert("I;16") if mode == "I;16" else opened(photo(1, 1))
        picture = picture if mode == "I;16" else picture.convert(mode)
        if mode == "I;16":
            picture = picture.point(lambda value: value * 256)
        image = {"Bytes": encoded(picture, kind)}
        assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1, mode


def test_a_side_of_80_pixels_is_the_least(rekognition: Any, photo: Photo, error_of: ErrorOf):
    for side, is_enough in ((80, True), (79, False)):
        image = {"Bytes": encoded(opened(photo(1, 1)).resize((200, side)), "PNG")}
        if is_enough:
            rekognition.detect_faces(Image=image)
        else:
            error = ("InvalidParameterException", "Request has Invalid Parameters", 400)
            for operation in (rekognition.detect_faces, rekognition.detect_labels, rekognition.detect_text):
                assert error_of(operation, Image=image) == error


def test_a_side_of_10000_pixels_is_the_most(rekognition: Any, error_of: ErrorOf):
    for operation in (rekognition.detect_faces, rekognition.detect_labels):
        image = {"Bytes": encoded(Image.new("1", (10_800, 5_400)), "PNG")}
        message = "Input image dimensions 10800 x 5400 exceed maximum dimension size of 10000 pixels"
        assert error_of(operation, Image=image) == ("ImageTooLargeException", message, 400)


@pytest.mark.slow
def test_four_picture_bombs_at_once_take_no_more_memory_than_one(own_state: Path, launch: Callable[..., Any]):
    server = launch(own_state)
    bomb = encoded(Image.new("1", (9_999, 9_999)), "PNG")
    process, most, done = psutil.Process(server.pid), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(4) as pool:
        config = Config(read_timeout=300, retries={"total_max_attempts": 1})
        clients = [server.client("rekognition", config=config) for _ in range(4)]
        found = list(pool.map(lambda client: client.detect_labels(Image={"Bytes": bomb})["Labels"], clients))
    done.set()
    watcher.join()
    assert len(found) == 4
    assert most[0] < 1.2e9  # one picture is 0.3 GB of pixels


def test_operations_of_moto_look_at_the_picture_too(rekognition: Any, s3: Any, bucket: str, error_of: ErrorOf):
    for operation in (rekognition.detect_labels, rekognition.detect_text):
        assert error_of(operation, Image={"Bytes": b"no picture"}) == BAD_FORMAT
        assert error_of(operation, Image={"S3Object": {"Bucket": bucket, "Name": "nobody"}}) == BAD_OBJECT
        s3.put_object(Bucket=bucket, Key="k", Body=b"\xff\xd8\xff".ljust(15 * 1024 * 1024 + 1, b"\0"))
        code, message, _ = error_of(operation, Image={"S3Object": {"Bucket": bucket, "Name": "k"}})
        assert (code, message) == ("ImageTooLargeException", "Image size is too large")


def test_more_than_5_megabytes_of_bytes_break_the_model(rekognition: Any, error_of: ErrorOf):
    code, message, _ = error_of(rekognition.detect_faces, Image={"Bytes": b"x" * 5_242_881})
    assert code == "ValidationException"
    assert message == (
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=5242881 cap=5242881]' at 'image.bytes' "
        "failed to satisfy constraint: Member must have length less than or equal to 5242880"
    )


def test_the_box_of_a_turned_jpeg_is_that_of_the_upright_picture(rekognition: Any, photo: Photo):
    picture = opened(photo(1, 1))
    upright = rekognition.detect_faces(Image={"Bytes": encoded(picture, "JPEG", quality=95)})["FaceDetails"][0]
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was rotated: turn the picture by 90 degrees clockwise
    lying = picture.transpose(Image.Transpose.ROTATE_90)
    turned = {"Bytes": encoded(lying, "JPEG", quality=95, exif=exif)}
    found = rekognition.detect_faces(Image=turned)["FaceDetails"][0]
    assert found["BoundingBox"] == pytest.approx(upright["BoundingBox"], abs=0.02)


def test_the_orientation_of_a_png_is_ignored(rekognition: Any, photo: Photo):
    exif = Image.Exif()
    exif[0x0112] = 3
    picture = opened(photo(1, 1))
    plain = rekognition.detect_faces(Image={"Bytes": encoded(picture, "PNG")})["FaceDetails"]
    assert rekognition.detect_faces(Image={"Bytes": encoded(picture, "PNG", exif=exif)})["FaceDetails"] == plain


@pytest.mark.parametrize("image", [{}, {"Bytes": b"x", "S3Object": {"Bucket": "abc", "Name": "n"}}])
def test_bytes_or_object_but_not_both(rekognition: Any, error_of: ErrorOf, image: dict[str, Any]):
    assert error_of(rekognition.detect_faces, Image=image)[0] == "InvalidParameterException"


def test_a_picture_is_read_from_a_bucket_of_the_region(rekognition: Any, s3: Any, bucket: str, photo: Photo):
    s3.put_object(Bucket=bucket, Key="photos/ñ 1.jpg", Body=photo(1, 1))
    image = {"S3Object": {"Bucket": bucket, "Name": "photos/ñ 1.jpg"}}
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1


def test_a_version_of_an_object_can_be_named(rekognition: Any, s3: Any, bucket: str, photo: Photo):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=photo(1, 1))["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"no picture")
    image = {"S3Object": {"Bucket": bucket, "Name": "k", "Version": version}}
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1


@pytest.mark.parametrize("place", ["no bucket", "no object", "other region", "no name"])
def test_an_object_that_cannot_be_had_is_an_error(
    cloud: Any, rekognition: Any, s3: Any, bucket: str, photo: Photo, error_of: ErrorOf, place: str
):
    s3.put_object(Bucket=bucket, Key="k", Body=photo(1, 1))
    client = cloud.client("rekognition", region_name="eu-west-1") if place == "other region" else rekognition
    image = {
        "no bucket": {"Bucket": "nobody-has-this", "Name": "k"},
        "no object": {"Bucket": bucket, "Name": "other"},
        "other region": {"Bucket": bucket, "Name": "k"},
        "no name": {"Bucket": bucket},
    }[place]
    assert error_of(client.detect_faces, Image={"S3Object": image}) == BAD_OBJECT


def test_an_object_may_have_15_megabytes(rekognition: Any, s3: Any, bucket: str, photo: Photo, error_of: ErrorOf):
    for size, is_too_large in ((15 * 1024 * 1024, False), (15 * 1024 * 1024 + 1, True)):
        s3.put_object(Bucket=bucket, Key="k", Body=photo(1, 1).ljust(size, b"\0"))
        image = {"S3Object": {"Bucket": bucket, "Name": "k"}}
        if is_too_large:
            error = ("ImageTooLargeException", "Image size is too large", 400)
            assert error_of(rekognition.detect_faces, Image=image) == error
        else:
            assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1
