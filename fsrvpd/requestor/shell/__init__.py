"""DISKSHADOW's words and output: `fsrvpshadow shell`."""
