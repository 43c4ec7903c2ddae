"""The agent at work: drives the state machine and carries out its actions."""
