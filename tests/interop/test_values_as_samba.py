"""Values of smb.conf and of the registry mean to the agent what they mean to smbd: for each share
the copy has the file that smbd serves."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from lab import Share, fss
from tests.interop.nas import Nas, make_directory


class Value(NamedTuple):
    """`written` is the value of `path`, in which {root} is the directory of all the shares."""

    share: str
    written: str
    directory: str
    in_registry: bool = False


VALUES = [
    Value("quoted", '"{root}/My Data"', "My Data"),
    Value("end-quoted", '{root}/End"', "End"),
    Value("quote-inside", '"{root}/2" disk"', '2" disk'),
    Value("blank-in-quotes", '"{root}/blank "', "blank "),
    Value("number-sign", "{root}/a # b", "a # b"),
    Value("semicolon", "{root}/a ; b", "a ; b"),
    Value("two-blanks", "{root}/a    b", "a b"),
    Value("by-name", "{root}/named %S", "named by-name"),
    Value("by-host", "{root}/on %h", "on {host}"),
    Value("registry-quoted", '"{root}/My Registry"', "My Registry", True),
    Value("registry-blank", "{root}/trailing ", "trailing ", True),
    Value("registry-sign", "{root}/r ; # r", "r ; # r", True),
    Value("registry-by-name", "{root}/%S", "registry-by-name", True),
]
SERVED = [value for value in VALUES if value.share != "quote-inside"]
BY_SHARE = pytest.mark.parametrize("value", SERVED, ids=lambda value: value.share)


@pytest.fixture(scope="module")
def served(nas: Nas) -> Nas:
    root = nas.volumes["data"]
    host = nas.lab.run(["hostname", "-s"]).stdout.strip().lower()
    for value in VALUES:
        directory = make_directory(nas.lab, root / value.directory.format(host=host, root=root))
        (nas.lab.seen(directory) / "which").write_text(value.share)
        written = value.written.format(root=root)
        if value.in_registry:
            nas.samba.net("conf", "addshare", value.share, "/")
            nas.samba.net("conf", "setparm", value.share, "path", written)
        else:
            nas.samba.set_share(Share(value.share, Path(written)))
    nas.samba.reload()
    return nas


@BY_SHARE
def test_the_copy_has_the_file_that_smbd_serves(served: Nas, value: Value) -> None:
    assert served.samba.read(value.share, "which") == value.share
    calls = len(served.daemon.calls())
    [copy] = fss.create_expose(served.samba, value.share)
    assert len(served.daemon.calls()) > calls, "another agent answered"
    assert served.samba.read(copy.share, "which") == value.share
    fss.delete(served.samba, copy)


def test_a_quote_inside_is_a_part_of_the_path_for_both(served: Nas) -> None:
    """smbd then keeps the outer quotes as well, and finds no such directory."""
    refused = served.samba.smbclient("quote-inside", "ls", check=False)
    assert "NT_STATUS_" in refused.stdout
    said = served.daemon.ctl("check-path", "quote-inside", check=False)
    assert said.returncode != 0
    assert "its path is not absolute" in said.stdout


def test_what_depends_on_the_user_is_refused_in_quotes_too(served: Nas) -> None:
    path = f'"{served.volumes["data"]}/users/%U"'
    served.samba.set_share(Share("by-user", Path(path)))
    served.samba.reload()
    said = served.daemon.ctl("check-path", "by-user", check=False)
    assert "depends on the user" in " ".join(said.stdout.split())


@pytest.mark.parametrize("option", ["state directory", "pid directory", "ncalrpc dir"])
def test_a_quoted_directory_is_refused_as_by_smbd(served: Nas, option: str) -> None:
    """Samba does not trim these: a daemon would create a directory named with a quote."""
    right = str(served.samba.place(option))
    served.samba.set_option(option, f'"{right}"')
    try:
        for command in (["check-config"], ["doctor"]):
            said = served.daemon.command(*command, check=False)
            text = " ".join((said.stdout + said.stderr).split())
            assert said.returncode == 1, text
            assert f'`{option} = "{right}"` is not an absolute path' in text
            assert "write it without the quotes" in text
    finally:
        served.samba.set_option(option, right)
