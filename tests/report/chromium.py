"""Chromium without a window, driven by the DevTools protocol over a pipe (--remote-debugging-pipe): no port, no client."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)


class Tab:
    """One page, with its console messages and requests."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests, self._answers = requests, answers
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        own = {"sessionId": self._session} if self._session and not method.startswith(("Target.", "Browser.")) else {}
        message = {"id": self._number, "method": method, "params": parameters, **own}
        self._requests.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])
            self.events.append(answer)

    def open(self, file: Path) -> None:
        self.send("Page.navigate", url=file.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def run(self, script: str) -> Any:
        """Return what a script returns; it may be a promise, and counts as a gesture of the user."""
        found = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_until(self, condition: str) -> None:
        """Return when a condition holds; fail after ten seconds."""
        script = f"""new Promise((resolve, reject) => {{
          const end = Date.now() + 10_000;
          const look = () => {condition} ? resolve() : Date.now() > end ? reject("never") : setTimeout(look, 20);
          look();
        }})"""
        self.run(script)

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse, as a user does."""
        chosen = json.dumps(selector)
        self.run(f"document.querySelector({chosen}).scrollIntoView({{block: 'center'}})")
        box = self.run(
            f"(b => [b.x + b.width / 2, b.y + b.height / 2])(document.querySelector({chosen}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def shoot(self, file: Path) -> None:
        """Write a picture of the whole page."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(b64decode(shot["data"]))

    def complaints(self) -> list[Any]:
        """All messages that the console would show."""
        told = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [event["params"] for event in self.events if event["method"] in told]

    def asked_for(self) -> list[str]:
        """The address of everything that was loaded."""
        sent = "Network.requestWillBeSent"
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == sent]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = self._answers.read(1 << 20)
            assert more, "the browser has ended"
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))


# The browser speaks on the descriptors 3 and 4. They may be in use while they are moved there: from above 10 it is safe.
_EXEC = """
import fcntl, os, sys
moved = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
os.dup2(moved[0], 3)
os.dup2(moved[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def opened_tab() -> Iterator[Tab]:
    """Start the browser with a profile of its own; end it."""
    (child_in, ours), (theirs, child_out) = os.pipe(), os.pipe()
    with (
        os.fdopen(ours, "wb", buffering=0) as requests,
        os.fdopen(theirs, "rb", buffering=0) as answers,
        tempfile.TemporaryDirectory(prefix="eg-browser-", ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                _EXEC,
                str(child_in),
                str(child_out),
                str(PROGRAM),
                *_FLAGS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(child_in, child_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser,
    ):
        os.close(child_in)
        os.close(child_out)
        try:
            yield Tab(requests, answers)
        finally:
            browser.terminate()
