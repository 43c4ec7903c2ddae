"""The tree of a share over SMB: pipelined, sparse, with what Windows knows of each file, and over
a new connection when one breaks."""

from __future__ import annotations

from fsrvpd.requestor.smb import libraries

libraries.prepare()
