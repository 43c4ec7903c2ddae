"""What a share's parameters do in its copies. One set has a copy of every share in the table, and
every trap is first shown to work in the base share."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Mapping, NamedTuple

import pytest
from impacket.smb3structs import SMB2_TREE_CONNECT, SMB2TreeConnect, SMB2TreeConnect_Response
from impacket.smbconnection import SMBConnection

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY
from lab import Share, User
from tests.interop.nas import Nas, make_directory, open_nas
from tests.interop.raw_agent import BACKUP, RawAgent

ALLOWED, REFUSED = True, False
CACHING, DOCUMENTS, NO_CACHING = 0x30, 0x10, 0x30  # MS-SMB2 2.2.10
NOT_COPIED = {  # showshare prints none of them, and smbd uses none
    "print command": "/bin/touch {ran}",
    "lpq command": "/bin/touch {ran}",
    "printer name": "laser",
    "msdfs proxy": "\\\\elsewhere\\share",
    "spotlight backend": "noindex",
    "fruit:time machine max size": "9G",
    "recycle:repository": "{live}",
    "shadow:snapdir": "{live}",
}
SCRIPTS = ("preexec", "root preexec", "postexec", "root postexec")
SHARES: Mapping[str, Mapping[str, str]] = {
    "links": {"wide links": "yes"},
    "scripts": dict.fromkeys(SCRIPTS, "/bin/touch {ran}"),
    "magic": {"magic script": "run.sh", "magic output": "run.out"},
    "space": {"dfree command": "{live}/free-space"},
    "offline": {"csc policy": "documents"},
    "indexed": {"spotlight": "yes", "vfs objects": "fruit", "fruit:time machine": "yes"},
    "filtered": {
        "vfs objects": "virusfilter",
        "virusfilter:scanner": "dummy",
        "virusfilter:infected files": "*infected*",
        "virusfilter:infected file action": "quarantine",
        "virusfilter:quarantine directory": "{live}",
        "virusfilter:infected file command": "/bin/touch {ran}",
    },
    "modules": {
        "vfs objects": "fileid recycle widelinks streams_xattr",
        "fileid:algorithm": "fsname",
        "recycle:repository": "{live}",
    },
    "lists": {"read only": "yes", "write list": "clerk"},
    "two clerk": {"valid users": "%S"},  # one user, whose name has a blank
    "comma": {"valid users": '"clerk,root"'},  # one user, whose name has a comma
    "gate": {"root preexec": "/usr/bin/test %P = {base}", "root preexec close": "yes"},
    "clerk": {},  # [global] keeps out the user of the share's own name
    "template": {"valid users": "root"},
    "copied": {"copy": "template"},
    "included": {"include": "{base}.conf"},
    "not copied": NOT_COPIED,
}
GLOBAL = {
    "fsrvpd:shared volumes": "yes",
    "allow insecure wide links": "yes",
    "invalid users": "%S",
}


class Copies(NamedTuple):
    """`read_only` and `writable` map a share to its copy in either set. `live` is a directory of
    live data that everybody may write to, `ran` a file that scripts make."""

    nas: Nas
    user: User
    live: Path
    ran: Path
    read_only: Mapping[str, str]
    writable: Mapping[str, str]

    def does(self, share: str, command: str, *, user: str = "") -> bool:
        """Whether smbclient's commands succeed."""
        who = User(user) if user else self.user
        done = self.nas.samba.smbclient(share, command, user=who, check=False)
        return "NT_STATUS_" not in done.stdout + done.stderr

    def has_run(self) -> bool:
        """Whether a script has run since the last time."""
        there = self.ran.exists()
        self.nas.lab.run(["rm", "-f", self.ran])
        return there

    def shown(self, share: str) -> dict[str, str]:
        """The parameters of a copy."""
        lines = self.nas.samba.net("conf", "showshare", share).stdout.splitlines()
        pairs = (line.strip().partition(" = ") for line in lines)
        return {name: value for name, equals, value in pairs if equals}


