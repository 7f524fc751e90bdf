"""Headless Chromium, driven over the DevTools protocol: what a page shows, asks for and complains about.

Run as a program it takes a picture of a page: python -m tests.support.browser PAGE.html PICTURE.png [--dark] [--width 390].
"""

import argparse
import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
LIMIT = 30.0


def chromium() -> str | None:
    """The path of a Chromium on this machine; None without one."""
    return next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


class Browser:
    """One Chromium with one page. Use it as a context; everything a page did since `open` is in `requests` and `complaints`."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        """Addresses asked for, the page's own left out."""
        self.complaints: list[str] = []
        """Console messages of level error or warning, exceptions, and entries of the browser's log."""
        self._answers: dict[int, dict[str, Any]] = {}
        self._events: list[str] = []
        self._number = 0

    def __enter__(self) -> Self:
        from websocket import create_connection

        path = chromium()
        assert path
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        command = [path, *FLAGS, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._socket = create_connection(self._page_address(), timeout=LIMIT)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(LIMIT)
        self._folder.cleanup()

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True) -> None:
        """Load a page and wait until it has loaded and done what it does at once."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.requests.clear()
        self.complaints.clear()
        self._events.clear()
        self._address = page.resolve().as_uri()
        self.call("Page.navigate", url=self._address)
        deadline = time.monotonic() + LIMIT
        while "Page.loadEventFired" not in self._events:
            assert time.monotonic() < deadline, "the page did not load"
            self._receive()
        # A page that would do something a moment later has had the moment.
        time.sleep(0.2)
        self.run("1")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, out: Path, whole: bool = False) -> None:
        """Save what is in view, or the whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        out.write_bytes(base64.b64decode(answer["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call the protocol and give its result."""
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while number not in self._answers:
            self._receive()
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _receive(self) -> None:
        message = json.loads(self._socket.recv())
        if "id" in message:
            self._answers[message["id"]] = message
            return
        name, given = message["method"], message["params"]
        self._events.append(name)
        if name == "Network.requestWillBeSent" and given["request"]["url"] != self._address:
            self.requests.append(given["request"]["url"])
        elif name == "Runtime.consoleAPICalled" and given["type"] in {"error", "warning", "assert"}:
            self.complaints.append(str(given["args"]))
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(str(given["exceptionDetails"]))
        elif name == "Log.entryAdded":
            self.complaints.append(given["entry"]["text"])

    def _page_address(self) -> str:
        """Where the page listens, once the browser has written down its port."""
        written = Path(self._folder.name) / "DevToolsActivePort"
        deadline = time.monotonic() + LIMIT
        while not (written.exists() and written.read_text().count("\n")):
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        port = written.read_text().split("\n")[0]
        while True:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=LIMIT) as reply:
                pages = [target for target in json.load(reply) if target["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
            assert time.monotonic() < deadline, "Chromium opened no page"
            time.sleep(0.05)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Take a picture of a page.")
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=0, help="0: the whole page")
    given = parser.parse_args()
    with Browser() as browser:
        browser.open(given.page, width=given.width, height=given.height or 900, dark=given.dark)
        browser.picture(given.picture, whole=not given.height)


if __name__ == "__main__":
    _main()
