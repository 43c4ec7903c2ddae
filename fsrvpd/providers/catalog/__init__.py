"""How providers find their snapshots again: volume, timestamp, marker, snapshot directory.

Each module imports only those before it: volume, timestamps, marker, own_directory,
snapshot_directory, snapshots; and remove_tree, which needs none of them.
"""
