"""`fsrvpctl doctor`: examines the host, its domain and the agent, and makes a trial copy."""
