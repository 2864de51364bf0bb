"""The mutants of ``make mutants`` still break what they say they break."""

import ast

import pytest

from tests.mutants.table import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_mutant_finds_its_text_once_and_is_a_program(mutant: Mutant) -> None:
    ast.parse(mutant.source())


def test_a_mutant_whose_text_is_gone_is_refused() -> None:
    gone = Mutant("nothing", MUTANTS[0].module, "this stands nowhere", "")

    with pytest.raises(ValueError, match="stands 0 times"):
        gone.source()
