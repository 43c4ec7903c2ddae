"""fsrvpd: a File Server Remote VSS agent (MS-FSRVP) beside Samba."""

__version__ = "0.1.0"
JSON_VERSION = "1.0"  # of what `fsrvpctl --json` prints: fsrvpd/ctl/json_schema.json
