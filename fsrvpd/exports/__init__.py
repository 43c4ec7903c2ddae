"""Mounts of shares' directories in snapshots, and the gates through which users reach them."""
