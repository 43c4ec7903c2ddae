"""Sources of the keys for Kerberos, and what works without them."""

from __future__ import annotations

import re

from lab.daemon import SCRIPTS
from lab.domain import CONTROLLER
from lab.namespaces import wait_until
from tests.ad.nas import VERSIONS, Nas

DEDICATED = "dedicated keytab"


def test_rotated_machine_password_needs_no_restart(nas: Nas) -> None:
    old = nas.domain.kinit(nas.admin)
    assert VERSIONS in nas.version("krb5,sign", "--use-kerberos=required", tickets=old)
    before = key_versions(nas, nas.keytab)
    nas.tool("net", "rpc", "changetrustpw", "--machine-pass", "-S", CONTROLLER)
    wait_until("the keytab is exported anew", lambda: key_versions(nas, nas.keytab) > before)
    assert VERSIONS in nas.with_tickets("krb5,sign", nas.admin)
    assert VERSIONS in nas.version("krb5,sign", "--use-kerberos=required", tickets=old)


def key_versions(nas: Nas, keytab: object) -> set[int]:
    listed = nas.lab.run(["klist", "-k", str(keytab)]).stdout
    return {int(number) for number in re.findall(r"^ +(\d+) ", listed, re.MULTILINE)}


def test_keytab_is_for_root_alone(nas: Nas) -> None:
    assert nas.lab.seen(nas.keytab).stat().st_mode & 0o777 == 0o600


def test_dedicated_keytab_of_smb_conf(nas: Nas) -> None:
    """fsrvpd uses that keytab unchanged and exports none itself."""
    path = nas.lab.directory / "dedicated.keytab"
    options = {"kerberos method": DEDICATED, "dedicated keytab file": str(path)}
    arguments = [f"--option={name}={value}" for name, value in options.items()]
    nas.tool("net", "ads", "keytab", "create", "--machine-pass", *arguments)
    with nas.other_daemon(**options) as other:
        # Only now, because the previous daemon may have exported one until it ended.
        nas.lab.run(["rm", nas.keytab])
        assert VERSIONS in other.with_tickets("krb5,seal", nas.admin)
        assert not nas.lab.seen(nas.keytab).exists()


def test_without_gssapi(nas: Nas) -> None:
    """NTLM still works, and the log says what is missing."""
    [package] = (SCRIPTS.parent / "lib").glob("python3*/site-packages/gssapi")
    empty = nas.lab.directory / "nothing"
    empty.mkdir()
    nas.lab.run(["mount", "--bind", empty, package])
    with nas.other_daemon() as other:
        nas.lab.unmount(package)  # the daemon has tried the import
        assert VERSIONS in other.with_password("spnego,seal", nas.admin)
        log = other.daemon.read_log()
        assert "clients cannot use Kerberos" in log
        assert "install python3-gssapi" in log
    assert VERSIONS in nas.with_tickets("krb5,sign", nas.admin)
