"""Snapshots taken by commands of the admin, called as vfs_shell_snap calls them."""
