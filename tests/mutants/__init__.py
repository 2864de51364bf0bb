"""Mutants of ``streams.core``: rules broken on purpose, one at a time, to show that the tests notice.

``python -m tests.mutants`` (``make mutants``) runs the tests of any order and of the clock change against a copy of the
package with one rule broken, and fails if a mutant lives.
"""
