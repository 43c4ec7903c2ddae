"""Resolves sets of names and prints a line of JSON for each: its names, or the error.

    resolve_names.py [--fqdn] [--login USER%PASSWORD] [--owner NAME]... SET...

A SET is one UNC, or several with commas between. With a login servers are asked for links of DFS.
"""

from __future__ import annotations

import argparse
import json
from typing import List

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.owner import owners
from fsrvpd.requestor.names.resolve import Names
from fsrvpd.requestor.names.system_look_up import SystemLookUp
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.dfs import DfsReferrals


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fqdn", action="store_true")
    parser.add_argument("--login")
    parser.add_argument("--owner", action="append", default=[])
    parser.add_argument("sets", nargs="+")
    given = parser.parse_args()
    referrals = None
    if given.login:
        user, _, password = given.login.partition("%")
        referrals = DfsReferrals(SmbConnector(Credentials(user, password)))
    names = Names(SystemLookUp(), referrals, fqdn=given.fqdn, listed=owners(given.owner))
    for each in given.sets:
        print(json.dumps(resolved(names, each.split(","))))


def resolved(names: Names, uncs: List[str]) -> object:
    try:
        found = names.resolutions(uncs)
    except RequestorError as error:
        return {"error": str(error), "result": error.result}
    return [
        [each.root.unc, each.root.prefix, list(map(str, each.steps)), each.logical_prefix]
        for each in found
    ]


main()
