"""fsrvpd: a File Server Remote VSS agent (MS-FSRVP) beside Samba."""
