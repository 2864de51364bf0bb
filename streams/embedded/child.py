"""Starts a process that dies with the one that started it, also when that one is killed with -9.

Takes a command line, gives the same command line behind a launcher: this file, run as a script. The launcher asks the
kernel for a SIGKILL at its parent's death and then becomes the command, under the same pid. A launcher instead of a
``preexec_fn``, since Python code between fork and exec can deadlock in a process with threads.

Linux only; elsewhere the next start ends what a killed supervisor left (``streams.embedded.record``). The kernel looks
at the *thread* that started the child: start children from a thread that lives as long as they should.
"""

import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def launched(command: Sequence[str]) -> list[str]:
    """The command behind the launcher; the caller is to be its parent."""
    # -I -S: no site packages and no environment, 13 ms instead of 60.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def _become(parent: int, command: list[str]) -> None:
    """Tie this process to its parent and turn into the command; does not return."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew about us
        os._exit(1)
    # Python ignores these two, and what is ignored stays so across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the argument list is ours
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
