"""The wheel with the extra `requestor`, in a virtual environment of a host without Samba."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

from tests.built_wheel import built_wheel
from tests.interop.debian import Debian, open_client

ENVIRONMENT = "/opt/fsrvpshadow"
CREDENTIALS = "/root/credentials"
IMPORTED = "from fsrvpd.requestor import Requestor; import smbprotocol; print(smbprotocol.__file__)"


@pytest.fixture
def client(once_a_run: Callable[..., Path]) -> Iterator[Debian]:
    def download(directory: Path) -> None:
        directory.mkdir()
        wanted = f"fsrvpd[requestor] @ {built_wheel(directory).as_uri()}"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(directory)]
        subprocess.run([*pip, wanted], check=True, timeout=300)

    with open_client(once_a_run("wheel-and-libraries", download)) as opened:
        opened.run("python3", "-m", "venv", ENVIRONMENT)
        yield opened


def test_pip_installs_the_requestor(client: Debian) -> None:
    pip = [f"{ENVIRONMENT}/bin/pip", "install", "--quiet", "--no-index"]
    client.run(*pip, "--find-links", "/packages", "fsrvpd[requestor]")
    assert client.run("python3", "-c", "import samba", check=False).returncode == 1

    said = client.run(f"{ENVIRONMENT}/bin/fsrvpshadow", "--version").stdout
    assert said.startswith("fsrvpshadow ")
    found = client.run(f"{ENVIRONMENT}/bin/python", "-c", IMPORTED).stdout
    assert found.startswith(ENVIRONMENT)  # not those of a package on the same host

    client.run("sh", "-c", f"umask 077; echo 'username = u\npassword = p' >{CREDENTIALS}")
    nobody = [f"{ENVIRONMENT}/bin/fsrvpshadow", "-A", CREDENTIALS, "list", r"\\127.0.0.1\data"]
    refused = client.run(*nobody, check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "127.0.0.1" in refused.stderr
