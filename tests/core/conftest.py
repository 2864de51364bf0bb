"""How many cases the properties of core try."""

from hypothesis import Phase, settings

# pytest --hypothesis-profile: `deep` tries more cases of any order, `mutants` fewer, always the same ones, and stops at
# the first failure instead of looking for the smallest.
settings.register_profile("deep")
settings.register_profile("mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))
