"""The named pipe: connections, their limits, and who the client is."""
