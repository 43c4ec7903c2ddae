"""A domain of a later Samba, whose `net` exports the machine's keys in another way."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from lab import Lab
from lab.domain import CONTROLLER
from lab.namespaces import wait_until
from tests.ad.nas import DENIED, VERSIONS, Nas, open_nas
from tests.ad.test_keytab import key_versions
from tests.versions.releases import RELEASES, SCRIPTS, install, tree

LATER = RELEASES[2:]  # `make test` covers 4.17, and 4.13 exports keys in the same way
BINDINGS = ["krb5,sign", "krb5,seal", "spnego,seal"]


@pytest.fixture(scope="module", params=LATER, ids=lambda release: release.name)
def nas(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Nas]:
    with Lab(tree(request.param)) as lab:
        install(lab, wheel)
        lab.run(["touch", "/etc/krb5.conf"])  # which not all releases have
        with open_nas(lab, SCRIPTS) as opened:
            yield opened


@pytest.mark.parametrize("binding", BINDINGS)
def test_kerberos(nas: Nas, binding: str) -> None:
    assert VERSIONS in nas.with_tickets(binding, nas.admin)


@pytest.mark.parametrize("binding", ["ntlm,sign", "spnego,seal"])
def test_ntlm_through_winbind(nas: Nas, binding: str) -> None:
    assert VERSIONS in nas.with_password(binding, nas.admin)


def test_backup_operator_by_and_by(nas: Nas) -> None:
    assert DENIED in nas.with_tickets("krb5,sign", nas.ordinary_user)
    nas.may_back_up(nas.ordinary_user)
    assert VERSIONS in nas.with_tickets("krb5,sign", nas.ordinary_user)


def test_rotated_machine_password_needs_no_restart(nas: Nas) -> None:
    before = key_versions(nas, nas.keytab)
    nas.tool("net", "rpc", "changetrustpw", "--machine-pass", "-S", CONTROLLER)
    wait_until("the keytab is exported anew", lambda: key_versions(nas, nas.keytab) > before)
    assert VERSIONS in nas.with_tickets("krb5,sign", nas.admin)
