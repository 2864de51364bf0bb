"""A Dockerfile read into stages, and what is wrong with it: what it names and is not there, what is not pinned.

No daemon builds it here, so each word that refers to something is held against what it refers to.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from streams import config
from streams.errors import ConfigError

INSTRUCTIONS = frozenset({"CMD", "COPY", "ENTRYPOINT", "ENV", "RUN", "USER", "VOLUME", "WORKDIR"})
_PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*")
_REQUIREMENTS = re.compile(r"-r (\S+)")


@dataclass(slots=True)
class Stage:
    """One ``FROM`` and what follows it: (instruction, its words)."""

    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """The instruction that holds; empty if there is none."""
        return next((text for name, text in reversed(self.steps) if name == instruction), "")

    def environment(self) -> dict[str, str]:
        """What its ``ENV`` lines set."""
        pairs = (word.partition("=") for name, text in self.steps if name == "ENV" for word in text.split())
        return {name: value for name, _, value in pairs}

    def copies(self) -> Iterator[tuple[str, list[str], str]]:
        """Each ``COPY``: the stage it takes from (empty: the checkout), its sources, its target."""
        for name, text in self.steps:
            if name == "COPY":
                words = text.split()
                flags = [word for word in words if word.startswith("--")]
                *sources, target = [word for word in words if not word.startswith("--")]
                origin = next((flag.removeprefix("--from=") for flag in flags if flag.startswith("--from=")), "")
                yield origin, sources, target


def read(text: str) -> list[Stage]:
    """The stages in order; comments are left out and continued lines joined."""
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", bare).splitlines():
        instruction, _, words = line.strip().partition(" ")
        if instruction == "FROM":
            image, _, name = words.partition(" AS ")
            stages.append(Stage(image.strip(), name.strip()))
        elif instruction:
            stages[-1].steps.append((instruction, words.strip()))
    return stages


def faults(text: str, ignore: str, root: Path) -> Iterator[str]:
    """One sentence for each thing that is not as it must be.

    Args:
        text: the Dockerfile.
        ignore: the ``.dockerignore``.
        root: the checkout, which is the build's context.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text())
    stages = read(text)
    names: list[str] = []
    for stage in stages:
        if not _PINNED.fullmatch(stage.image) and stage.image not in names:
            yield f"FROM {stage.image}: neither pinned to a version nor a stage"
        for name, _ in stage.steps:
            if name not in INSTRUCTIONS:
                yield f"{name}: no instruction that we use"
        yield from _copied(stage, names, ignore, root)
        yield from _installed(stage, root)
        names.append(stage.name)
    brought = {source for stage in stages for origin, sources, _ in stage.copies() if not origin for source in sources}
    build = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source in [*build["force-include"], *build["packages"]]:
        if source not in brought:
            yield f"the wheel is built from {source}, which no COPY brings"
    yield from _run(stages[-1], project)


def _copied(stage: Stage, before: list[str], ignore: str, root: Path) -> Iterator[str]:
    for origin, sources, _ in stage.copies():
        if origin and origin not in before:
            yield f"COPY --from={origin}: no stage of that name comes before"
        for source in sources if not origin else ():
            if not (root / source).exists():
                yield f"COPY {source}: no such path"
            elif ignored(source, ignore):
                yield f"COPY {source}: .dockerignore keeps it out"


def _installed(stage: Stage, root: Path) -> Iterator[str]:
    """Only what is pinned by hash is installed, besides the wheel that was built here."""
    copied = {source for origin, sources, _ in stage.copies() if not origin for source in sources}
    for name, text in stage.steps:
        for command in text.split("&&") if name == "RUN" else ():
            if "pip install" not in command or "/dist/" in command:
                continue
            if "--require-hashes" not in command:
                yield f"RUN {command.strip()}: installs without --require-hashes"
            for file in _REQUIREMENTS.findall(command):
                if file not in copied:
                    yield f"RUN {command.strip()}: {file} was not copied"
                elif "://" in re.sub(r"(?m)^\s*#.*$", "", (root / file).read_text()):
                    yield f"{file} names an index"


def _run(stage: Stage, project: dict[str, Any]) -> Iterator[str]:
    """What a container of the last stage starts, as whom, with which settings."""
    user = stage.last("USER").partition(":")[0]
    if user in ("", "0", "root"):
        yield f"USER {user or 'is not given'}: the image runs as root"
    for instruction in ("ENTRYPOINT", "CMD"):
        try:
            words = json.loads(stage.last(instruction) or "[]")
        except ValueError:
            yield f"{instruction} {stage.last(instruction)}: a shell would be process 1 and swallow SIGTERM"
            continue
        if instruction == "ENTRYPOINT" and (len(words) != 1 or words[0] not in project["project"]["scripts"]):
            yield f"ENTRYPOINT {words}: no console script of pyproject.toml"
    given = {name: value for name, value in stage.environment().items() if name.startswith(config.PREFIX)}
    try:
        settings = config.load(given)
    except ConfigError as fault:
        yield f"ENV {fault}"
        return
    if stage.last("VOLUME") != str(settings.home):
        yield f"VOLUME {stage.last('VOLUME')}: MUSEE_HOME is {settings.home}"


def ignored(path: str, ignore: str) -> bool:
    """Whether a ``.dockerignore`` keeps a path out: the last pattern that matches it or a folder above it decides."""
    parts = path.split("/")
    above = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    out = False
    for line in ignore.splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and any(fnmatchcase(one, pattern.lstrip("!")) for one in above):
            out = not pattern.startswith("!")
    return out
