"""Durable state; each backend fulfils `protocol.ports.StateStore`."""
