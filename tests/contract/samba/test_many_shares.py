"""What a request costs with a thousand shadow copy shares. Printed; nothing is asserted on
time, only that the answers stay right."""

from __future__ import annotations

import pytest

from .conftest import Site

MANY = 1000
BATCH = 100
ROUNDS = 20


def cost(site: Site, number: int) -> str:
    """Milliseconds for each of the requests that a shadow copy set needs."""
    registry, shadow = site.registry, site.shadow("data", number)
    registry.expose([shadow])
    registry.unexpose([shadow.name])
    expose = registry.repeat(ROUNDS, "expose", [shadow])
    known = registry.repeat(ROUNDS * 100, "share", "data")
    unknown = registry.repeat(ROUNDS, "share", "no such share")
    sealed = registry.repeat(ROUNDS, "seal", [shadow.name])
    registry.unexpose([shadow.name])
    values = {"expose": expose, "share": known, "missing": unknown, "seal": sealed}
    return ", ".join(f"{name} {seconds * 1e3:.3f}" for name, seconds in values.items())


def test_a_thousand_shares(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    shadows = [site.shadow("data", number) for number in range(1, MANY + 1)]
    none = cost(site, MANY + 1)
    for start in range(0, MANY, BATCH):
        site.registry.expose(shadows[start : start + BATCH])
    many = cost(site, MANY + 1)
    listing = site.registry.repeat(1, "shadow_shares")
    with capsys.disabled():
        print(f"\nms with no shares: {none}\nms with {MANY} shares: {many}")
        print(f"ms to list them: {listing * 1e3:.1f}")
    assert len(site.registry.shadow_shares()) == MANY
    assert site.samba.read(shadows[-1].name, "file") == "in copy of data"
    for start in range(0, MANY, BATCH):
        site.registry.unexpose([shadow.name for shadow in shadows[start : start + BATCH]])
    assert site.registry.shadow_shares() == {}
    assert site.registry.share("data").name == "data"
