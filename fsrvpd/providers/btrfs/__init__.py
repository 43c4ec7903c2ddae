"""Snapshots of btrfs subvolumes, by ioctl."""
