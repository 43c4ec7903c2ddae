"""Copies of directory trees by FICLONE: XFS, bcachefs and other file systems with reflinks."""
