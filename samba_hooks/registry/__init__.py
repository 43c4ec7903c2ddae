"""Creates and removes shadow copy shares in Samba's registry."""
