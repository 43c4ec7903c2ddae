"""What admins ask for: the control socket, smbcontrol and vfs_shell_snap."""
