"""DCE/RPC associations (MS-RPCE, C706) without I/O: bytes in, requests and bytes out."""
