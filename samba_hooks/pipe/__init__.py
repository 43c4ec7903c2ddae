"""The socket of the named pipe: smbd connects to it and reports the client's identity."""
