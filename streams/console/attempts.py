"""How often somebody may try a secret: failures are counted by address, and too many have to wait.

Takes addresses and the time, gives seconds to wait. Used by ``console.access``.
"""

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address, ip_network

_ADDRESSES = 10_000  # remembered at most; the longest unheard goes first


class Attempts:
    """Failures of the last ``window_s`` seconds; from ``most`` on nothing from that address is tried.

    Times are seconds of any clock that does not go back.
    """

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Seconds until the next try is looked at, 0 for at once."""
        failed = self._failed.get(_holder(address))
        if failed is None:
            return 0.0
        while failed and failed[0] <= now_s - self._window_s:
            failed.popleft()
        return failed[0] + self._window_s - now_s if len(failed) >= self._most else 0.0

    def fail(self, address: str, now_s: float) -> bool:
        """Count a failure; whether it was the one that is followed by a wait."""
        holder = _holder(address)
        failed = self._failed.setdefault(holder, deque(maxlen=self._most))
        failed.append(now_s)
        self._failed.move_to_end(holder)
        while len(self._failed) > _ADDRESSES:
            self._failed.popitem(last=False)
        return self.wait_s(address, now_s) > 0


def _holder(address: str) -> str:
    """Who has an address: of IPv6 a network of 64 bits, which one machine may roam in."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((int(known), 64), strict=False)) if isinstance(known, IPv6Address) else address
