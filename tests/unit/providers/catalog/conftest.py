from __future__ import annotations

import os

import pytest

from fsrvpd.providers.catalog import own_directory


@pytest.fixture(autouse=True)
def _attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may set attributes in the namespace `trusted`."""
    if os.geteuid() != 0:
        monkeypatch.setattr(own_directory, "ATTRIBUTE", "user.fsrvpd")
