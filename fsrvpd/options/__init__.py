"""Options in smb.conf: what an option is, and every `fsrvp:` option of a share."""
