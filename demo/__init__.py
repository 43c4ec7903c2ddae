"""`make demo`: fsrvpd with a private Samba."""
