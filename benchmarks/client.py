"""A client of the pipe over Samba's own C library, which adds little time itself.

The system's Python, which has the package `samba`, runs it inside a lab:

    client.py calls  ADDRESS LOGIN SHARE                 single calls
    client.py cycles ADDRESS LOGIN SHARE,… NUMBER PAUSE  sets made and deleted
    client.py grow   ADDRESS LOGIN SHARE,… NUMBER PAUSE  sets made and kept
    client.py strive ADDRESS LOGIN SHARE,… SECONDS PAUSE sets made and deleted, beside other clients

`calls` reads the number of calls from standard input repeatedly, so that one client makes many
bursts; `strive` waits for a line. Prints JSON objects, one on each line, with times in seconds by
method, for whole sequences, and from the answer to Prepare to that to Commit, while applications
are frozen. With $SLOW_FLUSH (see slow_flush.c) also how often the disk was waited for, as "flushes
of METHOD", and the parts of fsrvpd's Commit, as "in the agent: …".

`PAUSE` is the time in seconds between two sequences: Samba's btrfs module takes only one snapshot
of a share per second. Calls are not signed: Samba's Python has no description of the interface,
and without one its security layer crashes.
"""

import json
import mmap
import os
import struct
import sys
import time
import uuid
from pathlib import Path

from samba import NTSTATUSError
from samba.credentials import DONT_USE_KERBEROS, Credentials
from samba.dcerpc.base import ClientConnection
from samba.param import LoadParm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # fsrvpd without its C core
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import context, sequence

INTERFACE = ("a8e0653c-2744-4389-a61d-7373df8b2292", 1)
GIVE_UP = 200  # failed sequences
CONNECT_TIMEOUT = 60.0  # s
PARTS_OF_COMMIT = (
    "in the agent: before the snapshot",
    "in the agent: the snapshot",
    "in the agent: after the snapshot",
    "in the agent: Commit",
)


class Refused(Exception):
    """The agent answered with an error."""


def text(value):
    data = (value + "\0").encode("utf-16-le")
    units = len(data) // 2
    data = struct.pack("<III", units, 0, units) + data
    return data + bytes(-len(data) % 4)


class Flushes:
    """What slow_flush.c has counted: flushes, msync and snapshots."""

    def __init__(self):
        with open(os.environ["SLOW_FLUSH"], "rb") as file:
            self._numbers = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)

    def number(self):
        return sum(struct.unpack_from("=3Q", self._numbers, 8))

    def parts_of_commit(self):
        """In s, by name; nothing if the agent's calls could not be recognised."""
        received, began, ended, answered = struct.unpack_from("=4Q", self._numbers, 32)
        if not received < began < ended < answered:
            return {}
        parts = (began - received, ended - began, answered - ended, answered - received)
        return {name: part / 1e9 for name, part in zip(PARTS_OF_COMMIT, parts)}


