"""What knows Samba and nothing of snapshots: its pipe, its configuration, its registry."""
