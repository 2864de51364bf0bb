"""Recordings of real doors, played through the gateway."""
