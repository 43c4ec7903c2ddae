"""Snapshots and clones of ZFS datasets."""
