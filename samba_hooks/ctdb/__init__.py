"""ctdbd, the daemon that keeps the databases of a cluster of Samba servers.

`connection` is one to this node's ctdbd, `packets` what is said there, `tdb` reads the node's own
copy of a database, and `database` is both as one.

Nothing here waits. There is no stable library for ctdbd's socket, so this speaks it itself.
"""
