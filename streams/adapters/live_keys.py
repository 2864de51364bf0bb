"""Names of the live state in Redis; all keys of a partition share the hash tag ``{p}``.

| key | kind | holds |
| --- | --- | --- |
| ``f:{p}`` | hash | app and topic → last applied offset, the fence; ``format``; ``since``: epoch ms of its first one |
| ``r:{p}`` | hash | app and topic → what of it is being counted anew, JSON |
| ``h:{p}`` | hash | app and topic → epoch ms until which everything appended is counted |
| ``c:{p}:site:hour`` | hash | ``gate|minute|metric`` → people; UTC hour like ``2015-02-02T13`` |
| ``d:{p}:site:day`` | hash | metric → people, business day of the site |
| ``q:{p}:site:day:part`` | HyperLogLog | an eighth of the tickets of a business day's accepted entries |
| ``n:{p}:site:hour`` | hash | metric → entries, posts, page views, actions … of a UTC hour |
| ``p:{p}:site:hour`` | hash | ``zone|minute`` → distinct sessions |
| ``u:{p}:site:hour`` | set | ``zone|minute|session`` behind them, for 24 h |
| ``g:{p}:site`` | hash | ``device|occurred_ms``, ``device|received_ms``: last sign of life |
| ``o:{p}:site`` | hash | ``zone|occurred_ms|event_id`` → ``KIND|value`` of each correction, no zone: whole site |
| ``l:{p}:site`` | hash | ``occurred_ms``, ``received_ms`` of the site's last event, of any family; ``watermark_ms`` |
| ``w:{p}:site:hour`` | hash | start of a quarter-hour → what was published of it last; ``start|r`` → number reserved |
| ``t:{p}`` | sorted set | ``site|start`` of each quarter-hour to be looked at → version of its last change |
| ``tc:{p}`` | hash | the same → cause of that change |
| ``a:{p}`` | hash | ``rule|scope`` → its alert as said last, and what is about to be, JSON; ``-``: all was read back |
| ``s:{p}:family:hour`` | set | 16-byte ids already counted, by hour of event time |
| ``v:{p}`` | sorted set | site → version of its last change; ``v:{p}:n`` counts |
| ``m`` | string | version of this format, for programs that look no closer |
| ``m:e`` | string | who is taking state of another format away |

``c``, ``d``, ``n``, ``p``, ``q`` and ``w`` expire 98 h after their last write, ``s`` after 74 h, ``u`` after 24 h: an
event up to 72 h late finds what it belongs to (``topology``). The others stay, a few bytes a site or device.
"""

from streams.core.attendance import TICKET_PARTS

FORMAT_VERSION = "2"
FORMAT, EMPTYING = "m", "m:e"
FORMAT_FIELD, SINCE_FIELD = "format", "since"  # of a hash of fences
CELLS, DAYS, HOURS, PRESENCE, MEMBERS, DEVICES, LEVELS, SEEN = "c", "d", "n", "p", "u", "g", "l", "s"
WINDOWS = "w"
CORRECTIONS = "o"
UNIQUES = "q"


def fence_field(app: str, topic: str) -> str:
    """Field of an application's fence and of its confirmation: two applications must not fence each other."""
    return f"{app}|{topic}"


def fence(partition: int) -> str:
    """Hash of fences."""
    return f"f:{{{partition}}}"


def rebuilt(partition: int) -> str:
    """Hash of what is being counted anew."""
    return f"r:{{{partition}}}"


def confirmed(partition: int) -> str:
    """Hash of confirmations."""
    return f"h:{{{partition}}}"


def changed(partition: int) -> str:
    """Sorted set of changed sites."""
    return f"v:{{{partition}}}"


def changes(partition: int) -> str:
    """Counter behind ``changed``."""
    return f"v:{{{partition}}}:n"


def touched(partition: int) -> str:
    """Sorted set of windows to be looked at."""
    return f"t:{{{partition}}}"


def causes(partition: int) -> str:
    """Hash of why they are to be looked at."""
    return f"tc:{{{partition}}}"


def cells(partition: int, site_id: str, hour: str) -> str:
    """Hash of minute cells of a site and UTC hour."""
    return f"{CELLS}:{{{partition}}}:{site_id}:{hour}"


def windows(partition: int, site_id: str, hour: str) -> str:
    """Hash of what was said of a site's windows that begin in a UTC hour."""
    return f"{WINDOWS}:{{{partition}}}:{site_id}:{hour}"


def day(partition: int, site_id: str, day: str) -> str:
    """Hash of a site's business day."""
    return f"{DAYS}:{{{partition}}}:{site_id}:{day}"


def uniques(partition: int, site_id: str, day: str) -> list[str]:
    """HyperLogLogs of the tickets of a site's business day; no ticket is in two of them."""
    return [f"{UNIQUES}:{{{partition}}}:{site_id}:{day}:{part}" for part in range(TICKET_PARTS)]


def hours(partition: int, site_id: str, hour: str) -> str:
    """Hash of a site's counts of a UTC hour."""
    return f"{HOURS}:{{{partition}}}:{site_id}:{hour}"


def presence(partition: int, site_id: str, hour: str) -> str:
    """Hash of distinct sessions per zone and minute of a UTC hour."""
    return f"{PRESENCE}:{{{partition}}}:{site_id}:{hour}"


def members(cells_key: str) -> str:
    """Set behind a hash of ``presence``."""
    return MEMBERS + cells_key.removeprefix(PRESENCE)


def devices(partition: int, site_id: str) -> str:
    """Hash of the last signs of life of a site's devices."""
    return f"{DEVICES}:{{{partition}}}:{site_id}"


def corrections(partition: int, site_id: str) -> str:
    """Hash of what was said about the people inside a site; those older than 72 h are taken away."""
    return f"{CORRECTIONS}:{{{partition}}}:{site_id}"


def level(partition: int, site_id: str) -> str:
    """Hash of what a site said last."""
    return f"{LEVELS}:{{{partition}}}:{site_id}"


def seen(partition: int, family: str, hour: str) -> str:
    """Set of ids counted, of one family and hour of event time."""
    return f"{SEEN}:{{{partition}}}:{family}:{hour}"


def tagged(key: str, partition: int) -> str:
    """A key of ``core.increments`` with the partition's tag where it says ``{}``."""
    return key.replace("{}", f"{{{partition}}}", 1)
