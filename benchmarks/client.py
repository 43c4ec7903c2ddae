"""A client of the pipe over Samba's own C library, so that it costs little itself.

Run by the system's Python, which has the package `samba`, inside a lab:

    client.py calls  ADDRESS LOGIN SHARE                 single calls
    client.py cycles ADDRESS LOGIN SHARE,… NUMBER PAUSE  sets made and deleted
    client.py grow   ADDRESS LOGIN SHARE,… NUMBER PAUSE  sets made and kept

`calls` reads from standard input how many, again and again, so that one client stays for
many bursts. Prints JSON objects, one a line, of times in seconds, by method and for whole
sequences. `PAUSE` in seconds stands between two sequences: Samba's btrfs module takes but
one snapshot of a share a second. Not signed: without a description of the interface, which
Samba's Python has not, its security layer crashes.
"""

import json
import struct
import sys
import time
import uuid

from samba import NTSTATUSError
from samba.credentials import DONT_USE_KERBEROS, Credentials
from samba.dcerpc.base import ClientConnection
from samba.param import LoadParm

INTERFACE = ("a8e0653c-2744-4389-a61d-7373df8b2292", 1)
GIVE_UP = 200  # failed sequences


class Refused(Exception):
    """The agent answered with an error."""


def text(value):
    data = (value + "\0").encode("utf-16-le")
    units = len(data) // 2
    data = struct.pack("<III", units, 0, units) + data
    return data + bytes(-len(data) % 4)


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
        self.connect()

    def connect(self):
        name = f"ncacn_np:{self._address}[\\pipe\\FssagentRpc]"
        self._connection = ClientConnection(name, INTERFACE, self._parameters, self._credentials)

    def unc(self, share):
        return text(f"\\\\{self._address}\\{share}\\")

    def call(self, method, opnum, stub=b""):
        began = time.perf_counter()
        answer = self._connection.request(opnum, stub)
        self.times.setdefault(method, []).append(time.perf_counter() - began)
        (result,) = struct.unpack("<I", answer[-4:])
        if result:
            raise Refused(f"{method}: {result:#010x}")
        return answer

    def create(self, share):
        """A whole sequence. Returns the stub of the DeleteShareMapping that ends it."""
        unc, new = self.unc(share), uuid.uuid4().bytes_le
        self.call("IsPathSupported", 8, unc)
        self.call("GetSupportedVersion", 0)
        self.call("SetContext", 1, struct.pack("<I", 0))
        key = self.call("StartShadowCopySet", 2, new)[:16]
        copy = self.call("AddToShadowCopySet", 3, new + key + unc)[:16]
        self.call("PrepareShadowCopySet", 12, key + struct.pack("<I", 1800000))
        self.call("CommitShadowCopySet", 4, key + struct.pack("<I", 60000))
        self.call("ExposeShadowCopySet", 5, key + struct.pack("<I", 1800000))
        self.call("GetShareMapping", 10, copy + key + unc + struct.pack("<I", 1))
        self.call("RecoveryCompleteShadowCopySet", 6, key)
        return key + copy + unc

    def delete(self, stub):
        self.call("DeleteShareMapping", 11, stub)


def calls(agent, share):
    unc = agent.unc(share)
    for line in sys.stdin:
        agent.times = {}
        for _ in range(int(line)):
            agent.call("GetSupportedVersion", 0)
        for _ in range(int(line)):
            agent.call("IsPathSupported", 8, unc)
        print(json.dumps(agent.times), flush=True)


def sequences(agent, shares, number, pause):
    """Made sets, one after the other; yields the stub that deletes each."""
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
                agent.connect()  # its server had enough of us
            continue
        made += 1
        create.append(time.perf_counter() - began)
        yield stub
        time.sleep(pause)
    if failures:
        print(f"Refused {failures} sequences of {number + failures}", file=sys.stderr)


def delete(agent, stub):
    began = time.perf_counter()
    agent.delete(stub)
    agent.times.setdefault("delete", []).append(time.perf_counter() - began)


def main():
    verb, address, login, shares, *how = sys.argv[1:]
    agent = Agent(address, login)
    if verb == "calls":
        calls(agent, shares)
        return
    number, pause = how
    for stub in sequences(agent, shares.split(","), int(number), float(pause)):
        if verb == "cycles":
            delete(agent, stub)
    print(json.dumps(agent.times))


main()
