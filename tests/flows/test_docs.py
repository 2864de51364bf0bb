"""Every command of docs/ does what it says, on a stack that ``musee up`` started."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded import record
from tests.beds import free_port, wait_for
from tests.documents import Command, commands, run
from tests.flows.test_embedded import Up

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["operate.md", "integrate.md", "analyse.md"]
PORTS = {
    "CONSOLE": 8080, "GATEWAY": 8081, "AGENTS": 8082, "SINK": 8083, "KAFKA": 9092, "KAFKA_CONTROLLER": 9093,
    "REDIS": 6379, "CLICKHOUSE": 8123,
}  # fmt: skip
Stack = tuple[Path, dict[str, str], dict[str, str]]  # folder, environment, address in the document → address here
SAID = [one for name in PAGES for one in commands(ROOT / "docs" / name)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Stack]:
    """A folder like the project's, with a stack that was started in it; its environment, and its ports."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    ports = {name: free_port() for name in PORTS}
    env = os.environ | {f"MUSEE_{name}_PORT": str(port) for name, port in ports.items()}
    env |= {"MUSEE_HOME": str(folder / ".musee"), "MUSEE_CACHE": str(cache), "MUSEE_DEMO": "false"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    env["PYTHONPATH"] = str(ROOT)
    up = Up(folder / ".musee", env)
    try:
        up.wait()
        instead = {f"127.0.0.1:{said}": f"127.0.0.1:{ports[name]}" for name, said in PORTS.items()}
        wait_for(lambda: "north" in up.musee("sites", "list", "--json").stdout, what="the shipped sites")
        yield folder, env, instead
    finally:
        up.musee("down")
        if (left := record.read(folder / ".musee")) is not None:
            record.end([left.supervisor, *left.processes()])


@pytest.mark.parametrize("command", SAID, ids=[one.place for one in SAID])
def test_a_command_does_what_its_document_says(folder: Stack, command: Command) -> None:
    place, env, instead = folder

    run(command, place, env, instead)


def test_a_promise_that_is_not_kept_and_a_command_that_fails_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\necho one   # ⇒ two\nfalse\necho 'a\nb'  # ⇒ b\n```\n")
    first, second, third = commands(page)

    with pytest.raises(AssertionError, match="promises 'two'"):
        run(first, tmp_path, os.environ)
    with pytest.raises(AssertionError, match="ended with 1"):
        run(second, tmp_path, os.environ)
    assert run(third, tmp_path, os.environ) == "a\nb\n"


@pytest.mark.parametrize("name", PAGES)
def test_a_document_is_one_page_and_promises_something(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()

    assert len(text.splitlines()) <= 90
    assert sum(one.promise is not None for one in commands(ROOT / "docs" / name)) >= 5
