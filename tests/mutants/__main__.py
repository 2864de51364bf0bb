"""Runs the tests against every mutant, and against the sound package first; prints a table."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from tests.mutants.table import MUTANTS, ROOT, Mutant

TESTS = ("tests/core/test_any_order.py", "tests/core/test_dst.py")
DEADLINE_S = 120
PASSED, FAILED = 0, 1  # pytest's exit codes; any other is neither


@contextmanager
def copy() -> Iterator[Path]:
    """A folder with the package and the tests of its core; nothing of the checkout is changed."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "streams", folder / "streams", ignore=leave)
        shutil.copytree(ROOT / "tests" / "core", folder / "tests" / "core", ignore=leave)
        shutil.copy(ROOT / "tests" / "__init__.py", folder / "tests")
        shutil.copy(ROOT / "pyproject.toml", folder)
        yield folder


def run(folder: Path) -> tuple[int, list[tuple[str, str]], str]:
    """(exit code, failed tests with the first line of why, output) of the tests in a copy."""
    report = folder / "report.xml"
    command = [
        sys.executable, "-B", "-m", "pytest", *TESTS, "--confcutdir=tests/core", "--hypothesis-profile=mutants",
        "--tb=short", f"--junitxml={report}",
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S
    )
    failures = []
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            for kind in ("failure", "error"):
                for fault in case.findall(kind):
                    failures.append((case.get("name", ""), fault.get("message", "").partition("\n")[0]))
    return done.returncode, failures, done.stdout


def told(failures: list[tuple[str, str]]) -> str:
    """How many tests failed in which file, and the first reason."""
    order = [why for name, why in failures if "any_order" in name]
    rest = len(failures) - len(order)
    parts = [f"any order {len(order)}"] * bool(order) + [f"clock change {rest}"] * bool(rest)
    return f"{', '.join(parts)}: {(order or [why for _, why in failures])[0]}"


def kill(mutant: Mutant) -> tuple[bool, str]:
    """Whether the tests notice a mutant by an assertion, and how."""
    with copy() as folder:
        (folder / mutant.module).write_text(mutant.source())
        code, failures, output = run(folder)
    if code == PASSED:
        return False, "ALIVE: every test passed"
    wrong = [why for _, why in failures if not why.startswith(("AssertionError", "assert "))]
    if code != FAILED or not failures or wrong:
        return False, f"the tests broke instead of failing: {wrong[0] if wrong else output[-500:]}"
    return True, told(failures)


def main() -> int:
    """0 if the sound package passes and every mutant is noticed."""
    console = Console(width=160)
    began = time.monotonic()
    with copy() as folder:
        code, _, output = run(folder)
    if code != PASSED:
        console.print(output)
        console.print("The sound package does not pass: nothing can be said about mutants.")
        return 1
    console.print(f"sound: every test passed in {time.monotonic() - began:.0f} s")
    table = Table("mutant", "module", "noticed by", "s", title="Rules broken on purpose")
    alive = 0
    for mutant in MUTANTS:
        started = time.monotonic()
        noticed, how = kill(mutant)
        alive += not noticed
        table.add_row(
            mutant.breaks, Path(mutant.module).name, how, f"{time.monotonic() - started:.0f}",
            style=None if noticed else "bold red",
        )  # fmt: skip
    console.print(table)
    console.print(f"{len(MUTANTS) - alive} of {len(MUTANTS)} mutants noticed, in {time.monotonic() - began:.0f} s")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
