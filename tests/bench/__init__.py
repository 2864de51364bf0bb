"""Benchmarks: commands that print figures as ratios within one run, and write ``build/bench/NAME.json``."""
