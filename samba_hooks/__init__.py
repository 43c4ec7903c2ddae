"""Everything that knows Samba, and nothing about snapshots: pipe, configuration, registry."""
