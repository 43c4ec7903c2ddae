"""What Windows knows of a file, by the names of extended attributes: in mounts and in archives.

restic, borg and tar keep attributes of the namespace `user`, on every file system they restore to.
"""

from __future__ import annotations

DESCRIPTOR = "user.smb.security_descriptor"  # self-relative, MS-DTYP 2.4.6
ATTRIBUTES = "user.smb.attributes"  # hexadecimal, 0x20; MS-FSCC 2.6
CREATED = "user.smb.creation_time"  # a FILETIME, decimal
STREAM = "user.smb.stream."  # and the name of the alternate data stream
LARGEST = 65536  # bytes of an extended attribute, for Linux
# For the manual.
MEANINGS = (
    (DESCRIPTOR, "The security descriptor, self-relative, as it came (MS-DTYP 2.4.6)."),
    (ATTRIBUTES, "The attributes of the file, hexadecimal: `0x20` (MS-FSCC 2.6)."),
    (CREATED, "When the file was created, in units of 100 ns since 1601, decimal."),
    (f"{STREAM}NAME", "The content of the alternate data stream NAME."),
)
