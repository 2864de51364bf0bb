"""Where schemas, SQL, jar lists and site files lie: beside the code in a wheel, in the checkout otherwise.

Used by whoever reads a file that is not Python. Raises ``FileNotFoundError`` for a name that was never shipped.
"""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).parent
_IN_WHEEL = _PACKAGE / "_data"
_IN_CHECKOUT = {
    "schemas": _PACKAGE.parent / "schemas",
    "clickhouse": _PACKAGE.parent / "deploy" / "clickhouse",
    "kafka": _PACKAGE.parent / "deploy" / "kafka",
    "sites": _PACKAGE.parent / "deploy" / "sites",
}


def folder(name: Literal["schemas", "clickhouse", "kafka", "sites"]) -> Path:
    """The folder of shipped files called ``name``."""
    wheel = _IN_WHEEL / name
    place = wheel if wheel.is_dir() else _IN_CHECKOUT[name]
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: the installation is incomplete, {name}/ is missing")
    return place
