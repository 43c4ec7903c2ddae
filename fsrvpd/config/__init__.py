"""The configuration of the daemon: its options in smb.conf, read and checked together."""
