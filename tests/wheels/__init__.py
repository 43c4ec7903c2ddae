"""Wheels that this machine cannot build and run natively."""
