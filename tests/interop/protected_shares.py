"""Shares with every protection that Samba and the file system have, for each provider.

Each share is the directory `NAME/in/share` of a volume, with three files: everybody may read and
write `open.txt`, the owner's group `group.txt`, and the owner `own.txt`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

from lab import Lab, Samba, Share, User
from tests.interop.nas import SECOND_ADDRESS

GROUP, GID = "team", 21000
FILES = {"open.txt": 0o666, "group.txt": 0o660, "own.txt": 0o600}
STORE = ".store"  # the snapshots of the command provider
OUTSIDE = "outside.txt"  # where the links of a share lead to


class People(NamedTuple):
    olga: User  # owns the files
    mia: User  # is a member of their group
    otto: User  # is nobody special
    ada: User  # is an admin user of one share


class Protection(NamedTuple):
    """`options` go into the share's section. `shell` runs as root in the directory NAME; `$LAB`
    and `$SHARE` are the lab's directory and the share's. `rights` is the share's security
    descriptor. `backup_users` read everything in a copy, and write nothing in a sealed one."""

    options: Mapping[str, str] = {}
    shell: str = ""
    rights: Mapping[str, str] = {}
    above: bool = False  # the volume is mounted in a directory that is closed to others
    may_be_refused: bool = False
    backup_users: Sequence[str] = ()


PROTECTIONS: Mapping[str, Protection] = {
    "none": Protection(),
    "parent-mode": Protection(shell="chmod 0750 in"),
    "grandparent-mode": Protection(shell="chmod 0710 ."),
    "parent-of-root": Protection({"admin users": "ada"}, "chown root:root in; chmod 0700 in"),
    "parent-acl-denies": Protection(shell="setfacl -m u:otto:--- in"),
    "parent-acl-admits": Protection(shell="chmod 0700 in; setfacl -m u:otto:--x in"),
    "above-the-volume": Protection(above=True),
    "own-mode": Protection(shell="chmod 0750 $SHARE"),
    "own-acl": Protection(shell="setfacl -m u:otto:--- $SHARE"),
    "group-denied": Protection(shell="chmod 0707 $SHARE"),
    "descriptor": Protection(rights={"olga": "FULL", "mia": "READ"}),
    "valid-users": Protection({"valid users": f"olga +{GROUP}"}),
    "invalid-users": Protection({"invalid users": "otto"}),
    "hosts-allow": Protection({"hosts allow": "127."}),
    "hosts-deny": Protection({"hosts deny": SECOND_ADDRESS}),
    "guest-ok": Protection({"guest ok": "yes"}),
    "guest-only": Protection({"guest ok": "yes", "guest only": "yes"}),
    "force-user": Protection({"force user": "olga", "valid users": "mia"}),
    "force-group": Protection({"force group": GROUP, "valid users": "otto"}),
    "admin-users": Protection({"admin users": "ada"}, "chown root:root $SHARE; chmod 0700 $SHARE"),
    "read-list": Protection({"read list": f"otto +{GROUP}"}),
    "write-list": Protection({"read only": "yes", "write list": "olga otto"}),
    "enumeration": Protection({"access based share enum": "yes"}, rights={"olga": "FULL"}),
    "backup-user": Protection(
        {"fsrvp:backup users": "ada otto", "valid users": f"ada olga +{GROUP}"},
        backup_users=["ada"],
    ),
    "backup-group": Protection(
        {
            "fsrvp:backup users": f'otto "+{GROUP}"',
            "read only": "yes",
            "write list": "otto",
            "vfs objects": "acl_xattr",
        },
        backup_users=["otto", "mia", "mia-from-afar"],
    ),
    "hidden-files": Protection({"hide unreadable": "yes", "veto files": "/group.txt/"}),
    "nt-acl": Protection({"vfs objects": "acl_xattr"}),
    "nt-acl-alone": Protection({"vfs objects": "acl_xattr", "acl_xattr:ignore system acls": "yes"}),
    "include-user": Protection({"include": "{lab}/inc-%U.conf"}, may_be_refused=True),
    "include-address": Protection({"include": "{lab}/inc-%I.conf"}, may_be_refused=True),
    "script": Protection(
        {"root preexec": "/bin/sh -c 'test %U != otto'", "root preexec close": "yes"}
    ),
    "links": Protection(
        shell="ln -s $PWD/outside.txt $SHARE/link.txt; ln -s ../../outside.txt $SHARE/up.txt"
    ),
    "wide-links": Protection(
        {"wide links": "yes"},
        "ln -s $PWD/outside.txt $SHARE/link.txt; ln -s ../../outside.txt $SHARE/up.txt",
    ),
}
# `$1` is the directory NAME, `$2` the lab's directory, `$3` the share. Copies are found by a file
# that names the share.
MAKE = f"""
set -e
umask 022
LAB=$2
mkdir -p "$1/in/share"
cd "$1"
SHARE=$PWD/in/share
chown olga:{GROUP} . in "$SHARE"
chmod 0777 "$SHARE"
cd "$SHARE"
{"".join(f"echo original >{name}; chmod {mode:04o} {name}; " for name, mode in FILES.items())}
chown olga:{GROUP} *
touch "$3.name"
cd "$1"
echo original >{OUTSIDE}
chmod 0666 {OUTSIDE}
"""
CREATE = """\
#!/bin/sh
set -eu
taken=$(mktemp --dry-run --tmpdir="$1/{store}")
btrfs -q subvolume snapshot "$1" "$taken" >&2
echo "$taken/$(realpath --relative-to="$1" "$2")"
"""
DELETE = """\
#!/bin/sh
set -eu
below=$(realpath --relative-to="$1/{store}" "$3")
btrfs -q subvolume delete "$1/{store}/${{below%%/*}}" >&2
"""


class Storage:
    """The two volumes of one provider; others may pass through the directory of one only."""

    def __init__(self, lab: Lab, provider: str) -> None:
        self.lab = lab
        self.provider = provider
        kind = "xfs" if provider == "reflink" else "btrfs"
        self.open = lab.volume(kind, provider)
        self.closed = lab.volume(kind, f"closed/{provider}")
        for volume in (self.open, self.closed):
            lab.run(["chmod", "0755", volume])
            if provider == "command":
                lab.run(["btrfs", "-q", "subvolume", "create", volume / STORE])
                lab.run(["chmod", "0700", volume / STORE])

    def share_name(self, protection: str) -> str:
        return f"{self.provider}-{protection}"

    def directory(self, protection: str) -> Path:
        volume = self.closed if PROTECTIONS[protection].above else self.open
        return volume / protection

    def volume_options(self, protection: str) -> dict[str, str]:
        if self.provider != "command":
            return {}
        volume = self.closed if PROTECTIONS[protection].above else self.open
        scripts = self.lab.directory
        return {
            "fsrvp:provider": "command",
            "fsrvp:create command": f"{scripts}/create.sh {volume}",
            "fsrvp:delete command": f"{scripts}/delete.sh {volume}",
        }

    def make_shares(self, samba: Samba) -> None:
        for name, protection in PROTECTIONS.items():
            directory = self.directory(name)
            script = MAKE + protection.shell
            argv = [directory, self.lab.directory, self.share_name(name)]
            self.lab.run(["sh", "-c", script, "sh", *argv])
            options = {
                option: value.format(lab=self.lab.directory)
                for option, value in protection.options.items()
            }
            path = directory / "in" / "share"
            samba.set_share(
                Share(self.share_name(name), path, {**options, **self.volume_options(name)})
            )


def make_closed_directory(lab: Lab) -> None:
    """Make the directory that others may not enter, for volumes below it."""
    lab.run(["mkdir", lab.directory / "closed"])


def close_directory(lab: Lab) -> None:
    lab.run(["chown", f"olga:{GROUP}", lab.directory / "closed"])
    lab.run(["chmod", "0750", lab.directory / "closed"])


def write_files(lab: Lab) -> None:
    """Write the command provider's scripts, and what some clients' configuration includes."""
    for name, text in (("create", CREATE), ("delete", DELETE)):
        script = lab.directory / f"{name}.sh"
        script.write_text(text.format(store=STORE))
        script.chmod(0o755)
    for client in ("otto", SECOND_ADDRESS):
        (lab.directory / f"inc-{client}.conf").write_text("valid users = root\n")


def set_descriptors(samba: Samba, people: People, storage: Storage) -> None:
    by_name = people._asdict()
    for name, protection in PROTECTIONS.items():
        if protection.rights:
            rights = {by_name[user]: right for user, right in protection.rights.items()}
            samba.let_in(storage.share_name(name), rights)


def set_nt_acls(samba: Samba, people: People, storage: Storage) -> None:
    """With acl_xattr: deny a file to one user, or the whole share to all but two."""
    olga, mia, otto = (samba.sid(user) for user in people[:3])
    smbcacls = ["smbcacls", "-s", samba.conf, "-U", people.olga.login, "--numeric"]
    unc = f"//{samba.address}/{storage.share_name('nt-acl')}"
    samba.run([*smbcacls, unc, "open.txt", "--add", f"ACL:{otto}:DENIED/0x0/0x001f01ff"])
    entries = f"ACL:{olga}:ALLOWED/0x0/FULL,ACL:{mia}:ALLOWED/0x0/READ"
    unc = f"//{samba.address}/{storage.share_name('nt-acl-alone')}"
    samba.run([*smbcacls, unc, "/", "--set", f"REVISION:1,OWNER:{olga},GROUP:{olga},{entries}"])
