"""fsrvpctl: commands for the people who run fsrvpd."""
