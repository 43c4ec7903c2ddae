"""What is asked before a set is created."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import AccessRefused, Refused
from fsrvpd.requestor.protocol.queries import (
    PathShadowCopied,
    path_shadow_copied,
    path_supported,
    share_name,
    supported_version,
)
from tests.unit.requestor.protocol.test_server_set import Driver, root


@pytest.mark.spec("3.2.4.1-3")
def test_a_share_that_can_be_copied() -> None:
    driver = Driver(IsPathSupported=m.PathSupportedResponse(0, True, "NODE1"))
    assert driver.drive(path_supported(root())) == "NODE1"


@pytest.mark.spec("3.2.4.1-3")
@pytest.mark.spec("3.2.4.2.1-1")
def test_a_share_that_cannot_be_copied() -> None:
    with pytest.raises(Refused, match="cannot copy"):
        Driver(IsPathSupported=m.PathSupportedResponse(0, False)).drive(path_supported(root()))


def test_a_user_without_the_right() -> None:
    denied = m.PathSupportedResponse(HResult.E_ACCESSDENIED)
    with pytest.raises(AccessRefused, match="Backup Operators"):
        Driver(IsPathSupported=denied).drive(path_supported(root()))


@pytest.mark.spec("3.2.4.2.1-3")
@pytest.mark.spec("3.2.4.8-2")
@pytest.mark.parametrize(("least", "most"), [(2, 3), (0, 0), (3, 1)])
def test_a_server_of_another_version(least: int, most: int) -> None:
    with pytest.raises(Refused, match="versions"):
        Driver(GetSupportedVersion=m.VersionResponse(0, least, most)).drive(
            supported_version("nas")
        )


@pytest.mark.spec("3.2.3-4")
@pytest.mark.spec("3.2.4.2.1-4")
def test_a_server_of_this_version() -> None:
    driver = Driver(GetSupportedVersion=m.VersionResponse(0, 1, 2))
    assert driver.drive(supported_version("nas")) is None


def test_copies_of_others() -> None:
    driver = Driver(IsPathShadowCopied=m.PathShadowCopiedResponse(0, True, 1))
    assert driver.drive(path_shadow_copied(root())) == PathShadowCopied(True, 1)


def test_names_of_shares_end_in_a_backslash() -> None:
    assert share_name(root("hidden$")) == "\\\\nas\\hidden$\\"
