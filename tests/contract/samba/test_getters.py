"""Every string that is read means what Samba's own getter returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.options.option import unquoted
from lab import Share

from .conftest import Nas, open_nas
from .getters import AS_THEY_ARE, EXPANDED

SCRIPT = Path(__file__).with_name("getters.py")
WRITTEN = [
    *("/srv/plain", '"/srv/My Data"', '"/srv/half', '/srv/half"', '""/srv/two""', '"', '""'),
    *('"/srv/2" disk"', "/srv/a # b", "/srv/a ; b", '"/srv/blank "', "/srv/a    b", "/srv/%h"),
    *('"/srv/%h"', "/srv/%%", "'/srv/single'", '"/srv/back\\slash"'),
]


def returned(nas: Nas, conf: Path, *shares: str) -> Any:
    """What Samba's getters return. The registry would be looked for in the directories."""
    done = nas.samba.run([sys.executable, SCRIPT, conf, *shares])
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["library", "commands"])
def test_shares(kind: str) -> None:
    with open_nas(kind) as nas:
        shares = {f"share {number}": written for number, written in enumerate(WRITTEN)}
        for name, written in shares.items():
            options = {"veto files": written, "force user": written}
            nas.samba.set_share(Share(name, Path(written), options))
        for name, values in returned(nas, nas.samba.conf, *shares)["shares"].items():
            share = nas.registry.share(name)
            if kind == "library" or "%h" not in share.path:
                assert share.path == values["path"]
            if "%" not in values["veto files"] + shares[name]:
                assert share.veto_files == values["veto files"]
                assert unquoted(shares[name].replace("    ", " ")) == values["force user"]


def test_globals(nas: Nas) -> None:
    """What Samba takes as it is, quotes and all, is not unquoted."""
    names = [*EXPANDED, *AS_THEY_ARE]
    conf = nas.lab.directory / "quoted.conf"
    quoted = {name: f'"/{name}"' for name in names}
    lines = [f"{name} = {value}" for name, value in quoted.items()]
    conf.write_text("\n".join(["[global]", *lines, "registry shares = no", ""]))
    found = returned(nas, conf)
    assert {name: found[name] for name in EXPANDED} == {name: f"/{name}" for name in EXPANDED}
    for name in AS_THEY_ARE:
        assert found[name].lower() == quoted[name], name
    nas.samba.set_option("log file", '"/var/log/samba/log of all"')
    assert nas.registry.configuration().log_file == "/var/log/samba/log of all"
