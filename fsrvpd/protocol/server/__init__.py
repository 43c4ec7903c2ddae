"""The agent of MS-FSRVP 3.1 as a state machine without I/O."""
