"""What the daemon logs: events with stable names, levels as in Samba, the journal."""
