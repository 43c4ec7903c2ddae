"""The acceptor's side of DCE/RPC security: SPNEGO, NTLM, Kerberos. No I/O, no clock."""
