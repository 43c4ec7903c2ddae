"""Samba's accounts: verifies NTLM, keeps the machine's Kerberos keys current."""

PASSDB_LIBRARY = "libsamba-passdb.so.0"
