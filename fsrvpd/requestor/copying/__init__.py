"""Copies of shares without a backup program: `tar`, `copy` and `restore`, over `files`."""
