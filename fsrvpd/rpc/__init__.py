"""DCE/RPC association (MS-RPCE, C706) without I/O: bytes in, calls and bytes out."""
