"""Ways of taking snapshots, each a `Provider` of fsrvpd.protocol.ports."""
