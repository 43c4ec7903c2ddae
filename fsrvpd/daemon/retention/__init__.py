"""Kept copies: which there are, which the options no longer want, and their deletion."""
