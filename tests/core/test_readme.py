"""The README keeps its word: links lead somewhere, the trace names real functions, every setting is listed."""

import importlib
import re
from pathlib import Path

import pytest

from streams.config import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\[([^\]]*)\]\(([^)#: ]+)\)", README)
TRACE = [(text, target) for text, target in LINKS if re.fullmatch(r"[a-z]+/\w+\.\w+", text)]


@pytest.mark.parametrize("target", sorted({target for _, target in LINKS}))
def test_every_link_leads_to_a_file(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize(("text", "target"), TRACE, ids=[text for text, _ in TRACE])
def test_every_hop_of_the_trace_is_a_real_function(text: str, target: str) -> None:
    module_name, _, function = text.replace("/", ".").rpartition(".")
    module = importlib.import_module(f"streams.{module_name}")
    owners = [module, *(one for one in vars(module).values() if isinstance(one, type))]

    assert any(callable(getattr(owner, function, None)) for owner in owners)
    assert target == f"streams/{text.rpartition('.')[0]}.py"


def test_the_trace_has_hops() -> None:
    assert len(TRACE) >= 7


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_listed_with_its_meaning(name: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{PREFIX}{name.upper()}` |"))

    assert row.endswith(f"| {Settings.model_fields[name].description} |")
