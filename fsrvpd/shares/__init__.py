"""From a UNC name to a share, its directory and its volume."""
