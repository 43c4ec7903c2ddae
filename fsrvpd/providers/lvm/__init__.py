"""Snapshots of LVM's thin volumes with XFS or ext4 on them."""
