"""The daemon as one of several: its connection to ctdbd, and what it does at its place."""
