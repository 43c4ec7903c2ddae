"""`make demo`: fsrvpd at work, beside a private Samba."""
