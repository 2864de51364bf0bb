"""A site as the text of its file; reading the text gives the same site, save its plans, which are files of their own.

Used by ``cli.sites``.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from streams.core.sites import Site
from streams.errors import SiteFileError
from streams.sites import layout


def text(site: Site) -> str:
    """The TOML text that describes ``site``; keys that have their default are left out."""
    said = layout.table(site)
    parts = [_keys({key: value for key, value in said.items() if key not in ("zones", "gates")})]
    for name in ("zones", "gates"):
        parts += [f"[[{name}]]\n{_keys(row)}" for row in said.get(name, ())]
    return "\n".join(parts)


def write(sites: Iterable[Site], folder: Path) -> tuple[int, int]:
    """Write ``folder/ID.toml`` for each site; returns how many were written and how many files were there already.

    A file that is there stays as it is: somebody may have added gates to it.

    Raises:
        SiteFileError: the folder cannot be written.
    """
    made = kept = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for site in sites:
            file = folder / f"{site.site_id}.toml"
            if file.exists():
                kept += 1
                continue
            file.write_text(text(site), encoding="utf-8")
            made += 1
    except OSError as error:
        raise SiteFileError(f"{folder}: cannot be written: {error.strerror}; name a folder of yours") from None
    return made, kept


def _keys(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    # JSON's texts, numbers and booleans are TOML's, save one character
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
