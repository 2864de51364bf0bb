"""Where each key of a TOML document stands, for messages that name the line.

``tomllib`` gives values without places. This walks the text of a document that ``tomllib`` has read once, line by line:
it knows table headers, keys, strings over several lines and arrays over several lines, and leaves judging to others.
Used by ``sites.files``.
"""

import re

Place = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_PARTS = re.compile(_PART)
_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|[#\[\]{}]')


def lines(text: str) -> dict[Place, int]:
    """Line numbers, from 1, of tables and keys: ``("zones", 0)`` its header, ``("zones", 0, "name")`` the key."""
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    depth, quote = 0, ""  # of a value that goes on over the line's end
    for number, line in enumerate(text.split("\n"), 1):
        rest = line
        if not depth and not quote:
            header = _HEADER.match(line)
            if header is not None:
                table = _parts(header[2])
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    found.setdefault(table, number)
                    table = (*table, counts[table])
                found[table] = number
                continue
            key = _KEY.match(line)
            if key is None:
                continue
            found[(*table, *_parts(key[1]))] = number
            rest = line[key.end() :]
        depth, quote = _open_after(rest, depth, quote)
    return found


def nearest(found: dict[Place, int], place: Place) -> int:
    """The line of ``place``, or of the smallest thing around it that has one; 1 for the document."""
    while place and place not in found:
        place = place[:-1]
    return found.get(place, 1)


def _parts(dotted: str) -> Place:
    return tuple(part.strip("\"'") for part in _PARTS.findall(dotted))


def _open_after(text: str, depth: int, quote: str) -> tuple[int, str]:
    """Brackets and the long quote still open after ``text``."""
    while text:
        if quote:
            inside = re.sub(r"\\.", "  ", text) if quote == '"""' else text
            end = inside.find(quote)
            if end < 0:
                return depth, quote
            text = text[end + 3 :].lstrip(quote[0])  # a string may end in quotes of its own
            quote = ""
            continue
        token = _TOKEN.search(text)
        if token is None or token[0] == "#":
            break
        text = text[token.end() :]
        if token[0] in ('"""', "'''"):
            quote = token[0]
        depth += (token[0] in "[{") - (token[0] in "]}")
    return depth, quote
