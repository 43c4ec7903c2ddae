"""Every way to write the name of a share, and what people write that is none."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.spelling import UncPath, address_of, read_unc

SAME = (
    r"\\nas\data",
    "\\\\nas\\data\\",
    "//nas/data",
    "//nas/data/",
    r"\\nas/data",
    r"\\NAS.\data",
    "smb://nas/data",
    "SMB://NAS/data/",
)
HOSTS = {
    r"\\nas.example.org\data": "nas.example.org",
    r"\\Nas_1\data": "nas_1",
    r"\\10.0.0.7\data": "10.0.0.7",
    r"\\[2001:db8::7]\data": "2001:db8::7",
    r"\\2001:DB8:0::7\data": "2001:db8::7",
    r"\\2001-db8--7.ipv6-literal.net\data": "2001:db8::7",
    r"\\::ffff:10.0.0.7\data": "10.0.0.7",
    "smb://[2001:db8::7]/data": "2001:db8::7",
    r"\\bücher\data": "bücher",
}
PATHS = {
    r"\\nas\data\vm\web": (r"data", r"vm\web"),
    "//nas/data/vm/web/": ("data", r"vm\web"),
    r"\\nas\data\\vm": ("data", "vm"),
    r"\\nas\Data of 2026$\a b": ("Data of 2026$", "a b"),
    "smb://nas/Data%20of%202026%24/a%20b": ("Data of 2026$", "a b"),
}
# What was written, a part of the cause, and a part of the next step.
REFUSED = (
    ("", "names nothing", r"\\server\share"),
    ("/srv/data", "path on this machine", "findmnt -T /srv/data"),
    ("data", "does not begin with two slashes", r"\\server\share"),
    ("nas/data", "does not begin with two slashes", r"'\\nas\data'"),
    (r"nas\data", "does not begin with two slashes", r"'\\nas\data'"),
    (r"\nas\data", "lost backslashes", r"'\\nas\data'"),
    (r"\nasdata", "lost backslashes", r"'\\server\share'"),
    (r"\\\\nas\\data", "too many slashes", r"'\\nas\data'"),
    ("nas:/srv/data", "NFS", r"'\\nas\srv\data'"),
    ("fe80::1", "link-local", "routed"),
    (r"fe80::1%eth0\data", "link-local", "routed"),
    ("[2001:db8::7]", "does not begin with two slashes", r"\\server\share"),
    ("2001:db8::7/data", "does not begin with two slashes", r"'\\2001:db8::7\data'"),
    ("[2001:db8::7]:/data", "NFS", r"'\\[2001:db8::7]\data'"),
    (r"C:\data", "drive", r"\\server\share"),
    ("c:", "drive", r"\\server\share"),
    (r"\\?\C:\data", "Windows' own calls", r"\\server\share"),
    (r"\\?\UNC\nas\data", "Windows' own calls", r"'\\nas\data'"),
    (r"\\.\PhysicalDrive0", "Windows' own calls", r"\\server\share"),
    ("//?/Volume{1}/", "Windows' own calls", r"\\server\share"),
    ("https://nas.example.org/data", "an address of https", r"\\server\share"),
    ("smb://me:secret@nas/data", "an account", "-A FILE"),
    ("smb://WORK;me@nas/data", "an account", "-A FILE"),
    ("smb://nas/data?x=1", "holds '?'", "%3F"),
    ("smb://nas/da%2Fta", "hides a slash", r"\\server\share"),
    ("smb://nas/da%5Cta", "hides a slash", r"\\server\share"),
    ("smb://nas/%ff", "not UTF-8", r"\\server\share"),
    ("smb://nas/da%0Ata", "control characters", r"\\server\share"),
    (r"\\nas", "no share", "smbclient -L nas"),
    ("\\\\nas\\", "no share", "smbclient -L nas"),
    ("smb://nas", "no share", "smbclient -L nas"),
    ("\\\\nas\\data\n", "control characters", r"\\server\share"),
    (r"\\nas\..\x", "'..' is not the name of a share", "smbclient -L nas"),
    (r"\\nas\*", "'*' is not the name of a share", "smbclient -L nas"),
    (r"\\nas\data\..\etc", "wildcard", "in full"),
    (r"\\nas\data\*.vhdx", "wildcard", "in full"),
    (r"\\nas\IPC$", "pipes", r"\\server\share"),
    (r"\\nas\data@{8A2E1C5B-0000-4000-8000-000000000000}", "itself a shadow copy", "made of"),
    (r"\\nas@SSL\data", "WebDAV", "-U USER"),
    (r"\\me@nas\data", "account", "-U USER"),
    (r"\\nas:139\data", "port", "445"),
    (r"\\10.0.7\data", "no IPv4 address", "all four numbers"),
    (r"\\0x0a000007\data", "no IPv4 address", "all four numbers"),
    (r"\\10.0.0.777\data", "no IPv4 address", "all four numbers"),
    (r"\\2001:db8:7\data", "no IPv6 address", "all its groups"),
    (r"\\2001-db8.ipv6-literal.net\data", "no IPv6 address", "all its groups"),
    (r"\\nas,fs2\data", "not the name of a host", r"\\server\share"),
    (r"\\-nas\data", "not the name of a host", r"\\server\share"),
    ("\\\\" + "a" * 64 + r"\data", "not the name of a host", r"\\server\share"),
    (r"\\fe80::7\data", "link-local", "routed"),
    (r"\\fe80::7%eth0\data", "link-local", "routed"),
    (r"\\[2001:db8::7%eth0]\data", "link-local", "routed"),
    (r"\\fe80--7s4.ipv6-literal.net\data", "link-local", "routed"),
    (r"\\169.254.1.2\data", "link-local", "routed"),
    (r"\\0.0.0.0\data", "address of no server", "own"),
    (r"\\ff02::1\data", "address of no server", "own"),
)


@pytest.mark.parametrize("written", SAME)
def test_one_share_in_every_spelling(written: str) -> None:
    assert read_unc(written) == UncPath(written, "nas", "data", "")


@pytest.mark.parametrize("written", HOSTS)
def test_every_form_of_a_host(written: str) -> None:
    assert read_unc(written).host == HOSTS[written]


@pytest.mark.parametrize("written", PATHS)
def test_what_follows_the_share_is_a_path(written: str) -> None:
    read = read_unc(written)
    assert (read.share, read.path) == PATHS[written]
    assert read.unc == "\\\\nas\\" + "\\".join(PATHS[written])


@pytest.mark.parametrize(("written", "cause", "next_step"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_is_no_share_gets_one_line(written: str, cause: str, next_step: str) -> None:
    with pytest.raises(RequestorError) as refused:
        read_unc(written)
    error = refused.value
    assert "\n" not in str(error)
    assert cause in error.cause
    assert next_step in error.next_step
    assert error.exit_status == 2
    assert error.object == (written.replace("\n", "\\n") or "''")


@given(strategies.text(max_size=60) | strategies.text(r"\/.:@%[]$?smbnas1", max_size=40))
def test_any_text_is_a_share_or_refused(written: str) -> None:
    try:
        read = read_unc(written)
    except RequestorError:
        return
    assert all((read.host, read.share))
    assert read_unc(read.unc)[1:] == read[1:]


def test_ipv4_within_ipv6_is_ipv4() -> None:
    assert str(address_of("::ffff:10.0.0.7")) == "10.0.0.7"
    assert address_of("nas") is None