class Agent:
    def __init__(self, address, login):
        user, _, password = login.partition("%")
        parameters = LoadParm()
        parameters.set("log level", "0")
        credentials = Credentials()
        credentials.guess(parameters)
        credentials.set_username(user)
        credentials.set_password(password)
        credentials.set_kerberos_state(DONT_USE_KERBEROS)
        self._address = address
        self._credentials = credentials
        self._parameters = parameters
        self.times = {}
        self.connected = False
        self._flushes = Flushes() if "SLOW_FLUSH" in os.environ else None

    def connect(self):
        name = f"ncacn_np:{self._address}[\\pipe\\FssagentRpc]"
        self._connection = ClientConnection(name, INTERFACE, self._parameters, self._credentials)
        self.connected = True

    def unc(self, share):
        return text(f"\\\\{self._address}\\{share}\\")

    def call(self, opnum, stub=b""):
        flushes = self._flushes.number() if self._flushes else 0
        began = time.perf_counter()
        answer = self._connection.request(int(opnum), stub)
        ended = time.perf_counter()
        self.times.setdefault(opnum.name, []).append(ended - began)
        if opnum is Opnum.CommitShadowCopySet:
            self.times.setdefault("freeze window", []).append(ended - self._answered)
        self._answered = ended
        if self._flushes:
            flushes = self._flushes.number() - flushes
            self.times.setdefault(f"flushes of {opnum.name}", []).append(flushes)
            if opnum is Opnum.CommitShadowCopySet:
                for name, seconds in self._flushes.parts_of_commit().items():
                    self.times.setdefault(name, []).append(seconds)
        (result,) = struct.unpack("<I", answer[-4:])
        if result:
            raise Refused(f"{opnum.name}: {result:#010x}")
        return answer

    def create(self, share):
        """Make a whole sequence. Returns the stub of the DeleteShareMapping that ends it."""
        unc, new, key, copy = self.unc(share), uuid.uuid4().bytes_le, b"", b""
        for opnum in (*sequence.QUERIES, *sequence.CREATION):
            stubs = {
                Opnum.IsPathSupported: unc,
                Opnum.GetSupportedVersion: b"",
                Opnum.SetContext: struct.pack("<I", context.CTX_BACKUP),
                Opnum.StartShadowCopySet: new,
                Opnum.AddToShadowCopySet: new + key + unc,
                Opnum.GetShareMapping: copy + key + unc + struct.pack("<I", 1),
            }
            timeout = sequence.TIMEOUTS.get(opnum)
            rest = key if timeout is None else key + struct.pack("<I", timeout)
            answer = self.call(opnum, stubs.get(opnum, rest))
            if opnum is Opnum.StartShadowCopySet:
                key = answer[:16]
            elif opnum is Opnum.AddToShadowCopySet:
                copy = answer[:16]
        return key + copy + unc

    def delete(self, stub):
        self.call(Opnum.DeleteShareMapping, stub)


def calls(agent, share):
    unc = agent.unc(share)
    for line in sys.stdin:
        agent.times = {}
        for _ in range(int(line)):
            agent.call(Opnum.GetSupportedVersion)
        for _ in range(int(line)):
            agent.call(Opnum.IsPathSupported, unc)
        print(json.dumps(agent.times), flush=True)


def sequences(agent, shares, number, pause):
    """Make sets, one after the other. Yields the stub that deletes each."""
    made = failures = 0
    create = agent.times.setdefault("create", [])
    for attempt in range(number + GIVE_UP):
        if made == number:
            break
        began = time.perf_counter()
        try:
            stub = agent.create(shares[attempt % len(shares)])
        except (Refused, NTSTATUSError) as error:
            failures += 1
            print(error, file=sys.stderr)
            time.sleep(0.05)
            if isinstance(error, NTSTATUSError):
                agent.connect()  # the server closed the connection
            continue
        made += 1
        create.append(time.perf_counter() - began)
        yield stub
        time.sleep(pause)
    if failures:
        print(f"Refused {failures} sequences of {number + failures}", file=sys.stderr)


def strive(agent, shares, seconds, pause):
    """Make and delete sets until the time is over. An agent may refuse some while another client
    makes one, and may have no worker for a client at all."""
    connect_again(agent, time.perf_counter() + CONNECT_TIMEOUT, pause)
    sys.stdin.readline()
    end, attempt = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        if not agent.connected:
            connect_again(agent, end, pause)
            continue
        share = shares[attempt % len(shares)]
        attempt += 1
        try:
            delete(agent, agent.create(share))
        except Refused:
            time.sleep(pause)
        except NTSTATUSError:  # the server closed the connection
            connect_again(agent, end, pause)


def connect_again(agent, end, pause):
    """An agent may not listen for a moment."""
    while time.perf_counter() < end:
        try:
            agent.connect()
            return
        except NTSTATUSError as error:
            print(error, file=sys.stderr)
            time.sleep(pause)


def delete(agent, stub):
    began = time.perf_counter()
    agent.delete(stub)
    agent.times.setdefault("delete", []).append(time.perf_counter() - began)


def main():
    verb, address, login, shares, *how = sys.argv[1:]
    agent = Agent(address, login)
    if verb == "strive":
        strive(agent, shares.split(","), *map(float, how))
        print(json.dumps(agent.times))
        return
    agent.connect()
    if verb == "calls":
        calls(agent, shares)
        return
    number, pause = how
    for stub in sequences(agent, shares.split(","), int(number), float(pause)):
        if verb == "cycles":
            delete(agent, stub)
    print(json.dumps(agent.times))


main()
