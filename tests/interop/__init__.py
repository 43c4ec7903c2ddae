"""fsrvpd between a real smbd, real file systems and independent clients."""
