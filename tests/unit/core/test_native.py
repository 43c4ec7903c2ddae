from __future__ import annotations

import importlib

import pytest

import fsrvpd
from fsrvpd import core
from fsrvpd.core import native


def test_the_core_is_of_this_version() -> None:
    assert native.version == fsrvpd.__version__
    assert core.describe() == f"C core _native.abi3.so {fsrvpd.__version__}"


def test_a_core_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsrvpd, "__version__", "99.0")
    with pytest.raises(ImportError, match=r"fsrvpd is version 99\.0; install fsrvpd again"):
        importlib.reload(native)
    monkeypatch.undo()
    importlib.reload(native)
