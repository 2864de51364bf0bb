"""The alert board: which alerts people are shown first, and how a level is said.

Several rules may be open in one scope, since each level has an alert of its own: people are shown the highest of each
scope, worst first. Those below it, and those that a silence of their site hides, stand behind it. Pure. Used by
``console.alerts`` and ``musee alerts``.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from streams.core.alerts import Alert, Severity

RANK: dict[Severity, int] = {"critical": 0, "serious": 1, "warning": 2, "notice": 3}
SHORT = 8  # characters of an alert's id that people are shown


@dataclass(frozen=True, slots=True)
class Board:
    """Alerts that are not resolved, each list worst first.

    Attributes:
        shown: the highest of each scope and kind.
        lower: in the scope of one that is shown, and below it.
        hidden: by the silence of their site.
    """

    shown: tuple[Alert, ...]
    lower: tuple[Alert, ...]
    hidden: tuple[Alert, ...]

    @property
    def all(self) -> tuple[Alert, ...]:
        """Every one of them."""
        return worst_first([*self.shown, *self.lower, *self.hidden])


def board(alerts: Iterable[Alert]) -> Board:
    """Sort alerts out; resolved ones are left out."""
    standing = worst_first(one for one in alerts if one.is_open)
    highest: dict[tuple[str, str], Alert] = {}
    hidden, lower = [], []
    for one in standing:
        if one.hidden_by is not None:
            hidden.append(one)
            continue
        place = str(one.scope), one.kind
        if place not in highest:
            highest[place] = one
        elif one.entry > highest[place].entry:  # two rules of one severity: the higher threshold is the higher level
            lower.append(highest[place])
            highest[place] = one
        else:
            lower.append(one)
    return Board(worst_first(highest.values()), worst_first(lower), tuple(hidden))


def worst_first(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """By severity, then those that nobody has taken over, then those open longest."""
    return tuple(
        sorted(
            alerts,
            key=lambda one: (
                RANK[one.severity],
                one.state != "OPEN",
                -one.entry,
                one.opened_ms,
                str(one.scope),
                one.rule,
            ),
        )
    )


def newest(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """Alert id → what was said of it last, however often and in whatever order it was said."""
    found: dict[str, Alert] = {}
    for one in alerts:
        if one.alert_id not in found or one.version > found[one.alert_id].version:
            found[one.alert_id] = one
    return found


def level(alert: Alert) -> str:
    """``85 % of capacity``, or ``silent``."""
    return f"{alert.entry} % of capacity" if alert.kind == "capacity" else "silent"


def figures(alert: Alert) -> str:
    """People inside with bounds and limit when it last changed, ``87 (80–94) of 100``; of a silence its minutes."""
    if alert.kind == "silent":
        return f"{alert.value:,} min, {alert.limit:,} expected"
    bounds = f" ({alert.low:,}–{alert.high:,})" if alert.low < alert.high else ""
    return f"{alert.value:,}{bounds} of {alert.limit:,}"


def document(alert: Alert) -> dict[str, object]:
    """An alert as machines are told it: its fields, the scope by its parts; times in epoch ms."""
    told = asdict(alert)
    return {"alert_id": told.pop("alert_id"), **told.pop("scope"), **told}
