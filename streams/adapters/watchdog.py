"""Ends a process that is alive and does nothing, so that the supervisor can start it again.

Runs in a thread of its own: a blocked event loop cannot stop it.
"""

import os
import sys
import threading
import time
from collections.abc import Callable

EXIT_CODE = 70
_LOOK_EVERY_S = 1.0


def watch(complaint: Callable[[], str | None]) -> None:
    """Begin watching; ``complaint`` says what is wrong, or ``None``. It is called from another thread."""

    def run() -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            wrong = complaint()
            if wrong:
                sys.stderr.write(f"watchdog: {wrong}; ending the process\n")
                sys.stderr.flush()
                os._exit(EXIT_CODE)

    threading.Thread(target=run, name="watchdog", daemon=True).start()
