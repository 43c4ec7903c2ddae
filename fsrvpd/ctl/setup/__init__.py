"""`fsrvpctl setup`: configures Samba for fsrvpd, and undoes that."""
