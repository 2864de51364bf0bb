"""The verbs of the ``musee`` command, grouped by who uses them."""
