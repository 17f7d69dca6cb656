"""A headless Chromium and a review server in a process of its own, for the browser tests and the pictures in docs/."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run --hide-scrollbars --disable-dev-shm-usage"
).split()
_SERVE = """
import sys
from pathlib import Path
from stanceline.review import serve
serve(Path(sys.argv[1]), Path(sys.argv[2]), port=int(sys.argv[3]), open_browser=False, annotator="ana")
"""


def missing_browser() -> str:
    """Why there can be no browser test; empty where there can."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(absent)} missing; `make browser` installs them" if absent else ""


def open_browser(folder: Path) -> webdriver.Chrome:
    """A fresh Chromium that keeps its profile and its downloads in a folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    return driver


def set_screen(driver: webdriver.Chrome, width: int, height: int, *, dark: bool = False) -> None:
    """The size of the window, and the colour scheme that the page is asked for."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})


class Server:
    """`serve` as a process that can be killed and started again on the same port."""

    def __init__(self, predictions: Path, labels: Path) -> None:
        self.files = (predictions, labels)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> "Server":
        """Starts it and, if wanted, waits until its index is there."""
        arguments = [sys.executable, "-c", _SERVE, *map(str, self.files), str(self.port)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        if wait:
            self.wait(lambda status: status["is_ready"])
        return self

    def wait(self, is_enough) -> None:
        """Waits until the status is enough; a busy machine may need minutes for a large file."""
        until = time.monotonic() + 400
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/api/status", timeout=10) as response:
                    if is_enough(json.load(response)):
                        return
            except urllib.error.URLError:
                assert self.process is not None
                assert self.process.poll() is None, "the server ended"
            time.sleep(0.1)
        raise TimeoutError("the server does not answer")

    def kill(self) -> None:
        """kill -9: nothing is tidied up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ctrl-C; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)
