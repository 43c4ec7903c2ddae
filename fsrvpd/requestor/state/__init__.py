"""What may have been left on servers, on this host's disk."""
