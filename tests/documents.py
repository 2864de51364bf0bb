"""Commands of our documents: each ``sh`` block, line by line as a reader pastes it, with what it promises to print.

``# ⇒ text`` behind a command promises that its output holds ``text``.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PROMISE = re.compile(r"\s*#\s*⇒\s*(.+?)\s*$", re.MULTILINE)


class Command(NamedTuple):
    """One command: where it stands, what is typed, and what its output must hold, if it says so."""

    place: str
    text: str
    promise: str | None


def commands(path: Path) -> Iterator[Command]:
    """Every command of a document, in its order; one may go over several lines, as the shell reads it."""
    text = path.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        first = text[: block.start(1)].count("\n") + 1
        gathered = ""
        for number, line in enumerate(block[1].splitlines(), first):
            gathered += f"{line}\n"
            if _whole(gathered):
                if _PROMISE.sub("", gathered).strip() and not gathered.lstrip().startswith("#"):
                    promise = _PROMISE.search(gathered)
                    yield Command(f"{path.name}:{number}", gathered.rstrip("\n"), promise[1] if promise else None)
                gathered = ""
        assert not gathered.strip(), f"{path.name}:{number}: a command that does not end: {gathered}"


def _whole(text: str) -> bool:
    """Whether the shell would run this instead of waiting for more."""
    if _PROMISE.sub("", text).rstrip("\n").endswith("\\"):
        return False
    told = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return "unexpected EOF" not in told.stderr and "unexpected end of file" not in told.stderr


def run(command: Command, folder: Path, env: Mapping[str, str], instead: Mapping[str, str] | None = None) -> str:
    """Run it in ``folder``; what it printed.

    Args:
        command: of a document.
        folder: where it is typed.
        env: its environment.
        instead: what stands in the document → what stands for it here, as other ports.

    Raises:
        AssertionError: it failed, or did not print what is promised.
    """
    text = command.text
    for said, here in (instead or {}).items():
        text = text.replace(said, here)
    told = subprocess.run(
        ["bash", "-o", "pipefail", "-c", text], cwd=folder, env=dict(env), capture_output=True, text=True, timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    printed = told.stdout + told.stderr
    ended = told.returncode == 0 or "| head" in text  # who reads only the beginning cuts the writer off
    assert ended, f"{command.place}: {command.text}\nended with {told.returncode}: {printed}"
    assert command.promise is None or command.promise in printed, (
        f"{command.place}: {command.text}\npromises {command.promise!r}, printed: {printed}"
    )
    return printed
