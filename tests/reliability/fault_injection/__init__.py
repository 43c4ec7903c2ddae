"""Fault injection: the daemon is killed, or gets an error, at one chosen point.

`fault_points` counts the points, `components` wraps the daemon's ports with them, `forkserver`
starts daemons fast, and `daemon` is one of these in a lab.
"""
