"""Where the keys come from that Kerberos needs, and what there is without them."""

from __future__ import annotations

import re

from tests.ad.site import VERSIONS, Site
from tests.lab.daemon import SCRIPTS
from tests.lab.domain import CONTROLLER
from tests.lab.namespaces import wait_until

DEDICATED = "dedicated keytab"


def test_rotated_machine_password_needs_no_restart(site: Site) -> None:
    old = site.domain.kinit(site.admin)
    assert VERSIONS in site.version("krb5,sign", "--use-kerberos=required", tickets=old)
    before = key_versions(site, site.keytab)
    site.tool("net", "rpc", "changetrustpw", "--machine-pass", "-S", CONTROLLER)
    wait_until("the keytab is exported anew", lambda: key_versions(site, site.keytab) > before)
    assert VERSIONS in site.with_tickets("krb5,sign", site.admin)
    assert VERSIONS in site.version("krb5,sign", "--use-kerberos=required", tickets=old)


def key_versions(site: Site, keytab: object) -> set[int]:
    listed = site.lab.run(["klist", "-k", str(keytab)]).stdout
    return {int(number) for number in re.findall(r"^ +(\d+) ", listed, re.MULTILINE)}


def test_keytab_is_for_root_alone(site: Site) -> None:
    assert site.lab.seen(site.keytab).stat().st_mode & 0o777 == 0o600


def test_dedicated_keytab_of_smb_conf(site: Site) -> None:
    """Taken as it is, and none of our own made."""
    path = site.lab.directory / "dedicated.keytab"
    options = {"kerberos method": DEDICATED, "dedicated keytab file": str(path)}
    arguments = [f"--option={name}={value}" for name, value in options.items()]
    site.tool("net", "ads", "keytab", "create", "--machine-pass", *arguments)
    with site.other_daemon(**options) as other:
        # Now, when the daemon before has ended: it may have been exporting one.
        site.lab.run(["rm", site.keytab])
        assert VERSIONS in other.with_tickets("krb5,seal", site.admin)
        assert not site.lab.seen(site.keytab).exists()


def test_without_gssapi(site: Site) -> None:
    """NTLM works on, and the log says what is missing."""
    [package] = (SCRIPTS.parent / "lib").glob("python3*/site-packages/gssapi")
    empty = site.lab.directory / "nothing"
    empty.mkdir()
    site.lab.run(["mount", "--bind", empty, package])
    with site.other_daemon() as other:
        site.lab.unmount(package)  # it has looked
        assert VERSIONS in other.with_password("spnego,seal", site.admin)
        log = other.daemon.read_log()
        assert "clients cannot use Kerberos" in log
        assert "install python3-gssapi" in log
    assert VERSIONS in site.with_tickets("krb5,sign", site.admin)
