"""Data&Musée: live headcounts and history for museums."""

import os

# Our frames hold some thousand rows at most: a second thread costs more than it brings. Read by polars at its import.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
