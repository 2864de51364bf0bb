"""What tests of core have to say beyond pass or fail."""

import pytest
from hypothesis import Phase, settings

# pytest --hypothesis-profile: `deep` tries more cases of any order, `mutants` fewer, always the same ones, and stops at
# the first failure instead of looking for the smallest.
settings.register_profile("deep")
settings.register_profile("mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))

_TOLD = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of the run."""
    return request.config.stash.setdefault(_TOLD, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_TOLD, []):
        terminalreporter.write_line(line)
