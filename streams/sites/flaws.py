"""One fault of a table, whatever the table describes. Used by ``sites.layout`` and ``sites.calendars``."""

from dataclasses import dataclass

from streams.sites.positions import Place


@dataclass(frozen=True, slots=True)
class Flaw:
    """One fault of a table.

    Attributes:
        place: path of the culprit, e.g. ``("zones", 0, "name")``.
        wrong: what is wrong with it, value included.
        fix: what to write instead.
    """

    place: Place
    wrong: str
    fix: str

    @property
    def key(self) -> str:
        """The culprit's name, e.g. ``zones.0.name``."""
        return ".".join(str(part) for part in self.place)

    def __str__(self) -> str:
        return f"{self.key} {self.wrong}; {self.fix}"


def short(given: object) -> str:
    """A value as a message shows it."""
    written = {True: "true", False: "false"}.get(given) if isinstance(given, bool) else None
    text = written or repr(given)
    return text if len(text) <= 60 else f"{text[:57]}…"
