"""MS-FSRVP 3.1: data model, agent and names, without I/O."""
