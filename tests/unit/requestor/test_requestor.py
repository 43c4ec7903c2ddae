"""The names of the public library."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fsrvpd.requestor
from fsrvpd.requestor import RequestorError, errors

LOOK = """
import sys
import fsrvpd.requestor
from fsrvpd.requestor import Requestor, RequestorError
print("smbprotocol" in sys.modules)
from fsrvpd.requestor import connect
print("smbprotocol" in sys.modules)
"""


@pytest.mark.parametrize("name", fsrvpd.requestor.__all__)
def test_every_public_name_is_there(name: str) -> None:
    found = getattr(fsrvpd.requestor, name)
    assert found.__name__ == name
    assert found.__doc__


def test_other_names_are_not() -> None:
    assert RequestorError is errors.RequestorError
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = fsrvpd.requestor.Nothing


def test_smbprotocol_is_imported_by_whoever_connects() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
