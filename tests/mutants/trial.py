"""Try a mutant: write it into a copy of lib/ that Python finds first, and run the tests on it."""

import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from parts import ROOT, Part

_LONGEST = 600  # seconds for the tests of an undisturbed module


class Copy:
    """A copy of lib/ in its own folder, and a process that tests it; one mutant at a time."""

    def __init__(self, folder: Path) -> None:
        self._lib = folder / "lib"
        shutil.copytree(ROOT / "lib", self._lib, ignore=shutil.ignore_patterns("__pycache__"))
        # A time stamp cannot distinguish two mutants of the same second; the content of the file can.
        compileall.compile_dir(self._lib, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        own = {"PYTHONPATH": str(self._lib), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        self._tester = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("warm.py")],
            cwd=ROOT,
            env=os.environ | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the testing process."""
        _pipe(self._tester.stdin).close()
        self._tester.wait()
        _pipe(self._tester.stdout).close()

    def measure(self, part: Part) -> float:
        """Return how many seconds the tests take on the unchanged module.

        Raises:
            RuntimeError: when they fail, or do not notice that the module of the copy cannot be imported.
        """
        began = time.monotonic()
        if not self._passes(part, _LONGEST):
            raise RuntimeError(f"{' '.join(part.tests)}: the tests of {part.module} fail without a mutant")
        seconds = time.monotonic() - began
        if not self.kills(part, "raise ImportError\n", _LONGEST):
            raise RuntimeError(f"{' '.join(part.tests)}: the tests do not import the copy of {part.module}")
        return seconds

    def kills(self, part: Part, source: str, limit: float) -> bool:
        """Say whether the tests fail, or take longer than a limit in seconds, with the module's source replaced."""
        with self._replaced(self._lib / part.path, source):
            return not self._passes(part, limit)

    @contextmanager
    def _replaced(self, file: Path, source: str) -> Iterator[None]:
        kept = file.read_text()
        file.write_text(source)
        try:
            yield
        finally:
            file.write_text(kept)

    def _passes(self, part: Part, limit: float) -> bool:
        print(json.dumps([part.tests, limit]), file=self._tester.stdin, flush=True)
        return int(_pipe(self._tester.stdout).readline()) == 0


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("not a pipe")
    return stream
