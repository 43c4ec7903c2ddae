"""Cockpit in a lab, with the page in it, and a browser in the lab's network."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, Optional

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from lab import Lab
from lab.daemon import SCRIPTS
from lab.namespaces import ENVIRONMENT, SLOWNESS, LabError, LabProcess, wait_until
from tests.interop.nas import Nas
from tests.paths import ROOT

SOURCE = ROOT / "cockpit"
WEB_SERVER = "/usr/lib/cockpit/cockpit-ws"
INSTALLED = "usr/share/cockpit/fsrvpd"  # where packages put the page
CHROMIUM = "/usr/bin/chromium"
VIEW = "cockpit/@localhost/fsrvpd/index.html"
PATH = f"{SCRIPTS}:{ENVIRONMENT['PATH']}"
# Cockpit runs beside no systemd, no polkit and no session: the bridge is started by the web server.
# A user without rights has a bridge of their own.
BRIDGE = "#!/bin/sh\nexec {before} cockpit-bridge\n"
IN_NETWORK = '#!/bin/sh\nexec nsenter -t {pid} -n -- {program} "$@"\n'


def build(directory: Path, version: Optional[str] = None) -> None:
    """Bundle the page. `version` is that of the JSON that it is to want."""
    told = {} if version is None else {"FSRVPD_JSON_VERSION": version}
    subprocess.run(
        ["node", SOURCE / "build.js", directory],
        check=True,
        env={**os.environ, **told},
        timeout=120,
    )


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


class Cockpit:
    """One web server of Cockpit. It serves the page that was built into `page`."""

    def __init__(self, nas: Nas, page: Path, *, port: int = 9090, before: str = "") -> None:
        self.address = f"http://127.0.0.1:{port}/{VIEW}"
        self._lab = nas.lab
        self._port = port
        self._before = before
        self._folder = nas.lab.directory / f"cockpit-{port}"
        self._packages = self._folder / "cockpit" / "fsrvpd"
        self._packages.mkdir(parents=True)
        nas.lab.run(["cp", "-r", f"{page}/.", self._packages])
        self._process: Optional[LabProcess] = None

    def start(self, path: str = PATH) -> None:
        """Start it. `path` is where the bridge finds fsrvpctl."""
        bridge = script(self._folder / "bridge", BRIDGE.format(before=self._before))
        self._process = self._lab.popen(
            [
                *(WEB_SERVER, "--no-tls", "--address", "127.0.0.1", "--port", str(self._port)),
                f"--local-session={bridge}",
            ],
            output=self._folder / "log",
            environment={"XDG_DATA_DIRS": f"{self._folder}:/usr/share", "PATH": path},
        )
        wait_until("Cockpit answers", self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise LabError(f"cockpit-ws ended\n{(self._folder / 'log').read_text()}")
        connect = f"exec 3<>/dev/tcp/127.0.0.1/{self._port}"
        return self._lab.run(["bash", "-c", connect], check=False).returncode == 0


@contextmanager
def chromium(lab: Lab) -> Iterator[Browser]:
    """Debian's browser. It is in the lab's network, where there is nothing but the lab."""
    start = IN_NETWORK.format(pid=lab.init, program=CHROMIUM)
    program = script(lab.directory / "chromium", start)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A window with the page. Errors and warnings of the browser are collected."""

    def __init__(self, browser: Browser, cockpit: Cockpit, options: Mapping[str, str]) -> None:
        self.messages: list[str] = []
        self.context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
        self.context.set_default_timeout(60_000 * SLOWNESS)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: self._heard(said.type, said.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self._address = cockpit.address

    def open(self, view: str = "overview") -> Page:
        self.page.goto(f"{self._address}#/{view}")
        return self.page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.messages.append(text)
