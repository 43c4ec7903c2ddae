"""`fsrvpctl set-option` and `unset-option`: options in smb.conf and in Samba's registry."""
