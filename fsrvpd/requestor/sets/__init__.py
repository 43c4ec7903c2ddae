"""Shadow copy sets over several servers: created at one moment, undone everywhere, deleted."""
