"""The command `fsrvpshadow`."""
