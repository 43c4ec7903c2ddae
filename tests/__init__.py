"""The tests of fsrvpd. They use real file systems and a real Samba, which `lab` provides."""
