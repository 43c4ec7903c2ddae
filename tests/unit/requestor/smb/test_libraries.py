"""smbprotocol and pyspnego: from the package's folder if there is one, with or without krb5."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fsrvpd.requestor.smb import libraries
from tests.paths import PACKAGE, ROOT

SCRIPT = """
import importlib.util, sys
from fsrvpd.requestor.smb import libraries
libraries.PACKAGED = sys.argv[1]
{before}
libraries.prepare()
{after}
"""


def run(folder: Path, before: str = "", after: str = "") -> str:
    argv = [sys.executable, "-c", SCRIPT.format(before=before, after=after), str(folder)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_folder_of_the_package_is_first(tmp_path: Path) -> None:
    (tmp_path / "smbprotocol").mkdir()
    (tmp_path / "smbprotocol/__init__.py").write_text("print('the one of the package')")
    assert run(tmp_path, after="import smbprotocol") == "the one of the package"
    assert run(tmp_path, "libraries.prepare()", "print(sys.path.count(sys.argv[1]))") == "1"


def test_without_the_folder_the_path_is_as_it_was(tmp_path: Path) -> None:
    after = "print(sys.path == before)"
    assert run(tmp_path / "none", "before = list(sys.path)", after) == "True"


def test_the_folder_is_beside_this_package_and_not_in_the_tree() -> None:
    assert str(PACKAGE / "requestor/vendor") == libraries.PACKAGED
    assert not Path(libraries.PACKAGED).exists()


NO_KRB5 = """
found = importlib.util.find_spec
importlib.util.find_spec = lambda name: found(name) if name not in {missing} else None
sys.modules.pop("krb5", None)
"""


def test_gssapi_is_enough_for_kerberos(tmp_path: Path) -> None:
    """With a password, SPNEGO has NTLM left."""
    said = run(
        tmp_path,
        NO_KRB5.format(missing=["krb5"]),
        "import spnego; from spnego._gss import HAS_GSSAPI; print(HAS_GSSAPI);"
        "print(b'NTLMSSP' in spnego.client('u', 'p', hostname='nas', service='cifs').step())",
    )
    assert said.split() == ["True", "True"]


def test_nothing_stands_for_krb5_without_gssapi(tmp_path: Path) -> None:
    before = NO_KRB5.format(missing=["krb5", "gssapi"])
    assert run(tmp_path, before, "print('krb5' in sys.modules)") == "False"
