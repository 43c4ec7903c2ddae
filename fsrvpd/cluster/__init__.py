"""Several servers that are one agent: who leads, and how the others pass calls on to it."""
