"""Compares state, storage and registry, and repairs what differs."""
