"""`check`: whether shares can be copied and read tonight, and what to type where they cannot."""
