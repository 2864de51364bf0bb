"""A made-up day of the whole network, and the truth about it.

Pure from ``reference`` to ``truth``: the same seed and day give the same events and the same files, byte for byte.
``send`` and ``demo`` hand them over. Everything that runs here is marked SIMULATED.
"""
