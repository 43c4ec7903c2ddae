"""Whether all is well: the shares and their storage, and what is wrong."""
