"""A server that is a member of a real Active Directory: one domain for all modules."""
