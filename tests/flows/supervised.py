"""A supervisor of throw-away children in a process of its own, for the tests of what it does when it is killed."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from streams.embedded import record
from streams.embedded.child import launched
from tests.beds import wait_for

SUPERVISE = '''
import asyncio, os, signal, sys, time
from pathlib import Path
from streams.embedded.record import Lock
from streams.embedded.supervisor import Backoff, Child, Step, Supervisor
from streams.errors import StartError

home = Path(sys.argv[1])
backoff = Backoff()

def python(text):
    return [sys.executable, "-c", "import os, signal, sys, time\\n" + text]

def exists(name):
    async def ask():
        return None if (home / name).exists() else f"{name} is missing"
    return ask

SLEEP = python("time.sleep(600)")
# Says which signal ended it.
TELL = python("""
def told(number, frame):
    print("ended by", signal.Signals(number).name, flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGINT, told)
print("listening", flush=True)
time.sleep(600)
""")
DEAF = python("""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("listening", flush=True)
time.sleep(600)
""")

PARTS

def say(line):
    print(line, flush=True)

with Lock(home):
    try:
        asyncio.run(Supervisor(parts, home=home, say=say, backoff=backoff).run(lambda: say("ALL UP")))
    except StartError as error:
        say(f"REFUSED {error}")
'''


class Run:
    """A supervisor in a process of its own, in a session of its own, with what it says."""

    def __init__(self, home: Path, parts: str) -> None:
        self.home = home
        self.lines: list[str] = []
        script = home.parent / "supervise.py"
        script.write_text(SUPERVISE.replace("PARTS", parts), encoding="utf-8")
        self.process = subprocess.Popen(
            launched([sys.executable, str(script), str(home)]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip() for line in self.process.stdout)

    def said(self, words: str) -> list[str]:
        return [line for line in list(self.lines) if words in line]

    def wait_said(self, words: str, times: int = 1) -> None:
        wait_for(lambda: len(self.said(words)) >= times, what=f"{words!r} among {self.lines}")

    def pid(self, name: str) -> int:
        stack = record.read(self.home)
        assert stack is not None
        process = stack.parts[name].process
        assert process is not None
        return process.pid

    def log(self, name: str) -> str:
        return (self.home / "logs" / f"{name}.log").read_text()

    def wait_logged(self, name: str, words: str) -> None:
        wait_for(lambda: words in self.log(name), what=f"{words!r} in the log of {name}")

    def end(self) -> int:
        code = self.process.wait(60)
        self._reader.join(5)
        return code


def musee(*arguments: str, home: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MUSEE_HOME": str(home), **{f"MUSEE_{name}": str(value) for name, value in variables.items()}}
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
    )
