"""The sets in a database of the cluster, which each node has and one agent writes.

`store` fulfils the port, `transactions` writes as long as no other agent has claimed, `records`
are what is written.
"""
