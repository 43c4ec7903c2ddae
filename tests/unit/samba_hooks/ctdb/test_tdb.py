"""Reading a database that libtdb itself has written, as ctdbd does: in another process, which
holds its locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.errors import StoreBusy
from fsrvpd.protocol.cluster import Record
from samba_hooks.ctdb.packets import CtdbLost
from samba_hooks.ctdb.tdb import LocalCopy

MANY = 500
# Writes `key NUMBER` with the RSN NUMBER, then does what it is told, line by line.
WRITER = """
import ctypes, os, struct, sys
class Data(ctypes.Structure):
    _fields_ = [("pointer", ctypes.c_char_p), ("size", ctypes.c_size_t)]
tdb = ctypes.CDLL("libtdb.so.1")
tdb.tdb_open.restype = ctypes.c_void_p
path, many = os.fsencode(sys.argv[1]), int(sys.argv[2])
file = ctypes.c_void_p(tdb.tdb_open(path, 0, 0, os.O_RDWR | os.O_CREAT, 0o600))
assert file
def store(key, value):
    assert tdb.tdb_store(file, Data(key, len(key)), Data(value, len(value)), 0) == 0
for number in range(many):
    store(b"key %d" % number, struct.pack("<QIII4x", number, 1, 0, 0) + b"value %d" % number)
store(b"short", b"no header")
print("written", flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "begin":
        assert tdb.tdb_transaction_start(file) == 0
        store(b"key 1", struct.pack("<QIII4x", 77, 1, 0, 0) + b"new")
    else:
        assert getattr(tdb, "tdb_" + word)(file) == 0
    print(word, flush=True)
"""


class Writer:
    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", WRITER, str(path), str(MANY)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self.said() == "written"

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def do(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self.said() == word


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sets.tdb.0"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    made = Writer(path)
    with made.process:
        yield made
        made.process.kill()


@pytest.fixture
def copy(path: Path, writer: Writer) -> Iterator[LocalCopy]:
    made = LocalCopy(str(path))
    yield made
    made.close()


def test_records_are_read(copy: LocalCopy) -> None:
    assert copy.get(b"key 7") == Record(7, b"value 7")
    assert copy.get(b"none") is None
    assert copy.get(b"short") is None
    found = copy.all()
    assert len(found) == MANY
    assert found[b"key 499"] == Record(499, b"value 499")


def test_a_transaction_is_seen_when_it_is_done(copy: LocalCopy, writer: Writer) -> None:
    writer.do("begin")
    assert copy.get(b"key 1") == Record(1, b"value 1")
    assert len(copy.all()) == MANY
    writer.do("transaction_commit")
    assert copy.get(b"key 1") == Record(77, b"new")


def test_a_lock_is_not_waited_for(copy: LocalCopy, writer: Writer) -> None:
    """As in a recovery, in which ctdbd has all of the file locked."""
    writer.do("lockall")
    with pytest.raises(StoreBusy):
        copy.get(b"key 1")
    with pytest.raises(StoreBusy):
        copy.all()
    writer.do("unlockall")
    assert copy.get(b"key 1") == Record(1, b"value 1")
    assert len(copy.all()) == MANY


def test_it_leaves_no_lock(copy: LocalCopy, writer: Writer) -> None:
    copy.all()
    copy.get(b"key 1")
    writer.do("lockall_nonblock")


def test_a_closed_copy(copy: LocalCopy, path: Path) -> None:
    with pytest.raises(CtdbLost, match="cannot be opened"):
        LocalCopy(str(path))  # libtdb opens it once for each process
    copy.close()
    copy.close()
    with pytest.raises(CtdbLost, match="closed"):
        copy.get(b"key 1")
    LocalCopy(str(path)).close()


def test_what_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(CtdbLost, match="No such file"):
        LocalCopy(str(tmp_path / "none"))
    (tmp_path / "text").write_text("no database, but long enough for a header" * 100)
    with pytest.raises(CtdbLost, match="cannot be opened"):
        LocalCopy(str(tmp_path / "text"))


@pytest.mark.parametrize("start", range(168, 4000, 400))
def test_a_damaged_file_is_refused_or_read(path: Path, start: int) -> None:
    writer = Writer(path)
    with writer.process:
        writer.process.kill()
    content = bytearray(path.read_bytes())
    content[start : start + 200] = b"\xa5" * 200
    path.write_bytes(content)
    script = (
        "import sys; from samba_hooks.ctdb.tdb import LocalCopy;"
        " from samba_hooks.ctdb.packets import CtdbLost\n"
        "try: copy = LocalCopy(sys.argv[1]); copy.get(b'key 1'); copy.all()\n"
        "except CtdbLost: pass"
    )
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