@pytest.fixture(scope="module")
def copies() -> Iterator[Copies]:
    with open_nas(GLOBAL) as nas:
        user = nas.samba.add_user("clerk")
        live = make_directory(nas.lab, nas.volumes["projects"] / "live")
        ran = make_directory(nas.lab, nas.lab.directory / "scripts") / "ran"
        executable(nas, live / "free-space", f"touch {ran}; echo 1000 500")
        make_shares(nas, live, ran)
        with RawAgent(nas) as agent:
            read_only = exposed(agent, BACKUP)
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, read_only[0])
            writable = exposed(agent, BACKUP | ATTR_AUTO_RECOVERY)
            yield Copies(nas, user, live, ran, read_only[1], writable[1])
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, writable[0])


def executable(nas: Nas, path: Path, command: str) -> None:
    nas.lab.seen(path).write_text(f"#!/bin/sh\n{command}\n")
    nas.lab.run(["chmod", "0755", path])


def make_shares(nas: Nas, live: Path, ran: Path) -> None:
    """Each with a file, an infected file, and absolute links to live data."""
    script = (
        'cd "$1"; echo text > file; echo text and more > infected; echo live > "$2/secret"'
        '; chmod 666 * "$2/secret"; ln -s "$2/secret" link; ln -s "$2" directory'
    )
    for name, options in SHARES.items():
        base = make_directory(nas.lab, nas.volumes["projects"] / name)
        nas.lab.run(["sh", "-c", script, "sh", base, live])
        (nas.lab.seen(base).parent / f"{name}.conf").write_text("valid users = root\n")
        filled = {
            option: value.format(live=live, ran=ran, base=base) for option, value in options.items()
        }
        nas.samba.set_share(Share(name, base, filled))
    nas.samba.reload()


def exposed(agent: RawAgent, context: int) -> tuple[bytes, Mapping[str, str]]:
    """One set of all shares. Returns its id, and the copy of each share."""
    set_id = agent.start(context)
    copy_ids = {name: agent.add(set_id, name) for name in SHARES}
    agent.expose(set_id)
    return set_id, {
        name: agent.mapping(set_id, copy_id, name).share for name, copy_id in copy_ids.items()
    }


def both(copies: Copies, share: str) -> tuple[str, str]:
    return copies.read_only[share], copies.writable[share]


def test_absolute_links_lead_nowhere(copies: Copies) -> None:
    assert copies.does("links", "get link /dev/null; ls directory/*")
    for copy in both(copies, "links"):
        assert not copies.does(copy, "get link /dev/null")
        assert not copies.does(copy, "ls directory/*")
    writable = copies.writable["links"]
    copies.does(writable, "put /etc/hostname link; put /etc/hostname directory/new")
    assert copies.nas.lab.run(["cat", copies.live / "secret"]).stdout == "live\n"
    assert not copies.nas.lab.seen(copies.live / "new").exists()
    assert copies.does(writable, "put /etc/hostname written")


def test_scripts_do_not_run(copies: Copies) -> None:
    copies.has_run()
    for copy in both(copies, "scripts"):
        assert copies.does(copy, "get file /dev/null")
    assert not copies.has_run()
    assert copies.does("scripts", "get file /dev/null")
    assert copies.has_run()


def test_magic_scripts_do_not_run(copies: Copies) -> None:
    script = copies.ran.parent / "run.sh"
    executable(copies.nas, script, f"touch {copies.ran}")
    for share, runs in ((copies.writable["magic"], False), ("magic", True)):
        copies.does(share, f"put {script} run.sh")
        assert copies.has_run() == runs


def test_the_free_space_is_not_a_scripts(copies: Copies) -> None:
    copies.has_run()
    for copy in both(copies, "space"):
        assert copies.does(copy, "du")
    assert not copies.has_run()
    assert copies.does("space", "du")
    assert copies.has_run()


