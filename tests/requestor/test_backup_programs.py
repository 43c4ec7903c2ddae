"""Debian's restic and borg back up copies twice: the second run finds that nothing has changed.

projects is btrfs, where inode and ctime are the server's; vault is XFS, whose copies are made of
new files each time.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Iterator, List, Mapping, NamedTuple

import pytest

from tests.requestor.backup_host import SHARES, Nas, open_nas
from tests.requestor.command_host import HOST

STREAM = "[ZoneTransfer]\r\nZoneId=3\r\n"
# borg does not remember the file with the newest time: it could change without a new one.
NEWEST = "newest"
DESCRIPTOR, ZONE = "user.smb.security_descriptor", "user.smb.stream.Zone.Identifier"


# The same words in every run, and so the same job.
BACKUP = """
restic backup --json . > "$HOME/restic.said"
borg create --list --filter AMCE "::{now}" . 2> "$HOME/borg.said"
for share in */; do
    getfattr -e hex -d "$share/folder/file" | tail -n +2 > "$HOME/${share%/}.facts"
done
pwd > "$HOME/place"; printf %s "$FSRVPSHADOW_MOUNT" > "$HOME/told"
"""


class Run(NamedTuple):
    """What the programs said of one copy."""

    restic: Mapping[str, Any]
    borg: List[str]
    facts: Mapping[str, str]  # of one file, as getfattr prints them


class Backups:
    def __init__(self, nas: Nas) -> None:
        self.nas = nas
        self.directory = nas.lab.directory / "backups"
        self.directory.mkdir()
        self.environment = {
            "HOME": str(self.directory),
            "RESTIC_REPOSITORY": str(self.directory / "restic"),
            "RESTIC_PASSWORD": "x",
            "BORG_REPO": str(self.directory / "borg"),
            "BORG_BASE_DIR": str(self.directory),
        }
        exports = "".join(f"export {each[0]}={each[1]}\n" for each in self.environment.items())
        self.script = self.directory / "backup"
        self.script.write_text(f"set -e\n{exports}{BACKUP}")
        self.sh("restic -q init; borg init -e none")

    def sh(self, script: str) -> subprocess.CompletedProcess[str]:
        argv = ["sh", "-ec", script]
        return self.nas.lab.run(argv, environment=self.environment, timeout=120)

    def run(self) -> Run:
        """Copy both shares, mount, back up, unmount, delete."""
        shares = [rf"\\{HOST}\{share}" for share in SHARES]
        self.nas.host.done("run", *shares, "--", "sh", self.script)
        assert self.said("place").strip() == self.said("told")
        facts = {share: self.said(f"{share}.facts") for share in SHARES}
        restic = json.loads(self.said("restic.said").splitlines()[-1])
        return Run(restic, self.said("borg.said").splitlines(), facts)

    def said(self, name: str) -> str:
        return (self.directory / name).read_text()

    def facts(self, share: Path) -> str:
        file = share / "folder" / "file"
        return self.sh(f"getfattr --absolute-names -e hex -d {file} | tail -n +2").stdout


@pytest.fixture(scope="module")
def backups() -> Iterator[Backups]:
    with open_nas() as nas:
        stream = nas.lab.directory / "stream"
        stream.write_text(STREAM)
        for share in SHARES:
            nas.samba.smbclient(share, f'put {stream} "folder/file:Zone.Identifier"')
        nas.samba.write("vault", NEWEST, "")
        yield Backups(nas)


@pytest.fixture(scope="module")
def runs(backups: Backups) -> List[Run]:
    return [backups.run(), backups.run()]


def test_the_copies_are_those_of_our_agent(backups: Backups, runs: List[Run]) -> None:
    assert backups.nas.calls().count("CommitShadowCopySet") == len(runs)
    backups.nas.assert_nothing_is_left()


def test_restic_finds_its_parent_and_no_new_file(backups: Backups, runs: List[Run]) -> None:
    first, second = (run.restic for run in runs)
    assert first["files_new"] == second["files_unmodified"] > 200
    assert (second["files_new"], second["files_changed"], second["dirs_new"]) == (0, 0, 0)
    assert second["data_blobs"] == 0
    listed = json.loads(backups.sh("restic snapshots --json").stdout)
    assert listed[1]["parent"] == listed[0]["id"]
    assert backups.sh("restic check").returncode == 0


def test_restic_restores_contents_and_what_windows_knows(backups: Backups, runs: List[Run]) -> None:
    target = backups.nas.lab.directory / "projects" / "restored"
    backups.sh(f"restic -q restore latest --target {target}")
    for share in SHARES:
        assert sums(backups, target / share) == sums(backups, backups.nas.path(share))
        facts = backups.facts(target / share)
        assert facts == runs[1].facts[share]
        assert DESCRIPTOR in facts
        assert f"{ZONE}=0x{STREAM.encode().hex()}" in facts


def test_borg_finds_nothing_new(backups: Backups, runs: List[Run]) -> None:
    assert len([line for line in runs[0].borg if line.startswith("A ")]) > 200
    changed = [line for line in runs[1].borg if line[:2] in ("A ", "M ", "C ", "E ")]
    assert changed == [f"A vault/{NEWEST}"]


def test_borg_restores_contents_and_what_windows_knows(backups: Backups, runs: List[Run]) -> None:
    target = backups.nas.lab.directory / "projects" / "extracted"
    backups.sh(f"mkdir {target}; cd {target}; borg extract ::$(borg list --short --last 1)")
    for share in SHARES:
        assert sums(backups, target / share) == sums(backups, backups.nas.path(share))
        assert backups.facts(target / share) == runs[1].facts[share]


def test_a_changed_file_is_found(backups: Backups, runs: List[Run]) -> None:
    for share in SHARES:
        backups.nas.samba.write(share, r"folder\file", "changed")
    third = backups.run()
    assert (third.restic["files_new"], third.restic["files_changed"]) == (0, len(SHARES))
    assert len([line for line in third.borg if line.startswith("M ")]) == len(SHARES)


def sums(backups: Backups, directory: Path) -> str:
    script = f"cd {directory}; find . -type f -exec sha256sum {{}} + | sort"
    return backups.sh(script).stdout
