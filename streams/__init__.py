"""Data&Musée: live headcounts and history for museums."""
