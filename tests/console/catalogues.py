"""Which texts the pages say: extracted from templates, Python and JavaScript as Babel reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jinja2.ext
from babel.messages.extract import extract

from streams.console.shell import STATIC, TEMPLATES

KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "gettext": None, "ngettext": (1, 2), "t": None, "tn": (1, 2)}


class Text(NamedTuple):
    """One text: ``ids`` has the plural behind the singular where there is one."""

    file: str
    line: int
    ids: tuple[str, ...]


def texts() -> Iterator[Text]:
    """Every text of the console's pages."""
    console = TEMPLATES.parent
    for path in sorted(TEMPLATES.rglob("*.html")):
        yield from _of(path, jinja2.ext.babel_extract, {"extensions": "jinja2.ext.i18n", "silent": "false"})
    for path in sorted(console.rglob("*.py")):
        yield from _of(path, "python", {})
    for path in sorted(STATIC.glob("*.js")):
        yield from _of(path, "javascript", {"template_string": "true"})


def _of(path: Path, method: object, options: dict[str, str]) -> Iterator[Text]:
    with path.open("rb") as file:
        for line, ids, _, _ in extract(method, file, KEYWORDS, options=options):  # type: ignore[arg-type]  # a callable is one too
            forms = ids if isinstance(ids, tuple) else (ids,)
            yield Text(path.name, line, tuple(str(one) for one in forms if one is not None))
