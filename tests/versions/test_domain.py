"""A domain of later Samba, whose `net` exports the machine's keys in another way."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.ad.site import DENIED, VERSIONS, Site, open_site
from tests.ad.test_keytab import key_versions
from tests.lab import Lab
from tests.lab.domain import CONTROLLER
from tests.lab.namespaces import wait_until
from tests.versions.releases import RELEASES, SCRIPTS, install, tree

LATER = RELEASES[2:]  # 4.17 is what `make test` has, and 4.13 is told in the same way as that
BINDINGS = ["krb5,sign", "krb5,seal", "spnego,seal"]


@pytest.fixture(scope="module", params=LATER, ids=lambda release: release.name)
def site(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Site]:
    with Lab(tree(request.param)) as lab:
        install(lab, wheel)
        lab.run(["touch", "/etc/krb5.conf"])  # which not all of them bring along
        with open_site(lab, SCRIPTS) as opened:
            yield opened


@pytest.mark.parametrize("binding", BINDINGS)
def test_kerberos(site: Site, binding: str) -> None:
    assert VERSIONS in site.with_tickets(binding, site.admin)


@pytest.mark.parametrize("binding", ["ntlm,sign", "spnego,seal"])
def test_ntlm_through_winbind(site: Site, binding: str) -> None:
    assert VERSIONS in site.with_password(binding, site.admin)


def test_backup_operator_by_and_by(site: Site) -> None:
    assert DENIED in site.with_tickets("krb5,sign", site.clerk)
    site.may_back_up(site.clerk)
    assert VERSIONS in site.with_tickets("krb5,sign", site.clerk)


def test_rotated_machine_password_needs_no_restart(site: Site) -> None:
    before = key_versions(site, site.keytab)
    site.tool("net", "rpc", "changetrustpw", "--machine-pass", "-S", CONTROLLER)
    wait_until("the keytab is exported anew", lambda: key_versions(site, site.keytab) > before)
    assert VERSIONS in site.with_tickets("krb5,sign", site.admin)
