"""Compares what different parts of the system say about the same events."""
