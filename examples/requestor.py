r"""Backs up shares as they were at one moment: the library of fsrvpshadow in ten lines.

    requestor.py CREDENTIALS SHARE...

CREDENTIALS is a file as smbclient's -A takes it; a SHARE is `\\server\share`.
"""

from __future__ import annotations

import sys

from fsrvpd.requestor import connect, from_file


def main(credentials: str, *shares: str) -> None:
    requestor = connect(from_file(credentials))
    requestor.clean()  # what a run that was killed has left
    with requestor.create(shares, job="example", wait=60) as created:
        for copy in created.copies:
            print(copy.root.given, "is at", copy.path, "as of", copy.created)


if __name__ == "__main__":
    main(*sys.argv[1:])
