"""Reads just enough of a statement to know how to run it.

Takes the text of a request, gives its first word, its output format, and for an INSERT that carries its data the place
where they begin. Judges nothing: what is wrong with a statement, the engine says. Used by ``streams.embedded``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# The server refuses longer statements too (max_query_size); the data of an INSERT do not count.
HEAD_BYTES = 262_144
# Above it a text is not even looked at; reading it word by word would take seconds.
MAX_STATEMENT_BYTES = 16 << 20

_TOKEN = re.compile(
    rb"""
    (?P<blank>\s+ | --[^\n]* | \#[!\ ][^\n]* | /\*.*?\*/)
  | (?P<quoted>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<other>\d[\w.]* | .)
    """,
    re.VERBOSE | re.DOTALL,
)
# Possessive: otherwise forty blanks before another word would be tried in 2^40 ways.
_INSERT = re.compile(rb"\A(?:\s++|--[^\n]*\n|/\*.*?\*/)*+INSERT\b", re.IGNORECASE | re.DOTALL)
_AFTER_FORMAT = re.compile(rb"[ \t\f]*;?[ \t\f]*(?:\r?\n)?")
_STREAMED_VERBS = frozenset({"SELECT", "WITH", "FROM"})
# Their blocks follow each other without head, foot or separator, so that a result may be sent piece by piece.
_STREAMED_FORMATS = frozenset(
    {
        *("native", "rowbinary", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "csv"),
        *("jsoneachrow", "jsonlines", "ndjson", "jsonstringseachrow", "jsoncompacteachrow"),
    }
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a quoted text or a sign, with its place."""

    kind: str
    text: bytes
    start: int
    end: int

    def says(self, *words: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind == "word" and self.text.decode().upper() in words


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT that carries its data.

    Attributes:
        target: ``INSERT INTO t (a, b)``, before any SETTINGS.
        settings: ``SETTINGS x = 1`` or nothing.
        format: of the data, ``Values`` when they follow VALUES.
        data_start: where they begin in the text.
    """

    target: bytes
    settings: bytes
    format: str
    data_start: int

    def from_file(self, path: str) -> bytes:
        """The same INSERT, its data read from a file that is not compressed."""
        # Each part on a line of its own: the one before may end in a comment.
        parts = [self.target, b"FROM INFILE '%s' COMPRESSION 'none'" % path.encode()]
        if self.settings:
            parts.append(self.settings)
        return b"\n".join([*parts, b"FORMAT " + self.format.encode()])


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without data.

    Attributes:
        text: as sent.
        verb: its first word in capitals, empty for none.
        format: what FORMAT at its end names, ``None`` without one.
    """

    text: bytes
    verb: str
    format: str | None

    def streams_as(self, output_format: str) -> bool:
        """Whether its result may be sent piece by piece."""
        return self.verb in _STREAMED_VERBS and output_format.lower() in _STREAMED_FORMATS


def tokens(text: bytes) -> Iterator[Token]:
    """The parts of a statement, blanks and comments left out."""
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "other"
        if kind != "blank":
            yield Token(kind, found[0], found.start(), found.end())


def begins_insert(text: bytes) -> bool:
    """Whether the text is an INSERT of any sort."""
    return _INSERT.match(text) is not None


def insert_with_data(text: bytes) -> Insert | None:
    """The INSERT at the head of a text, if data follow it; ``None`` for ``INSERT … SELECT`` and whatever else.

    Args:
        text: the beginning of a request, whole up to its data; these may be cut off.
    """
    if not begins_insert(text):
        return None
    found = _outside_brackets(text)
    next(found)  # INSERT
    token = next(found, None)
    while token is not None and token.says("INTO", "TABLE", "FUNCTION"):
        token = next(found, None)
    # The name may be a keyword itself; parts of it are joined by dots.
    token = next(found, None)
    while token is not None and token.text == b".":
        next(found, None)
        token = next(found, None)
    settings_start = None
    while token is not None:
        following = next(found, None)
        if token.says("SELECT", "WITH", "FROM", "WATCH"):
            return None
        if token.says("VALUES"):
            return _insert(text, settings_start, token, "Values", token.end)
        if token.says("FORMAT") and following is not None and following.kind == "word":
            data_start = _end_of_format(text, following.end)
            return _insert(text, settings_start, token, following.text.decode(), data_start)
        if token.says("SETTINGS"):
            settings_start = token.start
        token = following
    return None


def _insert(text: bytes, settings_start: int | None, keyword: Token, name: str, data_start: int) -> Insert:
    split = keyword.start if settings_start is None else settings_start
    return Insert(text[:split], text[split : keyword.start], name, data_start)


def _end_of_format(text: bytes, position: int) -> int:
    found = _AFTER_FORMAT.match(text, position)
    return found.end() if found else position


def _outside_brackets(text: bytes) -> Iterator[Token]:
    depth = 0
    for token in tokens(text):
        if token.text in (b"(", b"[", b"{"):
            depth += 1
            if depth == 1:
                yield token
        elif token.text in (b")", b"]", b"}"):
            depth -= 1
        elif depth == 0:
            yield token


def statement(text: bytes) -> Statement:
    """Read a statement that carries no data."""
    verb = next((token.text.decode().upper() for token in tokens(text) if token.kind == "word"), "")
    return Statement(text, verb, _output_format(text))


def _output_format(text: bytes) -> str | None:
    if b"format" not in text.lower():
        return None
    found = list(_outside_brackets(text))
    for place in range(len(found) - 2, -1, -1):
        name = found[place + 1]
        if found[place].says("FORMAT") and name.kind == "word":
            after = found[place + 2 :]
            # Anything else behind it, and "format" was a column or an alias.
            at_the_end = not after or after[0].text == b";" or after[0].says("SETTINGS")
            return name.text.decode() if at_the_end else None
    return None