def share_flags(nas: Nas, share: str) -> int:
    """What smbd tells a client that connects: SMB2 TREE_CONNECT Response, ShareFlags."""

    def ask() -> int:
        connection = SMBConnection(nas.samba.address, nas.samba.address)
        connection.login(*nas.samba.root)
        smb, request = connection.getSMBServer(), SMB2TreeConnect()
        request["Buffer"] = f"\\\\{nas.samba.address}\\{share}".encode("utf-16le")
        request["PathLength"] = len(request["Buffer"])
        packet = smb.SMB_PACKET()
        packet["Command"], packet["Data"] = SMB2_TREE_CONNECT, request
        answer = smb.recvSMB(smb.sendSMB(packet))
        connection.close()
        return int(SMB2TreeConnect_Response(answer["Data"])["ShareFlags"])

    with nas.lab.network() as thread:
        return thread.submit(ask).result()


def test_clients_keep_nothing_offline(copies: Copies) -> None:
    assert share_flags(copies.nas, "offline") & CACHING == DOCUMENTS
    for copy in both(copies, "offline"):
        assert share_flags(copies.nas, copy) & CACHING == NO_CACHING


def test_a_copy_is_neither_indexed_nor_a_time_machine(copies: Copies) -> None:
    for copy in both(copies, "indexed"):
        shown = copies.shown(copy)
        assert (shown["spotlight"], shown["fruit:time machine"]) == ("No", "No")


def test_infected_files_stay_closed_and_where_they_are(copies: Copies) -> None:
    copies.has_run()
    for copy in both(copies, "filtered"):
        assert copies.does(copy, "get file /dev/null")
        assert not copies.does(copy, "get infected /dev/null")
        assert copies.does(copy, "ls infected")
    assert not copies.has_run()
    assert not copies.does("filtered", "get infected /dev/null")
    assert not copies.does("filtered", "ls infected")


def test_modules_that_reach_elsewhere_are_not_loaded(copies: Copies) -> None:
    for copy in both(copies, "modules"):
        assert copies.shown(copy)["vfs objects"] == "streams_xattr"
        assert copies.does(copy, "get file /dev/null")
    for share in (copies.writable["modules"], "modules"):
        assert copies.does(share, "del file")
        recycled = copies.nas.lab.run(["find", copies.live, "-name", "file"]).stdout
        assert bool(recycled) == (share == "modules")


def test_writers_of_a_read_only_share(copies: Copies) -> None:
    for share, may_write in (
        ("lists", ALLOWED),
        (copies.writable["lists"], ALLOWED),
        (copies.read_only["lists"], REFUSED),
    ):
        assert copies.does(share, "mkdir made") is may_write


@pytest.mark.parametrize("base", ["two clerk", "comma", "clerk", "copied", "included", "template"])
def test_who_is_kept_out_of_the_share_is_kept_out_of_its_copy(copies: Copies, base: str) -> None:
    for share in (base, *both(copies, base)):
        assert not copies.does(share, "ls")
    if base not in ("two clerk", "comma"):
        assert copies.does(copies.read_only[base], "ls", user="root")


def test_a_gate_is_asked_about_the_base_share(copies: Copies) -> None:
    for share in ("gate", *both(copies, "gate")):
        assert copies.does(share, "get file /dev/null")


def test_what_has_no_effect_is_not_copied(copies: Copies) -> None:
    for copy in both(copies, "not copied"):
        assert not NOT_COPIED.keys() & copies.shown(copy).keys()
        assert copies.does(copy, "get file /dev/null")


def test_what_global_switches_on_later_stays_off(copies: Copies) -> None:
    """This one changes the NAS and is the last."""
    for name in ("wide links", "guest ok"):
        copies.nas.samba.set_option(name, "yes")
    copies.nas.samba.reload()
    assert copies.does("lists", "get link /dev/null", user="nobody-we-know")
    for copy in both(copies, "lists"):
        assert not copies.does(copy, "get link /dev/null")
        assert not copies.does(copy, "get file /dev/null", user="nobody-we-know")
        assert copies.does(copy, "get file /dev/null")
