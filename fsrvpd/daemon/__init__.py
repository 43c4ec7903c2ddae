"""The daemon: wiring, event loop, threads, signals and exits."""
