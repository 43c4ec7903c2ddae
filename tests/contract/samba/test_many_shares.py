"""The cost of a request with a thousand shadow copy shares, and of reading many shares. Times are
printed, not asserted; the results must stay right, and the number of calls must."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .conftest import Nas

SHARES = 1000
BATCH = 100
ROUNDS = 20


def cost(nas: Nas, number: int) -> str:
    """Measure each request that a shadow copy set needs, in milliseconds."""
    registry, shadow = nas.registry, nas.shadow("data", number)
    registry.expose([shadow])
    registry.unexpose([shadow.name])
    expose = registry.repeat(ROUNDS, "expose", [shadow])
    known = registry.repeat(ROUNDS * 100, "share", "data")
    unknown = registry.repeat(ROUNDS, "share", "no such share")
    sealed = registry.repeat(ROUNDS, "seal", [shadow.name])
    registry.unexpose([shadow.name])
    values = {"expose": expose, "share": known, "missing": unknown, "seal": sealed}
    return ", ".join(f"{name} {seconds * 1e3:.3f}" for name, seconds in values.items())


def test_a_thousand_shares(nas: Nas, capsys: pytest.CaptureFixture[str]) -> None:
    shadows = [nas.shadow("data", number) for number in range(1, SHARES + 1)]
    none = cost(nas, SHARES + 1)
    for start in range(0, SHARES, BATCH):
        nas.registry.expose(shadows[start : start + BATCH])
    many = cost(nas, SHARES + 1)
    listing = nas.registry.repeat(1, "shadow_shares")
    with capsys.disabled():
        print(f"\nms with no shares: {none}\nms with {SHARES} shares: {many}")
        print(f"ms to list them: {listing * 1e3:.1f}")
    assert len(nas.registry.shadow_shares()) == SHARES
    assert nas.samba.read(shadows[-1].name, "file") == "in copy of data"
    for start in range(0, SHARES, BATCH):
        nas.registry.unexpose([shadow.name for shadow in shadows[start : start + BATCH]])
    assert nas.registry.shadow_shares() == {}
    assert nas.registry.share("data").name == "data"


def calls(nas: Nas, shares: int) -> dict[str, int]:
    """How often each function of libsmbconf is called to read all shares."""
    smb_conf = nas.lab.directory / f"smb.conf.{shares}"
    sections = [f"[user{number}]\npath = {nas.root}\n" for number in range(shares)]
    smb_conf.write_text(nas.samba.conf.read_text() + "".join(sections))
    done = nas.lab.run([sys.executable, Path(__file__).with_name("count_calls.py"), smb_conf, "x"])
    counted: dict[str, int] = json.loads(done.stdout)
    return counted


def replace_registry(nas: Nas, names: list[str]) -> None:
    file = nas.lab.directory / "imported"
    file.write_text("".join(f"[{name}]\npath = {nas.root}\n" for name in names))
    nas.samba.net("conf", "import", str(file))


@pytest.mark.parametrize("where", ["smb.conf", "the registry"])
def test_calls_of_sambas_library_grow_with_the_shares_and_not_with_their_square(
    nas: Nas, where: str
) -> None:
    sizes = (100, 200, 400)
    found = []
    for size in sizes:
        if where == "the registry":
            replace_registry(nas, [f"reg{number}" for number in range(size)])
        found.append(calls(nas, size if where == "smb.conf" else 0))
    small, middle, large = (sum(each.values()) for each in found)
    assert large - middle == 2 * (middle - small)
    assert middle - small < 100 * 40
    assert len({each["of a missing name"] for each in found}) == 1
    if where == "smb.conf":  # it compares the name with those of all shares
        assert [each.get("lp_servicenumber", 0) for each in found] == [0, 0, 0]
