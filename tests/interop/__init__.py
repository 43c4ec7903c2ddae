"""fsrvpd between a real smbd, real file systems and clients that are not ours."""
