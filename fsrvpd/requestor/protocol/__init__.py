"""MS-FSRVP 3.2, the client, as exchanges without I/O."""
