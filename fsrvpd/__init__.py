"""fsrvpd: a File Server Remote VSS agent (MS-FSRVP) beside Samba."""

__version__ = "0.1.0"
